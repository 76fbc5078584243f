// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is kept, and what came over, for an inspector
 *
 * Only what is known without looking far for it: records and states, and of page
 * tables that are preserved the few that lead to more than one level below. Room
 * for the text is made before a lock is taken. So a live update never waits long
 * for somebody who looks.
 */
#include <linux/cleanup.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/liveupdate-text.h>
#include <linux/pci.h>

#include "internal.h"

#define NOT_KNOWN	"-"

static const char *driver_name(const struct iommu_liveupdate_ops *ops)
{
	return ops && ops->name ? ops->name : NOT_KNOWN;
}

static const char *unit_name(const struct iommu_device *iommu)
{
	return iommu && iommu->dev ? dev_name(iommu->dev) : NOT_KNOWN;
}

static void show_unit(struct seq_buf *text, const char *side,
		      const struct iommu_lu_unit *unit,
		      const struct iommu_liveupdate_ops *ops)
{
	seq_buf_printf(text, "%s unit %u %s %s ", side, unit->index,
		       driver_name(ops), unit_name(unit->iommu));
	if (unit->rejected)
		seq_buf_puts(text, NOT_KNOWN "\n");
	else
		seq_buf_printf(text, "%llu\n", unit->ser->nr_pages);
}

/* Whoever reads it there knows this version of the payload */
static void show_kind(struct seq_buf *text, const struct iommu_lu_domain *lu,
		      const struct iommu_liveupdate_ops *ops)
{
	const struct iommu_lu_domain_ser *ser = lu->ser;
	const struct iommu_pt_ser *pt;

	if (!ops || ser->code != IOMMU_LU_CODE_GENERIC_PT ||
	    !iommu_lu_payload_known(ops, &ser->env, ops->domain_size)) {
		seq_buf_puts(text, NOT_KNOWN);
		return;
	}
	pt = (const struct iommu_pt_ser *)(ser->payload + ops->domain_pt);
	liveupdate_text_escape(text, pt->format[0] ? pt->format : NOT_KNOWN,
			       sizeof(pt->format), " ");
}

/* What came over is not read before it is freed, which is when it is checked */
static void show_levels(struct seq_buf *text, const struct iommu_lu_domain *lu,
			const struct iommu_liveupdate_ops *ops)
{
	u64 nr[IOMMU_LU_LEVELS] = {}, rest = lu->ser->nr_pages;

	if (lu->state != IOMMU_LU_PRESERVED || !ops || !ops->domain_levels) {
		seq_buf_puts(text, NOT_KNOWN);
		return;
	}
	for (unsigned int i = ops->domain_levels(lu->domain, nr); i; i--) {
		seq_buf_printf(text, "%llu,", nr[i]);
		rest -= nr[i];
	}
	seq_buf_printf(text, "%llu", rest);
}

static void show_domain(struct seq_buf *text, const char *side,
			const struct iommu_lu_domain *lu,
			const struct iommu_liveupdate_ops *ops)
{
	seq_buf_printf(text, "%s domain %u ", side, lu->index);
	if (lu->unit)
		seq_buf_printf(text, "%u ", lu->unit->index);
	else
		seq_buf_puts(text, NOT_KNOWN " ");
	if (lu->state != IOMMU_LU_REJECTED) {
		show_kind(text, lu, ops);
		seq_buf_printf(text, " %llu ", lu->ser->nr_pages);
	} else {
		seq_buf_puts(text, NOT_KNOWN " " NOT_KNOWN " ");
	}
	show_levels(text, lu, ops);
	/* LUO does not tell handlers the token of their file */
	seq_buf_puts(text, " " NOT_KNOWN " ");
	if (lu->named)
		seq_buf_printf(text, "%#llx\n", lu->token);
	else
		seq_buf_puts(text, NOT_KNOWN "\n");
}

static void show_bdf(struct seq_buf *text, const char *side, const char *what,
		     const struct iommu_lu_device_ser *ser)
{
	seq_buf_printf(text, "%s %s %04x:%02x:%02x.%d ", side, what,
		       ser->segment, PCI_BUS_NUM(ser->rid), PCI_SLOT(ser->rid),
		       PCI_FUNC(ser->rid));
}

static void show_device(struct seq_buf *text, const char *side,
			const struct iommu_lu_device_ser *ser,
			enum iommu_lu_state state)
{
	static const char *const states[] = {
		[IOMMU_LU_PRESERVED] = "preserved",
		[IOMMU_LU_INCOMING] = "incoming",
		[IOMMU_LU_CLAIMED] = "claimed",
		[IOMMU_LU_REJECTED] = "rejected",
	};

	show_bdf(text, side, "device", ser);
	seq_buf_printf(text, "%s\n", states[state]);
}

static void show_attachment(struct seq_buf *text, const char *side,
			    const struct iommu_lu_device_ser *device,
			    const struct iommu_lu_attachment_ser *ser)
{
	show_bdf(text, side, "attachment", device);
	if (ser->pasid == IOMMU_LU_NO_PASID)
		seq_buf_puts(text, NOT_KNOWN);
	else
		seq_buf_printf(text, "%u", ser->pasid);
	seq_buf_printf(text, " %u %u\n", ser->domain, ser->hw_id);
}

/* ---- To the next kernel -------------------------------------------------- */

static u32 records_end(struct iommu_lu_records *records)
{
	return records->nr_blocks ? iommu_lu_records_end(records) : 0;
}

static void *record_in_use(struct iommu_lu_records *records, u32 index)
{
	struct iommu_lu_record_ser *env = iommu_lu_record(records, index);

	return env && env->state == IOMMU_LU_IN_USE ? env : NULL;
}

static void show_out_devices(struct seq_buf *text, struct iommu_lu_out *out)
{
	for (u32 i = 0; i < records_end(&out->devices); i++) {
		const struct iommu_lu_device_ser *ser =
			record_in_use(&out->devices, i);

		if (ser)
			show_device(text, "out", ser, IOMMU_LU_PRESERVED);
	}
	for (u32 i = 0; i < records_end(&out->attachments); i++) {
		const struct iommu_lu_attachment_ser *ser =
			record_in_use(&out->attachments, i);

		if (ser)
			show_attachment(text, "out",
					iommu_lu_record(&out->devices,
							ser->device), ser);
	}
}

static int show_out(struct seq_buf *text, struct iommu_lu_out *out)
{
	struct iommu_lu_domain *domain;
	struct iommu_lu_unit *unit;
	int ret;

	ACQUIRE(mutex_intr, lock)(&out->lock);
	ret = ACQUIRE_ERR(mutex_intr, &lock);
	if (ret)
		return ret;
	list_for_each_entry(unit, &out->unit_list, link)
		show_unit(text, "out", unit, iommu_lu_unit_ops(unit));
	list_for_each_entry(domain, &out->domain_list, link)
		show_domain(text, "out", domain,
			    iommu_lu_domain_ops(domain->domain));
	show_out_devices(text, out);
	return 0;
}

/* ---- From the previous one ----------------------------------------------- */

static const struct iommu_liveupdate_ops *
in_ops(struct iommu_lu_in *in, const struct iommu_lu_record_ser *env)
{
	return env->type < IOMMU_LU_TYPES ? in->ops[env->type] : NULL;
}

/* Of a device that is blocked nothing leads anywhere; no domain is back from its end */
static void show_in_attachments(struct seq_buf *text,
				const struct iommu_lu_device *lu)
{
	const struct iommu_lu_attachment *att;

	if (lu->state == IOMMU_LU_REJECTED)
		return;
	list_for_each_entry(att, &lu->attachments, link)
		if (att->domain && att->domain->state != IOMMU_LU_FINISHED)
			show_attachment(text, "in", lu->ser, att->ser);
}

static void show_in_devices(struct seq_buf *text, struct iommu_lu_in *in)
{
	struct iommu_lu_device *lu;
	unsigned long i;

	xa_for_each(&in->device_slots, i, lu)
		if (lu->state != IOMMU_LU_FINISHED)
			show_device(text, "in", lu->ser, lu->state);
	xa_for_each(&in->device_slots, i, lu)
		if (lu->state != IOMMU_LU_FINISHED)
			show_in_attachments(text, lu);
}

static int show_in(struct seq_buf *text, struct iommu_lu_in *in)
{
	struct iommu_lu_domain *domain;
	struct iommu_lu_unit *unit;
	unsigned long i;
	int ret;

	ACQUIRE(mutex_intr, lock)(&in->lock);
	ret = ACQUIRE_ERR(mutex_intr, &lock);
	if (ret)
		return ret;
	xa_for_each(&in->unit_slots, i, unit)
		show_unit(text, "in", unit, in_ops(in, &unit->ser->env));
	xa_for_each(&in->domain_slots, i, domain)
		if (domain->state != IOMMU_LU_FINISHED)
			show_domain(text, "in", domain,
				    in_ops(in, &domain->ser->env));
	show_in_devices(text, in);
	return 0;
}

static int inspect_fill(struct seq_buf *text)
{
	int ret = show_out(text, &iommu_lu_out);

	return ret ?: show_in(text, &iommu_lu_in);
}

static struct liveupdate_text inspect = LIVEUPDATE_TEXT_INIT("iommu", inspect_fill);

static int __init inspect_init(void)
{
	return liveupdate_text_add(&inspect);
}
device_initcall(inspect_init);
