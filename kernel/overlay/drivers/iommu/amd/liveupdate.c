// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-Vi across a live update
 */
#define pr_fmt(fmt) "AMD-Vi: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/generic_pt/liveupdate.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu_amd.h>
#include <linux/pci.h>

#include "amd_iommu.h"
#include "liveupdate.h"

/**
 * DOC: AMD-Vi live update
 *
 * The way from a unit to a page table is one entry of the device table, which all
 * units of a PCI segment share. That table is kept (liveupdate-table.c). When the old
 * kernel is about to jump, with all devices shut down, each entry in it is made to
 * block that is not of a kept device, interrupts are aborted in all of them, and the
 * caches are flushed. Translation stays on. Command buffer and logs of the unit are
 * turned off, which the hardware would read or write otherwise.
 *
 * The new kernel (liveupdate-adopt.c) goes on with this table, checks what it finds
 * against the records, blocks what is not as they say, and reserves the domain IDs
 * that are in use.
 *
 * An entry that is not valid lets everything pass. So nothing here, and nothing that
 * is called at boot, writes one (liveupdate-entry.c).
 *
 * Handed over are page tables of the host's format (v1). Others are refused.
 */

static u32 amd_lu_source_id(struct iommu_device *iommu, struct device *dev)
{
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);

	return dev_data->devid;
}

/* ---- The old kernel ------------------------------------------------------ */

static const char *domain_refused(struct protection_domain *domain)
{
	guard(spinlock_irqsave)(&domain->lock);
	if (domain->pd_mode != PD_MODE_V1)
		return "its page table is not one of the host's format";
	if (domain->dirty_tracking)
		return "dirty tracking is on";
	if (!list_empty(&domain->viommu_list))
		return "it is the parent of nested ones";
	if (domain->domain.iopf_handler)
		return "it takes page requests";
	return NULL;
}

static int amd_lu_preserve_domain(struct iommu_lu_domain *lu,
				  struct iommu_domain *domain)
{
	struct protection_domain *pdom = to_pdomain(domain);
	struct iommu_lu_amd_domain_ser *amd =
		iommu_lu_payload(lu->ser, struct iommu_lu_amd_domain_ser);
	const char *why;
	int ret;

	/* A nested one is no page table, and has a structure of its own */
	if (!(domain->type & __IOMMU_DOMAIN_PAGING))
		why = "it is nested";
	else
		why = domain_refused(pdom);
	if (why) {
		pr_err("a domain is not preserved: %s\n", why);
		return -EOPNOTSUPP;
	}
	ret = pt_iommu_amdv1_preserve(&pdom->amdv1, lu, &amd->pt);
	if (ret)
		return ret;
	lu->ser->pgsizes = domain->pgsize_bitmap;
	amd->id = pdom->id;
	return 0;
}

static void amd_lu_unpreserve_domain(struct iommu_lu_domain *lu,
				     struct iommu_domain *domain)
{
	pt_iommu_amdv1_unpreserve(&to_pdomain(domain)->amdv1);
}

static int amd_lu_domain_runs(struct iommu_domain *domain, u64 iova, u64 len,
			      iommu_lu_run_fn fn, void *arg)
{
	struct protection_domain *pdom = to_pdomain(domain);

	if (!(domain->type & __IOMMU_DOMAIN_PAGING) ||
	    pdom->pd_mode != PD_MODE_V1)
		return -EOPNOTSUPP;
	return pt_iommu_amdv1_runs(&pdom->amdv1, iova, len, fn, arg);
}

static void amd_lu_domain_clear(struct iommu_domain *domain, u64 iova, u64 len)
{
	struct protection_domain *pdom = to_pdomain(domain);
	int ret;

	/* Not preserved itself, when another domain with the same maps is */
	if (pdom->pd_mode == PD_MODE_V2)
		ret = pt_iommu_x86_64_clear(&pdom->amdv2, iova, len);
	else
		ret = pt_iommu_amdv1_clear(&pdom->amdv1, iova, len);
	WARN_ON(ret);
	guard(spinlock_irqsave)(&pdom->lock);
	amd_iommu_domain_flush_pages(pdom, iova, iova + len - 1, 0);
}

/* ---- The new kernel: domains --------------------------------------------- */

static const char *amd_lu_domain_error(const struct iommu_lu_domain *lu)
{
	const struct iommu_lu_amd_domain_ser *amd =
		iommu_lu_payload(lu->ser, const struct iommu_lu_amd_domain_ser);
	const struct iommu_pt_ser *pt = &amd->pt;

	if (lu->ser->code != IOMMU_LU_CODE_GENERIC_PT || lu->ser->top_order ||
	    strncmp(pt->format, "amdv1", sizeof(pt->format)))
		return "it has no page table of this kind";
	if (!(lu->ser->pgsizes & SZ_4K) || lu->ser->pgsizes & ~AMD_IOMMU_PGSIZES)
		return "it cannot have such page sizes";
	if (amd->reserved || pt->flags & ~IOMMU_PT_SER_FLAGS ||
	    memchr_inv(pt->reserved, 0, sizeof(pt->reserved)))
		return "it has bits that are not known";
	if (!amd->id || amd->id >= MAX_DOMAIN_ID)
		return "its domain ID is out of range";
	/* As many levels as the hardware has at most, two or more */
	if (!pt->top_level || pt->top_level > PAGE_MODE_6_LEVEL - 1 ||
	    PAGE_SHIFT + 9 * pt->top_level >= amd_iommu_hpt_vasize ||
	    pt->max_vasz_lg2 != amd_iommu_hpt_vasize || pt->max_oasz_lg2 != 52)
		return "its size makes no sense";
	return NULL;
}

static int restore_table(struct protection_domain *domain,
			 const struct iommu_lu_domain *lu)
{
	const struct iommu_lu_amd_domain_ser *amd =
		iommu_lu_payload(lu->ser, const struct iommu_lu_amd_domain_ser);
	struct pt_iommu_amdv1_cfg cfg = {
		.starting_level = amd->pt.top_level,
		.common = {
			.hw_max_vasz_lg2 = amd_iommu_hpt_vasize,
			.hw_max_oasz_lg2 = 52,
			.features = BIT(PT_FEAT_DYNAMIC_TOP) |
				    BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) |
				    BIT(PT_FEAT_AMDV1_FORCE_COHERENCE) |
				    BIT(PT_FEAT_FLUSH_RANGE),
		},
	};

	domain->pd_mode = PD_MODE_V1;
	domain->iommu.driver_ops = &amd_hw_driver_ops_v1;
	domain->iommu.nid = NUMA_NO_NODE;
	domain->domain.type = IOMMU_DOMAIN_UNMANAGED;
	domain->domain.owner = &amd_iommu_ops;
	domain->domain.ops = &amdv1_ops;
	return pt_iommu_amdv1_restore(&domain->amdv1, &cfg, lu, &amd->pt,
				      GFP_KERNEL);
}

static struct iommu_domain *
amd_lu_restore_domain(struct iommu_lu_unit *unit,
		      const struct iommu_lu_domain *lu)
{
	const struct iommu_lu_amd_domain_ser *amd =
		iommu_lu_payload(lu->ser, const struct iommu_lu_amd_domain_ser);
	struct protection_domain *domain;
	int ret;

	domain = protection_domain_alloc();
	if (!domain)
		return ERR_PTR(-ENOMEM);
	ret = restore_table(domain, lu);
	if (ret) {
		amd_iommu_pdom_id_free(domain->id);
		kfree(domain);
		return ERR_PTR(ret);
	}
	/* Reserved since an entry was seen that has it; else any will do */
	if (lu->proven) {
		amd_iommu_pdom_id_free(domain->id);
		domain->id = amd->id;
	}
	domain->domain.pgsize_bitmap &= lu->ser->pgsizes;
	return &domain->domain;
}

static bool amd_lu_domain_in_use(struct iommu_domain *domain)
{
	struct protection_domain *pdom = to_pdomain(domain);

	guard(spinlock_irqsave)(&pdom->lock);
	return !list_empty(&pdom->dev_list);
}

static int amd_lu_visit_tables(struct iommu_domain *domain,
			       iommu_lu_table_fn fn, void *arg)
{
	return pt_iommu_amdv1_visit(&to_pdomain(domain)->amdv1, fn, arg);
}

static unsigned int amd_lu_domain_levels(struct iommu_domain *domain, u64 *nr)
{
	return pt_iommu_amdv1_levels(&to_pdomain(domain)->amdv1, nr);
}

/* Its ID goes with it */
static void amd_lu_release_domain(struct iommu_domain *domain)
{
}

/* ---- The new kernel: devices --------------------------------------------- */

/* Does the live entry lead to a domain, as this kernel would write it? */
static bool leads_to(struct iommu_dev_data *dev_data,
		     struct protection_domain *domain)
{
	struct amd_iommu *iommu = get_amd_iommu_from_dev(dev_data->dev);
	const struct dev_table_entry *dte =
		&get_dev_table(iommu)[dev_data->devid];
	struct pt_iommu_amdv1_hw_info info;
	struct dev_table_entry want = {};

	pt_iommu_amdv1_hw_info(&domain->amdv1, &info);
	amd_iommu_make_clear_dte(dev_data, &want);
	amd_iommu_set_dte_v1(dev_data, domain, domain->id, &info, &want);
	return dte->data128[0] == want.data128[0];
}

static void set_vapic(struct iommu_dev_data *dev_data, bool on)
{
#ifdef CONFIG_IRQ_REMAP
	if (AMD_IOMMU_GUEST_IR_VAPIC(amd_iommu_guest_ir))
		dev_data->use_vapic = on;
#endif
}

static int amd_lu_restore_attachment(struct iommu_lu_unit *unit,
				     struct iommu_lu_attachment *att,
				     struct iommu_domain *domain,
				     struct device *dev)
{
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);
	struct amd_iommu *iommu = to_amd_iommu(unit->iommu);
	struct protection_domain *pdom = to_pdomain(domain);
	int ret;

	/* Nothing above keeps any yet, see amd_lu_preserve_attachment() */
	if (att->ser->pasid != IOMMU_LU_NO_PASID)
		return -EOPNOTSUPP;
	guard(mutex)(&dev_data->mutex);
	if (dev_data->domain || get_amd_iommu_from_dev(dev) != iommu)
		return -EINVAL;
	/* It has it on already. Where this kernel uses none, the entry does not fit. */
	if (amd_lu_has_ats(att->device))
		pdev_enable_cap_ats(to_pci_dev(dev));
	ret = leads_to(dev_data, pdom) ? pdom_attach_iommu(iommu, pdom) : -EINVAL;
	if (ret) {
		pdev_disable_cap_ats(to_pci_dev(dev));
		return ret;
	}
	iommu_lu_entry_left(att);
	dev_data->domain = pdom;
	set_vapic(dev_data, true);
	guard(spinlock_irqsave)(&pdom->lock);
	list_add(&dev_data->list, &pdom->dev_list);
	return 0;
}

static void amd_lu_unrestore_attachment(struct iommu_lu_unit *unit,
					struct iommu_lu_attachment *att,
					struct iommu_domain *domain,
					struct device *dev)
{
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);
	struct protection_domain *pdom = to_pdomain(domain);

	guard(mutex)(&dev_data->mutex);
	scoped_guard(spinlock_irqsave, &pdom->lock)
		list_del(&dev_data->list);
	dev_data->domain = NULL;
	set_vapic(dev_data, false);
	pdom_detach_iommu(to_amd_iommu(unit->iommu), pdom);
	pdev_disable_cap_ats(to_pci_dev(dev));
}

static void amd_lu_block_attachment(struct iommu_lu_unit *unit,
				    struct iommu_lu_attachment *att)
{
	struct amd_iommu *iommu = to_amd_iommu(unit->iommu);
	struct amd_iommu_pci_seg *seg = iommu->pci_seg;
	u32 devid = att->device->ser->source_id;
	u32 domid;

	if (devid >= amd_lu_entries(seg) || !amd_lu_leads(&seg->dev_table[devid]))
		return;
	domid = seg->dev_table[devid].data[1] & DTE_DOMID_MASK;
	amd_lu_block_entry(seg, devid);
	iommu_flush_dte_sync(iommu, devid);
	amd_iommu_flush_tlb_domid(iommu, domid);
}

const struct iommu_liveupdate_ops amd_liveupdate_ops = {
	.type			= IOMMU_LU_TYPE_AMD,
	.version		= IOMMU_LU_AMD_VERSION,
	.unit_size		= sizeof(struct iommu_lu_amd_unit_ser),
	.domain_size		= sizeof(struct iommu_lu_amd_domain_ser),
	.device_size		= sizeof(struct iommu_lu_amd_device_ser),
	.domain_pt		= offsetof(struct iommu_lu_amd_domain_ser, pt),
	.name			= "amd-iommu",
	.source_id		= amd_lu_source_id,
	.preserve_unit		= amd_lu_preserve_unit,
	.unpreserve_unit	= amd_lu_unpreserve_unit,
	.preserve_domain	= amd_lu_preserve_domain,
	.unpreserve_domain	= amd_lu_unpreserve_domain,
	.preserve_device	= amd_lu_preserve_device,
	.unpreserve_device	= amd_lu_unpreserve_device,
	.preserve_attachment	= amd_lu_preserve_attachment,
	.unpreserve_attachment	= amd_lu_unpreserve_attachment,
	.jump			= amd_lu_jump,
	.domain_runs		= amd_lu_domain_runs,
	.domain_clear		= amd_lu_domain_clear,
	.unit_error		= amd_lu_unit_error,
	.domain_error		= amd_lu_domain_error,
	.restore_domain		= amd_lu_restore_domain,
	.restore_attachment	= amd_lu_restore_attachment,
	.unrestore_attachment	= amd_lu_unrestore_attachment,
	.block_attachment	= amd_lu_block_attachment,
	.domain_in_use		= amd_lu_domain_in_use,
	.visit_tables		= amd_lu_visit_tables,
	.domain_levels		= amd_lu_domain_levels,
	.release_domain		= amd_lu_release_domain,
};
