// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replace a device's domain without a moment in which its DMA is blocked
 */
#define pr_fmt(fmt) "DMAR: " fmt

#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/pci.h>

#include "../iommu-pages.h"
#include "iommu.h"
#include "liveupdate.h"
#include "liveupdate-entry.h"
#include "pasid.h"

/**
 * DOC: Replacing a domain
 *
 * A transfer is to be translated by the old or by the new domain, so the hardware
 * must see all of the old entry or all of the new one. In legacy mode that is 16
 * bytes, written at once. An entry of a PASID table is 64 bytes, of which 24 differ
 * between two domains, more than can be written at once. So a copy of the table is
 * made that has the new entry, and the entry of the PASID directory, 8 bytes, is
 * made to lead there. This works from each stage to each.
 *
 * What the hardware has cached of the old way is then invalidated. Until that is
 * done both domains are in use, and the old table is freed after it.
 *
 * Locks: group->mutex, held by the caller, keeps everybody else from attaching the
 * device. iommu->lock keeps the bits of its entries as they are: whoever changes
 * those of an attached domain takes it, and looks for the table only then.
 */

static int other_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	return alias != *(u16 *)data;
}

/* In legacy mode one entry, and processors that can write it at once */
static bool one_context_entry(struct device_domain_info *info)
{
	struct pci_dev *pdev = to_pci_dev(info->dev);
	u16 rid = pci_dev_id(pdev);

	return system_has_cmpxchg128() &&
	       !pci_for_each_dma_alias(pdev, other_alias, &rid);
}

static bool is_paging(struct dmar_domain *domain)
{
	return intel_domain_is_fs_paging(domain) ||
	       intel_domain_is_ss_paging(domain);
}

static bool can_replace(struct dmar_domain *domain,
			struct device_domain_info *info)
{
	if (!dev_is_pci(info->dev) || dev_is_real_dma_subdevice(info->dev))
		return false;
	if (!info->domain_attached || !info->domain || info->domain == domain ||
	    !is_paging(info->domain) || !is_paging(domain))
		return false;
	if (info->domain->domain.iopf_handler || domain->domain.iopf_handler)
		return false;
	return sm_supported(info->iommu) || one_context_entry(info);
}

/**
 * struct replacement - While an entry is replaced
 * @info:   The device
 * @target: What it is to be attached to
 * @table:  The PASID table with the new entry, and then the one with the old
 * @did:    Domain ID of what it was attached to
 * @pgtt:   And in which way
 */
struct replacement {
	struct device_domain_info *info;
	struct intel_lu_target target;
	struct pasid_entry *table;
	u16 did;
	u16 pgtt;
};

static int replace_context(struct replacement *rep)
{
	struct device_domain_info *info = rep->info;
	struct context_entry new, *entry;
	u128 seen, val;

	intel_lu_fill_context(&new, &rep->target, info->ats_supported);
	val = (u128)new.hi << 64 | new.lo;

	entry = iommu_context_addr(info->iommu, info->bus, info->devfn, 0);
	if (!entry || !context_present(entry))
		return -ENODEV;
	rep->did = context_domain_id(entry);
	seen = (u128)entry->hi << 64 | entry->lo;
	if (WARN_ON_ONCE(!try_cmpxchg128((u128 *)entry, &seen, val)))
		return -EAGAIN;
	__iommu_flush_cache(info->iommu, entry, sizeof(*entry));
	return 0;
}

/* Requests without a PASID have the first entry of the first table */
static int replace_pasid(struct replacement *rep)
{
	struct pasid_dir_entry *dir = rep->info->pasid_table->table;
	struct intel_iommu *iommu = rep->info->iommu;
	struct pasid_entry *old = get_pasid_table_from_pde(dir);
	struct pasid_entry *new = rep->table;

	if (!old || !pasid_pte_is_present(old))
		return -ENODEV;
	rep->did = pasid_get_domain_id(old);
	rep->pgtt = pasid_pte_get_pgtt(old);
	memcpy(new, old, SZ_4K);
	intel_lu_fill_pasid(iommu, new, &rep->target);
	__iommu_flush_cache(iommu, new, SZ_4K);
	dma_wmb();
	WRITE_ONCE(dir->val, virt_to_phys(new) | PASID_PTE_PRESENT);
	__iommu_flush_cache(iommu, dir, sizeof(*dir));
	rep->table = old;
	return 0;
}

/*
 * With to->lock held, under which its devices are told of what changes in all
 * their entries: the new entry is as @to says now, and is told from now on.
 */
static int write_entry(struct replacement *rep, struct dmar_domain *to)
{
	struct intel_iommu *iommu = rep->info->iommu;

	lockdep_assert_held(&to->lock);

	intel_lu_target_of_domain(&rep->target, to, domain_id_iommu(to, iommu));
	guard(spinlock)(&iommu->lock);
	return sm_supported(iommu) ? replace_pasid(rep) : replace_context(rep);
}

static int move_device(struct replacement *rep, struct dmar_domain *from,
		       struct dmar_domain *to)
{
	struct device_domain_info *info = rep->info;
	int ret;

	scoped_guard(spinlock_irqsave, &from->lock)
		list_del(&info->link);
	scoped_guard(spinlock_irqsave, &to->lock) {
		ret = write_entry(rep, to);
		if (!ret)
			list_add(&info->link, &to->devices);
	}
	if (!ret) {
		info->domain = to;
		return 0;
	}
	scoped_guard(spinlock_irqsave, &from->lock)
		list_add(&info->link, &from->devices);
	return ret;
}

/* From then on nothing of the old domain is used any more */
static void flush_replaced(struct replacement *rep)
{
	struct device_domain_info *info = rep->info;
	struct intel_iommu *iommu = info->iommu;

	iommu_flush_write_buffer(iommu);
	if (sm_supported(iommu)) {
		/* Also what is cached of the directory, which has no domain ID */
		qi_flush_pasid_cache(iommu, 0, QI_PC_GLOBAL, 0);
		if (rep->pgtt == PASID_ENTRY_PGTT_FL_ONLY)
			qi_flush_piotlb_all(iommu, rep->did, IOMMU_NO_PASID);
		else
			iommu->flush.flush_iotlb(iommu, rep->did, 0, 0,
						 DMA_TLB_DSI_FLUSH);
	}
	/* In legacy mode this is everything, in any mode what the device caches */
	intel_context_flush_no_pasid(info, NULL, rep->did,
				     PCI_DEVID(info->bus, info->devfn));
}

static int replace(struct device_domain_info *info, struct dmar_domain *from,
		   struct dmar_domain *to)
{
	struct intel_iommu *iommu = info->iommu;
	struct replacement rep = { .info = info };
	int ret;

	if (sm_supported(iommu)) {
		rep.table = iommu_alloc_pages_node_sz(iommu->node, GFP_KERNEL,
						      SZ_4K);
		if (!rep.table)
			return -ENOMEM;
	}
	ret = move_device(&rep, from, to);
	if (!ret)
		flush_replaced(&rep);
	iommu_free_pages(rep.table);
	return ret;
}

/**
 * intel_replace_hitless - Attach a device to another domain, DMA going on
 * @domain: The new domain
 * @dev:    The device, attached to another one
 *
 * A transfer is translated by the old or by the new domain, never refused.
 * Both have to map what the device uses meanwhile.
 *
 * Context: With group->mutex held; may sleep.
 * Return: 0 when it is done; 1 when it cannot be done this way, nothing has
 * changed and the ordinary attach is to be used; -EBUSY when that would stop a
 * device that came from the previous kernel; another error when @domain does not
 * fit, the device goes on with the old one.
 */
int intel_replace_hitless(struct dmar_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct dmar_domain *old = info->domain;
	int ret;

	if (!can_replace(domain, info)) {
		if (old && old != domain &&
		    iommu_lu_domain_restored(&old->domain))
			return -EBUSY;
		iommu_lu_entry_written(dev);
		return 1;
	}

	ret = paging_domain_compatible(&domain->domain, dev);
	if (ret)
		return ret;

	ret = domain_attach_iommu(domain, iommu);
	if (ret)
		return ret;

	/* An unmap from now on has to reach the device through both domains */
	ret = cache_tag_assign_domain(domain, dev, IOMMU_NO_PASID);
	if (ret)
		goto err_detach;

	ret = replace(info, old, domain);
	if (ret)
		goto err_unassign;
	iommu_lu_entry_written(dev);

	cache_tag_unassign_domain(old, dev, IOMMU_NO_PASID);
	domain_detach_iommu(old, iommu);
	return 0;

err_unassign:
	cache_tag_unassign_domain(domain, dev, IOMMU_NO_PASID);
err_detach:
	domain_detach_iommu(domain, iommu);
	return ret;
}
