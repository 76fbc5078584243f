/* SPDX-License-Identifier: GPL-2.0-only */
/* What is to be handed to the next kernel, read from KHO's tree in memory. */
#ifndef LU_KHOTREE_H
#define LU_KHOTREE_H

#include <stdint.h>

struct khotree {
	uint64_t keys; /* blocks of memory, of whatever size */
	uint64_t hash; /* of where they are */
};

/* Needs /dev/mem with nothing filtered. 0 or -errno. */
int khotree_look(struct khotree *ret);

#endif
