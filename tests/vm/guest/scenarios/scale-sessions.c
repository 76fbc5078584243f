// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two VMs in one owner, each with memory, an iommufd and a session of its
 * own, sharing out whatever devices the machine has between them. Each
 * iommufd also has a marked HWPT that no device is attached to. Beside them a
 * crowd of sessions without devices: 256 HWPTs in all.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "counts.h"
#include "crowd.h"
#include "iommufd.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define VMS 2
#define TOKEN_SPARE (TOKEN_HWPT + 1)
#define SLOTS_MANY 8192
#define READS_MANY 256
#define CROWD 63
/* A device of the machine that nobody keeps, and for the crowd to borrow. */
#define LENT "0000:00:09.0"

static struct vm vms[VMS];
static const char *const session[VMS] = { "scale-a", "scale-b" };

/* The first half of the devices goes to the first VM. */
static void share_out(struct vm_plan *plan, int which)
{
	unsigned int all = 0, half, first, count;
	struct vm_plan whole;

	owner_plan(&whole, session[which]);
	while (all < DEVICES_MAX && whole.bdf[all])
		all++;
	half = (all + 1) / 2;
	first = which ? half : 0;
	count = which ? all - half : half;

	*plan = whole;
	memset(plan->bdf, 0, sizeof(plan->bdf));
	memcpy(plan->bdf, whole.bdf + first, count * sizeof(plan->bdf[0]));
	plan->bytes = arg_number("mem", 256) << 20;
	plan->slots = SLOTS_MANY;
	plan->reads = READS_MANY;
}

/* A HWPT over half of the memory, with nobody on it. */
static int spare_hwpt(struct vm *vm)
{
	uint32_t ioas, hwpt;
	int rc;

	rc = ioas_alloc(vm->iommufd, &ioas);
	if (!rc)
		rc = ioas_map_file(vm->iommufd, ioas, vm->memory.fd, 0,
				   vm->memory.layout->bytes / 2, MEMORY_IOVA);
	if (!rc)
		rc = hwpt_alloc(vm->iommufd, vm->device[0].vfio.devid, ioas,
				&hwpt);
	if (!rc)
		rc = hwpt_mark(vm->iommufd, hwpt, TOKEN_SPARE);
	return lost("spare-hwpt", rc) ? -1 : 0;
}

/* Sessions that close in between leave neither records nor gaps. */
static int make_crowd(void)
{
	struct counts was;

	if (lost("vfio-pci", pci_bind(LENT, "vfio-pci")) ||
	    !crowd_make(CROWD, LENT) || lost("unbind", pci_unbind(LENT)) ||
	    lost("counts", counts_read(&was)))
		return -1;
	value("records_of_domains", was.n[COUNT_OUT_DOMAINS]);
	check("crowd-domains",
	      was.n[COUNT_OUT_DOMAINS] == CROWD * CROWD_HWPTS,
	      "%lld records", (long long)was.n[COUNT_OUT_DOMAINS]);
	if (!crowd_shuffle())
		return -1;
	return counts_check("crowd-counts", &was) ? 0 : -1;
}

static int scale_old(unsigned int stage)
{
	struct vm_plan plan;
	int i;

	for (i = 0; i < VMS; i++) {
		share_out(&plan, i);
		if (owner_create(&vms[i], &plan))
			return -1;
		owner_name(vms, VMS);
		if (owner_translate(&vms[i]))
			return -1;
	}
	if (make_crowd())
		return -1;
	for (i = 0; i < VMS; i++)
		if (owner_start(&vms[i]))
			return -1;
	owner_ready();
	for (i = 0; i < VMS; i++)
		if (owner_warm(&vms[i]) || spare_hwpt(&vms[i]) ||
		    owner_preserve(&vms[i]))
			return -1;
	for (i = 0; i < VMS; i++)
		if (owner_load(&vms[i], stage))
			return -1;
	return owner_jump();
}

static int take_back(struct vm *vm)
{
	uint32_t spare, first;
	int rc;

	if (owner_reclaim(vm))
		return -1;
	rc = hwpt_restore(vm->iommufd, TOKEN_SPARE, &spare);
	check_rc(owner_tag(vm, "restore-spare"), rc, 0);
	if (rc || owner_swap(vm))
		return -1;

	/* A restored HWPT is as good as any for another attach. */
	rc = hwpt_restore(vm->iommufd, TOKEN_HWPT, &first);
	if (!rc)
		rc = vm_attach(vm, first);
	check_rc(owner_tag(vm, "attach-restored"), rc, 0);
	rc = iommufd_destroy(vm->iommufd, first);
	check_rc(owner_tag(vm, "destroy-in-use"), rc, -EBUSY);
	rc = vm_attach(vm, vm->hwpt);
	check_rc(owner_tag(vm, "attach-new"), rc, 0);

	rc = iommufd_destroy(vm->iommufd, spare);
	check_rc(owner_tag(vm, "destroy-spare"), rc, 0);
	return owner_release(vm);
}

static int scale_new(unsigned int stage)
{
	int64_t was;
	int i, rc = 0;

	(void)stage;
	for (i = 0; i < VMS; i++)
		if (owner_arrive(&vms[i], session[i]))
			return -1;
	owner_name(vms, VMS);
	was = vms[0].control->iommu_pages;
	for (i = 0; i < VMS; i++)
		rc |= take_back(&vms[i]);
	if (!crowd_take_apart(CROWD))
		rc = -1;

	rc = owner_end_several(vms, VMS, rc);
	owner_count(was);
	return rc;
}

static const struct scenario scale_sessions = {
	.name = "scale-sessions",
	.description = "several devices, 65 sessions and iommufds, 256 HWPTs",
	.stages = { scale_old, scale_new },
};
SCENARIO(scale_sessions);
