// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d across a live update
 */
#define pr_fmt(fmt) "DMAR: liveupdate: " fmt

#include <linux/dmar.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/generic_pt/liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/pci.h>
#include <linux/syscore_ops.h>
#include <linux/tboot.h>
#include <linux/xarray.h>

#include "../iommu-pages.h"
#include "../liveupdate/pages.h"
#include "iommu.h"
#include "liveupdate.h"

/**
 * DOC: VT-d live update
 *
 * In legacy mode the way from a unit to a page table is: root table, context
 * table of the bus, context entry of the device. Kept are the root table of
 * each unit that has a kept device, and the context tables of those devices'
 * buses. When the old kernel is about to jump, with all devices shut down, every
 * root entry whose table is not kept and every context entry of a device that
 * is not kept is cleared, and the caches are flushed. So no entry leads into
 * memory that the next kernel may use, and the DMA of those devices is blocked.
 * Translation stays on, interrupts of the unit are masked.
 *
 * The new kernel (liveupdate-adopt.c) checks what it finds against the records, clears the same
 * entries again, reserves the domain IDs that are in use and goes on with these
 * tables as its own. It never turns translation off. If something does not fit,
 * the unit gets a fresh root table instead, which blocks all its devices.
 *
 * A context table that is linked into the root table after preserve, for a
 * device that is plugged in, is not kept, so its root entry is cleared.
 *
 * Locks: iommu->lock protects the tables. KHO is called without it, context
 * tables are never freed while the unit lives.
 */

/**
 * struct intel_lu_unit - What the old kernel remembers of a kept unit
 * @iommu: The unit
 * @users: By bus, how many kept devices need its context table
 * @kept:  Requester IDs of the kept devices
 */
struct intel_lu_unit {
	struct intel_iommu *iommu;
	u16 users[256];
	struct xarray kept;
};

static struct intel_iommu *to_intel(struct iommu_device *iommu)
{
	return container_of(iommu, struct intel_iommu, iommu);
}

static u32 intel_lu_source_id(struct iommu_device *iommu, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	return PCI_DEVID(info->bus, info->devfn);
}

/* ---- The old kernel ------------------------------------------------------ */

static void unit_fill(struct iommu_lu_unit *unit, struct intel_iommu *iommu)
{
	struct iommu_lu_vtd_unit_ser *vtd =
		iommu_lu_payload(unit->ser, struct iommu_lu_vtd_unit_ser);

	unit->ser->base = iommu->reg_phys;
	unit->ser->segment = iommu->segment;
	unit->ser->root = virt_to_phys(iommu->root_entry);
	vtd->mode = IOMMU_LU_VTD_LEGACY;
	vtd->cap = iommu->cap;
	vtd->ecap = iommu->ecap;
}

static int intel_lu_preserve_unit(struct iommu_lu_unit *unit)
{
	struct intel_iommu *iommu = to_intel(unit->iommu);
	struct intel_lu_unit *lu;
	int ret;

	if (sm_supported(iommu) || iommu->drhd->ignored || tboot_enabled())
		return -EOPNOTSUPP;

	lu = kzalloc_obj(*lu);
	if (!lu)
		return -ENOMEM;
	lu->iommu = iommu;
	xa_init(&lu->kept);

	ret = iommu_page_preserve(iommu->root_entry);
	if (ret)
		goto err_free;
	ret = intel_lu_preserve_irq(iommu);
	if (ret)
		goto err_root;
	ret = iommu_lu_unit_add_page(unit, iommu->root_entry, 0);
	if (ret)
		goto err_irq;

	unit_fill(unit, iommu);
	unit->priv = lu;
	return 0;

err_irq:
	intel_lu_unpreserve_irq(iommu);
err_root:
	iommu_page_unpreserve(iommu->root_entry);
err_free:
	kfree(lu);
	return ret;
}

static void intel_lu_unpreserve_unit(struct iommu_lu_unit *unit)
{
	struct intel_lu_unit *lu = unit->priv;

	WARN_ON(!xa_empty(&lu->kept));
	intel_lu_unpreserve_irq(lu->iommu);
	iommu_page_unpreserve(lu->iommu->root_entry);
	xa_destroy(&lu->kept);
	kfree(lu);
}

static struct context_entry *bus_table(struct intel_iommu *iommu, u8 bus)
{
	struct context_entry *table;

	spin_lock(&iommu->lock);
	table = iommu_context_addr(iommu, bus, 0, 0);
	spin_unlock(&iommu->lock);
	return table;
}

static int table_keep(struct iommu_lu_unit *unit, void *table)
{
	int ret;

	ret = iommu_page_preserve(table);
	if (ret)
		return ret;
	ret = iommu_lu_unit_add_page(unit, table, 0);
	if (ret)
		iommu_page_unpreserve(table);
	return ret;
}

static int table_get(struct iommu_lu_unit *unit, u8 bus)
{
	struct intel_lu_unit *lu = unit->priv;
	struct context_entry *table;
	int ret;

	if (!lu->users[bus]) {
		table = bus_table(lu->iommu, bus);
		if (!table)
			return -ENODEV;
		ret = table_keep(unit, table);
		if (ret)
			return ret;
	}
	lu->users[bus]++;
	return 0;
}

static void table_put(struct iommu_lu_unit *unit, u8 bus)
{
	struct intel_lu_unit *lu = unit->priv;
	struct context_entry *table;

	if (--lu->users[bus])
		return;
	table = bus_table(lu->iommu, bus);
	iommu_lu_unit_del_page(unit, table);
	iommu_page_unpreserve(table);
}

static int intel_lu_preserve_attachment(struct iommu_lu_unit *unit,
					struct iommu_lu_attachment *att,
					struct device *dev,
					struct iommu_domain *domain)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct intel_lu_unit *lu = unit->priv;
	u32 rid = att->device->ser->source_id;
	int ret;

	if (info->ats_supported || dev_is_real_dma_subdevice(dev) ||
	    att->ser->pasid != IOMMU_LU_NO_PASID)
		return -EOPNOTSUPP;
	if (info->domain != dmar_domain)
		return -EINVAL;

	ret = table_get(unit, info->bus);
	if (ret)
		return ret;
	ret = xa_insert(&lu->kept, rid, xa_mk_value(1), GFP_KERNEL);
	if (ret) {
		table_put(unit, info->bus);
		return ret;
	}
	att->ser->hw_id = domain_id_iommu(dmar_domain, info->iommu);
	return 0;
}

static void intel_lu_unpreserve_attachment(struct iommu_lu_unit *unit,
					   struct iommu_lu_attachment *att)
{
	struct intel_lu_unit *lu = unit->priv;
	u32 rid = att->device->ser->source_id;

	xa_erase(&lu->kept, rid);
	table_put(unit, PCI_BUS_NUM(rid));
}

static int intel_lu_preserve_domain(struct iommu_lu_domain *lu,
				    struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(lu->ser, struct iommu_lu_vtd_domain_ser);
	int ret;

	if (!intel_domain_is_ss_paging(dmar_domain) ||
	    dmar_domain->nested_parent || dmar_domain->dirty_tracking)
		return -EOPNOTSUPP;

	ret = pt_iommu_vtdss_preserve(&dmar_domain->sspt, lu, &vtd->pt);
	if (ret)
		return ret;

	lu->ser->pgsizes = domain->pgsize_bitmap;
	if (dmar_domain->force_snooping)
		vtd->flags |= IOMMU_LU_VTD_FORCE_SNOOP;
	return 0;
}

static void intel_lu_unpreserve_domain(struct iommu_lu_domain *lu,
				       struct iommu_domain *domain)
{
	pt_iommu_vtdss_unpreserve(&to_dmar_domain(domain)->sspt);
}

static int intel_lu_domain_runs(struct iommu_domain *domain, u64 iova, u64 len,
				iommu_lu_run_fn fn, void *arg)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	if (!intel_domain_is_ss_paging(dmar_domain))
		return -EOPNOTSUPP;
	return pt_iommu_vtdss_runs(&dmar_domain->sspt, iova, len, fn, arg);
}

/* Nearly all entries are clear: four of them in one look */
static unsigned int next_present(struct context_entry *table,
				 unsigned int devfn)
{
	for (; devfn % 4 && devfn < 256; devfn++)
		if (context_present(&table[devfn]))
			return devfn;
	while (devfn < 256 &&
	       !((table[devfn].lo | table[devfn + 1].lo |
		  table[devfn + 2].lo | table[devfn + 3].lo) & 1))
		devfn += 4;
	while (devfn < 256 && !context_present(&table[devfn]))
		devfn++;
	return devfn;
}

/* Returns true when there was something to clear */
static bool clear_bus(struct intel_lu_unit *lu, u8 bus)
{
	struct intel_iommu *iommu = lu->iommu;
	struct root_entry *root = &iommu->root_entry[bus];
	struct context_entry *table;
	bool cleared = false;

	if (!(root->lo & 1))
		return false;

	if (!lu->users[bus]) {
		root->lo = 0;
		root->hi = 0;
		__iommu_flush_cache(iommu, root, sizeof(*root));
		return true;
	}

	table = phys_to_virt(root->lo & VTD_PAGE_MASK);
	for (unsigned int devfn = next_present(table, 0); devfn < 256;
	     devfn = next_present(table, devfn + 1)) {
		if (xa_load(&lu->kept, PCI_DEVID(bus, devfn)))
			continue;
		context_clear_present(&table[devfn]);
		context_clear_entry(&table[devfn]);
		__iommu_flush_cache(iommu, &table[devfn], sizeof(*table));
		cleared = true;
	}
	return cleared;
}

static bool clear_buses(struct intel_lu_unit *lu)
{
	bool cleared = false;

	for (unsigned int bus = 0; bus < 256; bus++)
		cleared |= clear_bus(lu, bus);
	return cleared;
}

static void flush_all(struct intel_iommu *iommu)
{
	iommu_flush_write_buffer(iommu);
	iommu->flush.flush_context(iommu, 0, 0, 0, DMA_CCMD_GLOBAL_INVL);
	iommu->flush.flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);
}

static void clear_unit(struct intel_lu_unit *lu)
{
	spin_lock(&lu->iommu->lock);
	clear_buses(lu);
	spin_unlock(&lu->iommu->lock);
	flush_all(lu->iommu);
}

/* All devices are shut down, all processors are still there */
static void intel_lu_syscore_shutdown(void *data)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	if (!iommu_lu_jumping())
		return;

	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_SHUTDOWN);
	guard(rwsem_read)(&dmar_global_lock);
	for_each_active_iommu(iommu, drhd)
		if (iommu->iommu.lu)
			clear_unit(iommu->iommu.lu->priv);
}

static const struct syscore_ops intel_lu_syscore_ops = {
	.shutdown = intel_lu_syscore_shutdown,
};

static struct syscore intel_lu_syscore = {
	.ops = &intel_lu_syscore_ops,
};

static int __init intel_lu_init(void)
{
	register_syscore(&intel_lu_syscore);
	return 0;
}
device_initcall(intel_lu_init);

/* The last step: one processor, interrupts off */
static void intel_lu_jump(struct iommu_lu_unit *unit)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_SHUTDOWN);
	struct intel_iommu *iommu = to_intel(unit->iommu);
	bool can_flush;

	/*
	 * A detach cannot be refused, and may have attached a default domain
	 * while the processors were being stopped. One that was stopped with a
	 * lock held never lets go of it.
	 */
	can_flush = !iommu->qi || !raw_spin_is_locked(&iommu->qi->q_lock);
	if (clear_buses(unit->priv) && can_flush)
		flush_all(iommu);
	intel_lu_block_irqs(iommu, can_flush);

	/* A fault must not be told to a processor that another kernel runs on */
	writel(DMA_FECTL_IM, iommu->reg + DMAR_FECTL_REG);
	readl(iommu->reg + DMAR_FECTL_REG);
}

/**
 * intel_lu_stays_on - Is translation to stay on into the next kernel?
 * @iommu: The unit
 *
 * Context: One processor, interrupts off.
 * Return: true for a unit that the next kernel takes over.
 */
bool intel_lu_stays_on(struct intel_iommu *iommu)
{
	return iommu_lu_jumping() && iommu->iommu.lu;
}

/* ---- The new kernel: domains and devices ---------------------------------- */

static struct intel_iommu *any_iommu(void)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	for_each_active_iommu(iommu, drhd)
		return iommu;
	return NULL;
}

static const char *intel_lu_domain_error(const struct iommu_lu_domain *lu)
{
	const struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(lu->ser, const struct iommu_lu_vtd_domain_ser);
	const struct iommu_pt_ser *pt = &vtd->pt;
	unsigned int top_lg2 = VTD_PAGE_SHIFT + LEVEL_STRIDE * pt->top_level;

	if (lu->ser->code != IOMMU_LU_CODE_GENERIC_PT || lu->ser->top_order)
		return "it has no page table of this kind";
	if (!(lu->ser->pgsizes & SZ_4K))
		return "it cannot have such page sizes";
	if (vtd->flags & ~IOMMU_LU_VTD_DOMAIN_FLAGS || vtd->reserved ||
	    pt->flags & ~IOMMU_PT_SER_FLAGS ||
	    memchr_inv(pt->reserved, 0, sizeof(pt->reserved)))
		return "it has bits that are not known";
	/* 3, 4 or 5 levels, and an address space that needs the top one */
	if (pt->top_level < 2 || pt->top_level > 4 ||
	    pt->max_vasz_lg2 < top_lg2 ||
	    pt->max_vasz_lg2 > min(57, top_lg2 + LEVEL_STRIDE) ||
	    !pt->max_oasz_lg2 || pt->max_oasz_lg2 > 64)
		return "its size makes no sense";
	return NULL;
}

static void fill_cfg(struct pt_iommu_vtdss_cfg *cfg,
		     const struct iommu_pt_ser *pt)
{
	cfg->common.hw_max_vasz_lg2 = pt->max_vasz_lg2;
	cfg->common.hw_max_oasz_lg2 = pt->max_oasz_lg2;
	cfg->common.features = BIT(PT_FEAT_FLUSH_RANGE) |
			       (u32)pt->fmt_features << PT_FEAT_FMT_START;
	if (pt->flags & IOMMU_PT_SER_DMA_INCOHERENT)
		cfg->common.features |= BIT(PT_FEAT_DMA_INCOHERENT);
	cfg->top_level = pt->top_level;
}

static struct iommu_domain *
intel_lu_restore_domain(struct iommu_lu_unit *unit,
			const struct iommu_lu_domain *lu)
{
	const struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(lu->ser, const struct iommu_lu_vtd_domain_ser);
	struct pt_iommu_vtdss_cfg cfg = {};
	struct dmar_domain *domain;
	struct intel_iommu *iommu;
	int ret;

	/* Only names the device for cache maintenance, any unit does */
	scoped_guard(rcu)
		iommu = unit ? to_intel(unit->iommu) : any_iommu();
	if (!iommu)
		return ERR_PTR(-ENODEV);

	domain = paging_domain_alloc();
	if (IS_ERR(domain))
		return ERR_CAST(domain);

	domain->iommu.iommu_device = iommu->iommu.dev;
	domain->iommu.nid = NUMA_NO_NODE;
	domain->domain.ops = &intel_ss_paging_domain_ops;
	domain->domain.owner = &intel_iommu_ops;
	domain->force_snooping = !!(vtd->flags & IOMMU_LU_VTD_FORCE_SNOOP);
	domain->iotlb_sync_map = true;

	fill_cfg(&cfg, &vtd->pt);
	ret = pt_iommu_vtdss_restore(&domain->sspt, &cfg, lu, &vtd->pt,
				     GFP_KERNEL);
	if (ret) {
		kfree(domain);
		return ERR_PTR(ret);
	}
	domain->domain.pgsize_bitmap &= lu->ser->pgsizes;
	return &domain->domain;
}

/*
 * The domain keeps the domain ID it has in the live entries, until it is
 * released: also while none of its devices is known to this kernel yet.
 */
static int hold_did(struct dmar_domain *domain, struct intel_iommu *iommu,
		    u16 did)
{
	struct iommu_domain_info *info;
	int ret;

	guard(mutex)(&iommu->did_lock);
	info = xa_load(&domain->iommu_array, iommu->seq_id);
	if (info)
		return info->did == did ? 0 : -EINVAL;

	info = kzalloc_obj(*info);
	if (!info)
		return -ENOMEM;
	info->refcnt = 1;
	info->did = did;
	info->iommu = iommu;
	ret = xa_insert(&domain->iommu_array, iommu->seq_id, info, GFP_KERNEL);
	if (ret)
		kfree(info);
	return ret;
}

static bool entry_is(struct device_domain_info *info,
		     const struct context_entry *want)
{
	struct context_entry *entry;

	guard(spinlock)(&info->iommu->lock);
	entry = iommu_context_addr(info->iommu, info->bus, info->devfn, 0);
	return entry && entry->lo == want->lo && entry->hi == want->hi;
}

static int intel_lu_restore_attachment(struct iommu_lu_unit *unit,
				       struct iommu_lu_attachment *att,
				       struct iommu_domain *domain,
				       struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct intel_iommu *iommu = to_intel(unit->iommu);
	struct context_entry want;
	unsigned long flags;
	int ret;

	intel_context_entry_fill(info, dmar_domain, att->ser->hw_id, &want);
	if (info->iommu != iommu || !entry_is(info, &want))
		return -EINVAL;

	ret = hold_did(dmar_domain, iommu, att->ser->hw_id);
	if (ret)
		return ret;
	ret = domain_attach_iommu(dmar_domain, iommu);
	if (ret)
		return ret;
	ret = cache_tag_assign_domain(dmar_domain, dev, IOMMU_NO_PASID);
	if (ret) {
		domain_detach_iommu(dmar_domain, iommu);
		return ret;
	}

	info->domain = dmar_domain;
	info->domain_attached = true;
	spin_lock_irqsave(&dmar_domain->lock, flags);
	list_add(&info->link, &dmar_domain->devices);
	spin_unlock_irqrestore(&dmar_domain->lock, flags);
	return 0;
}

static void intel_lu_unrestore_attachment(struct iommu_lu_unit *unit,
					  struct iommu_lu_attachment *att,
					  struct iommu_domain *domain,
					  struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	unsigned long flags;

	spin_lock_irqsave(&dmar_domain->lock, flags);
	list_del(&info->link);
	spin_unlock_irqrestore(&dmar_domain->lock, flags);
	info->domain_attached = false;
	info->domain = NULL;
	cache_tag_unassign_domain(dmar_domain, dev, IOMMU_NO_PASID);
	domain_detach_iommu(dmar_domain, to_intel(unit->iommu));
}

static void intel_lu_block_attachment(struct iommu_lu_unit *unit,
				      struct iommu_lu_attachment *att)
{
	struct intel_iommu *iommu = to_intel(unit->iommu);
	u32 rid = att->device->ser->source_id;
	struct context_entry *entry;
	u16 did = 0;

	spin_lock(&iommu->lock);
	entry = iommu_context_addr(iommu, PCI_BUS_NUM(rid), rid & 0xff, 0);
	if (entry && context_present(entry)) {
		did = context_domain_id(entry);
		context_clear_present(entry);
		__iommu_flush_cache(iommu, entry, sizeof(*entry));
	}
	spin_unlock(&iommu->lock);
	if (!did)
		return;

	iommu_flush_write_buffer(iommu);
	iommu->flush.flush_context(iommu, did, rid, DMA_CCMD_MASK_NOBIT,
				   DMA_CCMD_DEVICE_INVL);
	iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
	context_clear_entry(entry);
	__iommu_flush_cache(iommu, entry, sizeof(*entry));
}

static bool intel_lu_domain_in_use(struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	guard(spinlock_irqsave)(&dmar_domain->lock);
	return !list_empty(&dmar_domain->devices);
}

static int intel_lu_visit_tables(struct iommu_domain *domain,
				 iommu_lu_table_fn fn, void *arg)
{
	return pt_iommu_vtdss_visit(&to_dmar_domain(domain)->sspt, fn, arg);
}

static void intel_lu_release_domain(struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct iommu_domain_info *info;
	unsigned long i;

	xa_for_each(&dmar_domain->iommu_array, i, info)
		domain_detach_iommu(dmar_domain, info->iommu);
}

const struct iommu_liveupdate_ops intel_liveupdate_ops = {
	.type			= IOMMU_LU_TYPE_VTD,
	.version		= IOMMU_LU_VTD_VERSION,
	.unit_size		= sizeof(struct iommu_lu_vtd_unit_ser),
	.domain_size		= sizeof(struct iommu_lu_vtd_domain_ser),
	.source_id		= intel_lu_source_id,
	.preserve_unit		= intel_lu_preserve_unit,
	.unpreserve_unit	= intel_lu_unpreserve_unit,
	.preserve_domain	= intel_lu_preserve_domain,
	.unpreserve_domain	= intel_lu_unpreserve_domain,
	.preserve_attachment	= intel_lu_preserve_attachment,
	.unpreserve_attachment	= intel_lu_unpreserve_attachment,
	.jump			= intel_lu_jump,
	.domain_runs		= intel_lu_domain_runs,
	.unit_error		= intel_lu_unit_error,
	.domain_error		= intel_lu_domain_error,
	.restore_domain		= intel_lu_restore_domain,
	.restore_attachment	= intel_lu_restore_attachment,
	.unrestore_attachment	= intel_lu_unrestore_attachment,
	.block_attachment	= intel_lu_block_attachment,
	.domain_in_use		= intel_lu_domain_in_use,
	.visit_tables		= intel_lu_visit_tables,
	.release_domain		= intel_lu_release_domain,
};
