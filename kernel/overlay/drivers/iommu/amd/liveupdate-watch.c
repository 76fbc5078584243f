// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an entry of the device table is changed
 *
 * A watchpoint of the processor tells of each write, so no state that a unit could
 * fetch is missed.
 */
#include <kunit/test.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>

#include "liveupdate-watch.h"

static void see_write(struct perf_event *event, struct perf_sample_data *data,
		      struct pt_regs *regs)
{
	struct amd_watch *watch = event->overflow_handler_context;

	if (watch->nr < AMD_WATCH_STATES)
		watch->seen[watch->nr] = *watch->entry;
	watch->nr++;
}

/**
 * amd_watch_start - See each write to an entry from now on
 * @test:  The test, which ends here if the processor has too few watchpoints
 * @watch: Where to note what is seen
 * @entry: The entry
 *
 * Context: May sleep.
 */
void amd_watch_start(struct kunit *test, struct amd_watch *watch,
		     const struct dev_table_entry *entry)
{
	struct perf_event_attr attr;

	watch->entry = entry;
	watch->nr = 0;
	for (unsigned int i = 0; i < 2; i++) {
		hw_breakpoint_init(&attr);
		attr.bp_addr = (unsigned long)&entry->data[2 * i];
		attr.bp_len = HW_BREAKPOINT_LEN_8;
		attr.bp_type = HW_BREAKPOINT_W;
		watch->half[i] = register_wide_hw_breakpoint(&attr, see_write,
							     watch);
		KUNIT_ASSERT_FALSE(test, IS_ERR((void __force *)watch->half[i]));
	}
}

/**
 * amd_watch_end - See no more of them
 * @watch: What amd_watch_start() was given, or zeroes
 *
 * Context: May sleep.
 */
void amd_watch_end(struct amd_watch *watch)
{
	for (unsigned int i = 0; i < 2; i++)
		if (!IS_ERR_OR_NULL((void __force *)watch->half[i]))
			unregister_wide_hw_breakpoint(watch->half[i]);
	memset(watch->half, 0, sizeof(watch->half));
}

/**
 * amd_watch_saw - Was the entry ever like this?
 * @watch: What was seen
 * @flags: Bits of its first word
 * @want:  What they had to be
 *
 * Context: Any.
 * Return: true when one of its states had just these.
 */
bool amd_watch_saw(const struct amd_watch *watch, u64 flags, u64 want)
{
	for (unsigned int i = 0; i < min(watch->nr, AMD_WATCH_STATES); i++)
		if ((watch->seen[i].data[0] & flags) == want)
			return true;
	return false;
}
