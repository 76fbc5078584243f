// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains and devices of the previous kernel, for the handlers of their files
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "test/debugfs.h"
#include "internal.h"

/**
 * iommu_lu_take_domain - Take over a domain
 * @index: Slot of its record, from the previous kernel
 * @user:  Physical address of what names the record
 * @owner: Who may from now on claim the devices on it
 *
 * Context: May sleep.
 * Return: the domain, to be given back with iommu_lu_release_domain() and then
 * iommu_domain_free(); -ENOENT when @user has no such record; -EBUSY when it is
 * taken; -EINVAL when it cannot be restored; -ENOMEM.
 */
struct iommu_domain *iommu_lu_take_domain(u32 index, phys_addr_t user,
					  void *owner)
{
	struct iommu_domain *domain;
	struct iommu_lu_domain *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = xa_load(&iommu_lu_in.domain_slots, index);
	if (!lu || !lu->ser || lu->ser->user != user)
		return ERR_PTR(-ENOENT);
	if (lu->owner)
		return ERR_PTR(-EBUSY);
	domain = iommu_lu_domain_instantiate(lu);
	if (IS_ERR(domain))
		return domain;
	lu->owner = owner;
	lu->state = IOMMU_LU_CLAIMED;
	return domain;
}
EXPORT_SYMBOL_GPL(iommu_lu_take_domain);

/**
 * iommu_lu_untake_domain - Undo iommu_lu_take_domain()
 * @domain: The domain
 *
 * Context: May sleep.
 */
void iommu_lu_untake_domain(struct iommu_domain *domain)
{
	guard(mutex)(&iommu_lu_in.lock);
	domain->lu->owner = NULL;
	domain->lu->state = IOMMU_LU_INCOMING;
}
EXPORT_SYMBOL_GPL(iommu_lu_untake_domain);

/**
 * iommu_lu_record_in_use - May a device be at work on a domain nobody has taken?
 * @index: Slot of the domain's record, from the previous kernel
 *
 * Context: May sleep.
 * Return: true when one is attached to it, or its IOMMU is in nobody's hands.
 */
bool iommu_lu_record_in_use(u32 index)
{
	struct iommu_lu_domain *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = xa_load(&iommu_lu_in.domain_slots, index);
	return !iommu_lu_in.settled ||
	       (lu && lu->domain && iommu_lu_domain_in_use(lu->domain));
}
EXPORT_SYMBOL_GPL(iommu_lu_record_in_use);

/**
 * iommu_lu_abandon_record - Nobody will take a domain any more
 * @index: Slot of its record, from the previous kernel, not in use
 * @user:  Physical address of what names the record; of another's domain nothing
 *         is changed
 *
 * A kept device of this domain that was not found yet is blocked.
 *
 * Context: May sleep.
 */
void iommu_lu_abandon_record(u32 index, phys_addr_t user)
{
	struct iommu_lu_domain *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = xa_load(&iommu_lu_in.domain_slots, index);
	if (lu && lu->ser && lu->ser->user == user && !lu->owner)
		iommu_lu_block_unseen(lu);
}
EXPORT_SYMBOL_GPL(iommu_lu_abandon_record);

/**
 * iommu_lu_domain_in_use - Is a device attached to a restored domain?
 * @domain: The domain
 *
 * Context: May sleep.
 * Return: true when there is one.
 */
bool iommu_lu_domain_in_use(struct iommu_domain *domain)
{
	return iommu_lu_domain_ops(domain)->domain_in_use(domain);
}
EXPORT_SYMBOL_GPL(iommu_lu_domain_in_use);

/**
 * iommu_lu_release_domain - Give a restored domain back
 * @domain: The domain, from iommu_lu_take_domain(), with no device on it
 *
 * What follows is iommu_domain_free(). A kept device of this domain that was not
 * found yet is blocked: what it is attached to goes away.
 *
 * Context: May sleep.
 * Return: 0, or -EBUSY when a device is attached to it.
 */
int iommu_lu_release_domain(struct iommu_domain *domain)
{
	struct iommu_lu_domain *lu;

	guard(mutex)(&iommu_lu_in.lock);
	if (iommu_lu_domain_ops(domain)->domain_in_use(domain))
		return -EBUSY;

	lu = domain->lu;
	iommu_lu_block_unseen(lu);
	iommu_lu_domain_ops(domain)->release_domain(domain);
	domain->lu = NULL;
	lu->domain = NULL;
	lu->state = IOMMU_LU_FINISHED;
	/* After the end of the handover nobody else knows of it */
	if (!lu->ser)
		kfree(lu);
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_lu_release_domain);

/**
 * iommu_lu_handover - Is there anything that came over and is not finished?
 *
 * Context: Any.
 * Return: true from the first look at a handover until its end.
 */
bool iommu_lu_handover(void)
{
	return READ_ONCE(iommu_lu_in.active);
}

/* With group->mutex held, so the domain is not freed meanwhile */
static int see_restored(struct device *dev, void *data)
{
	return iommu_lu_domain_restored(iommu_driver_get_domain_for_dev(dev));
}

/**
 * iommu_lu_device_live - Does a device go on with what it did before?
 * @dev: The device
 *
 * Such a device is not to be reset, powered down or kept from the bus.
 *
 * Context: May sleep; without group->mutex.
 * Return: true while it is attached to a restored domain.
 */
bool iommu_lu_device_live(struct device *dev)
{
	return iommu_lu_device_incoming(dev) &&
	       iommu_group_for_each_dev(dev->iommu_group, NULL, see_restored);
}
EXPORT_SYMBOL_GPL(iommu_lu_device_live);

/**
 * iommu_lu_get_device - Find a device that came over
 * @segment: PCI segment
 * @rid:     Requester ID
 *
 * This does not look at all devices there are.
 *
 * Context: May sleep.
 * Return: the device, to be put; NULL when none was found for the record, or
 * there is no record.
 */
struct device *iommu_lu_get_device(u32 segment, u16 rid)
{
	struct iommu_lu_device *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = iommu_lu_find_device(segment, rid);
	return lu ? get_device(lu->dev) : NULL;
}
EXPORT_SYMBOL_GPL(iommu_lu_get_device);

/**
 * iommu_lu_device_of - Is a device the one that a user has preserved?
 * @dev:  The device
 * @user: Physical address of what names the record
 *
 * Context: May sleep.
 * Return: true when it came over and the record says so.
 */
bool iommu_lu_device_of(struct device *dev, phys_addr_t user)
{
	struct iommu_lu_device *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = dev->iommu ? dev->iommu->lu : NULL;
	return lu && lu->state != IOMMU_LU_PRESERVED && lu->ser &&
	       lu->ser->user == user;
}
EXPORT_SYMBOL_GPL(iommu_lu_device_of);

/**
 * iommu_lu_orphans - May a device be at work on a domain that nobody has taken?
 *
 * Whoever cannot say which domains are his own has to leave all memory alone
 * for as long as that is so.
 *
 * Context: May sleep.
 * Return: true when one is attached to such a domain, or was not found yet, or an
 * IOMMU is in nobody's hands.
 */
bool iommu_lu_orphans(void)
{
	struct iommu_lu_domain *lu;
	struct iommu_lu_device *dev;
	unsigned long i;

	guard(mutex)(&iommu_lu_in.lock);
	if (!iommu_lu_in.settled)
		return true;
	xa_for_each(&iommu_lu_in.domain_slots, i, lu)
		if (lu->domain && !lu->owner &&
		    iommu_lu_domain_in_use(lu->domain))
			return true;
	xa_for_each(&iommu_lu_in.device_rids, i, dev)
		if (iommu_lu_device_unseen(dev) && dev->unit->iommu && !dev->domain->owner)
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(iommu_lu_orphans);

/**
 * iommu_lu_finish_device - The device is like any other from now on
 * @dev: The device, not live any more
 *
 * Context: From the finish callback of a file handler.
 */
void iommu_lu_finish_device(struct device *dev)
{
	struct iommu_lu_device *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = dev->iommu ? dev->iommu->lu : NULL;
	if (lu && lu->state != IOMMU_LU_PRESERVED &&
	    lu->state != IOMMU_LU_REJECTED)
		iommu_lu_unlink_device(dev, lu);
}
EXPORT_SYMBOL_GPL(iommu_lu_finish_device);

#ifdef CONFIG_IOMMU_LIVEUPDATE_DEBUGFS
/**
 * iommu_lu_count_incoming - Count what came from the previous kernel
 * @counts: Filled in
 *
 * Context: May sleep.
 */
void iommu_lu_count_incoming(struct iommu_lu_counts *counts)
{
	struct iommu_lu_domain *domain;
	struct iommu_lu_device *dev;
	unsigned long i;

	guard(mutex)(&iommu_lu_in.lock);
	*counts = (struct iommu_lu_counts){
		.units = iommu_lu_records_used(&iommu_lu_in.units),
		.domains = iommu_lu_records_used(&iommu_lu_in.domains),
		.devices = iommu_lu_records_used(&iommu_lu_in.devices),
		.blocks = iommu_lu_in.units.nr_blocks + iommu_lu_in.domains.nr_blocks +
			  iommu_lu_in.devices.nr_blocks,
	};
	xa_for_each(&iommu_lu_in.domain_slots, i, domain)
		counts->restored += !!domain->domain;
	xa_for_each(&iommu_lu_in.device_rids, i, dev)
		counts->states[dev->state]++;
}
#endif
