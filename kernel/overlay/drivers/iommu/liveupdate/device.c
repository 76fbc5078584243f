// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kept devices: what the old kernel writes of them, and in which state they are
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "internal.h"

/* ---- The old kernel ------------------------------------------------------ */

static int count_device(struct device *dev, void *data)
{
	(*(unsigned int *)data)++;
	return 0;
}

/* Also waits for an attach that is under way, which holds group->mutex */
static unsigned int group_devices(struct device *dev)
{
	unsigned int nr = 0;

	iommu_group_for_each_dev(dev->iommu_group, &nr, count_device);
	return nr;
}

static int other_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	return alias == *(u16 *)data ? 0 : -EOPNOTSUPP;
}

/* What this version does not carry over is refused here, see row B14 */
static int device_supported(struct device *dev)
{
	struct pci_dev *pdev;
	u16 rid;

	if (!dev_is_pci(dev) || !dev->iommu || !dev->iommu->iommu_dev ||
	    !dev->iommu->iommu_dev->ops->lu_ops)
		return -EOPNOTSUPP;
	pdev = to_pci_dev(dev);
	/* vfio-pci binds to no function that has VFs: nobody could take it back */
	if (pci_num_vf(pdev))
		return -EOPNOTSUPP;
	rid = pci_dev_id(pdev);
	return pci_for_each_dma_alias(pdev, other_alias, &rid);
}

/**
 * iommu_lu_out_device - Start the record of a device
 * @out: What goes to the next kernel
 *
 * Context: With the lock of @out held; may sleep.
 * Return: the device, or an error pointer: -ENOMEM, -ENOSPC.
 */
struct iommu_lu_device *iommu_lu_out_device(struct iommu_lu_out *out)
{
	struct iommu_lu_device *lu;
	int ret;

	lockdep_assert_held(&out->lock);

	lu = kzalloc_obj(*lu);
	if (!lu)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&lu->attachments);
	lu->state = IOMMU_LU_PRESERVED;
	lu->ser = iommu_lu_record_alloc(&out->devices, &lu->index);
	if (!IS_ERR(lu->ser))
		return lu;
	ret = PTR_ERR(lu->ser);
	kfree(lu);
	return ERR_PTR(ret);
}

/**
 * iommu_lu_out_fill_device - Write the record of a device
 * @out:  What goes to the next kernel
 * @lu:   The device, from iommu_lu_out_device()
 * @dev:  The PCI device
 * @user: Physical address of what will name the record, in preserved memory
 *
 * Context: With the lock of @out held; may sleep.
 * Return: 0; the error of iommu_lu_unit_get(); -EOPNOTSUPP when the driver cannot
 * hand the device over; -ENOMEM. After an error @lu is to be undone.
 */
int iommu_lu_out_fill_device(struct iommu_lu_out *out,
			     struct iommu_lu_device *lu, struct device *dev,
			     phys_addr_t user)
{
	struct iommu_device *iommu = dev->iommu->iommu_dev;
	const struct iommu_liveupdate_ops *ops = iommu->ops->lu_ops;
	struct iommu_lu_device_ser *ser = lu->ser;
	struct pci_dev *pdev = to_pci_dev(dev);
	struct iommu_lu_unit *unit;
	int ret;

	unit = iommu_lu_unit_get(out, iommu);
	if (IS_ERR(unit))
		return PTR_ERR(unit);

	ser->env.type = ops->type;
	ser->env.version = ops->version;
	ser->env.payload_size = ops->device_size;
	ser->bus = IOMMU_LU_BUS_PCI;
	ser->segment = pci_domain_nr(pdev->bus);
	ser->source_id = ops->source_id(iommu, dev);
	ser->unit = unit->index;
	ser->rid = pci_dev_id(pdev);
	ser->vendor = pdev->vendor;
	ser->device = pdev->device;
	ser->user = user;
	ret = ops->preserve_device ? ops->preserve_device(unit, lu, dev) : 0;
	if (ret) {
		iommu_lu_unit_put(out, unit);
		return ret;
	}
	lu->unit = unit;
	iommu_lu_record_seal(&out->devices, lu->index);
	return 0;
}

static int attachment_fill(struct iommu_lu_out *out,
			   struct iommu_lu_attachment *att, struct device *dev,
			   struct iommu_domain *domain, u32 pasid)
{
	struct iommu_lu_unit *unit = att->device->unit;
	const struct iommu_liveupdate_ops *ops = iommu_lu_unit_ops(unit);
	struct iommu_lu_attachment_ser *ser = att->ser;
	int ret;

	ser->env.type = ops->type;
	ser->env.version = ops->version;
	ser->env.payload_size = ops->attachment_size;
	ser->device = att->device->index;
	ser->domain = att->domain->index;
	ser->pasid = pasid;
	ret = ops->preserve_attachment(unit, att, dev, domain);
	if (ret)
		return ret;
	iommu_lu_unit_seal(out, unit);
	iommu_lu_record_seal(&out->attachments, att->index);
	return 0;
}

/**
 * iommu_lu_out_attachment - Write the record of an attachment
 * @out:    What goes to the next kernel
 * @lu:     The device, filled in
 * @dev:    The device itself
 * @domain: What it is attached to, preserved
 * @pasid:  The PASID, or %IOMMU_LU_NO_PASID
 *
 * It is undone with the device.
 *
 * Context: With the lock of @out held; may sleep.
 * Return: 0; -EINVAL when the domain belongs to another unit; -EOPNOTSUPP when the
 * driver cannot hand this over; -ENOMEM.
 */
int iommu_lu_out_attachment(struct iommu_lu_out *out,
			    struct iommu_lu_device *lu, struct device *dev,
			    struct iommu_domain *domain, u32 pasid)
{
	struct iommu_lu_attachment *att __free(kfree) = kzalloc_obj(*att);
	int ret;

	lockdep_assert_held(&out->lock);

	if (!att)
		return -ENOMEM;
	att->device = lu;
	att->domain = domain->lu;
	if (att->domain->unit && att->domain->unit != lu->unit)
		return -EINVAL;
	att->ser = iommu_lu_record_alloc(&out->attachments, &att->index);
	if (IS_ERR(att->ser))
		return PTR_ERR(att->ser);
	ret = attachment_fill(out, att, dev, domain, pasid);
	if (ret) {
		iommu_lu_record_free(&out->attachments, att->index);
		return ret;
	}
	att->domain->devices++;
	list_add_tail(&no_free_ptr(att)->link, &lu->attachments);
	return 0;
}

/**
 * iommu_lu_out_undo_device - Undo iommu_lu_out_device() and what followed
 * @out: What goes to the next kernel
 * @lu:  The device
 *
 * Context: With the lock of @out held; may sleep.
 */
void iommu_lu_out_undo_device(struct iommu_lu_out *out,
			      struct iommu_lu_device *lu)
{
	struct iommu_lu_attachment *att, *prev;

	lockdep_assert_held(&out->lock);

	list_for_each_entry_safe_reverse(att, prev, &lu->attachments, link) {
		list_del(&att->link);
		att->domain->devices--;
		iommu_lu_unit_ops(lu->unit)->unpreserve_attachment(lu->unit, att);
		iommu_lu_record_free(&out->attachments, att->index);
		kfree(att);
	}
	if (lu->unit) {
		if (iommu_lu_unit_ops(lu->unit)->unpreserve_device)
			iommu_lu_unit_ops(lu->unit)->unpreserve_device(lu->unit,
								       lu);
		iommu_lu_unit_put(out, lu->unit);
	}
	iommu_lu_record_free(&out->devices, lu->index);
	kfree_rcu(lu, rcu);
}

/**
 * iommu_lu_attached_to - To which domain is a device attached?
 * @dev: The device
 *
 * Return: the domain of its DMA without a PASID, or NULL.
 */
VISIBLE_IF_KUNIT struct iommu_domain *iommu_lu_attached_to(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_lu_attached_to, dev);

	return iommu_get_domain_for_dev(dev);
}

/* Attach is refused from before this on, so the domain read here stays */
static int preserve_attached(struct iommu_lu_device *lu, struct device *dev,
			     phys_addr_t user)
{
	struct iommu_domain *domain;
	int ret;

	if (group_devices(dev) != 1)
		return -EOPNOTSUPP;
	/* Nobody above keeps what leads to the domains of its PASIDs, see row B14 */
	if (iommu_group_has_pasids(dev->iommu_group)) {
		dev_err(dev, "live update: a PASID of it is attached\n");
		return -EOPNOTSUPP;
	}
	domain = iommu_lu_attached_to(dev);
	if (!domain || domain->cookie_type != IOMMU_COOKIE_IOMMUFD)
		return -EPERM;
	if (!domain->lu || domain->lu->state != IOMMU_LU_PRESERVED)
		return -EINVAL;
	ret = iommu_lu_out_fill_device(&iommu_lu_out, lu, dev, user);
	if (ret)
		return ret;
	return iommu_lu_out_attachment(&iommu_lu_out, lu, dev, domain,
				       IOMMU_LU_NO_PASID);
}

/**
 * iommu_lu_preserve_device - Keep a device attached to its preserved domain
 * @dev:  The device
 * @user: Physical address of what will name the record, in preserved memory
 *
 * Until iommu_lu_unpreserve_device() the device cannot be attached elsewhere.
 * The caller makes sure that it is not detached.
 *
 * Context: From the preserve callback of a file handler registered with
 * iommu_lu_register(); may sleep.
 * Return: 0; -EPERM for a device that is not in the hands of an iommufd user;
 * -EINVAL when its domain is not preserved; -EOPNOTSUPP for a device that
 * cannot be carried over: not PCI, sharing its group or its requester ID, with a
 * PASID attached, a PF with VFs, or refused by the driver of its IOMMU;
 * -EBUSY when it is preserved or came from the previous kernel and is not finished;
 * -ENOMEM.
 */
int iommu_lu_preserve_device(struct device *dev, phys_addr_t user)
{
	struct iommu_lu_device *lu;
	int ret;

	ret = device_supported(dev);
	if (ret)
		return ret;

	guard(mutex)(&iommu_lu_out.lock);
	if (dev->iommu->lu)
		return -EBUSY;
	lu = iommu_lu_out_device(&iommu_lu_out);
	if (IS_ERR(lu))
		return PTR_ERR(lu);
	WRITE_ONCE(dev->iommu->lu, lu);
	ret = preserve_attached(lu, dev, user);
	if (ret) {
		WRITE_ONCE(dev->iommu->lu, NULL);
		iommu_lu_out_undo_device(&iommu_lu_out, lu);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_lu_preserve_device);

/**
 * iommu_lu_unpreserve_device - Undo iommu_lu_preserve_device()
 * @dev: The device
 *
 * Context: From the unpreserve callback of a file handler; may sleep.
 */
void iommu_lu_unpreserve_device(struct device *dev)
{
	struct iommu_lu_device *lu;

	guard(mutex)(&iommu_lu_out.lock);
	lu = dev->iommu->lu;
	if (WARN_ON(!lu || lu->state != IOMMU_LU_PRESERVED))
		return;
	WRITE_ONCE(dev->iommu->lu, NULL);
	iommu_lu_out_undo_device(&iommu_lu_out, lu);
}
EXPORT_SYMBOL_GPL(iommu_lu_unpreserve_device);

/**
 * iommu_lu_freeze_device - Is a preserved device still alone in its group?
 * @dev: The device
 *
 * Context: From the freeze callback of a file handler.
 * Return: 0; -EBUSY when another device has joined its group.
 */
int iommu_lu_freeze_device(struct device *dev)
{
	if (group_devices(dev) == 1)
		return 0;
	dev_err(dev, "live update: another device has joined its group\n");
	return -EBUSY;
}
EXPORT_SYMBOL_GPL(iommu_lu_freeze_device);

/* ---- In which state is a device? ----------------------------------------- */

/*
 * Many ask who hold no lock that the writers hold, also of a device that may be
 * on its way out: both structures are freed after a grace period.
 */
static bool state_between(struct device *dev, enum iommu_lu_state first,
			  enum iommu_lu_state last)
{
	struct iommu_lu_device *lu;
	enum iommu_lu_state state;
	struct dev_iommu *iommu;

	guard(rcu)();
	iommu = READ_ONCE(dev->iommu);
	lu = iommu ? READ_ONCE(iommu->lu) : NULL;
	if (!lu)
		return false;
	state = READ_ONCE(lu->state);
	return state >= first && state <= last;
}

/**
 * iommu_lu_device_fixed - Is a device to stay attached where it is?
 * @dev: The device
 *
 * True for a preserved device, and in the new kernel for one that nobody has
 * claimed yet.
 *
 * Context: Any. The answer is stable with group->mutex held.
 * Return: true when an attach or a reset is to be refused.
 */
bool iommu_lu_device_fixed(struct device *dev)
{
	return state_between(dev, IOMMU_LU_PRESERVED, IOMMU_LU_INCOMING);
}
EXPORT_SYMBOL_GPL(iommu_lu_device_fixed);

/**
 * iommu_lu_reset_refused - Must a function not be reset now?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true while it is to stay attached and PCI keeps it from resets.
 */
bool iommu_lu_reset_refused(struct pci_dev *pdev)
{
	return iommu_lu_device_fixed(&pdev->dev) &&
	       pci_liveupdate_reset_refused(pdev);
}

/**
 * iommu_lu_device_incoming - Did a device come over and is not finished?
 * @dev: The device
 *
 * Context: Any.
 * Return: true from its first probe until iommu_lu_finish_device().
 */
bool iommu_lu_device_incoming(struct device *dev)
{
	return state_between(dev, IOMMU_LU_INCOMING, IOMMU_LU_CLAIMED);
}
EXPORT_SYMBOL_GPL(iommu_lu_device_incoming);

/**
 * iommu_lu_device_rejected - Did a device come over, and is not to be attached?
 * @dev: The device
 *
 * Context: Any. With group->mutex held a rejected one stays what it is.
 * Return: true until it was reset, and is attached like any other.
 */
bool iommu_lu_device_rejected(struct device *dev)
{
	return state_between(dev, IOMMU_LU_REJECTED, IOMMU_LU_REJECTED);
}
