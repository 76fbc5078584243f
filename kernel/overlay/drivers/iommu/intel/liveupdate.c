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
#include <linux/pci-ats.h>
#include <linux/xarray.h>

#include "iommu.h"
#include "liveupdate.h"
#include "liveupdate-entry.h"
#include "pasid.h"

/**
 * DOC: VT-d live update
 *
 * In legacy mode the way from a unit to a page table is: root table, context
 * table of the bus, context entry of the device. In scalable mode there are two
 * context tables to a bus, and the context entry leads on to the PASID directory
 * of the device, PASID table, and entry of the PASID, which is 0 for requests
 * without one. Kept (liveupdate-tables.c) are the root table of each unit that has
 * a kept device, and whatever else is on the way of those devices. When the old
 * kernel is about to jump, with all devices shut down, each entry in these tables
 * is cleared that leads to a table which is not kept or is for a device or a PASID
 * which is not, and the caches are flushed. So no entry leads into memory that the
 * next kernel may use, and the DMA of those devices is blocked. Translation stays
 * on, interrupts of the unit are masked.
 *
 * The new kernel (liveupdate-adopt.c, liveupdate-pasid.c) checks what it finds
 * against the records, clears the same entries again, reserves the domain IDs that
 * are in use and goes on with these tables as its own. It never turns translation
 * off. If something does not fit, the unit gets a fresh root table instead, which
 * blocks all its devices.
 *
 * A table that is linked in after preserve, for a device that is plugged in or a
 * PASID, is not kept, so the entry that leads to it is cleared.
 *
 * Locks: iommu->lock protects the tables. KHO is called without it, tables are
 * never freed while the unit, or for those of PASIDs the device, lives.
 */

static u32 intel_lu_source_id(struct iommu_device *iommu, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	return PCI_DEVID(info->bus, info->devfn);
}

/* ---- The old kernel ------------------------------------------------------ */

static int intel_lu_preserve_domain(struct iommu_lu_domain *lu,
				    struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(lu->ser, struct iommu_lu_vtd_domain_ser);
	int ret;

	if (dmar_domain->nested_parent || dmar_domain->dirty_tracking)
		return -EOPNOTSUPP;

	if (intel_domain_is_fs_paging(dmar_domain))
		ret = pt_iommu_x86_64_preserve(&dmar_domain->fspt, lu,
					       &vtd->pt);
	else if (intel_domain_is_ss_paging(dmar_domain))
		ret = pt_iommu_vtdss_preserve(&dmar_domain->sspt, lu, &vtd->pt);
	else
		ret = -EOPNOTSUPP;
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
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	if (intel_domain_is_fs_paging(dmar_domain))
		pt_iommu_x86_64_unpreserve(&dmar_domain->fspt);
	else
		pt_iommu_vtdss_unpreserve(&dmar_domain->sspt);
}

static int intel_lu_domain_runs(struct iommu_domain *domain, u64 iova, u64 len,
				iommu_lu_run_fn fn, void *arg)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	if (intel_domain_is_fs_paging(dmar_domain))
		return pt_iommu_x86_64_runs(&dmar_domain->fspt, iova, len, fn,
					    arg);
	if (intel_domain_is_ss_paging(dmar_domain))
		return pt_iommu_vtdss_runs(&dmar_domain->sspt, iova, len, fn,
					   arg);
	return -EOPNOTSUPP;
}

static void intel_lu_domain_clear(struct iommu_domain *domain, u64 iova,
				  u64 len)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	int ret;

	if (intel_domain_is_fs_paging(dmar_domain))
		ret = pt_iommu_x86_64_clear(&dmar_domain->fspt, iova, len);
	else
		ret = pt_iommu_vtdss_clear(&dmar_domain->sspt, iova, len);
	WARN_ON(ret);
	cache_tag_flush_range(dmar_domain, iova, iova + len - 1, 1);
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

/**
 * intel_lu_first_stage - Is a table one of the first stage?
 * @ser: Record of a domain
 *
 * Return: true when its format says so; any other is taken for the second stage,
 * and refused by whoever makes a domain of it if it is not that either.
 */
bool intel_lu_first_stage(const struct iommu_lu_domain_ser *ser)
{
	const struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(ser, const struct iommu_lu_vtd_domain_ser);

	return !strncmp(vtd->pt.format, "x86_64", sizeof(vtd->pt.format));
}

static const char *intel_lu_domain_error(const struct iommu_lu_domain *lu)
{
	const struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(lu->ser, const struct iommu_lu_vtd_domain_ser);
	const struct iommu_pt_ser *pt = &vtd->pt;
	unsigned int top_lg2 = VTD_PAGE_SHIFT + LEVEL_STRIDE * pt->top_level;
	unsigned int lowest = intel_lu_first_stage(lu->ser) ? 3 : 2;

	if (lu->ser->code != IOMMU_LU_CODE_GENERIC_PT || lu->ser->top_order)
		return "it has no page table of this kind";
	if (!(lu->ser->pgsizes & SZ_4K))
		return "it cannot have such page sizes";
	if (vtd->flags & ~IOMMU_LU_VTD_DOMAIN_FLAGS || vtd->reserved ||
	    pt->flags & ~IOMMU_PT_SER_FLAGS ||
	    memchr_inv(pt->reserved, 0, sizeof(pt->reserved)))
		return "it has bits that are not known";
	/*
	 * 3, 4 or 5 levels, of the first stage 4 or 5, and an address space that
	 * needs the top one
	 */
	if (pt->top_level < lowest || pt->top_level > 4 ||
	    pt->max_vasz_lg2 < top_lg2 ||
	    pt->max_vasz_lg2 > min(57, top_lg2 + LEVEL_STRIDE) ||
	    !pt->max_oasz_lg2 || pt->max_oasz_lg2 > 64)
		return "its size makes no sense";
	return NULL;
}

static void fill_cfg(struct pt_iommu_cfg *cfg, const struct iommu_pt_ser *pt)
{
	cfg->hw_max_vasz_lg2 = pt->max_vasz_lg2;
	cfg->hw_max_oasz_lg2 = pt->max_oasz_lg2;
	cfg->features = BIT(PT_FEAT_FLUSH_RANGE) |
			(u32)pt->fmt_features << PT_FEAT_FMT_START;
	if (pt->flags & IOMMU_PT_SER_DMA_INCOHERENT)
		cfg->features |= BIT(PT_FEAT_DMA_INCOHERENT);
	if (pt->flags & IOMMU_PT_SER_SIGN_EXTEND)
		cfg->features |= BIT(PT_FEAT_SIGN_EXTEND);
}

static int restore_table(struct dmar_domain *domain,
			 const struct iommu_lu_domain *lu,
			 const struct iommu_pt_ser *pt)
{
	struct pt_iommu_x86_64_cfg fs = { .top_level = pt->top_level };
	struct pt_iommu_vtdss_cfg ss = { .top_level = pt->top_level };

	if (intel_lu_first_stage(lu->ser)) {
		domain->domain.ops = &intel_fs_paging_domain_ops;
		fill_cfg(&fs.common, pt);
		return pt_iommu_x86_64_restore(&domain->fspt, &fs, lu, pt,
					       GFP_KERNEL);
	}
	domain->domain.ops = &intel_ss_paging_domain_ops;
	fill_cfg(&ss.common, pt);
	return pt_iommu_vtdss_restore(&domain->sspt, &ss, lu, pt, GFP_KERNEL);
}

static struct iommu_domain *
intel_lu_restore_domain(struct iommu_lu_unit *unit,
			const struct iommu_lu_domain *lu)
{
	const struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(lu->ser, const struct iommu_lu_vtd_domain_ser);
	struct dmar_domain *domain;
	struct intel_iommu *iommu;
	int ret;

	/* Only names the device for cache maintenance, any unit does */
	scoped_guard(rcu)
		iommu = unit ? to_intel_iommu(unit->iommu) : any_iommu();
	if (!iommu)
		return ERR_PTR(-ENODEV);

	domain = paging_domain_alloc();
	if (IS_ERR(domain))
		return ERR_CAST(domain);

	domain->iommu.iommu_device = iommu->iommu.dev;
	domain->iommu.nid = NUMA_NO_NODE;
	domain->domain.owner = &intel_iommu_ops;
	domain->force_snooping = !!(vtd->flags & IOMMU_LU_VTD_FORCE_SNOOP);
	domain->iotlb_sync_map = true;

	ret = restore_table(domain, lu, &vtd->pt);
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

static bool context_is(struct device_domain_info *info,
		       const struct intel_lu_target *target)
{
	struct context_entry *entry, want;

	intel_lu_fill_context(&want, target, info->ats_supported);
	entry = iommu_context_addr(info->iommu, info->bus, info->devfn, 0);
	return entry && entry->lo == want.lo && entry->hi == want.hi;
}

static bool pasid_is(struct device_domain_info *info, u32 pasid,
		     const struct intel_lu_target *target)
{
	struct pasid_entry *entry, want;

	intel_lu_fill_pasid(info->iommu, &want, target);
	entry = intel_lu_pasid_entry(info->iommu,
				     PCI_DEVID(info->bus, info->devfn), pasid);
	return entry && !memcmp(entry, &want, sizeof(want));
}

/* A live entry that leads to a domain as this kernel would write it is not written */
static bool leave_entry(struct device_domain_info *info,
			struct iommu_lu_attachment *att,
			struct dmar_domain *domain)
{
	struct intel_lu_target target;
	bool same;

	intel_lu_target_of_domain(&target, domain, att->ser->hw_id);
	scoped_guard(spinlock, &info->iommu->lock)
		same = sm_supported(info->iommu) ?
			       pasid_is(info, att->ser->pasid, &target) :
			       context_is(info, &target);
	if (same)
		iommu_lu_entry_left(att);
	return same;
}

static int intel_lu_restore_attachment(struct iommu_lu_unit *unit,
				       struct iommu_lu_attachment *att,
				       struct iommu_domain *domain,
				       struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct intel_iommu *iommu = to_intel_iommu(unit->iommu);
	unsigned long flags;
	int ret;

	/* Nothing above keeps any yet, see intel_lu_preserve_attachment() */
	if (att->ser->pasid != IOMMU_LU_NO_PASID)
		return -EOPNOTSUPP;
	if (info->iommu != iommu || !leave_entry(info, att, dmar_domain))
		return -EINVAL;

	ret = hold_did(dmar_domain, iommu, att->ser->hw_id);
	if (ret)
		return ret;
	ret = domain_attach_iommu(dmar_domain, iommu);
	if (ret)
		return ret;
	/* In scalable mode that is done for every device, after its probe */
	if (!sm_supported(iommu))
		iommu_enable_pci_ats(info);
	ret = cache_tag_assign_domain(dmar_domain, dev, IOMMU_NO_PASID);
	if (ret) {
		if (!sm_supported(iommu))
			iommu_disable_pci_ats(info);
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
	if (!sm_supported(info->iommu))
		iommu_disable_pci_ats(info);
	domain_detach_iommu(dmar_domain, to_intel_iommu(unit->iommu));
}

/**
 * intel_lu_flush_device - Flush what a device has cached of its translations
 * @iommu: The unit
 * @rid:   The device, of which there may be none
 *
 * It need not be probed, and this kernel may have no use for its ATS, so it is asked
 * itself whether it caches any.
 *
 * Context: May sleep.
 * Return: false when there is no device that could be told; it may come back.
 */
bool intel_lu_flush_device(struct intel_iommu *iommu, u16 rid)
{
	struct pci_dev *pdev __free(pci_dev_put) =
		pci_get_domain_bus_and_slot(iommu->segment, PCI_BUS_NUM(rid),
					    rid & 0xff);
	u16 pos, ctrl, cap, pfsid = 0;

	if (!pdev || !pci_device_is_present(pdev))
		return false;
	pos = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_ATS);
	if (!pos)
		return true;
	pci_read_config_word(pdev, pos + PCI_ATS_CTRL, &ctrl);
	pci_read_config_word(pdev, pos + PCI_ATS_CAP, &cap);
	if (!(ctrl & PCI_ATS_CTRL_ENABLE))
		return true;
	if (ecap_dit(iommu->ecap))
		pfsid = pci_dev_id(pci_physfn(pdev));
	qi_flush_dev_iotlb(iommu, rid, pfsid, PCI_ATS_CAP_QDEP(cap), 0,
			   MAX_AGAW_PFN_WIDTH);
	return true;
}

/**
 * intel_lu_stop_context - Make the context entry of a device one that is not present
 * @iommu: The unit
 * @rid:   The device, of which there may be none
 *
 * Context: May sleep; with the entry changed by nobody else.
 * Return: the entry, not used by the hardware any more and to be cleared by the
 * caller, or NULL when it was not present.
 */
struct context_entry *intel_lu_stop_context(struct intel_iommu *iommu, u16 rid)
{
	struct context_entry *entry;

	scoped_guard(spinlock, &iommu->lock) {
		entry = iommu_context_addr(iommu, PCI_BUS_NUM(rid), rid & 0xff,
					   0);
		if (!entry || !context_present(entry))
			return NULL;
		context_clear_present(entry);
		__iommu_flush_cache(iommu, entry, sizeof(*entry));
	}
	iommu_flush_write_buffer(iommu);
	iommu->flush.flush_context(iommu, context_domain_id(entry), rid,
				   DMA_CCMD_MASK_NOBIT, DMA_CCMD_DEVICE_INVL);
	return entry;
}

static void block_context(struct intel_iommu *iommu, u16 rid)
{
	struct context_entry *entry = intel_lu_stop_context(iommu, rid);

	if (!entry)
		return;
	iommu->flush.flush_iotlb(iommu, context_domain_id(entry), 0, 0,
				 DMA_TLB_DSI_FLUSH);
	intel_lu_flush_device(iommu, rid);
	context_clear_entry(entry);
	__iommu_flush_cache(iommu, entry, sizeof(*entry));
}

static void intel_lu_block_attachment(struct iommu_lu_unit *unit,
				      struct iommu_lu_attachment *att)
{
	struct intel_iommu *iommu = to_intel_iommu(unit->iommu);
	u16 rid = att->device->ser->source_id;

	if (sm_supported(iommu))
		intel_lu_block_pasid(iommu, rid, att->ser->pasid);
	else
		block_context(iommu, rid);
}

static bool intel_lu_domain_in_use(struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	guard(spinlock_irqsave)(&dmar_domain->lock);
	return !list_empty(&dmar_domain->devices) ||
	       !list_empty(&dmar_domain->dev_pasids);
}

static int intel_lu_visit_tables(struct iommu_domain *domain,
				 iommu_lu_table_fn fn, void *arg)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	if (intel_domain_is_fs_paging(dmar_domain))
		return pt_iommu_x86_64_visit(&dmar_domain->fspt, fn, arg);
	return pt_iommu_vtdss_visit(&dmar_domain->sspt, fn, arg);
}

static unsigned int intel_lu_domain_levels(struct iommu_domain *domain, u64 *nr)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	if (intel_domain_is_fs_paging(dmar_domain))
		return pt_iommu_x86_64_levels(&dmar_domain->fspt, nr);
	return pt_iommu_vtdss_levels(&dmar_domain->sspt, nr);
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
	.device_size		= sizeof(struct iommu_lu_vtd_device_ser),
	.domain_pt		= offsetof(struct iommu_lu_vtd_domain_ser, pt),
	.name			= "intel-iommu",
	.source_id		= intel_lu_source_id,
	.preserve_unit		= intel_lu_preserve_unit,
	.unpreserve_unit	= intel_lu_unpreserve_unit,
	.preserve_domain	= intel_lu_preserve_domain,
	.unpreserve_domain	= intel_lu_unpreserve_domain,
	.preserve_device	= intel_lu_preserve_device,
	.unpreserve_device	= intel_lu_unpreserve_device,
	.preserve_attachment	= intel_lu_preserve_attachment,
	.unpreserve_attachment	= intel_lu_unpreserve_attachment,
	.jump			= intel_lu_jump,
	.domain_runs		= intel_lu_domain_runs,
	.domain_clear		= intel_lu_domain_clear,
	.unit_error		= intel_lu_unit_error,
	.domain_error		= intel_lu_domain_error,
	.restore_domain		= intel_lu_restore_domain,
	.restore_attachment	= intel_lu_restore_attachment,
	.unrestore_attachment	= intel_lu_unrestore_attachment,
	.block_attachment	= intel_lu_block_attachment,
	.domain_in_use		= intel_lu_domain_in_use,
	.visit_tables		= intel_lu_visit_tables,
	.domain_levels		= intel_lu_domain_levels,
	.release_domain		= intel_lu_release_domain,
};
