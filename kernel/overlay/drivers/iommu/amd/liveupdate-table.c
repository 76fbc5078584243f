// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device table of AMD-Vi in the old kernel: it is kept, and what is in it
 * before the jump
 */
#define pr_fmt(fmt) "AMD-Vi: liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/cc_platform.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kho/abi/iommu_amd.h>
#include <linux/pci.h>
#include <linux/syscore_ops.h>
#include <linux/xarray.h>

#include <asm/iommu.h>

#include "../liveupdate/pages.h"
#include "amd_iommu.h"
#include "liveupdate.h"

/**
 * struct amd_lu_unit - What the old kernel remembers of a kept unit
 * @iommu:   The unit
 * @sources: The requester IDs of its kept devices
 * @owner:   The device table is in the list of this unit
 */
struct amd_lu_unit {
	struct amd_iommu *iommu;
	struct xarray sources;
	bool owner;
};

/**
 * amd_lu_efr - The extended features of a unit
 * @iommu: The unit
 *
 * Return: what its register says; firmware may say less, or nothing.
 */
u64 amd_lu_efr(struct amd_iommu *iommu)
{
	return readq(iommu->mmio_base + MMIO_EXT_FEATURES);
}

/**
 * amd_lu_efr2 - More extended features of a unit
 * @iommu: The unit
 *
 * Return: what its register says.
 */
u64 amd_lu_efr2(struct amd_iommu *iommu)
{
	return readq(iommu->mmio_base + MMIO_EXT_FEATURES2);
}

/* ---- The unit ------------------------------------------------------------ */

static bool table_is_kept(const struct amd_iommu_pci_seg *seg)
{
	struct amd_iommu *iommu;

	for_each_iommu(iommu)
		if (iommu->pci_seg == seg && iommu->iommu.lu)
			return true;
	return false;
}

/* Then addresses in entries have a bit that those in records do not have */
VISIBLE_IF_KUNIT bool amd_lu_memory_encrypted(void)
{
	KUNIT_STATIC_STUB_REDIRECT(amd_lu_memory_encrypted);
	return cc_platform_has(CC_ATTR_HOST_MEM_ENCRYPT);
}

/* What cannot be handed over */
static const char *unit_refused(struct amd_iommu *iommu)
{
	if (amd_lu_memory_encrypted())
		return "memory is encrypted";
	if (amd_iommu_snp_en)
		return "SNP is on";
	/* Else all requester IDs there can be would have to be told one by one */
	if (!check_feature(FEATURE_IA))
		return "its caches cannot be flushed at once";
	/* See renew_table(): then there was no memory for another one */
	if (iommu_preserved_size(virt_to_phys(iommu->pci_seg->dev_table)))
		return "its device table is that of a kernel that was not believed";
	return NULL;
}

static int keep_table(struct iommu_lu_unit *unit, struct amd_lu_unit *lu)
{
	struct amd_iommu_pci_seg *seg = lu->iommu->pci_seg;
	int ret;

	if (table_is_kept(seg))
		return 0;
	ret = iommu_page_preserve(seg->dev_table);
	if (ret)
		return ret;
	ret = iommu_lu_unit_add_page(unit, seg->dev_table,
				     get_order(seg->dev_table_size));
	if (ret)
		iommu_page_unpreserve(seg->dev_table);
	else
		lu->owner = true;
	return ret;
}

/**
 * amd_lu_preserve_unit - See struct iommu_liveupdate_ops
 * @unit: The unit
 *
 * Return: 0; -EOPNOTSUPP; or the error of iommu_page_preserve().
 */
int amd_lu_preserve_unit(struct iommu_lu_unit *unit)
{
	struct amd_iommu *iommu = to_amd_iommu(unit->iommu);
	struct iommu_lu_amd_unit_ser *amd =
		iommu_lu_payload(unit->ser, struct iommu_lu_amd_unit_ser);
	const char *why = unit_refused(iommu);
	struct amd_lu_unit *lu;
	int ret;

	if (why) {
		pr_err("IOMMU%d is not preserved: %s\n", iommu->index, why);
		return -EOPNOTSUPP;
	}
	lu = kzalloc_obj(*lu);
	if (!lu)
		return -ENOMEM;
	lu->iommu = iommu;
	xa_init(&lu->sources);
	ret = keep_table(unit, lu);
	if (ret) {
		kfree(lu);
		return ret;
	}
	unit->ser->base = iommu->mmio_phys;
	unit->ser->segment = iommu->pci_seg->id;
	unit->ser->root = virt_to_phys(iommu->pci_seg->dev_table);
	unit->ser->root_order = get_order(iommu->pci_seg->dev_table_size);
	amd->efr = amd_lu_efr(iommu);
	amd->efr2 = amd_lu_efr2(iommu);
	unit->priv = lu;
	return 0;
}

/**
 * amd_lu_unpreserve_unit - Undo amd_lu_preserve_unit()
 * @unit: The unit
 */
void amd_lu_unpreserve_unit(struct iommu_lu_unit *unit)
{
	struct amd_lu_unit *lu = unit->priv;

	WARN_ON(!xa_empty(&lu->sources));
	if (lu->owner)
		iommu_page_unpreserve(lu->iommu->pci_seg->dev_table);
	xa_destroy(&lu->sources);
	kfree(lu);
}

/* ---- Devices ------------------------------------------------------------- */

/* What cannot be handed over yet, row B14 */
static const char *device_refused(struct amd_iommu *iommu,
				  const struct iommu_dev_data *dev_data)
{
	const struct amd_iommu_pci_seg *seg = iommu->pci_seg;

	if (dev_data->pri_enabled || dev_data->ppr)
		return "page requests are on";
	if (dev_data->pasid_enabled || dev_data->gcr3_info.gcr3_tbl)
		return "it has a table of PASIDs";
	if (dev_data->devid > seg->last_bdf ||
	    seg->rlookup_table[dev_data->devid] != iommu)
		return "the firmware does not know it";
	return amd_lu_shared_rid(seg, dev_data->devid);
}

/**
 * amd_lu_preserve_device - See struct iommu_liveupdate_ops
 * @unit: The unit
 * @lu:   The device
 * @dev:  The device itself
 *
 * Return: 0; -EOPNOTSUPP; -ENOMEM.
 */
int amd_lu_preserve_device(struct iommu_lu_unit *unit,
			   struct iommu_lu_device *lu, struct device *dev)
{
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);
	struct iommu_lu_amd_device_ser *amd =
		iommu_lu_payload(lu->ser, struct iommu_lu_amd_device_ser);
	struct amd_lu_unit *units = unit->priv;
	const char *why = device_refused(units->iommu, dev_data);

	if (why) {
		dev_err(dev, "live update: it is not preserved: %s\n", why);
		return -EOPNOTSUPP;
	}
	amd->flags = dev_data->ats_enabled ? IOMMU_LU_AMD_ATS : 0;
	return xa_insert(&units->sources, dev_data->devid, xa_mk_value(1),
			 GFP_KERNEL);
}

/**
 * amd_lu_unpreserve_device - Undo amd_lu_preserve_device()
 * @unit: The unit
 * @lu:   The device
 */
void amd_lu_unpreserve_device(struct iommu_lu_unit *unit,
			      struct iommu_lu_device *lu)
{
	struct amd_lu_unit *units = unit->priv;

	xa_erase(&units->sources, lu->ser->source_id);
}

/**
 * amd_lu_preserve_attachment - See struct iommu_liveupdate_ops
 * @unit:   The unit
 * @att:    The attachment
 * @dev:    The device
 * @domain: What it is attached to
 *
 * Return: 0; -EINVAL when it is attached to another domain; -EOPNOTSUPP.
 */
int amd_lu_preserve_attachment(struct iommu_lu_unit *unit,
			       struct iommu_lu_attachment *att,
			       struct device *dev, struct iommu_domain *domain)
{
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);

	if (att->ser->pasid != IOMMU_LU_NO_PASID)
		return -EOPNOTSUPP;
	if (dev_data->domain != to_pdomain(domain))
		return -EINVAL;
	att->ser->hw_id = dev_data->domain->id;
	return 0;
}

/**
 * amd_lu_unpreserve_attachment - Undo amd_lu_preserve_attachment()
 * @unit: The unit
 * @att:  The attachment
 */
void amd_lu_unpreserve_attachment(struct iommu_lu_unit *unit,
				  struct iommu_lu_attachment *att)
{
}

/* ---- The jump ------------------------------------------------------------ */

static bool is_kept(const struct amd_iommu_pci_seg *seg, u16 devid)
{
	struct amd_iommu *iommu = devid <= seg->last_bdf ?
				  seg->rlookup_table[devid] : NULL;
	struct amd_lu_unit *lu;

	if (!iommu || !iommu->iommu.lu)
		return false;
	lu = iommu->iommu.lu->priv;
	return xa_load(&lu->sources, devid);
}

/*
 * Whoever attaches or detaches a device meanwhile writes its entry as a whole too,
 * and what he writes is looked at again in the last step.
 */
static void block_others(struct amd_iommu_pci_seg *seg)
{
	for (unsigned int devid = 0; devid < amd_lu_entries(seg); devid++) {
		const struct dev_table_entry *dte = &seg->dev_table[devid];

		if ((READ_ONCE(dte->data[0]) & (DTE_FLAG_V | DTE_FLAG_TV)) ==
		    DTE_FLAG_V)
			continue;
		/* Of all the entries there are, few lead somewhere */
		if (!amd_lu_leads(dte) || !is_kept(seg, devid))
			amd_lu_block_entry(seg, devid);
	}
}

/* All devices are shut down, all processors are still there */
static void amd_lu_syscore_shutdown(void *data)
{
	struct amd_iommu_pci_seg *seg;
	struct amd_iommu *iommu;

	if (!iommu_lu_jumping())
		return;

	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_SHUTDOWN);
	for_each_pci_segment(seg)
		if (table_is_kept(seg))
			block_others(seg);
	for_each_iommu(iommu)
		if (iommu->iommu.lu)
			amd_iommu_flush_all_caches(iommu);
}

static const struct syscore_ops amd_lu_syscore_ops = {
	.shutdown = amd_lu_syscore_shutdown,
};

static struct syscore amd_lu_syscore = {
	.ops = &amd_lu_syscore_ops,
};

static int __init amd_lu_init(void)
{
	register_syscore(&amd_lu_syscore);
	return 0;
}
device_initcall(amd_lu_init);

/*
 * What the entries say about interrupts: aborted, without any table. The interrupts
 * of this kernel have come to an end.
 */
static void block_irqs(struct amd_iommu_pci_seg *seg)
{
	for (unsigned int devid = 0; devid < amd_lu_entries(seg); devid++) {
		struct dev_table_entry *dte = &seg->dev_table[devid];
		u64 want = amd_lu_irq_chip(seg, devid) ? 0 : DTE_IRQ_REMAP_ENABLE;

		if (!amd_iommu_irq_remap && !is_kept(seg, devid))
			continue;
		if (dte->data[2] != want || dte->data[3])
			amd_lu_write_upper(dte, want);
	}
}

#define RUN_BITS	(MMIO_STATUS_EVT_RUN_MASK | MMIO_STATUS_PPR_RUN_MASK | \
			 MMIO_STATUS_GALOG_RUN_MASK)
#define STATUS_BITS	(MMIO_STATUS_EVT_OVERFLOW_MASK | \
			 MMIO_STATUS_EVT_INT_MASK |	 \
			 MMIO_STATUS_COM_WAIT_INT_MASK | \
			 MMIO_STATUS_PPR_OVERFLOW_MASK | \
			 MMIO_STATUS_PPR_INT_MASK |	 \
			 MMIO_STATUS_GALOG_OVERFLOW_MASK | \
			 MMIO_STATUS_GALOG_INT_MASK)
/* Times 5 us */
#define RUN_LOOKS	2000

/**
 * amd_lu_quiet - Let a unit write to no memory, and raise no interrupt
 * @iommu: The unit, which goes on translating
 *
 * Its command buffer and logs are off then, and the status has nothing left that
 * would keep it from using those of the next kernel.
 *
 * Context: Any, with nobody else using the unit.
 */
void amd_lu_quiet(struct amd_iommu *iommu)
{
	u64 ctrl = readq(iommu->mmio_base + MMIO_CONTROL_OFFSET);
	unsigned int looks = 0;

	ctrl &= ~(BIT_ULL(CONTROL_CMDBUF_EN) | BIT_ULL(CONTROL_EVT_LOG_EN) |
		  BIT_ULL(CONTROL_EVT_INT_EN) | BIT_ULL(CONTROL_GALOG_EN) |
		  BIT_ULL(CONTROL_GAINT_EN) | BIT_ULL(CONTROL_PPRLOG_EN) |
		  BIT_ULL(CONTROL_PPRINT_EN) | BIT_ULL(CONTROL_COMWAIT_EN));
	writeq(ctrl, iommu->mmio_base + MMIO_CONTROL_OFFSET);
	while (readl(iommu->mmio_base + MMIO_STATUS_OFFSET) & RUN_BITS &&
	       looks++ < RUN_LOOKS)
		udelay(5);
	writel(STATUS_BITS, iommu->mmio_base + MMIO_STATUS_OFFSET);
	readl(iommu->mmio_base + MMIO_STATUS_OFFSET);
}

/**
 * amd_lu_jump - See struct iommu_liveupdate_ops
 * @unit: The unit
 *
 * The unit with the device table comes before the others that share it.
 *
 * Context: The last step: one processor, interrupts off.
 */
void amd_lu_jump(struct iommu_lu_unit *unit)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_SHUTDOWN);
	struct amd_lu_unit *lu = unit->priv;
	struct amd_iommu *iommu = lu->iommu;

	if (lu->owner) {
		/*
		 * A detach cannot be refused, and may have attached a default
		 * domain while the processors were being stopped.
		 */
		block_others(iommu->pci_seg);
		block_irqs(iommu->pci_seg);
	}
	/* A processor that was stopped with the lock held never lets go of it */
	if (!raw_spin_is_locked(&iommu->lock))
		amd_iommu_flush_all_caches(iommu);
	amd_lu_quiet(iommu);
}
