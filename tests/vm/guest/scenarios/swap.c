// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replacing the translations under a device that is receiving must not cost a
 * frame, however often it is done: two HWPTs over the same memory, back and
 * forth, at least one frame between any two replaces. Once without a live
 * update, once after one.
 *
 * On a kernel whose replace is known to interrupt, the first of them loses
 * frames; the rig runs it there as well, to see that it can.
 */
#include "counts.h"
#include "iommufd.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define REPLACES 1000
#define RATE 4000
#define SESSION "swap"

static struct vm vm;

static int back_and_forth(void)
{
	unsigned long count = arg_number("n", REPLACES);
	uint64_t frames, errors = vm_errors(&vm);
	struct device *nic = vm_nic(&vm);
	uint32_t other;
	int rc;

	rc = hwpt_alloc(vm.iommufd, nic->vfio.devid, vm.ioas, &other);
	if (lost("second-hwpt", rc))
		return -1;
	traffic_rate(arg_number("rate", RATE));
	frames = device_progress(nic);
	event("replace-begin");
	for (unsigned long i = 0; i < count; i++) {
		rc = vm_attach(&vm, i & 1 ? vm.hwpt : other);
		if (rc || !device_await(nic, 1)) {
			check("replace", false, "number %lu: %s", i,
			      rc ? errno_name(rc) : "no frame any more");
			return -1;
		}
	}
	event("replace-end");
	check("replace", true, "%lu times", count);
	value("replaces", count);
	value("frames_meanwhile", device_progress(nic) - frames);
	device_await(nic, 100);
	value("replace_frames_lost", vm_errors(&vm) - errors);
	/* Leave on the first of the two, whatever the number was. */
	rc = vm_attach(&vm, vm.hwpt);
	if (lost("replace-last", rc))
		return -1;
	return lost("destroy-other", iommufd_destroy(vm.iommufd, other)) ?
		       -1 :
		       0;
}

static int ending(int rc)
{
	traffic_stop_host();
	if (!rc)
		owner_reads_done(&vm);
	traffic_quiet(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc |= owner_unbind(&vm);
	traffic_blobs(&vm);
	owner_account(&vm);
	return rc;
}

static int swap_here(unsigned int stage)
{
	struct vm_plan plan;

	(void)stage;
	owner_plan(&plan, SESSION);
	if (owner_begin(&vm, &plan))
		return -1;
	return ending(back_and_forth());
}

static int swap_old(unsigned int stage)
{
	return owner_hand_over(&vm, SESSION, stage);
}

/*
 * A live entry that says already what it has to say is not written: none is
 * before the first attach, and each once then.
 */
static int check_entries(const char *name, int64_t written)
{
	int64_t left = counts_of("in_entries_left");
	int64_t now = counts_of("in_entries_written");

	return check(name, left == vm.devices && now == written,
		     "%lld entries left alone, %lld written; %u devices",
		     (long long)left, (long long)now, vm.devices) ?
		       0 : -1;
}

static int swap_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	rc = owner_reclaim(&vm) || check_entries("entries-left", 0) ||
	     owner_swap(&vm) || check_entries("entries-written", vm.devices) ||
	     owner_release(&vm) || back_and_forth();
	return ending(rc ? -1 : 0);
}

static const struct scenario swap = {
	.name = "swap",
	.description = "1,000 replaces under load lose no frame",
	.stages = { swap_here },
};
SCENARIO(swap);

static const struct scenario swap_kexec = {
	.name = "swap-kexec",
	.description = "1,000 replaces under load after a live update",
	.stages = { swap_old, swap_new },
};
SCENARIO(swap_kexec);
