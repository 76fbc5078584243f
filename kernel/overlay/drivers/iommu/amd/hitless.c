// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replace a device's domain without a moment in which its DMA is blocked
 */
#define pr_fmt(fmt) "AMD-Vi: " fmt

#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/pci.h>

#include "amd_iommu.h"
#include "liveupdate.h"

/**
 * DOC: Replacing a domain
 *
 * A transfer is to be translated by the old or by the new domain. Where an entry of
 * the device table leads is in its lower half, which is written at once; the upper
 * half is the same for two domains with host page tables. Then what is cached of the
 * entry, what the device itself has cached if it has ATS, and what is cached of the old
 * domain is invalidated, in this order: what the device asks for after the first is
 * answered by the new domain. Until all of it is done both domains are in use.
 *
 * Locks: dev_data->mutex, as for each attach, then domain->lock of both domains, that
 * with the lower address first. Whoever makes the table of the new one a level taller
 * changes the entries of all its devices under its lock, so the top that is written
 * last is the right one. Whoever unmaps something of the old one tells the devices on it
 * under its lock, so this one is on it until it was told itself.
 */

static bool is_v1(const struct protection_domain *domain)
{
	return domain->domain.type & __IOMMU_DOMAIN_PAGING &&
	       domain->pd_mode == PD_MODE_V1;
}

static int other_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	return alias != *(u16 *)data;
}

static bool can_replace(const struct protection_domain *from,
			const struct protection_domain *to,
			struct iommu_dev_data *dev_data)
{
	u16 devid = dev_data->devid;

	if (!is_v1(from) || !is_v1(to) || !dev_is_pci(dev_data->dev) ||
	    dev_data->gcr3_info.gcr3_tbl || dev_data->ppr ||
	    from->dirty_tracking != to->dirty_tracking)
		return false;
	return !pci_for_each_dma_alias(to_pci_dev(dev_data->dev), other_alias,
				       &devid) &&
	       !amd_lu_shared_rid(get_amd_iommu_from_dev(dev_data->dev)->pci_seg,
				  devid);
}

static void write_entry(struct iommu_dev_data *dev_data,
			struct protection_domain *to)
{
	struct pt_iommu_amdv1_hw_info info;
	struct dev_table_entry new = {};

	lockdep_assert_held(&to->lock);

	pt_iommu_amdv1_hw_info(&to->amdv1, &info);
	amd_iommu_make_clear_dte(dev_data, &new);
	amd_iommu_set_dte_v1(dev_data, to, to->id, &info, &new);
	amd_iommu_update_dte(get_amd_iommu_from_dev(dev_data->dev), dev_data,
			     &new);
}

static void move(struct iommu_dev_data *dev_data,
		 struct protection_domain *from, struct protection_domain *to)
{
	guard(spinlock_irqsave)(&min(from, to)->lock);
	spin_lock_nested(&max(from, to)->lock, SINGLE_DEPTH_NESTING);
	dev_data->domain = to;
	list_move(&dev_data->list, &to->dev_list);
	write_entry(dev_data, to);
	amd_iommu_domain_flush_pages(from, 0, U64_MAX,
				     CMD_INV_IOMMU_PAGES_PDE_MASK);
	spin_unlock(&max(from, to)->lock);
}

static int replace(struct iommu_dev_data *dev_data,
		   struct protection_domain *from, struct protection_domain *to)
{
	struct amd_iommu *iommu = get_amd_iommu_from_dev(dev_data->dev);
	int ret;

	/* An unmap from now on has to reach the unit through both domains */
	ret = pdom_attach_iommu(iommu, to);
	if (ret)
		return ret;

	move(dev_data, from, to);
	pdom_detach_iommu(iommu, from);
	return 0;
}

/**
 * amd_replace_hitless - Attach a device to another domain, DMA going on
 * @domain: The new domain
 * @dev:    The device
 *
 * A transfer is translated by the old or by the new domain, never refused.
 * Both have to map what the device uses meanwhile.
 *
 * Context: With group->mutex held; may sleep.
 * Return: 0 when it is done; 1 when it cannot be done this way, nothing has
 * changed and the ordinary attach is to be used; -EBUSY when that would stop a
 * device that came from the previous kernel; -ENOMEM, the device goes on with the
 * old domain.
 */
int amd_replace_hitless(struct protection_domain *domain, struct device *dev)
{
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);
	struct protection_domain *old = dev_data->domain;
	int ret = 1;

	if (!old)
		return 1;
	scoped_guard(mutex, &dev_data->mutex) {
		if (can_replace(old, domain, dev_data))
			ret = replace(dev_data, old, domain);
		else if (domain->domain.type & __IOMMU_DOMAIN_PAGING &&
			 iommu_lu_domain_restored(&old->domain))
			ret = -EBUSY;
	}
	if (ret >= 0)
		iommu_lu_entry_written(dev);
	return ret;
}
