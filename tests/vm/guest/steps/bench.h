/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest set-up that can be preserved: a memfd, an iommufd that maps it,
 * a HWPT, a device attached to it. For cases that are about calls, not about
 * transfers; made and thrown away for each of them.
 */
#ifndef LU_BENCH_H
#define LU_BENCH_H

#include <stdint.h>

#include "vfio.h"

#define BENCH_BYTES (4ull << 20)
#define BENCH_IOVA (5ull << 30)

struct bench {
	int memfd;
	int iommufd;
	int session;
	uint32_t ioas;
	uint32_t hwpt;
	struct vfio vfio;
};

/* The device is bound to vfio-pci already. 0 or -errno. */
int bench_open(struct bench *b, const char *bdf);
/* For more than one at a time. */
int bench_open_as(struct bench *b, const char *bdf, const char *session);
/* Another device, bound to the bench's iommufd, attached to its HWPT. */
int bench_add(struct bench *b, struct vfio *v, const char *bdf);
/* Session first, which undoes what was preserved. */
void bench_close(struct bench *b);
void bench_close_session(struct bench *b);

/* Preserve calls with fixed tokens. */
int bench_preserve_memory(struct bench *b);
int bench_preserve_iommufd(struct bench *b);
int bench_preserve_device(struct bench *b);
/* Mark and all three. */
int bench_preserve(struct bench *b);

/* A filled memfd. */
int bench_memfd(uint64_t bytes);

#endif
