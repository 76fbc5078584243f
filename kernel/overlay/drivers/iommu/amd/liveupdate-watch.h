/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How an entry of the device table is changed
 */
#ifndef __AMD_LIVEUPDATE_WATCH_H
#define __AMD_LIVEUPDATE_WATCH_H

#include <kunit/test.h>

#include "amd_iommu_types.h"

#define AMD_WATCH_STATES	64

struct perf_event;

/**
 * struct amd_watch - What an entry was after each write to it
 * @entry: The entry
 * @seen:  Its states, the first ones if there were more
 * @nr:    How many there were
 * @half:  The watchpoints, one on each half
 */
struct amd_watch {
	const struct dev_table_entry *entry;
	struct dev_table_entry seen[AMD_WATCH_STATES];
	unsigned int nr;
	struct perf_event * __percpu *half[2];
};

void amd_watch_start(struct kunit *test, struct amd_watch *watch,
		     const struct dev_table_entry *entry);
void amd_watch_end(struct amd_watch *watch);
bool amd_watch_saw(const struct amd_watch *watch, u64 flags, u64 want);

#endif /* __AMD_LIVEUPDATE_WATCH_H */
