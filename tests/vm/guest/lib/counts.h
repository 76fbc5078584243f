/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel holds for live updates, in exact numbers. A call that was
 * refused, or undone, leaves them as they were.
 */
#ifndef LU_COUNTS_H
#define LU_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* Table pages of IOMMUs, then the lines of iommu/liveupdate in debugfs. */
enum {
	COUNT_TABLE_PAGES,
	COUNT_OUT_UNITS,
	COUNT_OUT_DOMAINS,
	COUNT_OUT_DEVICES,
	COUNT_OUT_BLOCKS,
	COUNT_OUT_FROZEN,
	COUNT_KHO,
	COUNTS_MAX
};

struct counts {
	int64_t n[COUNTS_MAX];
};

/* 0 or -errno. */
int counts_read(struct counts *c);
/* Any line of the file, also one that is not among these, or -errno. */
int64_t counts_of(const char *name);
/*
 * One check: are they as they were? What is freed by queued work is waited
 * for.
 */
bool counts_check(const char *name, const struct counts *was);

#endif
