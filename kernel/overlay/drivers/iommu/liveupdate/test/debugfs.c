// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update statistics
 *
 * Numbers only, one per line, so that a test can compare them before and after.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/seq_file.h>

#include "../internal.h"

static void show_arrays(struct seq_file *m, const char *side,
			struct iommu_lu_records *units,
			struct iommu_lu_records *domains,
			struct iommu_lu_records *devices,
			struct iommu_lu_records *attachments)
{
	seq_printf(m, "%s_units %u\n", side, iommu_lu_records_used(units));
	seq_printf(m, "%s_domains %u\n", side, iommu_lu_records_used(domains));
	seq_printf(m, "%s_devices %u\n", side, iommu_lu_records_used(devices));
	seq_printf(m, "%s_attachments %u\n", side,
		   iommu_lu_records_used(attachments));
	seq_printf(m, "%s_blocks %u\n", side,
		   units->nr_blocks + domains->nr_blocks + devices->nr_blocks +
			   attachments->nr_blocks);
}

static void show_outgoing(struct seq_file *m, struct iommu_lu_out *out)
{
	guard(mutex)(&out->lock);
	show_arrays(m, "out", &out->units, &out->domains, &out->devices,
		    &out->attachments);
	seq_printf(m, "out_frozen %u\n", out->frozen);
}

static void show_incoming(struct seq_file *m, struct iommu_lu_in *in)
{
	unsigned int states[IOMMU_LU_FINISHED + 1] = {}, restored = 0;
	unsigned int left = 0, written = 0;
	struct iommu_lu_domain *domain;
	struct iommu_lu_device *dev;
	unsigned long i;

	guard(mutex)(&in->lock);
	show_arrays(m, "in", &in->units, &in->domains, &in->devices,
		    &in->attachments);
	xa_for_each(&in->domain_slots, i, domain)
		restored += !!domain->domain;
	xa_for_each(&in->device_slots, i, dev) {
		states[dev->state]++;
		left += dev->entries_left;
		written += dev->entries_written;
	}
	seq_printf(m, "in_restored %u\n", restored);
	seq_printf(m, "in_incoming %u\n", states[IOMMU_LU_INCOMING]);
	seq_printf(m, "in_claimed %u\n", states[IOMMU_LU_CLAIMED]);
	seq_printf(m, "in_rejected %u\n", states[IOMMU_LU_REJECTED]);
	seq_printf(m, "in_finished %u\n", states[IOMMU_LU_FINISHED]);
	seq_printf(m, "in_entries_left %u\n", left);
	seq_printf(m, "in_entries_written %u\n", written);
}

static int liveupdate_show(struct seq_file *m, void *unused)
{
	show_outgoing(m, &iommu_lu_out);
	show_incoming(m, &iommu_lu_in);
	seq_printf(m, "kho_preserved %lu\n", kho_preserved_count());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(liveupdate);

static int __init iommu_lu_debugfs_init(void)
{
	debugfs_create_file("liveupdate", 0400, iommu_debugfs_dir, NULL,
			    &liveupdate_fops);
	return 0;
}
late_initcall(iommu_lu_debugfs_init);
