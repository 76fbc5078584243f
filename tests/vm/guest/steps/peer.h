/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device whose BAR other devices read and write: QEMU's shared memory, which has
 * nothing else. It is kept in the session of those others.
 */
#ifndef LU_PEER_H
#define LU_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "vfio.h"

#define PEER_ID 0x1af41110u
#define PEER_BAR 2
#define PEER_BYTES (4ull << 20)
/* Of pages of 4 KiB that are two tables, with nothing else in them. */
#define PEER_IOVA (9ull << 30)
#define TOKEN_PEER 0x400ull

struct peer {
	char bdf[BDF_BYTES];
	struct vfio vfio;
	/* The BAR. */
	void *memory;
};

/* 0 or -errno, as for all of these. */
int peer_find(struct peer *p);
/* Maps the BAR without an owner. That ends when somebody becomes one. */
int peer_look(struct peer *p);
/* Gives it to an iommufd: with a file of its session, or -1 to open it. */
int peer_bind(struct peer *p, int fd, int iommufd);
/* Its BAR at PEER_IOVA. */
int peer_map(struct peer *p, int iommufd, uint32_t ioas);
/* Its memory space, as its user turns it: whoever has mapped the BAR loses it. */
int peer_memory(struct peer *p, bool on);
/* Closes the file of it, and what was mapped of it leads nowhere. */
void peer_close(struct peer *p);

#endif
