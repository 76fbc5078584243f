// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kept devices in the new kernel
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "internal.h"

/* ---- Devices turn up, and go --------------------------------------------- */

/* PCI has looked at it before anything could be moved */
static bool same_device(const struct iommu_lu_device *lu, struct device *dev)
{
	return lu->ser->vendor == to_pci_dev(dev)->vendor &&
	       lu->ser->device == to_pci_dev(dev)->device &&
	       pci_liveupdate_came(to_pci_dev(dev));
}

static const char *device_mismatch(struct iommu_lu_device *lu,
				   struct device *dev, bool alone)
{
	struct iommu_lu_unit *unit = lu->unit;

	if (!same_device(lu, dev))
		return "another device is in its place";
	if (unit->iommu != dev->iommu->iommu_dev)
		return "it is behind another IOMMU";
	if (iommu_lu_unit_ops(unit)->source_id(unit->iommu, dev) !=
	    lu->ser->source_id)
		return "its IOMMU knows it by another ID";
	if (!alone)
		return "it shares its group";
	return NULL;
}

static const char *attach_one(struct iommu_lu_in *in,
			      struct iommu_lu_attachment *att,
			      struct device *dev)
{
	struct iommu_lu_unit *unit = att->device->unit;
	struct iommu_domain *domain;
	int ret;

	if (!att->kept)
		return "its unit has no such entry";
	domain = iommu_lu_domain_instantiate(in, att->domain);
	if (domain == ERR_PTR(-ENOMEM))
		return "out of memory";
	if (IS_ERR(domain))
		return "its domain cannot be restored";
	ret = iommu_lu_unit_ops(unit)->restore_attachment(unit, att, domain, dev);
	if (ret)
		return ret == -ENOMEM ? "out of memory" :
					"its entry is not as recorded";
	return NULL;
}

/**
 * iommu_lu_in_attach - Put a device on its restored domains, or on none
 * @in:  The handover
 * @lu:  The device, incoming
 * @dev: The device itself, attached to nothing
 *
 * Context: With the lock of the handover held; may sleep.
 * Return: NULL, or why it is attached to nothing.
 */
const char *iommu_lu_in_attach(struct iommu_lu_in *in,
			       struct iommu_lu_device *lu, struct device *dev)
{
	const struct iommu_liveupdate_ops *ops;
	struct iommu_lu_attachment *att;
	const char *why = NULL;

	lockdep_assert_held(&in->lock);

	list_for_each_entry(att, &lu->attachments, link) {
		why = attach_one(in, att, dev);
		if (why)
			break;
	}
	if (!why)
		return NULL;
	ops = iommu_lu_unit_ops(lu->unit);
	list_for_each_entry_continue_reverse(att, &lu->attachments, link)
		ops->unrestore_attachment(lu->unit, att, att->domain->domain,
					  dev);
	return why;
}

static struct iommu_lu_device *record_of(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);

	return iommu_lu_in_device(&iommu_lu_in, pci_domain_nr(pdev->bus),
				  pci_dev_id(pdev));
}

static void reject_and_block(struct iommu_lu_device *lu, const char *why)
{
	iommu_lu_reject_device(lu, why);
	iommu_lu_block_device(&iommu_lu_in, lu);
}

/* What it is found as: its record cannot be that of another device any more */
static void link_device(struct iommu_lu_device *lu, struct device *dev)
{
	struct iommu_lu_attachment *att;

	list_for_each_entry(att, &lu->attachments, link)
		if (att->domain && lu->state == IOMMU_LU_INCOMING)
			att->domain->devices--;
	lu->linked = true;
	lu->dev = dev;
	WRITE_ONCE(dev->iommu->lu, lu);
}

/* A record that is still to be linked, for which this device may be the one */
static struct iommu_lu_device *linkable(struct device *dev)
{
	struct iommu_lu_device *lu;

	lockdep_assert_held(&iommu_lu_in.lock);

	lu = record_of(dev);
	if (!lu || lu->linked)
		return NULL;
	/* A forged number must not block a device that never came over */
	if (!lu->found && !same_device(lu, dev)) {
		iommu_lu_reject_device(lu, "another device is in its place");
		return NULL;
	}
	return lu;
}

/* PCI says that it came over, and there is no domain for it */
static void reject_stray(struct pci_dev *pdev)
{
	if (!pci_liveupdate_reset_due(pdev))
		return;
	pci_err(pdev, "live update: nothing goes on translating for it, it is stopped\n");
	pci_liveupdate_rejected(pdev);
}

/**
 * iommu_lu_probe_device - A device turns up
 * @dev:   The device, not attached to anything yet
 * @group: The devices of its group so far
 *
 * One that came over and is in a group with others is rejected here. One that is
 * alone is linked and attached in one step, by iommu_lu_attach_restored().
 *
 * Context: With group->mutex held, before the first attach.
 */
void iommu_lu_probe_device(struct device *dev, const struct list_head *group)
{
	struct iommu_lu_device *lu;

	if (list_is_singular(group) || !dev_is_pci(dev))
		return;
	if (!READ_ONCE(iommu_lu_in.active) || !record_of(dev)) {
		reject_stray(to_pci_dev(dev));
		return;
	}

	guard(mutex)(&iommu_lu_in.lock);
	lu = linkable(dev);
	if (!lu) {
		reject_stray(to_pci_dev(dev));
		return;
	}
	link_device(lu, dev);
	if (lu->state == IOMMU_LU_INCOMING)
		reject_and_block(lu, "it shares its group");
	pci_liveupdate_rejected(to_pci_dev(dev));
}

/**
 * iommu_lu_attach_restored - Put a device that came over on its restored domain
 * @dev:   The first device of its group, which is attached to nothing yet
 * @group: The devices of the group
 *
 * It is linked to its record and attached, without a change to the live entry, in
 * one hold of the lock. When that cannot be, it is rejected and its entry is
 * cleared.
 *
 * Context: With group->mutex held.
 * Return: the domain that @dev is attached to now; NULL when it is to be attached
 * like any other, if iommu_lu_attach_skipped() lets it be.
 */
struct iommu_domain *iommu_lu_attach_restored(struct device *dev,
					      const struct list_head *group)
{
	struct iommu_lu_attachment *att;
	struct iommu_lu_device *lu;
	const char *why = NULL;

	if (!dev_is_pci(dev))
		return NULL;
	if (!READ_ONCE(iommu_lu_in.active) || !record_of(dev)) {
		reject_stray(to_pci_dev(dev));
		return NULL;
	}

	guard(mutex)(&iommu_lu_in.lock);
	scoped_class(iommu_lu_lap, lap, IOMMU_LU_STEP_PROBE) {
		lu = linkable(dev);
		if (!lu) {
			reject_stray(to_pci_dev(dev));
			return NULL;
		}
		link_device(lu, dev);
		if (lu->state == IOMMU_LU_INCOMING) {
			why = device_mismatch(lu, dev, list_is_singular(group));
			if (!why)
				why = iommu_lu_in_attach(&iommu_lu_in, lu, dev);
		}
	}
	if (why)
		reject_and_block(lu, why);
	if (lu->state == IOMMU_LU_REJECTED) {
		pci_liveupdate_rejected(to_pci_dev(dev));
		return NULL;
	}
	pci_liveupdate_restored(to_pci_dev(dev));
	att = list_first_entry(&lu->attachments, struct iommu_lu_attachment,
			       link);
	dev_info(dev, "live update: DMA goes on through domain %u\n",
		 att->domain->index);
	return att->domain->domain;
}

static void end_reset(struct iommu_lu_device *lu)
{
	lockdep_assert_held(&iommu_lu_in.lock);

	if (!lu->returns_to)
		return;
	lu->returns_to->resets--;
	lu->returns_to = NULL;
}

/* A device is like any other from now on */
static void unlink_device(struct device *dev, struct iommu_lu_device *lu)
{
	end_reset(lu);
	WRITE_ONCE(lu->state, IOMMU_LU_FINISHED);
	lu->dev = NULL;
	WRITE_ONCE(dev->iommu->lu, NULL);
	/* After the end of the handover nobody else knows of it */
	if (!lu->ser)
		kfree_rcu(lu, rcu);
}

/**
 * iommu_lu_may_unblock - May a device that was rejected be attached at last?
 * @dev: The device
 *
 * Context: With group->mutex held.
 * Return: true when it was reset since, and is still attached to nothing.
 */
bool iommu_lu_may_unblock(struct device *dev)
{
	return iommu_lu_device_rejected(dev) &&
	       !pci_liveupdate_reset_due(to_pci_dev(dev));
}

/**
 * iommu_lu_attached - A device was attached
 * @dev:    The device
 * @domain: What to
 *
 * One that was rejected and reset is like any other now, and was not before: an
 * attach can fail, and its driver must not start with the device still blocked.
 *
 * Context: With group->mutex held.
 */
void iommu_lu_attached(struct device *dev, struct iommu_domain *domain)
{
	if (domain->type == IOMMU_DOMAIN_BLOCKED || !iommu_lu_may_unblock(dev))
		return;

	guard(mutex)(&iommu_lu_in.lock);
	unlink_device(dev, dev->iommu->lu);
}

/**
 * iommu_lu_attach_skipped - Does a device stay blocked when its group is attached?
 * @dev:    The device
 * @domain: What its group is attached to
 *
 * The rest of the group is attached, nothing is to suffer for a rejected device.
 * What joins a group with a restored domain is not given that; it gets what the
 * owner attaches the group to next, and no driver before that.
 *
 * Context: With group->mutex held.
 * Return: true for one that was rejected and not reset since, and where @domain is
 * a restored one, for each that did not come over or was rejected.
 */
bool iommu_lu_attach_skipped(struct device *dev, struct iommu_domain *domain)
{
	/* No kept device has direct mappings: such a one never came over */
	if (dev->iommu->require_direct)
		return false;
	if (iommu_lu_domain_restored(domain))
		return !iommu_lu_device_incoming(dev);
	return iommu_lu_device_rejected(dev) && !iommu_lu_may_unblock(dev);
}

/**
 * iommu_lu_forget_device - The IOMMU core lets go of a device
 * @dev: The device, not attached to a restored domain if it was ever probed
 *
 * One that came over and could not be probed is blocked. When it is probed again
 * it is another device.
 *
 * Context: With group->mutex held.
 */
void iommu_lu_forget_device(struct device *dev)
{
	struct iommu_lu_device *lu;

	if (!READ_ONCE(dev->iommu->lu))
		return;

	guard(mutex)(&iommu_lu_in.lock);
	lu = dev->iommu->lu;
	if (!lu)
		return;
	if (lu->state == IOMMU_LU_INCOMING) {
		reject_and_block(lu, "it cannot be probed");
		pci_liveupdate_rejected(to_pci_dev(dev));
	}
	unlink_device(dev, lu);
}

/* Is another device of its group on what that came over with? */
static bool group_stays(struct device *dev)
{
	struct iommu_lu_device *other;
	unsigned long i;

	lockdep_assert_held(&iommu_lu_in.lock);

	xa_for_each(&iommu_lu_in.device_slots, i, other)
		if (other->dev && other->state != IOMMU_LU_REJECTED &&
		    other->dev->iommu_group == dev->iommu_group)
			return true;
	return false;
}

/**
 * iommu_lu_remove_device - A device goes away
 * @dev:    The device
 * @domain: What its group is attached to
 *
 * What comes back in its place is another device.
 *
 * Context: With group->mutex held.
 * Return: true when its group is on a restored domain, and it was the last to which
 * that is attached: what has joined the group later was not. The driver blocks the
 * device when it releases it.
 */
bool iommu_lu_remove_device(struct device *dev, struct iommu_domain *domain)
{
	struct iommu_lu_device *lu;

	if (!dev->iommu || !dev->iommu->lu)
		return false;

	guard(mutex)(&iommu_lu_in.lock);
	lu = dev->iommu->lu;
	if (!lu || lu->state == IOMMU_LU_PRESERVED)
		return false;
	unlink_device(dev, lu);
	return iommu_lu_domain_restored(domain) && !group_stays(dev);
}

/**
 * iommu_lu_reset_begins - A device is about to be blocked for a reset
 * @dev:    The device
 * @domain: What its group is attached to, and it will be again
 *
 * A restored domain must not be freed meanwhile. Of one that its owner attaches,
 * the owner knows that it is in use; on this one the device has been from the start.
 *
 * Context: With group->mutex held, while the device is still attached.
 */
void iommu_lu_reset_begins(struct device *dev, struct iommu_domain *domain)
{
	struct iommu_lu_device *lu;

	if (!iommu_lu_domain_restored(domain) || !iommu_lu_device_incoming(dev))
		return;

	guard(mutex)(&iommu_lu_in.lock);
	lu = dev->iommu->lu;
	if (!lu || lu->returns_to)
		return;
	lu->returns_to = domain->lu;
	lu->returns_to->resets++;
}

/**
 * iommu_lu_reset_ends - A device that was reset is attached again
 * @dev: The device
 *
 * Context: With group->mutex held.
 */
void iommu_lu_reset_ends(struct device *dev)
{
	if (!iommu_lu_device_incoming(dev))
		return;

	guard(mutex)(&iommu_lu_in.lock);
	if (dev->iommu->lu)
		end_reset(dev->iommu->lu);
}

/* ---- Devices get their owner back ---------------------------------------- */

/**
 * iommu_lu_may_claim - May a device on a restored domain be taken over?
 * @dev:    The device
 * @domain: What it is attached to
 * @owner:  Who asks
 *
 * Context: With group->mutex held.
 * Return: true when @owner has the domain and so may have the device, with
 * nothing changed in how it is attached.
 */
bool iommu_lu_may_claim(struct device *dev, struct iommu_domain *domain,
			void *owner)
{
	if (!iommu_lu_domain_restored(domain) || !dev->iommu->lu)
		return false;

	guard(mutex)(&iommu_lu_in.lock);
	return domain->lu->owner == owner;
}

/**
 * iommu_lu_claimed - A device on a restored domain has an owner again
 * @dev: The device
 *
 * Context: With group->mutex held, after iommu_lu_may_claim().
 */
void iommu_lu_claimed(struct device *dev)
{
	guard(mutex)(&iommu_lu_in.lock);
	WRITE_ONCE(dev->iommu->lu->state, IOMMU_LU_CLAIMED);
	pci_liveupdate_claimed(to_pci_dev(dev));
}

/**
 * iommu_lu_unclaim - The owner of a device gives it up again
 * @dev:    The device
 * @domain: What it is attached to
 *
 * On a restored domain this is an owner who could not finish binding to it. The
 * device goes on, and can be claimed once more. One that was pulled out cannot be
 * bound any more, and must not keep the domain for ever.
 *
 * Context: With group->mutex held.
 * Return: true when the device is to stay where it is.
 */
bool iommu_lu_unclaim(struct device *dev, struct iommu_domain *domain)
{
	struct iommu_lu_device *lu;

	if (!iommu_lu_domain_restored(domain))
		return false;

	guard(mutex)(&iommu_lu_in.lock);
	lu = dev->iommu->lu;
	if (!lu || lu->state != IOMMU_LU_CLAIMED ||
	    pci_dev_is_disconnected(to_pci_dev(dev)))
		return false;
	WRITE_ONCE(lu->state, IOMMU_LU_INCOMING);
	pci_liveupdate_unclaimed(to_pci_dev(dev));
	return true;
}

/* ---- For the handlers of files ------------------------------------------- */

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
	lu = iommu_lu_in_device(&iommu_lu_in, segment, rid);
	return lu ? get_device(lu->dev) : NULL;
}
EXPORT_SYMBOL_GPL(iommu_lu_get_device);

/* Of a device that may be on its way out, whose dev->iommu can be freed meanwhile */
static struct iommu_lu_device *linked_record(struct device *dev)
{
	struct iommu_lu_device *lu = record_of(dev);

	return lu && lu->dev == dev ? lu : NULL;
}

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
	lu = linked_record(dev);
	return lu && lu->ser->user == user;
}
EXPORT_SYMBOL_GPL(iommu_lu_device_of);

/* The IOMMU core unlinks a device before it lets go of its group */
static struct iommu_group *get_group(struct device *dev)
{
	guard(mutex)(&iommu_lu_in.lock);
	return linked_record(dev) ? iommu_group_get(dev) : NULL;
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
	struct iommu_group *group;
	bool live;

	if (!iommu_lu_device_incoming(dev))
		return false;
	group = get_group(dev);
	if (!group)
		return false;
	live = iommu_group_for_each_dev(group, NULL, see_restored);
	iommu_group_put(group);
	return live;
}
EXPORT_SYMBOL_GPL(iommu_lu_device_live);

/* Its unit is in hand, and nobody has the domains it is on */
static bool device_orphaned(const struct iommu_lu_device *lu)
{
	const struct iommu_lu_attachment *att;

	if (!iommu_lu_device_unseen(lu) || !lu->unit->iommu)
		return false;
	list_for_each_entry(att, &lu->attachments, link)
		if (!att->domain->owner)
			return true;
	return false;
}

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
	if (iommu_lu_any_pending(&iommu_lu_in))
		return true;
	xa_for_each(&iommu_lu_in.domain_slots, i, lu)
		if (lu->domain && !lu->owner &&
		    iommu_lu_in_domain_used(&iommu_lu_in, lu->domain))
			return true;
	xa_for_each(&iommu_lu_in.device_slots, i, dev)
		if (device_orphaned(dev))
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
	lu = linked_record(dev);
	if (lu && lu->state != IOMMU_LU_REJECTED) {
		unlink_device(dev, lu);
		pci_liveupdate_finish(to_pci_dev(dev));
	}
}
EXPORT_SYMBOL_GPL(iommu_lu_finish_device);
