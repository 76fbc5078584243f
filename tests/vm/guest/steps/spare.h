/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spare memory: nearly all that the kernel has to give, taken and filled with
 * a pattern. Whatever writes to memory that is nobody's leaves a mark in it.
 */
#ifndef LU_SPARE_H
#define LU_SPARE_H

#include <stdbool.h>
#include <stdint.h>

struct spare {
	uint64_t *base;
	uint64_t pages;
};

/* Takes all but @leave KiB of what is available. */
int spare_take(struct spare *s, uint64_t leave);
void spare_give(struct spare *s);
/* Pages that hold something else by now; the first few are described. */
uint64_t spare_damaged(const struct spare *s);
/* Pages of it that lie in a range of physical addresses. */
uint64_t spare_within(const struct spare *s, uint64_t start, uint64_t bytes);

/*
 * The same as steps of a test. Takes it, and checks that a quarter of the @bytes
 * from @start is in it, to which devices have addresses: else it shows little.
 */
int spare_fill(struct spare *s, uint64_t leave, uint64_t start, uint64_t bytes);
/* Checks that nothing was written to it. */
bool spare_whole(const struct spare *s, const char *name);

#endif
