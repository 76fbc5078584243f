// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine that sleeps turns its IOMMUs off, and all devices are to be at rest
 * by then. One that is kept has no driver that could see to that: while anything
 * is preserved, or has come over and is not finished, sleep is refused. The host
 * sees whether translation goes off.
 *
 * With lu.args=state:disk it is hibernation, on a kernel that can do that and has
 * no test of its own for it: nothing but the refusal is tried as long as a device
 * is at work, and at the end that it is not refused any more, with nowhere to put
 * the image.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "iommufd.h"
#include "klog.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "sleep.h"
#include "traffic.h"
#include "words.h"

#define REFUSAL "live update: no sleep before it is finished or reset"
#define SESSION "sleep"

static struct vm vm;

static const char *name_for(const char *state, const char *when)
{
	static char text[4][48];
	static unsigned int turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]), "%s-%s", state, when);
	return out;
}

static bool to_disk(void)
{
	const char *state = arg("state");

	return state && !strcmp(state, "disk");
}

static void check_disk_refused(const char *when)
{
	check_rc(name_for("disk", when), sleep_to_disk(), -EBUSY);
	check(name_for("said", when), klog_has(REFUSAL), "in the log");
}

static void check_disk_allowed(void)
{
	int rc = sleep_to_disk();

	check("disk-ended", rc && rc != -EBUSY && rc != -EPERM, "%s",
	      errno_name(rc));
}

static void check_refused(const char *when)
{
	if (to_disk()) {
		check_disk_refused(when);
		return;
	}
	check_rc(name_for("mem", when), sleep_down_to("mem", SLEEP_CORE),
		 -EBUSY);
	/* This one leaves the core as it is, but devices lose their power */
	check_rc(name_for("freeze", when),
		 sleep_down_to("freeze", SLEEP_DEVICES), -EBUSY);
}

/* No further than devices: their users go on, and so does translation. */
static void check_allowed(const char *when)
{
	if (to_disk())
		return;
	check_rc(name_for("mem", when), sleep_down_to("mem", SLEEP_DEVICES), 0);
	check_rc(name_for("freeze", when),
		 sleep_down_to("freeze", SLEEP_DEVICES), 0);
}

static int sleep_old(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	if (owner_begin(&vm, &plan))
		return -1;
	check_allowed("before");
	check("not-said", !klog_has(REFUSAL), "in the log");
	if (owner_preserve(&vm))
		return -1;
	check_refused("preserved");
	close(vm.session);
	if (lost("unmark", hwpt_unmark(vm.iommufd, vm.hwpt)))
		return -1;
	check_allowed("undone");
	if (owner_preserve(&vm))
		return -1;
	check_refused("preserved-again");
	if (owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static int sleep_new(unsigned int stage)
{
	int rc;

	(void)stage;
	check_refused("incoming");
	if (owner_arrive(&vm, SESSION))
		return -1;
	for (unsigned int i = 0; i < vm.devices; i++)
		if (lost("vfio-pci",
			 pci_bind(vm.device[i].state->bdf, "vfio-pci")))
			return -1;
	check_refused("with-driver");
	if (owner_reclaim(&vm))
		return -1;
	check_refused("bound");
	if (owner_swap(&vm))
		return -1;
	check_refused("swapped");
	if (owner_release(&vm))
		return -1;
	check_allowed("finished");
	owner_settle(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc = owner_unbind(&vm);
	traffic_blobs(&vm);
	owner_account(&vm);
	if (!rc && to_disk())
		check_disk_allowed();
	return rc;
}

static const struct scenario sleep_scenario = {
	.name = "sleep",
	.description = "no sleep while a device is kept",
	.stages = { sleep_old, sleep_new },
};
SCENARIO(sleep_scenario);
