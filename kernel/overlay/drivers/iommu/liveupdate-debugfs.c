// SPDX-License-Identifier: GPL-2.0-only
/*
 * What there is of a live update, for debugfs
 *
 * Numbers only, one per line, so that a test can compare them before and after.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/seq_file.h>

#include "liveupdate-debugfs.h"

static void show_records(struct seq_file *m, const char *side,
			 const struct iommu_lu_counts *counts)
{
	seq_printf(m, "%s_units %u\n", side, counts->units);
	seq_printf(m, "%s_domains %u\n", side, counts->domains);
	seq_printf(m, "%s_devices %u\n", side, counts->devices);
	seq_printf(m, "%s_blocks %u\n", side, counts->blocks);
}

static int liveupdate_show(struct seq_file *m, void *unused)
{
	struct iommu_lu_counts out, in;

	iommu_lu_count_outgoing(&out);
	show_records(m, "out", &out);
	seq_printf(m, "out_frozen %u\n", out.frozen);

	iommu_lu_count_incoming(&in);
	show_records(m, "in", &in);
	seq_printf(m, "in_restored %u\n", in.restored);
	seq_printf(m, "in_incoming %u\n", in.states[IOMMU_LU_INCOMING]);
	seq_printf(m, "in_claimed %u\n", in.states[IOMMU_LU_CLAIMED]);
	seq_printf(m, "in_rejected %u\n", in.states[IOMMU_LU_REJECTED]);
	seq_printf(m, "in_finished %u\n", in.states[IOMMU_LU_FINISHED]);

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
