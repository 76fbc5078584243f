// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a device is found decides whose memory it writes to. The next kernel is
 * told to number buses anew, to make windows larger, to leave out ACS or ARI;
 * but the way to each kept device stays as it was: its number, the bridges
 * above it and what is set in them. Each device has an owner with memory, an iommufd
 * and a session of its own, all at the same addresses, so that a device that is
 * taken for its neighbour writes to the neighbour's memory without a fault.
 *
 * With lu.args=again:1 the old kernel has taken the bridges off and found them
 * anew before, so that all that is set in them is its own work.
 */
#include <errno.h>
#include <stdio.h>

#include "owner.h"
#include "path.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define BYTES (128ull << 20)
#define SLOTS 8192
#define READS 256
/* In guest memory: where the way to the device is written down. */
enum { NOTE_PATH };

static struct vm vms[DEVICES_MAX];
static unsigned int count;

static const char *session_name(unsigned int i)
{
	static char text[16];

	snprintf(text, sizeof(text), "renumber-%u", i);
	return text;
}

static void name_vm(unsigned int i)
{
	snprintf(vms[i].suffix, sizeof(vms[i].suffix), "-%u", i);
}

static int create(unsigned int i)
{
	struct vm_plan plan;
	const char *bdf;

	owner_plan(&plan, session_name(i));
	bdf = plan.bdf[i];
	for (unsigned int n = 0; n < DEVICES_MAX; n++)
		plan.bdf[n] = n ? NULL : bdf;
	plan.bytes = BYTES;
	plan.slots = SLOTS;
	plan.reads = READS;
	if (owner_create(&vms[i], &plan))
		return -1;
	name_vm(i);
	return owner_translate(&vms[i]) || owner_start(&vms[i]) ? -1 : 0;
}

static int write_path_down(struct vm *vm)
{
	uint64_t at = memory_take(&vm->memory, sizeof(struct path));

	if (lost("path-room", at ? 0 : -ENOMEM))
		return -1;
	vm->control->note[NOTE_PATH] = at;
	return lost("path", path_read(vm->device[0].state->bdf,
				      memory_at(&vm->memory, at))) ?
		       -1 :
		       0;
}

static int find_again(const char *bdf)
{
	char above[BDF_BYTES];
	int rc = pci_above(bdf, above);

	if (!rc)
		rc = pci_write_file(above, "remove", "1");
	if (!rc)
		rc = pci_rescan();
	if (!rc && !pci_id(bdf))
		rc = -ENODEV;
	return lost("find-again", rc) ? -1 : 0;
}

static int renumber_old(unsigned int stage)
{
	char bdf[DEVICES_MAX][BDF_BYTES];

	count = machine_kept(bdf);
	for (unsigned int i = 0; arg_number("again", 0) && i < count; i++)
		if (find_again(bdf[i]))
			return -1;
	for (unsigned int i = 0; i < count; i++)
		if (create(i))
			return -1;
	owner_ready();
	for (unsigned int i = 0; i < count; i++)
		if (owner_warm(&vms[i]) || owner_preserve(&vms[i]) ||
		    write_path_down(&vms[i]))
			return -1;
	for (unsigned int i = 0; i < count; i++)
		if (owner_load(&vms[i], stage))
			return -1;
	return owner_jump();
}

/* Before anybody asks for a device. */
static void check_path(struct vm *vm)
{
	const struct path *was = memory_at(&vm->memory,
					   vm->control->note[NOTE_PATH]);
	char name[48];

	for (unsigned int i = 0; i < was->hops; i++)
		value_text(owner_tag(vm, i ? "bridge" : "device"), "%s",
			   was->hop[i].bdf);
	snprintf(name, sizeof(name), "path-%s", was->hop[0].bdf);
	path_check(name, was);
}

static int take_back(struct vm *vm)
{
	return owner_reclaim(vm) || owner_swap(vm) || owner_release(vm) ? -1 :
									  0;
}

static int ending(int rc)
{
	traffic_stop_host();
	for (unsigned int i = 0; i < count; i++) {
		if (!rc)
			owner_reads_done(&vms[i]);
		traffic_quiet(&vms[i]);
		traffic_check(&vms[i], "");
		traffic_values(&vms[i]);
		rc |= owner_unbind(&vms[i]);
		traffic_blobs(&vms[i]);
		owner_verify(&vms[i]);
	}
	return rc;
}

static int renumber_new(unsigned int stage)
{
	char bdf[DEVICES_MAX][BDF_BYTES];
	int64_t was;
	int rc = 0;

	(void)stage;
	count = machine_kept(bdf);
	for (unsigned int i = 0; i < count; i++) {
		if (owner_arrive(&vms[i], session_name(i)))
			return -1;
		name_vm(i);
		check_path(&vms[i]);
	}
	was = vms[0].control->iommu_pages;
	for (unsigned int i = 0; !rc && i < count; i++)
		rc = take_back(&vms[i]);
	rc = ending(rc);
	for (unsigned int i = 0; i < count; i++)
		owner_close(&vms[i]);
	owner_count(was);
	return rc;
}

static const struct scenario renumber = {
	.name = "renumber",
	.description = "the way to a kept device stays as it was",
	.stages = { renumber_old, renumber_new },
};
SCENARIO(renumber);
