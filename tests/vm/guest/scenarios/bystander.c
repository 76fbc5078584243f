// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk that takes no part is read by its native driver all the time, and
 * other disks come and go between preserve and finish, in both kernels, while
 * the VM's devices are kept. The tables of their buses are not: what is kept of the
 * unit is as much as before, with lu.args=tables:N so many pages.
 */
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "inspect.h"
#include "klog.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "slot.h"
#include "traffic.h"
#include "words.h"

#define SESSION "bystander"
#define READS 50
/* Where the firmware numbers the ports' buses. */
#define PORT_A "rp1"
#define AT_A "0000:01:00.0"
#define PORT_B "rp2"
#define AT_B "0000:02:00.0"

static struct vm vm;
static struct disk stays, in_a, in_b;

static void works(const char *when, const char *what, struct disk *d)
{
	bool well = disk_works(d, READS);
	char name[64];

	snprintf(name, sizeof(name), "%s-%s", what, when);
	check(name, well, "%llu reads, %llu bad",
	      (unsigned long long)d->reads, (unsigned long long)d->bad);
}

static int plug(const char *when, struct disk *d, const char *port,
		const char *at)
{
	if (!disk_plug(port, at) || lost("disk", disk_start(d, at)))
		return -1;
	works(when, port, d);
	works(when, "disk", &stays);
	return 0;
}

static int unplug(const char *when, struct disk *d, const char *port,
		  const char *at)
{
	char name[64];

	disk_stop(d);
	if (!disk_unplug(port, at))
		return -1;
	snprintf(name, sizeof(name), "%s-unplugged-%s", port, when);
	check(name, !d->bad, "%llu reads, %llu bad",
	      (unsigned long long)d->reads, (unsigned long long)d->bad);
	works(when, "disk-unplugged", &stays);
	return 0;
}

static void check_tables(const char *when, const char *side)
{
	uint64_t want = arg_number("tables", 0);
	static struct inspect what;
	char name[32];

	snprintf(name, sizeof(name), "tables-%s", when);
	if (lost(name, inspect_read(&what, side)))
		return;
	check(name, what.units == 1 && what.unit[0].tables == want,
	      "%llu pages, should be %llu",
	      (unsigned long long)what.unit[0].tables,
	      (unsigned long long)want);
}

static int start_disk(void)
{
	char bdf[BDF_BYTES];

	if (lost("disk", pci_find(DISK_ID, 0, bdf)) ||
	    lost("disk", disk_start(&stays, bdf)))
		return -1;
	return 0;
}

static int bystander_old(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	if (start_disk() || owner_begin(&vm, &plan))
		return -1;
	works("before", "disk", &stays);
	if (plug("at-first", &in_b, PORT_B, AT_B) || owner_preserve(&vm))
		return -1;
	check_tables("preserved", "out");
	if (unplug("preserved", &in_b, PORT_B, AT_B) ||
	    plug("preserved-too", &in_a, PORT_A, AT_A))
		return -1;
	check_tables("preserved-too", "out");
	/* Both disks are read until this kernel ends. */
	if (owner_load(&vm, stage) ||
	    lost("slot-settle", slot_settle(AT_B)))
		return -1;
	/* While it does so another one comes; nobody waits for that. */
	event("plug port=%s", PORT_B);
	return owner_jump();
}

static int bystander_new(unsigned int stage)
{
	int rc;

	(void)stage;
	/* The other one may come only now */
	if (start_disk() || lost("disk", disk_start(&in_a, AT_A)) ||
	    lost("disk", disk_start(&in_b, AT_B)) ||
	    lost("slot-settle", slot_settle(AT_B)))
		return -1;
	works("arrived", "disk", &stays);
	works("arrived", PORT_A, &in_a);
	works("arrived", PORT_B, &in_b);
	check_tables("arrived", "in");
	check("tables-unlinked", !klog_has("is not among those kept"),
	      "in the log");
	if (unplug("jumped", &in_a, PORT_A, AT_A) ||
	    plug("jumped", &in_a, PORT_A, AT_A) ||
	    owner_arrive(&vm, SESSION) || owner_reclaim(&vm) ||
	    unplug("claimed", &in_b, PORT_B, AT_B) || owner_swap(&vm) ||
	    plug("claimed", &in_b, PORT_B, AT_B) || owner_release(&vm))
		return -1;
	works("finished", "disk", &stays);
	works("finished", PORT_A, &in_a);
	works("finished", PORT_B, &in_b);
	owner_settle(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc = owner_unbind(&vm);
	disk_stop(&in_a);
	disk_stop(&in_b);
	disk_stop(&stays);
	traffic_blobs(&vm);
	owner_verify(&vm);
	owner_close(&vm);
	return rc;
}

static const struct scenario bystander = {
	.name = "bystander",
	.description = "disks with a native driver come, go and work",
	.stages = { bystander_old, bystander_new },
};
SCENARIO(bystander);
