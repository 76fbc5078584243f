// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live updates in a row, lu.args=n:N of them, all under load: the drive reads
 * for ever, frames keep coming. Each kernel takes everything back, swaps,
 * finishes, and preserves anew. What the kernel has in use after the first
 * finish is what it has in use after the last one. With lu.args=leak:KIB
 * each kernel loses that much: then the test has to fail.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "vmstat.h"
#include "words.h"

#define SESSION "again"
/* Frames each second: few enough for all of them to be logged. */
#define RATE 400
/*
 * What the allocators take differs by some pages from boot to boot, and by more
 * with KASAN, which holds freed memory back.
 */
#define SLACK_KIB 4096
#define SLACK_DEBUG_KIB 65536
/* Where a kernel tells the last one, in guest memory */
enum { NOTE_TABLES, NOTE_TOTAL, NOTE_FREE };

static struct vm vm;

static int move_on(unsigned int stage)
{
	if (owner_preserve(&vm) || owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static void read_for_ever(bool on)
{
	struct device *nvme = vm_nvme(&vm);

	if (nvme)
		nvme->nvme.endless = on;
}

static int first(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	if (owner_create(&vm, &plan))
		return -1;
	snprintf(vm.suffix, sizeof(vm.suffix), "-1");
	read_for_ever(true);
	if (owner_translate(&vm) || owner_start(&vm))
		return -1;
	owner_ready();
	traffic_rate(arg_number("rate", RATE));
	if (owner_warm(&vm))
		return -1;
	return move_on(stage);
}

static void check_used(const char *name, int64_t is, int64_t was, int64_t slack)
{
	check(name, is >= was - slack && is <= was + slack, "%lld, %lld once",
	      (long long)is, (long long)was);
}

/* What a kernel that leaks in each live update would have lost by now. */
static void leak(unsigned int stage)
{
	size_t bytes = stage * arg_number("leak", 0) << 10;

	if (bytes &&
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		lost("leak", -errno);
}

/* With nothing of a live update left, and the VM's own in use. */
static void compare(unsigned int stage, bool last)
{
	uint64_t *note = vm.control->note;
	int64_t total, free, tables;

	leak(stage);
	total = meminfo_total();
	free = meminfo_free();
	value(owner_tag(&vm, "free_kib"), free);
	if (stage > 2 && !last)
		return;
	tables = vmstat_iommu_pages();
	if (stage == 2) {
		note[NOTE_TABLES] = tables;
		note[NOTE_TOTAL] = total;
		note[NOTE_FREE] = free;
	}
	if (!last)
		return;
	check_used("grown-tables", tables, note[NOTE_TABLES], 0);
	check_used("grown-reserved", total, note[NOTE_TOTAL], SLACK_KIB);
	check_used("grown-used", free, note[NOTE_FREE],
		   access("/proc/lockdep", F_OK) ? SLACK_KIB : SLACK_DEBUG_KIB);
}

static int later(unsigned int stage)
{
	bool last = stage > arg_number("n", 3);
	int rc;

	if (owner_arrive(&vm, SESSION))
		return -1;
	snprintf(vm.suffix, sizeof(vm.suffix), "-%u", stage);
	read_for_ever(true);
	rc = owner_reclaim(&vm) || owner_swap(&vm) ||
	     owner_release(&vm);
	if (!rc)
		compare(stage, last);
	if (!rc && !last)
		return move_on(stage);

	read_for_ever(false);
	if (rc)
		traffic_drain(&vm);
	else
		owner_settle(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	value("updates", stage - 1);
	rc |= owner_unbind(&vm);
	traffic_blobs(&vm);
	owner_account(&vm);
	return rc;
}

static const struct scenario again = {
	.name = "again",
	.description = "several live updates in a row, under load",
	.stages = { first, later },
};
SCENARIO(again);
