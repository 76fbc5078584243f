/* SPDX-License-Identifier: GPL-2.0-only */
/* What an owner has in its memory, and what it says of it. */
#ifndef OWNER_STATE_H
#define OWNER_STATE_H

#include <stdbool.h>

#include "memory.h"
#include "nvme.h"

/* Behind the first page of the memory, see memory.h */
struct control {
	uint64_t kernels; /* that it has lived in before this one */
	uint64_t found; /* reads that had come to their end when it came back */
	uint64_t waiting; /* and those that had when it was preserved */
	struct nvme_state nvme;
};

struct owner {
	const char *session;
	const char *bdf; /* NULL: memory is all it has */
	struct memory memory;
	struct control *control;
	struct nvme nvme;
	struct vfio vfio;
	int iommufd;
	uint32_t hwpt;
	bool kept;
};

/* Puts "NAME VALUE" lines in the file, in one step. */
int state_write(const struct owner *o, const char *path);

#endif
