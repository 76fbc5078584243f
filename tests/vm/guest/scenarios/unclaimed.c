// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session that nobody claims in the new kernel. The next live update takes no
 * notice of it: the other VM's devices and transfers go on, and in the third
 * kernel the unclaimed device is a plain one and its memory is free.
 *
 * With lu.args=all:1 nobody claims anything, and the kernel in the middle ends
 * with a kexec that hands nothing over.
 */
#include <errno.h>
#include <stdio.h>

#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "reap.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "vmstat.h"
#include "words.h"

#define SESSION "claimed"
#define UNCLAIMED "unclaimed"
#define BYTES (256ull << 20)
/* At a time; the rig lets its drives do 25 in a second. */
#define READS 50
/* In guest memory: what was not reserved in the second kernel. */
enum { NOTE_TOTAL };

static struct vm a, b;

static int create(struct vm *vm, const char *session, enum owner_part part)
{
	struct vm_plan plan;

	owner_plan(&plan, session);
	owner_plan_only(&plan, part);
	plan.bytes = BYTES;
	plan.reads = READS;
	return owner_create(vm, &plan) || owner_translate(vm) ? -1 : 0;
}

static int unclaimed_old(unsigned int stage)
{
	if (create(&a, SESSION, CARDS) || create(&b, UNCLAIMED, DRIVES))
		return -1;
	snprintf(b.suffix, sizeof(b.suffix), "-unclaimed");
	/* It is never stopped by its owner. */
	vm_nvme(&b)->nvme.endless = true;
	if (owner_start(&a) || owner_start(&b))
		return -1;
	owner_ready();
	if (owner_warm(&a) || owner_warm(&b) || owner_preserve(&a) ||
	    owner_preserve(&b) || owner_load(&a, stage))
		return -1;
	pump_stop(&b.pump);
	return owner_jump();
}

/* Nobody can have what belongs to a session, claimed or not. */
static void check_shut(void)
{
	char bdf[BDF_BYTES];
	int fd;

	if (lost("unclaimed-device", pci_find(NVME_ID, 0, bdf)))
		return;
	check_rc("unclaimed-native", pci_offer(bdf, PCI_NATIVE), -EBUSY);
	if (lost("vfio-pci", pci_bind(bdf, "vfio-pci")))
		return;
	fd = vfio_cdev_open(bdf);
	check_rc("unclaimed-open", fd < 0 ? fd : 0, -EBUSY);
}

static int take_back(void)
{
	return owner_reclaim(&a) || owner_swap(&a) || owner_release(&a) ? -1 :
									  0;
}

static int unclaimed_middle(unsigned int stage)
{
	bool all = arg_number("all", 0);

	check_shut();
	/*
	 * A drive of QEMU has mapped the memory for all it was asked for, and
	 * neither the IOMMU nor the loss of bus mastering stops it any more. It
	 * is asked for nothing now; the memory is somebody else's after the
	 * kexec.
	 */
	if (!traffic_reads_home("reads-home"))
		return -1;
	if (all) {
		if (lost("kexec-load", kexec_load_stage(stage + 1)))
			return -1;
		return owner_jump();
	}
	if (owner_arrive(&a, SESSION))
		return -1;
	snprintf(a.suffix, sizeof(a.suffix), "-middle");
	if (take_back())
		return -1;
	a.control->note[NOTE_TOTAL] = meminfo_total();
	if (owner_preserve(&a) || owner_load(&a, stage))
		return -1;
	return owner_jump();
}

static void check_gone(const char *session, const char *name)
{
	int rc = luo_retrieve_session(luo_open(), session);

	check_rc(name, rc < 0 ? rc : 0, -ENOENT);
}

static int all_last(void)
{
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int count = machine_kept(bdf);

	check_gone(SESSION, "session-gone");
	check_gone(UNCLAIMED, "session-gone-unclaimed");
	for (unsigned int i = 0; i < count; i++)
		reap_device(bdf[i]);
	traffic_stop_host();
	check("translation", count, "%u devices", count);
	return 0;
}

static int unclaimed_last(unsigned int stage)
{
	int64_t more, kib = BYTES >> 10;
	char bdf[BDF_BYTES];
	int rc;

	(void)stage;
	if (arg_number("all", 0))
		return all_last();
	if (owner_arrive(&a, SESSION))
		return -1;
	check_gone(UNCLAIMED, "session-gone");
	if (lost("unclaimed-device", pci_find(NVME_ID, 0, bdf)))
		return -1;
	reap_device(bdf);
	if (take_back())
		return -1;
	more = meminfo_total() - (int64_t)a.control->note[NOTE_TOTAL];
	check("unclaimed-memory", more > kib * 99 / 100 && more < kib * 3 / 2,
	      "%lld of %lld KiB more than in the kernel before",
	      (long long)more, (long long)kib);
	owner_settle(&a);
	traffic_check(&a, "");
	traffic_values(&a);
	rc = owner_unbind(&a);
	traffic_blobs(&a);
	owner_account(&a);
	return rc;
}

static const struct scenario unclaimed = {
	.name = "unclaimed",
	.description = "a session nobody claims is gone after the next kexec",
	.stages = { unclaimed_old, unclaimed_middle, unclaimed_last },
};
SCENARIO(unclaimed);
