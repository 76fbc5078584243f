// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual functions of one card. Two of them go over, each in a session of its
 * own, a third one keeps its native driver, and so does the physical one, which is
 * shut down and bound again. As long as one of the sessions lasts nobody may take
 * the functions away.
 *
 * With lu.args=bare:1 the next kernel is one that has no driver for the physical
 * function, and is offered one that is not known to leave the others alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define VMS 2
/* Of a virtio function, whatever it is */
#define VIRTIO "virtio-pci"
/* It touches nothing, but that is not known */
#define OTHER "pci-stub"

#define SRIOV 0x10
#define SRIOV_CONTROL 0x08
#define SRIOV_ENABLE 0x1
#define SRIOV_NUM_VFS 0x10

static struct vm vms[VMS];
static const char *const session[VMS] = { "vfs-a", "vfs-b" };
static struct disk disk;

static bool bare(void)
{
	return arg_number("bare", 0);
}

/* What the rig had init make: the physical function, and how many it has. */
static const char *physical(void)
{
	return strchr(word("lu.vfs"), '@') + 1;
}

static long virtual_ones(void)
{
	return strtol(word("lu.vfs"), NULL, 10);
}

/* As the function itself has it: all that are enabled. */
static long number_of_vfs(void)
{
	unsigned int at = pci_extended(physical(), SRIOV);
	uint16_t control, count;

	if (!at || pci_read16(physical(), at + SRIOV_CONTROL, &control) ||
	    pci_read16(physical(), at + SRIOV_NUM_VFS, &count))
		return -1;
	return control & SRIOV_ENABLE ? count : 0;
}

/* The one that nobody keeps is the last one. */
static void last_of_them(char *bdf)
{
	snprintf(bdf, BDF_BYTES, "%s", physical());
	bdf[strlen(bdf) - 1] += virtual_ones();
}

static const char *name_for(const char *when, const char *what)
{
	static char name[4][48];
	static unsigned int at;

	at = (at + 1) % 4;
	snprintf(name[at], sizeof(name[at]), "%s-%s", when, what);
	return name[at];
}

/* All that would be the end of the virtual functions. */
static void try_physical(const char *when, bool driver)
{
	const char *pf = physical();

	check_rc(name_for(when, "fewer"),
		 pci_write_file(pf, "sriov_numvfs", "0"), -EBUSY);
	check_rc(name_for(when, "reset"), pci_write_file(pf, "reset", "1"),
		 -EBUSY);
	check_rc(name_for(when, "remove"), pci_write_file(pf, "remove", "1"),
		 -EBUSY);
	if (driver)
		check_rc(name_for(when, "unbind"),
			 pci_write_file(pf, "driver/unbind", pf), -EBUSY);
	else
		check_rc(name_for(when, "bind"), pci_offer(pf, OTHER),
			 -EAGAIN);
	check(name_for(when, "vfs"), number_of_vfs() == virtual_ones(),
	      "%ld, there were %ld", number_of_vfs(), virtual_ones());
}

static int start_disk(void)
{
	return lost("disk", disk_start(&disk, physical())) ? -1 : 0;
}

static void try_disk(const char *when)
{
	bool works = disk_works(&disk, 32);

	check(name_for(when, "disk"), works && !disk.bad,
	      "%llu reads, %llu with wrong data", (unsigned long long)disk.reads,
	      (unsigned long long)disk.bad);
}

/* Each VM gets every second device. */
static void share_out(struct vm_plan *plan, int which)
{
	struct vm_plan whole;

	owner_plan(&whole, session[which]);
	*plan = whole;
	plan->bytes = arg_number("mem", 256) << 20;
	memset(plan->bdf, 0, sizeof(plan->bdf));
	for (int i = 0; i < DEVICES_MAX && whole.bdf[i]; i++)
		if (i % VMS == which)
			plan->bdf[i / VMS] = whole.bdf[i];
}

static int vfs_old(unsigned int stage)
{
	struct vm_plan plan;

	for (int i = 0; i < VMS; i++) {
		share_out(&plan, i);
		if (owner_create(&vms[i], &plan))
			return -1;
		owner_name(vms, VMS);
		if (owner_translate(&vms[i]))
			return -1;
	}
	for (int i = 0; i < VMS; i++)
		if (owner_start(&vms[i]))
			return -1;
	owner_ready();
	if (start_disk())
		return -1;
	for (int i = 0; i < VMS; i++)
		if (owner_warm(&vms[i]) || owner_preserve(&vms[i]))
			return -1;
	try_physical("preserved", true);
	try_disk("preserved");
	for (int i = 0; i < VMS; i++)
		if (owner_load(&vms[i], stage))
			return -1;
	return owner_jump();
}

static void check_driver(const char *name, const char *bdf, const char *want)
{
	char driver[40];

	pci_driver(bdf, driver, sizeof(driver));
	check(name, !strcmp(driver, want), "'%s'", driver);
}

/* With no owner yet: the others are as they were. */
static int look_around(void)
{
	char other[BDF_BYTES];

	last_of_them(other);
	check_driver("other-driver", other, bare() ? "" : VIRTIO);
	check_driver("physical-driver", physical(), bare() ? "" : VIRTIO);
	try_physical("arrived", !bare());
	return bare() ? 0 : start_disk();
}

/* Of one VM; the functions stay as long as there is the other one. */
static int take_back(struct vm *vm, const char *when, bool last)
{
	if (owner_reclaim(vm) || owner_swap(vm) || owner_release(vm))
		return -1;
	if (!last)
		try_physical(when, !bare());
	return 0;
}

/* What was refused is not any more. */
static void take_away(void)
{
	const char *pf = physical();

	if (bare()) {
		check_rc("finished-bind", pci_offer(pf, OTHER), 0);
		return;
	}
	disk_stop(&disk);
	check_rc("finished-fewer", pci_write_file(pf, "sriov_numvfs", "0"), 0);
	check("finished-vfs", !number_of_vfs(), "%ld", number_of_vfs());
	check_rc("finished-unbind", pci_write_file(pf, "driver/unbind", pf),
		 0);
}

static int vfs_new(unsigned int stage)
{
	int i, rc = 0;

	(void)stage;
	for (i = 0; i < VMS; i++)
		if (owner_arrive(&vms[i], session[i]))
			return -1;
	owner_name(vms, VMS);
	if (look_around())
		return -1;
	for (i = 0; i < VMS; i++)
		rc |= take_back(&vms[i], "finished-one", i == VMS - 1);
	if (!bare())
		try_disk("swapped");

	rc = owner_end_several(vms, VMS, rc);
	take_away();
	return rc;
}

static const struct scenario vfs = {
	.name = "vfs",
	.description = "virtual functions in two sessions, others stay",
	.stages = { vfs_old, vfs_new },
};
SCENARIO(vfs);
