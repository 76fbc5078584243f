// SPDX-License-Identifier: GPL-2.0-only
/*
 * The main story: a VM with a network card and a drive at work goes through
 * a live update, takes everything back and swaps in new translations, while a
 * card that is not preserved tries to write all the time.
 *
 * With lu.args=stock:1 it runs on a kernel that has none of this: only the
 * memfd is carried over, and stage 2 tells what was found in the rings. It
 * does not judge that; the host does.
 *
 * With huge:1 the VM's memory is huge pages, as far as there are any, and most
 * entries of the page table lead to these.
 */
#include <errno.h>
#include <stdio.h>

#include "intruder.h"
#include "library.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "vmstat.h"
#include "words.h"

#define SESSION "demo"
/* Of a page of an IOMMU's tables. */
#define ENTRIES 512

static struct vm vm;
static struct intruders intruders;

static bool stock(void)
{
	return arg_number("stock", 0);
}

enum moment { AT_START, LAST_SEEN, NOW };

/* Reads of all kept drives up to a moment. */
static uint64_t reads(enum moment when)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < vm.devices; i++) {
		const struct device *d = &vm.device[i];

		if (d->state->kind != DEVICE_NVME)
			continue;
		if (when == AT_START)
			sum += d->state->nvme.submitted;
		else if (when == LAST_SEEN)
			sum += vm.control->before[i];
		else
			sum += device_progress(d);
	}
	return sum;
}

/* How many pages the table would have if each entry led to a small one */
static void check_large(uint64_t bytes)
{
	const int64_t small = bytes / PAGE_BYTES / ENTRIES;

	if (memory_huge)
		check("large-entries", vm.control->table_pages < small / 4,
		      "%lld pages of tables, instead of %lld",
		      (long long)vm.control->table_pages, (long long)small);
}

static int build(void)
{
	struct vm_plan plan;

	memory_huge = arg_number("huge", 0);
	owner_plan(&plan, SESSION);
	if (owner_create(&vm, &plan))
		return -1;
	if (!vm_nic(&vm) || !vm_nvme(&vm)) {
		check("devices", false, "a card and a drive are needed");
		return -1;
	}
	if (owner_translate(&vm))
		return -1;
	value("table_pages_kept", vm.control->table_pages);
	check_large(plan.bytes);
	return lost("intruders-start", intruders_start(&intruders, &vm)) ?
		       -1 :
		       0;
}

static int stage_old(unsigned int stage)
{
	if (build() || owner_start(&vm))
		return -1;
	owner_ready();
	if (owner_warm(&vm))
		return -1;
	for (unsigned int i = 0; i < vm.control->intruders; i++) {
		struct device *d = &intruders.device[i];
		bool works = device_await_total(d, 1);

		if (lost("intruder-works", works ? 0 : -ETIMEDOUT))
			return -1;
	}
	if (library_preserve(&vm, stock()))
		return -1;
	if (owner_load(&vm, stage))
		return -1;
	value("reads_submitted", reads(AT_START));
	value("reads_completed_before", reads(NOW));
	if (lost("hammer", intruders_hammer(&intruders)))
		return -1;
	return owner_jump();
}

/* What the devices did while no kernel was there. */
static void say_blackout(uint64_t late)
{
	uint64_t rearmed = 0;

	value("reads_completed_blackout", reads(NOW) - reads(LAST_SEEN));
	for (unsigned int i = 0; i < vm.control->intruders; i++)
		rearmed += vm.control->rearmed[i];
	value("intruder_rearmed", rearmed);
	value("intruder_armed_on_arrival", intruders.armed);
	value("intruder_found_late", late);
	for (unsigned int i = 0; i < vm.devices; i++)
		vm.control->before[i] = device_progress(&vm.device[i]);
}

static void say_transfers(void)
{
	uint64_t errors = 0;

	for (unsigned int i = 0; i < vm.devices; i++) {
		const struct device *d = &vm.device[i];

		errors += device_frames(d) ? device_frames(d)->damaged :
					     device_errors(d);
	}
	value("reads_completed_after", reads(NOW) - reads(LAST_SEEN));
	value("data_errors", errors);
	traffic_values(&vm);
	traffic_blobs(&vm);
	if (intruders_nic(&intruders))
		traffic_blob("intruder", &vm.memory,
			     intruders_nic(&intruders));
}

static int take_back(void)
{
	int rc;

	rc = library_reclaim(&vm) || library_swap(&vm) ||
	     library_release(&vm);
	if (!rc)
		owner_settle(&vm);
	else
		traffic_drain(&vm);
	return owner_unbind(&vm) || rc ? -1 : 0;
}

/* Nothing is expected of it but that it ends in order. */
static int take_stock(void)
{
	traffic_drain(&vm);
	vm_first_scan(&vm);
	return library_finish(&vm);
}

static int stage_new(unsigned int stage)
{
	uint64_t late;
	int rc;

	(void)stage;
	if (library_arrive(&vm, SESSION))
		return -1;
	intruders_adopt(&intruders, &vm);
	late = intruders_scan(&intruders);
	say_blackout(late);

	rc = stock() ? take_stock() : take_back();

	late = intruders_scan(&intruders);
	if (!stock()) {
		check("intruder-silent", !late,
		      "%llu transfers after the first look",
		      (unsigned long long)late);
		traffic_check(&vm, "");
	}
	say_transfers();
	owner_account(&vm);
	return rc;
}

static const struct scenario demo = {
	.name = "demo",
	.description = "one live update with a card, a drive and an intruder",
	.stages = { stage_old, stage_new },
};
SCENARIO(demo);
