// SPDX-License-Identifier: GPL-2.0-only
/*
 * A panic instead of, or after, the kexec, and a crash kernel that was loaded
 * for it. It lives in memory set aside at boot, at the very addresses that the
 * devices use, and none of this may change while they go on. If it turns
 * translation off, with intel_iommu=off, that takes their bus mastering.
 *
 * lu.args=in:N tells which kernel panics: 1, with everything preserved but
 * before the kexec, or 2, before anything was retrieved.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kexec.h"
#include "klog.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "spare.h"
#include "stray.h"
#include "wire.h"
#include "words.h"

#define SESSION "crash"
#define CRASH_BYTES (128ull << 20)
/* Of the memory set aside, what the machine's file says. */
#define CRASH_AREA (256ull << 20)
#define SCRATCH "/sys/kernel/debug/kho/out/scratch_"
#define LEAVE (32ull << 10)
#define HOLD_SECONDS 4

static struct vm vm;

/* Where this kernel has set memory aside. */
static uint64_t area_here(void)
{
	unsigned long long start = 0;
	char line[128];
	FILE *f = fopen("/proc/iomem", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "Crash kernel"))
			start = strtoull(line, NULL, 16);
	if (f)
		fclose(f);
	return start;
}

/*
 * And where the next one will: as high as it can, but in what KHO keeps free
 * for its early days.
 */
static uint64_t area_next(void)
{
	FILE *at = fopen(SCRATCH "phys", "re");
	FILE *len = fopen(SCRATCH "len", "re");
	unsigned long long start, bytes, found = 0;

	while (at && len && fscanf(at, "%llx", &start) == 1 &&
	       fscanf(len, "%llx", &bytes) == 1)
		if (bytes >= CRASH_AREA && start + bytes > found)
			found = start + bytes;
	if (at)
		fclose(at);
	if (len)
		fclose(len);
	return found ? found - CRASH_AREA : 0;
}

static int panic_now(unsigned int stage)
{
	if (!check_rc("crash-load", kexec_load_crash(stage + 1), 0))
		return -1;
	event("panic");
	wire_drain();
	/* The owner of the files must live, else its devices are reset. */
	if (!fork())
		for (;;)
			pause();
	_exit(SCENARIO_EXIT_PANIC);
}

static int crash_old(unsigned int stage)
{
	struct vm_plan plan;
	uint64_t area;
	char item[40];

	area = arg_number("in", 1) == 1 ? area_here() : area_next();
	if (lost("crash-area", area ? 0 : -ENOENT))
		return -1;
	/* The middle of it. */
	memory_iova_start = area + (CRASH_AREA - CRASH_BYTES) / 2;
	snprintf(item, sizeof(item), "lu.iova=%#llx",
		 (unsigned long long)memory_iova_start);
	words_carry(item);
	owner_plan(&plan, SESSION);
	plan.bytes = CRASH_BYTES;
	if (owner_begin(&vm, &plan) || owner_preserve(&vm))
		return -1;
	if (arg_number("in", 1) == 1)
		return panic_now(stage);
	if (owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static int look(void)
{
	const bool off = klog_has("translation was left on");
	uint64_t within, bad, start;
	struct spare spare;

	start = word_number("lu.iova", 0);
	check("log-stopped", off == !!arg("stopped"),
	      "the kernel has%s stopped the devices", off ? "" : " not");
	if (lost("spare", spare_take(&spare, LEAVE)))
		return -1;
	value("spare_mib", spare.pages >> 8);
	within = spare_within(&spare, start, CRASH_BYTES);
	check("spare-in-reach", within > (CRASH_BYTES / PAGE_BYTES) / 4,
	      "%llu of %llu pages that devices have addresses of",
	      (unsigned long long)within, CRASH_BYTES / PAGE_BYTES);
	sleep(HOLD_SECONDS);
	bad = spare_damaged(&spare);
	check("spare-whole", !bad, "%llu of %llu pages damaged",
	      (unsigned long long)bad, (unsigned long long)spare.pages);
	if (off) {
		stray_check_stopped();
		stray_control(&spare);
	}
	return 0;
}

static int crash_later(unsigned int stage)
{
	if (word("elfcorehdr"))
		return look();
	check("log-taken", klog_has("live update: DMA goes on through domain"),
	      "the kernel that is about to panic has them");
	return panic_now(stage);
}

static const struct scenario crash = {
	.name = "crash",
	.description = "a panic with devices preserved, and a crash kernel",
	.stages = { crash_old, crash_later },
};
SCENARIO(crash);
