// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several devices, all at work, on restored translations: each of them is led to
 * new ones and back again, many times, at least one frame of every card between
 * any two rounds. No transfer may be lost, whoever shares a domain with whom.
 *
 * lu.args=domains:shared   one restored domain for all, one new one
 *                 apart    one restored domain for all, a new one for each
 *                 own      a restored domain for each, a new one for each
 */
#include <stdio.h>
#include <string.h>

#include "iommufd.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define SESSION "swap-restored"
#define GUEST_BYTES (384ull << 20)
#define REPLACES 1000
#define RATE 2000

static struct vm vm;

static bool domains_are(const char *what)
{
	const char *domains = arg("domains");

	return !strcmp(domains ? domains : "shared", what);
}

/* Each device but the first gets a HWPT over the same memory. */
static int allocate(uint32_t *hwpt)
{
	hwpt[0] = vm.hwpt;
	for (unsigned int i = 1; i < vm.devices; i++)
		if (lost("hwpt", hwpt_alloc(vm.iommufd, vm.device[i].vfio.devid,
					    vm.ioas, &hwpt[i])))
			return -1;
	return 0;
}

static int attach_all(const uint32_t *hwpt)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		int rc = vfio_attach(&vm.device[i].vfio, hwpt[i]);

		if (rc)
			return rc;
	}
	return 0;
}

static int own_domains(void)
{
	uint32_t hwpt[DEVICES_MAX];

	if (allocate(hwpt) || lost("attach-own", attach_all(hwpt)))
		return -1;
	for (unsigned int i = 1; i < vm.devices; i++)
		if (lost("mark-own",
			 hwpt_mark(vm.iommufd, hwpt[i], TOKEN_HWPT + i)))
			return -1;
	return 0;
}

static int restored_old(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	plan.bytes = GUEST_BYTES;
	if (owner_create(&vm, &plan) || owner_translate(&vm))
		return -1;
	if (!check("devices", vm.devices > 2, "%u", vm.devices))
		return -1;
	if ((domains_are("own") && own_domains()) || owner_start(&vm))
		return -1;
	owner_ready();
	if (owner_warm(&vm) || owner_preserve(&vm) || owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

/* The HWPTs that came over, and those to lead the devices to. */
static int both_sides(uint32_t *restored, uint32_t *fresh)
{
	bool own = domains_are("own");

	for (unsigned int i = 0; i < vm.devices; i++)
		if (lost("restore",
			 hwpt_restore(vm.iommufd, TOKEN_HWPT + (own ? i : 0),
				      &restored[i])))
			return -1;
	if (lost("remap", vm_remap(&vm)))
		return -1;
	if (!domains_are("shared"))
		return allocate(fresh);
	for (unsigned int i = 0; i < vm.devices; i++)
		fresh[i] = vm.hwpt;
	return 0;
}

static bool each_card_goes_on(void)
{
	for (unsigned int i = 0; i < vm.devices; i++)
		if (device_frames(&vm.device[i]) &&
		    !device_await(&vm.device[i], 1))
			return false;
	return true;
}

static int back_and_forth(const uint32_t *restored, const uint32_t *fresh)
{
	unsigned long count = arg_number("n", REPLACES);
	uint64_t was[DEVICES_MAX];

	for (unsigned int i = 0; i < vm.devices; i++)
		was[i] = device_progress(&vm.device[i]);
	event("replace-begin");
	for (unsigned long n = 0; n < count; n++) {
		int rc = attach_all(n & 1 ? restored : fresh);

		if (rc || !each_card_goes_on()) {
			check("replace", false, "number %lu: %s", n,
			      rc ? errno_name(rc) : "no frame any more");
			return -1;
		}
	}
	event("replace-end");
	check("replace", true, "%lu times each of %u devices", count,
	      vm.devices);
	for (unsigned int i = 0; i < vm.devices; i++) {
		const struct device *d = &vm.device[i];
		uint64_t more = device_progress(d) - was[i];
		char name[48];

		snprintf(name, sizeof(name), "busy-%s", d->state->bdf);
		check(name, more, "%llu transfers meanwhile",
		      (unsigned long long)more);
	}
	return lost("replace-last", attach_all(fresh)) ? -1 : 0;
}

/* Where all came over on one, that one. */
static int release(const uint32_t *restored)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		char name[48];
		int rc;

		if (i && restored[i] == restored[0])
			continue;
		snprintf(name, sizeof(name), "destroy-restored-%u", i);
		rc = iommufd_destroy(vm.iommufd, restored[i]);
		if (!check_rc(name, rc, 0))
			return -1;
	}
	return check_rc("finish", vm_finish(&vm), 0) ? 0 : -1;
}

static int restored_new(unsigned int stage)
{
	uint32_t restored[DEVICES_MAX], fresh[DEVICES_MAX];
	int rc;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	traffic_rate(arg_number("rate", RATE));
	rc = owner_reclaim(&vm) || both_sides(restored, fresh) ||
	     back_and_forth(restored, fresh) || release(restored);
	return owner_end(&vm, rc);
}

static const struct scenario swap_restored = {
	.name = "swap-restored",
	.description = "1,000 replaces of several devices on restored domains",
	.stages = { restored_old, restored_new },
};
SCENARIO(swap_restored);
