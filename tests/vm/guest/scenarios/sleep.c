// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine that sleeps turns its IOMMUs off, and all devices are to be at rest
 * by then. One that is kept has no driver that could see to that: while anything
 * is preserved, or has come over and is not finished, sleep is refused. The host
 * sees whether translation goes off.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "iommufd.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "sleep.h"
#include "traffic.h"

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

static void check_refused(const char *when)
{
	check_rc(name_for("mem", when), sleep_down_to("mem", SLEEP_CORE),
		 -EBUSY);
	/* This one leaves the core as it is, but devices lose their power */
	check_rc(name_for("freeze", when),
		 sleep_down_to("freeze", SLEEP_DEVICES), -EBUSY);
}

/* No further than devices: their users go on, and so does translation. */
static void check_allowed(const char *when)
{
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
	return rc;
}

static const struct scenario sleep_scenario = {
	.name = "sleep",
	.description = "no sleep while a device is kept",
	.stages = { sleep_old, sleep_new },
};
SCENARIO(sleep_scenario);
