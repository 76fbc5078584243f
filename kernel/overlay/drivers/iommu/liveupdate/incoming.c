// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices and domains that came from the previous kernel
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <kunit/static_stub.h>
#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-steps.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "internal.h"

struct iommu_lu_in iommu_lu_in = {
	.lock = __MUTEX_INITIALIZER(iommu_lu_in.lock),
	.unit_slots = XARRAY_INIT(iommu_lu_in.unit_slots, 0),
	.domain_slots = XARRAY_INIT(iommu_lu_in.domain_slots, 0),
	.unit_bases = XARRAY_INIT(iommu_lu_in.unit_bases, 0),
	.pages = XARRAY_INIT(iommu_lu_in.pages, 0),
	.device_rids = XARRAY_INIT(iommu_lu_in.device_rids, 0),
	.units.blocks = XARRAY_INIT(iommu_lu_in.units.blocks, 0),
	.domains.blocks = XARRAY_INIT(iommu_lu_in.domains.blocks, 0),
	.devices.blocks = XARRAY_INIT(iommu_lu_in.devices.blocks, 0),
};

/* With its entry cleared the device can do no harm, wherever it is */
static void block_device(struct iommu_lu_device *lu)
{
	struct iommu_lu_unit *unit = lu->unit;

	lockdep_assert_held(&iommu_lu_in.lock);

	if (unit && unit->iommu && iommu_lu_in.settled)
		iommu_lu_in.ops[unit->ser->type]->block_device(unit, lu->ser->rid);
}

/**
 * iommu_lu_block_unseen - Block devices that nobody has found
 * @domain: What they are attached to, which goes away; NULL for any
 *
 * Context: With the lock of the handover held.
 */
void iommu_lu_block_unseen(struct iommu_lu_domain *domain)
{
	struct iommu_lu_device *lu;
	unsigned long i;

	if (domain && !domain->devices)
		return;
	xa_for_each(&iommu_lu_in.device_rids, i, lu) {
		if (!iommu_lu_device_unseen(lu) || (domain && lu->domain != domain))
			continue;
		iommu_lu_reject_device(lu, "it was not found");
		block_device(lu);
	}
}

/*
 * A domain that was needed for a device which was then rejected, and that nobody
 * has taken, has no other owner. With a device on it, it stays.
 */
static void free_unclaimed(void)
{
	struct iommu_lu_domain *lu;
	unsigned long i;

	xa_for_each(&iommu_lu_in.domain_slots, i, lu) {
		struct iommu_domain *domain = lu->domain;

		if (!domain || lu->owner || iommu_lu_domain_in_use(domain))
			continue;
		iommu_lu_domain_ops(domain)->release_domain(domain);
		domain->lu = NULL;
		lu->domain = NULL;
		iommu_domain_free(domain);
	}
}

/* ---- The handover --------------------------------------------------------- */

/**
 * iommu_lu_in_start - The handover is looked at for the first time
 * @phys: Where its records start, not trusted
 *
 * Context: From the retrieve callback of the FLB.
 * Return: what the FLB is to keep, or the error of iommu_lu_in_read().
 */
void *iommu_lu_in_start(u64 phys)
{
	int ret;

	guard(mutex)(&iommu_lu_in.lock);
	ret = iommu_lu_in_read(&iommu_lu_in, phys);
	if (ret)
		return ERR_PTR(ret);
	WRITE_ONCE(iommu_lu_in.active, true);
	return &iommu_lu_in;
}

/**
 * iommu_lu_in_end - The last file of the last session is finished
 *
 * Context: From the finish callback of the FLB.
 */
void iommu_lu_in_end(void)
{
	guard(mutex)(&iommu_lu_in.lock);
	iommu_lu_block_unseen(NULL);
	free_unclaimed();
	iommu_lu_in_release(&iommu_lu_in);
	/* A device that turns up meanwhile waits for the lock */
	WRITE_ONCE(iommu_lu_in.active, false);
}

/* ---- Units and devices --------------------------------------------------- */

/**
 * iommu_lu_adopt_unit - Ask for the record of an IOMMU
 * @iommu:   The IOMMU
 * @ops:     Its driver's
 * @type:    IOMMU_LU_UNIT_*
 * @base:    Physical address of its registers
 * @segment: Its PCI segment
 *
 * To be called for each IOMMU, before anything is changed in it.
 *
 * Context: Boot; may sleep.
 * Return: the unit; NULL when no kept device is behind this IOMMU; an error
 * pointer when there may be one but its record cannot be used.
 */
struct iommu_lu_unit *
iommu_lu_adopt_unit(struct iommu_device *iommu,
		    const struct iommu_liveupdate_ops *ops, u32 type,
		    phys_addr_t base, u32 segment)
{
	struct iommu_lu_unit *unit;
	int ret;

	ret = iommu_lu_in_get();
	if (ret == -ENOENT || ret == -ENODATA)
		return NULL;
	if (ret)
		return is_kho_boot() ? ERR_PTR(ret) : NULL;

	guard(mutex)(&iommu_lu_in.lock);
	iommu_lu_in.ops[type] = ops;
	unit = iommu_lu_in_unit(&iommu_lu_in, type, base, segment);
	if (IS_ERR_OR_NULL(unit))
		return unit;
	unit->iommu = iommu;
	return unit;
}

/**
 * iommu_lu_units_settled - A driver has been through all its IOMMUs
 *
 * To be called when each goes on as before or with tables of this kernel, and
 * before the first device is probed. Until then, and for ever if the driver gives
 * up or there is none, they may go on unseen: nothing that came over is given
 * back, so that the memory stays what it is until the next kexec.
 *
 * Context: Boot; may sleep.
 */
void iommu_lu_units_settled(void)
{
	guard(mutex)(&iommu_lu_in.lock);
	iommu_lu_in.settled = true;
}

/**
 * iommu_lu_find_device - Look up the record of a device
 * @segment: PCI segment
 * @rid:     Requester ID
 *
 * Context: Any, as long as the handover cannot end meanwhile.
 * Return: the device, or NULL.
 */
struct iommu_lu_device *iommu_lu_find_device(u32 segment, u16 rid)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_lu_find_device, segment, rid);

	return iommu_lu_in_device(&iommu_lu_in, segment, rid);
}

/**
 * iommu_lu_claim_page - A driver is about to use a page of the previous kernel
 * @phys: The page, not trusted
 *
 * Context: Boot, after iommu_lu_adopt_unit(); may sleep.
 * Return: 0; -EINVAL when that is no preserved page; -EBUSY when it is used for
 * something else; -ENOMEM.
 */
int iommu_lu_claim_page(phys_addr_t phys)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_lu_claim_page, phys);

	guard(mutex)(&iommu_lu_in.lock);
	return iommu_lu_in_claim(&iommu_lu_in, phys);
}

/**
 * iommu_lu_device_domain - The record of the domain a device is on
 * @lu: The device
 *
 * Return: the record, or NULL when there is none.
 */
const struct iommu_lu_domain_ser *
iommu_lu_device_domain(const struct iommu_lu_device *lu)
{
	return lu->domain ? lu->domain->ser : NULL;
}

/**
 * iommu_lu_domain_instantiate - Make a domain of its record, when first needed
 * @lu: The record
 *
 * Context: With the lock of the handover held.
 * Return: the domain; -ENOMEM, after which it can be tried again; another error
 * when it cannot be restored.
 */
struct iommu_domain *
iommu_lu_domain_instantiate(struct iommu_lu_domain *lu)
{
	const struct iommu_lu_domain_ser *ser = lu->ser;
	const struct iommu_liveupdate_ops *ops;
	struct iommu_domain *domain;

	lockdep_assert_held(&iommu_lu_in.lock);

	if (lu->domain)
		return lu->domain;
	if (lu->state != IOMMU_LU_INCOMING || !iommu_lu_in.settled)
		return ERR_PTR(-EINVAL);
	/* Its table would be walked when it is freed */
	if (lu->used && !lu->proven) {
		pr_err("domain %u: no device is on its table\n", lu->index);
		lu->state = IOMMU_LU_REJECTED;
		return ERR_PTR(-EINVAL);
	}
	if (!iommu_lu_in.ops[ser->type]) {
		pr_err("domain %u: no driver for type %u\n", lu->index,
		       ser->type);
		return ERR_PTR(-EINVAL);
	}

	ops = iommu_lu_in.ops[ser->type];
	domain = ops->restore_domain(ser);
	/* Out of memory is no fault of the record's */
	if (domain == ERR_PTR(-ENOMEM))
		return domain;
	if (IS_ERR(domain)) {
		lu->state = IOMMU_LU_REJECTED;
		pr_err("domain %u cannot be restored: %pe\n", lu->index,
		       domain);
		return domain;
	}
	domain->lu = lu;
	lu->domain = domain;
	return domain;
}

static bool same_device(const struct iommu_lu_device *lu,
			const struct pci_dev *pdev)
{
	return lu->ser->vendor == pdev->vendor &&
	       lu->ser->device == pdev->device;
}

static const char *device_mismatch(struct device *dev,
				   const struct iommu_lu_device *lu, bool alone)
{
	if (!same_device(lu, to_pci_dev(dev)))
		return "another device is in its place";
	if (lu->unit->iommu != dev->iommu->iommu_dev)
		return "it is behind another IOMMU";
	if (!alone)
		return "it shares its group";
	return NULL;
}

static const char *device_restore(struct device *dev,
				  const struct iommu_lu_device *lu,
				  struct iommu_domain **domainp)
{
	struct iommu_domain *domain;
	int ret;

	domain = iommu_lu_domain_instantiate(lu->domain);
	if (domain == ERR_PTR(-ENOMEM))
		return "out of memory";
	if (IS_ERR(domain))
		return "its domain cannot be restored";
	ret = iommu_lu_domain_ops(domain)->restore_device(domain, dev, lu->ser);
	if (ret)
		return ret == -ENOMEM ? "out of memory" :
					"its entry is not as recorded";
	*domainp = domain;
	return NULL;
}

/**
 * iommu_lu_unlink_device - A device is like any other from now on
 * @dev: The device
 * @lu:  What it came over as
 *
 * Context: With the lock of the handover held.
 */
void iommu_lu_unlink_device(struct device *dev, struct iommu_lu_device *lu)
{
	lockdep_assert_held(&iommu_lu_in.lock);

	WRITE_ONCE(lu->state, IOMMU_LU_FINISHED);
	lu->dev = NULL;
	WRITE_ONCE(dev->iommu->lu, NULL);
	/* After the end of the handover nobody else knows of it */
	if (!lu->ser)
		kfree_rcu(lu, rcu);
}

/**
 * iommu_lu_probe_device - A device turns up
 * @dev:   The device, not attached to anything yet
 * @alone: It is the only device of its group
 *
 * If it came over this links it to its record, or rejects it.
 *
 * Context: With group->mutex held, before the first attach.
 */
void iommu_lu_probe_device(struct device *dev, bool alone)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_PROBE);
	struct iommu_lu_device *lu;
	struct pci_dev *pdev;
	const char *why;

	if (!READ_ONCE(iommu_lu_in.active) || !dev_is_pci(dev))
		return;
	pdev = to_pci_dev(dev);
	if (!iommu_lu_find_device(pci_domain_nr(pdev->bus), pci_dev_id(pdev)))
		return;

	guard(mutex)(&iommu_lu_in.lock);
	lu = iommu_lu_find_device(pci_domain_nr(pdev->bus), pci_dev_id(pdev));
	if (!lu || lu->linked)
		return;
	/* A forged number must not cost a device that never came over */
	if (!lu->found && !same_device(lu, pdev)) {
		iommu_lu_reject_device(lu, "another device is in its place");
		return;
	}

	lu->linked = true;
	lu->dev = dev;
	WRITE_ONCE(dev->iommu->lu, lu);
	if (lu->state == IOMMU_LU_INCOMING) {
		lu->domain->devices--;
		why = device_mismatch(dev, lu, alone);
		if (why) {
			iommu_lu_reject_device(lu, why);
			block_device(lu);
		}
	}
	if (lu->state == IOMMU_LU_REJECTED)
		pci_clear_master(pdev);
}

/**
 * iommu_lu_initial_domain - The first domain of a group
 * @dev:    The first device of the group
 * @domain: The default domain of the group
 *
 * Context: With group->mutex held, after iommu_lu_probe_device() for all devices
 * of the group.
 * Return: @domain for a device that did not come over; the restored domain,
 * with @dev attached to it, for one that did; the blocked domain for one that
 * should have but cannot.
 */
struct iommu_domain *iommu_lu_initial_domain(struct device *dev,
					     struct iommu_domain *domain)
{
	struct iommu_lu_device *lu = dev->iommu->lu;
	const char *why;

	if (!lu)
		return domain;

	guard(mutex)(&iommu_lu_in.lock);
	if (lu->state == IOMMU_LU_INCOMING) {
		scoped_class(iommu_lu_lap, lap, IOMMU_LU_STEP_PROBE)
			why = device_restore(dev, lu, &domain);
		if (!why) {
			dev_info(dev, "live update: DMA goes on through domain %u\n",
				 lu->domain->index);
			return domain;
		}
		iommu_lu_reject_device(lu, why);
		block_device(lu);
		pci_clear_master(to_pci_dev(dev));
	}
	/* No kept device has direct mappings: this one never came over */
	if (dev->iommu->require_direct)
		return domain;
	return dev->iommu->iommu_dev->ops->blocked_domain;
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

	if (!dev->iommu->lu)
		return;

	guard(mutex)(&iommu_lu_in.lock);
	lu = dev->iommu->lu;
	if (lu->state == IOMMU_LU_INCOMING) {
		iommu_lu_reject_device(lu, "it cannot be probed");
		block_device(lu);
		pci_clear_master(to_pci_dev(dev));
	}
	iommu_lu_unlink_device(dev, lu);
}

/**
 * iommu_lu_domain_restored - Did a domain come from the previous kernel?
 * @domain: The domain, or NULL
 *
 * Context: Any.
 * Return: true for a restored domain.
 */
bool iommu_lu_domain_restored(struct iommu_domain *domain)
{
	struct iommu_lu_domain *lu = domain ? READ_ONCE(domain->lu) : NULL;

	return lu && lu->state != IOMMU_LU_PRESERVED;
}

/**
 * iommu_lu_remove_device - A device goes away
 * @dev:    The device
 * @domain: What it is attached to
 *
 * What comes back in its place is another device.
 *
 * Context: With group->mutex held.
 * Return: true when it has to be taken from @domain and blocked.
 */
bool iommu_lu_remove_device(struct device *dev, struct iommu_domain *domain)
{
	struct iommu_lu_device *lu;
	bool rejected;

	if (!dev->iommu || !dev->iommu->lu)
		return false;

	guard(mutex)(&iommu_lu_in.lock);
	lu = dev->iommu->lu;
	if (!lu || lu->state == IOMMU_LU_PRESERVED)
		return false;
	rejected = lu->state == IOMMU_LU_REJECTED;
	iommu_lu_unlink_device(dev, lu);
	return rejected || iommu_lu_domain_restored(domain);
}

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
}

/**
 * iommu_lu_unclaim - The owner of a device gives it up again
 * @dev:    The device
 * @domain: What it is attached to
 *
 * On a restored domain this is an owner who could not finish binding to it. The
 * device goes on, and can be claimed once more.
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
	if (!lu || lu->state != IOMMU_LU_CLAIMED)
		return false;
	WRITE_ONCE(lu->state, IOMMU_LU_INCOMING);
	return true;
}
