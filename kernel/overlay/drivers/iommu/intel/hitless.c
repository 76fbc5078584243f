// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replace a device's domain without a moment in which its DMA is blocked
 */
#define pr_fmt(fmt) "DMAR: " fmt

#include <linux/iommu.h>
#include <linux/pci.h>

#include "iommu.h"
#include "liveupdate.h"

/**
 * intel_context_entry_fill - What a legacy mode context entry has to be
 * @info:   The device
 * @domain: The second stage domain it is attached to
 * @did:    The ID of @domain in the unit of @info
 * @entry:  Filled in
 */
void intel_context_entry_fill(struct device_domain_info *info,
			      struct dmar_domain *domain, u16 did,
			      struct context_entry *entry)
{
	struct pt_iommu_vtdss_hw_info pt_info;

	pt_iommu_vtdss_hw_info(&domain->sspt, &pt_info);

	context_clear_entry(entry);
	context_set_domain_id(entry, did);
	context_set_address_root(entry, pt_info.ssptptr);
	context_set_address_width(entry, pt_info.aw);
	context_set_translation_type(entry, info->ats_supported ?
					    CONTEXT_TT_DEV_IOTLB :
					    CONTEXT_TT_MULTI_LEVEL);
	context_set_fault_enable(entry);
	context_set_present(entry);
}

static int other_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	return alias != *(u16 *)data;
}

/* One entry, 16 bytes wide, and processors that can write it at once */
static bool can_replace(struct dmar_domain *domain,
			struct device_domain_info *info)
{
	struct pci_dev *pdev;
	u16 rid;

	if (sm_supported(info->iommu) || !system_has_cmpxchg128() ||
	    !dev_is_pci(info->dev) || dev_is_real_dma_subdevice(info->dev))
		return false;
	if (!info->domain_attached || !info->domain || info->domain == domain ||
	    !intel_domain_is_ss_paging(info->domain) ||
	    !intel_domain_is_ss_paging(domain))
		return false;
	if (info->domain->domain.iopf_handler || domain->domain.iopf_handler)
		return false;

	pdev = to_pci_dev(info->dev);
	rid = pci_dev_id(pdev);
	return !pci_for_each_dma_alias(pdev, other_alias, &rid);
}

/*
 * The walker reads the 16 bytes of an entry at once, so it sees the old one or
 * the new one. What it cached of the old one is flushed before we return: from
 * then on nothing of the old domain is used any more.
 */
static int replace_entry(struct dmar_domain *domain,
			 struct device_domain_info *info)
{
	struct intel_iommu *iommu = info->iommu;
	struct context_entry new, *entry;
	u128 seen, val;
	u16 old_did;
	int ret = 0;

	intel_context_entry_fill(info, domain, domain_id_iommu(domain, iommu),
				 &new);
	val = (u128)new.hi << 64 | new.lo;

	spin_lock(&iommu->lock);
	entry = iommu_context_addr(iommu, info->bus, info->devfn, 0);
	if (!entry || !context_present(entry)) {
		spin_unlock(&iommu->lock);
		return -ENODEV;
	}
	old_did = context_domain_id(entry);
	seen = (u128)entry->hi << 64 | entry->lo;
	if (WARN_ON_ONCE(!try_cmpxchg128((u128 *)entry, &seen, val)))
		ret = -EAGAIN;
	else
		__iommu_flush_cache(iommu, entry, sizeof(*entry));
	spin_unlock(&iommu->lock);
	if (ret)
		return ret;

	iommu_flush_write_buffer(iommu);
	intel_context_flush_no_pasid(info, entry, old_did,
				     PCI_DEVID(info->bus, info->devfn));
	return 0;
}

static void move_device(struct device_domain_info *info,
			struct dmar_domain *from, struct dmar_domain *to)
{
	unsigned long flags;

	spin_lock_irqsave(&from->lock, flags);
	list_del(&info->link);
	spin_unlock_irqrestore(&from->lock, flags);

	info->domain = to;

	spin_lock_irqsave(&to->lock, flags);
	list_add(&info->link, &to->devices);
	spin_unlock_irqrestore(&to->lock, flags);
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
 * changed and the ordinary attach is to be used; an error when @domain does not
 * fit, the device goes on with the old one.
 */
int intel_replace_hitless(struct dmar_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct dmar_domain *old = info->domain;
	int ret;

	if (!can_replace(domain, info))
		return 1;

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

	ret = replace_entry(domain, info);
	if (ret)
		goto err_unassign;

	move_device(info, old, domain);
	cache_tag_unassign_domain(old, dev, IOMMU_NO_PASID);
	domain_detach_iommu(old, iommu);
	return 0;

err_unassign:
	cache_tag_unassign_domain(domain, dev, IOMMU_NO_PASID);
err_detach:
	domain_detach_iommu(domain, iommu);
	return ret;
}
