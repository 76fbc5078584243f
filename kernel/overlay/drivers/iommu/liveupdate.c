// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU state across a live update
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "liveupdate-records.h"

/**
 * DOC: IOMMU live update
 *
 * A PCI device that a user owns through iommufd goes on doing DMA through the
 * same page table while one kernel ends and the next one starts. This file
 * keeps the books: which units, domains and devices cross, where their records
 * are, and in which state each of them is. It knows no IOMMU driver; those have
 * &struct iommu_liveupdate_ops. It knows no files either; those belong to
 * iommufd and vfio-pci, which call in here from their LUO handlers.
 *
 * Old kernel: a domain is preserved with its iommufd, a device, its unit and
 * the tables in between with the vfio file. From then on the device stays
 * attached where it is (iommu_lu_device_fixed()). Everything that takes time is
 * done by then. iommu_lu_freeze() is the last point at which a live update can
 * fail. What is not kept is unlinked by the drivers after all devices have been
 * shut down, when iommu_lu_jumping().
 *
 * New kernel: the driver of a unit asks for its record before it touches the
 * unit (iommu_lu_adopt_unit()). When the IOMMU core then finds a kept device it
 * puts the restored domain on it in place of a default domain
 * (iommu_lu_initial_domain()), without a change to the live entry. The device
 * is owned: only the iommufd that was retrieved with its domain may claim it
 * (iommu_lu_may_claim()). Its user replaces the restored domain by one of its
 * own, destroys it and finishes the session. When the last file of all sessions
 * is finished the records are freed.
 *
 * Unhappy paths:
 *
 * - Preserve fails half-way: each call undoes what it did. Closing the session
 *   undoes the rest, in reverse order.
 * - The image was loaded without KHO data: freeze refuses.
 * - A record makes no sense in the new kernel: what it is about is rejected
 *   with a line in the log. The device is put on the blocked domain and its bus
 *   mastering is turned off; its memory stays reserved until the next kexec.
 * - A user never comes back: device and domain stay as they are. The next live
 *   update does not carry them on.
 *
 * Locks, outermost first:
 *
 * - LUO's session, file and FLB locks
 * - lu_out.lock
 * - group->mutex of the IOMMU core, or dmar_global_lock
 * - lu_in.lock
 * - locks of the drivers
 *
 * LUO is never called with group->mutex or one of our own locks held. At boot
 * the driver of a unit asks for the handover with dmar_global_lock held, outside
 * of the FLB lock; nothing in LUO or in the callbacks of the FLB takes that. A
 * device that takes no part never takes a lock of this file: without a handover
 * lu_in.active is false, and with one, its lookup is lockless.
 */

static struct {
	/* Protects all of this and the states of what is preserved */
	struct mutex lock;
	struct iommu_lu_records units;
	struct iommu_lu_records domains;
	struct iommu_lu_records devices;
	/* Files that are frozen */
	unsigned int frozen;
} lu_out = {
	.lock = __MUTEX_INITIALIZER(lu_out.lock),
};

static struct {
	/* Protects all of this and the states of what came over */
	struct mutex lock;
	/* True from the first look at the handover until its end */
	bool active;
	/* There is or was one, if only one that could not be read */
	bool came;
	struct iommu_lu_ser *ser;
	struct iommu_lu_records units;
	struct iommu_lu_records domains;
	struct iommu_lu_records devices;
	/* Slot to struct iommu_lu_unit, struct iommu_lu_domain */
	struct xarray unit_slots;
	struct xarray domain_slots;
	/* Page frame of the registers to struct iommu_lu_unit */
	struct xarray unit_bases;
	/* Segment and requester ID to struct iommu_lu_device */
	struct xarray device_rids;
	const struct iommu_liveupdate_ops *ops[IOMMU_LU_UNIT_TYPES];
} lu_in = {
	.lock = __MUTEX_INITIALIZER(lu_in.lock),
	.unit_slots = XARRAY_INIT(lu_in.unit_slots, 0),
	.domain_slots = XARRAY_INIT(lu_in.domain_slots, 0),
	.unit_bases = XARRAY_INIT(lu_in.unit_bases, 0),
	.device_rids = XARRAY_INIT(lu_in.device_rids, 0),
};

static unsigned long device_key(u32 segment, u16 rid)
{
	return (unsigned long)segment << 16 | rid;
}

/* ---- The old kernel: domains -------------------------------------------- */

static const struct iommu_liveupdate_ops *
domain_lu_ops(const struct iommu_domain *domain)
{
	return domain->owner ? domain->owner->lu_ops : NULL;
}

/**
 * iommu_lu_preserve_domain - Keep a domain and its page table
 * @domain: The domain
 * @index:  Set to the slot of its record
 *
 * The caller makes sure that nothing is mapped or unmapped until
 * iommu_lu_unpreserve_domain().
 *
 * Context: From the preserve callback of a file handler registered with
 * iommu_lu_register(); may sleep.
 * Return: 0; -EOPNOTSUPP when the driver cannot do it for this domain; -EBUSY
 * when it is preserved already or itself came from the previous kernel;
 * -ENOMEM.
 */
int iommu_lu_preserve_domain(struct iommu_domain *domain, u32 *index)
{
	const struct iommu_liveupdate_ops *ops = domain_lu_ops(domain);
	struct iommu_lu_domain *lu __free(kfree) = NULL;
	int ret;

	if (!ops)
		return -EOPNOTSUPP;

	lu = kzalloc_obj(*lu);
	if (!lu)
		return -ENOMEM;

	guard(mutex)(&lu_out.lock);
	if (domain->lu)
		return -EBUSY;

	lu->ser = iommu_lu_record_alloc(&lu_out.domains, &lu->index);
	if (IS_ERR(lu->ser))
		return PTR_ERR(lu->ser);

	ret = ops->preserve_domain(domain, lu->ser);
	if (ret) {
		iommu_lu_record_free(&lu_out.domains, lu->index);
		return ret;
	}

	lu->domain = domain;
	lu->state = IOMMU_LU_PRESERVED;
	*index = lu->index;
	WRITE_ONCE(domain->lu, no_free_ptr(lu));
	return 0;
}

/**
 * iommu_lu_unpreserve_domain - Undo iommu_lu_preserve_domain()
 * @domain: The domain, with no preserved device on it
 *
 * Context: From the unpreserve callback of a file handler; may sleep.
 */
void iommu_lu_unpreserve_domain(struct iommu_domain *domain)
{
	struct iommu_lu_domain *lu;

	guard(mutex)(&lu_out.lock);
	lu = domain->lu;
	if (WARN_ON(!lu || lu->state != IOMMU_LU_PRESERVED || lu->devices))
		return;

	WRITE_ONCE(domain->lu, NULL);
	domain_lu_ops(domain)->unpreserve_domain(domain);
	iommu_lu_record_free(&lu_out.domains, lu->index);
	kfree(lu);
}

/* ---- The old kernel: units and devices ---------------------------------- */

static struct iommu_lu_unit *unit_get(struct iommu_device *iommu)
{
	struct iommu_lu_unit *unit = iommu->lu;
	int ret;

	lockdep_assert_held(&lu_out.lock);

	if (unit) {
		unit->users++;
		return unit;
	}

	unit = kzalloc_obj(*unit);
	if (!unit)
		return ERR_PTR(-ENOMEM);

	unit->iommu = iommu;
	unit->users = 1;
	unit->ser = iommu_lu_record_alloc(&lu_out.units, &unit->index);
	if (IS_ERR(unit->ser)) {
		ret = PTR_ERR(unit->ser);
		goto err_free;
	}

	ret = iommu->ops->lu_ops->preserve_unit(unit);
	if (ret)
		goto err_record;

	iommu->lu = unit;
	return unit;

err_record:
	iommu_lu_record_free(&lu_out.units, unit->index);
err_free:
	kfree(unit);
	return ERR_PTR(ret);
}

static void unit_put(struct iommu_lu_unit *unit)
{
	lockdep_assert_held(&lu_out.lock);

	if (--unit->users)
		return;

	unit->iommu->lu = NULL;
	unit->iommu->ops->lu_ops->unpreserve_unit(unit);
	iommu_lu_record_free(&lu_out.units, unit->index);
	kfree(unit);
}

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
static int device_supported(struct pci_dev *pdev)
{
	u16 rid = pci_dev_id(pdev);

	if (pdev->is_virtfn || pci_num_vf(pdev))
		return -EOPNOTSUPP;
	return pci_for_each_dma_alias(pdev, other_alias, &rid);
}

static int device_fill(struct iommu_lu_device *lu, struct pci_dev *pdev,
		       struct iommu_domain *domain)
{
	struct iommu_lu_device_ser *ser = lu->ser;
	int ret;

	lu->unit = unit_get(pdev->dev.iommu->iommu_dev);
	if (IS_ERR(lu->unit))
		return PTR_ERR(lu->unit);

	ser->segment = pci_domain_nr(pdev->bus);
	ser->rid = pci_dev_id(pdev);
	ser->vendor = pdev->vendor;
	ser->device = pdev->device;
	ser->unit = lu->unit->index;
	lu->domain = domain->lu;
	ser->domain = lu->domain->index;

	ret = domain_lu_ops(domain)->preserve_device(lu->unit, &pdev->dev,
						     domain, ser);
	if (ret)
		unit_put(lu->unit);
	return ret;
}

/**
 * iommu_lu_preserve_device - Keep a device attached to its preserved domain
 * @dev: The device
 *
 * Until iommu_lu_unpreserve_device() the device cannot be attached elsewhere.
 * The caller makes sure that it is not detached.
 *
 * Context: From the preserve callback of a file handler registered with
 * iommu_lu_register(); may sleep.
 * Return: 0; -EPERM for a device that is not in the hands of an iommufd user;
 * -EINVAL when its domain is not preserved; -EOPNOTSUPP for a device that
 * cannot be carried over: not PCI, sharing its group or its requester ID, a VF,
 * a PF with VFs, with ATS; -EBUSY when it is preserved or came from the previous
 * kernel and is not finished; -ENOMEM.
 */
int iommu_lu_preserve_device(struct device *dev)
{
	struct iommu_domain *domain;
	struct iommu_lu_device *lu;
	int ret;

	if (!dev_is_pci(dev) || !dev->iommu || !dev->iommu->iommu_dev ||
	    !dev->iommu->iommu_dev->ops->lu_ops)
		return -EOPNOTSUPP;
	ret = device_supported(to_pci_dev(dev));
	if (ret)
		return ret;

	guard(mutex)(&lu_out.lock);
	if (dev->iommu->lu)
		return -EBUSY;

	lu = kzalloc_obj(*lu);
	if (!lu)
		return -ENOMEM;
	lu->ser = iommu_lu_record_alloc(&lu_out.devices, &lu->index);
	if (IS_ERR(lu->ser)) {
		ret = PTR_ERR(lu->ser);
		kfree(lu);
		return ret;
	}

	/* From here on attach is refused, so the domain read below stays */
	lu->state = IOMMU_LU_PRESERVED;
	WRITE_ONCE(dev->iommu->lu, lu);
	ret = group_devices(dev) == 1 ? 0 : -EOPNOTSUPP;

	domain = iommu_get_domain_for_dev(dev);
	if (!ret && (!domain || domain->cookie_type != IOMMU_COOKIE_IOMMUFD))
		ret = -EPERM;
	if (!ret && (!domain->lu || domain->lu->state != IOMMU_LU_PRESERVED))
		ret = -EINVAL;
	if (!ret)
		ret = device_fill(lu, to_pci_dev(dev), domain);
	if (ret) {
		WRITE_ONCE(dev->iommu->lu, NULL);
		iommu_lu_record_free(&lu_out.devices, lu->index);
		kfree_rcu(lu, rcu);
		return ret;
	}

	lu->domain->devices++;
	return 0;
}

/**
 * iommu_lu_unpreserve_device - Undo iommu_lu_preserve_device()
 * @dev: The device
 *
 * Context: From the unpreserve callback of a file handler; may sleep.
 */
void iommu_lu_unpreserve_device(struct device *dev)
{
	struct iommu_lu_device *lu;

	guard(mutex)(&lu_out.lock);
	lu = dev->iommu->lu;
	if (WARN_ON(!lu || lu->state != IOMMU_LU_PRESERVED))
		return;

	lu->domain->devices--;
	lu->unit->iommu->ops->lu_ops->unpreserve_device(lu->unit, lu->ser);
	unit_put(lu->unit);
	iommu_lu_record_free(&lu_out.devices, lu->index);
	WRITE_ONCE(dev->iommu->lu, NULL);
	kfree_rcu(lu, rcu);
}

/* Many ask who hold no lock that the writers hold */
static bool state_between(struct device *dev, enum iommu_lu_state first,
			  enum iommu_lu_state last)
{
	struct iommu_lu_device *lu;
	enum iommu_lu_state state;

	if (!dev->iommu)
		return false;
	guard(rcu)();
	lu = READ_ONCE(dev->iommu->lu);
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
 * iommu_lu_device_kept - Is a device on its way through a live update?
 * @dev: The device
 *
 * Context: Any.
 * Return: true from preserve to unpreserve, and in the new kernel until the
 * session is finished.
 */
bool iommu_lu_device_kept(struct device *dev)
{
	return state_between(dev, IOMMU_LU_PRESERVED, IOMMU_LU_CLAIMED);
}

/**
 * iommu_lu_freeze - The last check before the jump
 *
 * Context: From the freeze callback of a file handler.
 * Return: 0, or -EINVAL when the loaded image would not get what is preserved,
 * which is so for one loaded by kexec_load().
 */
int iommu_lu_freeze(void)
{
	struct kimage *image = READ_ONCE(kexec_image);

	if (!image || !image->kho.fdt || image->preserve_context) {
		pr_err("the loaded kexec image takes no handover, load it with kexec_file_load()\n");
		return -EINVAL;
	}

	guard(mutex)(&lu_out.lock);
	WRITE_ONCE(lu_out.frozen, lu_out.frozen + 1);
	return 0;
}

/**
 * iommu_lu_unfreeze - Undo iommu_lu_freeze()
 *
 * Context: From the unfreeze callback of a file handler.
 */
void iommu_lu_unfreeze(void)
{
	guard(mutex)(&lu_out.lock);
	WRITE_ONCE(lu_out.frozen, lu_out.frozen - 1);
}

/**
 * iommu_lu_jumping - Is this the end of a kernel that hands over?
 *
 * Context: Any.
 * Return: true from the point of no return on.
 */
bool iommu_lu_jumping(void)
{
	return READ_ONCE(lu_out.frozen) && READ_ONCE(kexec_in_progress);
}
EXPORT_SYMBOL_GPL(iommu_lu_jumping);

/**
 * iommu_lu_attach_refused - Must a device not be attached elsewhere?
 * @dev: The device
 *
 * Also true for every device once the kernel jumps: what a late attach would
 * link into the tables is not kept, and the tables have been cleaned.
 *
 * Context: With group->mutex held.
 * Return: true when an attach is to be refused.
 */
bool iommu_lu_attach_refused(struct device *dev)
{
	return iommu_lu_device_fixed(dev) || iommu_lu_jumping();
}

/* ---- The new kernel: reading the records -------------------------------- */

static int parse_units(void)
{
	struct iommu_lu_unit_ser *ser;
	struct iommu_lu_unit *unit;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&lu_in.units); i++) {
		ser = iommu_lu_record(&lu_in.units, i);
		if (ser->state != IOMMU_LU_IN_USE)
			continue;

		unit = kzalloc_obj(*unit);
		if (!unit)
			return -ENOMEM;
		unit->index = i;
		unit->ser = ser;
		ret = xa_insert(&lu_in.unit_slots, i, unit, GFP_KERNEL);
		if (ret) {
			kfree(unit);
			return ret;
		}
		/* If there are two, no IOMMU will find itself in the second */
		ret = xa_insert(&lu_in.unit_bases, PHYS_PFN(ser->base), unit,
				GFP_KERNEL);
		if (ret == -EBUSY)
			pr_err("unit %u: a second record for %#llx\n", i,
			       ser->base);
		else if (ret)
			return ret;
	}
	return 0;
}

static int parse_domains(void)
{
	struct iommu_lu_domain_ser *ser;
	struct iommu_lu_domain *lu;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&lu_in.domains); i++) {
		ser = iommu_lu_record(&lu_in.domains, i);
		if (ser->state != IOMMU_LU_IN_USE)
			continue;

		lu = kzalloc_obj(*lu);
		if (!lu)
			return -ENOMEM;
		lu->index = i;
		lu->ser = ser;
		lu->state = IOMMU_LU_INCOMING;
		ret = xa_insert(&lu_in.domain_slots, i, lu, GFP_KERNEL);
		if (ret) {
			kfree(lu);
			return ret;
		}
	}
	return 0;
}

static const char *device_record_error(const struct iommu_lu_device_ser *ser,
				       struct iommu_lu_device *lu)
{
	lu->unit = xa_load(&lu_in.unit_slots, ser->unit);
	if (!lu->unit)
		return "its unit has no record";
	lu->domain = xa_load(&lu_in.domain_slots, ser->domain);
	if (!lu->domain)
		return "its domain has no record";
	if (ser->reserved || ser->reserved2)
		return "its record has bits that are not known";
	lu->domain->devices++;
	return NULL;
}

static int parse_devices(void)
{
	struct iommu_lu_device_ser *ser;
	struct iommu_lu_device *lu;
	const char *why;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&lu_in.devices); i++) {
		ser = iommu_lu_record(&lu_in.devices, i);
		if (ser->state != IOMMU_LU_IN_USE)
			continue;

		lu = kzalloc_obj(*lu);
		if (!lu)
			return -ENOMEM;
		lu->index = i;
		lu->ser = ser;
		lu->state = IOMMU_LU_INCOMING;
		ret = xa_insert(&lu_in.device_rids,
				device_key(ser->segment, ser->rid), lu,
				GFP_KERNEL);
		if (ret) {
			kfree(lu);
			if (ret != -EBUSY)
				return ret;
			/* Which of the two is true? Neither is believed. */
			lu = iommu_lu_find_device(ser->segment, ser->rid);
			iommu_lu_reject_device(lu, "it has two records");
			continue;
		}
		why = device_record_error(ser, lu);
		if (why)
			iommu_lu_reject_device(lu, why);
	}
	return 0;
}

static void incoming_free(void)
{
	struct iommu_lu_device *dev;
	struct iommu_lu_domain *domain;
	struct iommu_lu_unit *unit;
	unsigned long i;

	xa_for_each(&lu_in.device_rids, i, dev) {
		xa_erase(&lu_in.device_rids, i);
		/* One that was never finished is still at dev->iommu->lu */
		dev->ser = NULL;
		dev->domain = NULL;
		dev->unit = NULL;
		if (dev->state == IOMMU_LU_FINISHED || !dev->linked)
			kfree_rcu(dev, rcu);
	}
	xa_for_each(&lu_in.domain_slots, i, domain) {
		xa_erase(&lu_in.domain_slots, i);
		domain->ser = NULL;
		if (!domain->domain)
			kfree(domain);
	}
	xa_destroy(&lu_in.unit_bases);
	xa_for_each(&lu_in.unit_slots, i, unit) {
		xa_erase(&lu_in.unit_slots, i);
		kfree(unit);
	}
}

static int incoming_parse(void)
{
	struct iommu_lu_ser *ser = lu_in.ser;
	int ret;

	if (ser->version != IOMMU_LU_VERSION || ser->flags) {
		pr_err("version %u with flags %#x is not version %u\n",
		       ser->version, ser->flags, IOMMU_LU_VERSION);
		return -EPROTO;
	}

	ret = iommu_lu_records_parse(&lu_in.units,
				     sizeof(struct iommu_lu_unit_ser),
				     ser->units);
	if (ret)
		return ret;
	ret = iommu_lu_records_parse(&lu_in.domains,
				     sizeof(struct iommu_lu_domain_ser),
				     ser->domains);
	if (ret)
		return ret;
	ret = iommu_lu_records_parse(&lu_in.devices,
				     sizeof(struct iommu_lu_device_ser),
				     ser->devices);
	if (ret)
		return ret;

	ret = parse_units();
	if (!ret)
		ret = parse_domains();
	if (!ret)
		ret = parse_devices();
	return ret;
}

/* With its entry cleared the device can do no harm, wherever it is */
static void block_device(struct iommu_lu_device *lu)
{
	struct iommu_lu_unit *unit = lu->unit;

	lockdep_assert_held(&lu_in.lock);

	if (unit && unit->iommu)
		lu_in.ops[unit->ser->type]->block_device(unit, lu->ser->rid);
}

/* Nobody has found these devices, and what they are attached to goes away */
static void block_unseen(struct iommu_lu_domain *domain)
{
	struct iommu_lu_device *lu;
	unsigned long i;

	if (domain && !domain->devices)
		return;
	xa_for_each(&lu_in.device_rids, i, lu) {
		if (lu->linked || lu->state != IOMMU_LU_INCOMING ||
		    (domain && lu->domain != domain))
			continue;
		iommu_lu_reject_device(lu, "it was not found");
		block_device(lu);
	}
}

/* ---- The FLB ------------------------------------------------------------ */

static int lu_flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct iommu_lu_ser *ser;

	ser = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	guard(mutex)(&lu_out.lock);
	ser->version = IOMMU_LU_VERSION;
	iommu_lu_records_init(&lu_out.units, sizeof(struct iommu_lu_unit_ser),
			      &ser->units);
	iommu_lu_records_init(&lu_out.domains,
			      sizeof(struct iommu_lu_domain_ser),
			      &ser->domains);
	iommu_lu_records_init(&lu_out.devices,
			      sizeof(struct iommu_lu_device_ser),
			      &ser->devices);
	args->obj = ser;
	args->data = virt_to_phys(ser);
	return 0;
}

static void lu_flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	guard(mutex)(&lu_out.lock);
	iommu_lu_records_destroy(&lu_out.devices);
	iommu_lu_records_destroy(&lu_out.domains);
	iommu_lu_records_destroy(&lu_out.units);
	kho_unpreserve_free(args->obj);
}

static int lu_flb_retrieve(struct liveupdate_flb_op_args *args)
{
	int ret;

	if (kho_preserved_size(args->data) < PAGE_SIZE) {
		pr_err("nothing was preserved at %#llx\n", args->data);
		return -EINVAL;
	}

	guard(mutex)(&lu_in.lock);
	lu_in.ser = phys_to_virt(args->data);
	ret = incoming_parse();
	if (ret) {
		pr_err("cannot read the handover: %pe\n", ERR_PTR(ret));
		incoming_free();
		xa_destroy(&lu_in.units.blocks);
		xa_destroy(&lu_in.domains.blocks);
		xa_destroy(&lu_in.devices.blocks);
		lu_in.ser = NULL;
		return ret;
	}
	WRITE_ONCE(lu_in.active, true);
	args->obj = lu_in.ser;
	return 0;
}

static void lu_flb_finish(struct liveupdate_flb_op_args *args)
{
	guard(mutex)(&lu_in.lock);
	WRITE_ONCE(lu_in.active, false);
	block_unseen(NULL);
	incoming_free();
	iommu_lu_records_release(&lu_in.devices);
	iommu_lu_records_release(&lu_in.domains);
	iommu_lu_records_release(&lu_in.units);
	lu_in.ser = NULL;
	kho_restore_free(args->obj);
}

static const struct liveupdate_flb_ops lu_flb_ops = {
	.preserve = lu_flb_preserve,
	.unpreserve = lu_flb_unpreserve,
	.retrieve = lu_flb_retrieve,
	.finish = lu_flb_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_flb lu_flb = {
	.ops = &lu_flb_ops,
	.compatible = IOMMU_LU_FLB_COMPATIBLE,
};

/*
 * Read the handover, once. The reference is not kept: those of the files hold
 * the records until the last file is finished.
 */
static int incoming_read(void)
{
	void *obj;
	int ret;

	ret = liveupdate_flb_get_incoming(&lu_flb, &obj);
	if (!ret)
		liveupdate_flb_put_incoming(&lu_flb);
	if (ret != -ENOENT && ret != -ENODATA && ret != -EOPNOTSUPP)
		WRITE_ONCE(lu_in.came, true);
	return ret;
}

/**
 * iommu_lu_came - Did the previous kernel hand over IOMMU state?
 *
 * Context: Any, after boot. The answer never changes.
 * Return: true when it did, readable or not.
 */
bool iommu_lu_came(void)
{
	return READ_ONCE(lu_in.came);
}

/**
 * iommu_lu_register - Let the IOMMU records live as long as files of a handler
 * @fh: A file handler that calls iommu_lu_preserve_domain() or _device(),
 *      already registered with LUO
 *
 * Context: Module init.
 * Return: 0, or the error of liveupdate_register_flb().
 */
int iommu_lu_register(struct liveupdate_file_handler *fh)
{
	/* LUO cannot finish an FLB that nobody has looked at */
	incoming_read();
	return liveupdate_register_flb(fh, &lu_flb);
}

/* ---- The new kernel: units and devices ---------------------------------- */

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

	ret = incoming_read();
	if (ret == -ENOENT || ret == -ENODATA)
		return NULL;
	if (ret)
		return is_kho_boot() ? ERR_PTR(ret) : NULL;

	guard(mutex)(&lu_in.lock);
	lu_in.ops[type] = ops;
	unit = xa_load(&lu_in.unit_bases, PHYS_PFN(base));
	if (!unit)
		return NULL;
	if (unit->ser->type != type || unit->ser->base != base ||
	    unit->ser->segment != segment) {
		pr_err("unit %u: type %u at %#llx, segment %u is not what is there\n",
		       unit->index, unit->ser->type, unit->ser->base,
		       unit->ser->segment);
		return ERR_PTR(-EINVAL);
	}
	unit->iommu = iommu;
	return unit;
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
	return xa_load(&lu_in.device_rids, device_key(segment, rid));
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
 * iommu_lu_reject_device - Do not believe the record of a device
 * @lu:  The device
 * @why: What is wrong, for the log
 *
 * The driver has cleared the device's entry or does so next. When the device
 * turns up it is blocked.
 */
void iommu_lu_reject_device(struct iommu_lu_device *lu, const char *why)
{
	if (lu->state == IOMMU_LU_REJECTED)
		return;
	WRITE_ONCE(lu->state, IOMMU_LU_REJECTED);
	pr_err("device %04x:%02x:%02x.%d (record %u) is blocked: %s\n",
	       lu->ser->segment, PCI_BUS_NUM(lu->ser->rid),
	       PCI_SLOT(lu->ser->rid), PCI_FUNC(lu->ser->rid), lu->index, why);
}

static struct iommu_domain *domain_instantiate(struct iommu_lu_domain *lu)
{
	const struct iommu_lu_domain_ser *ser = lu->ser;
	const struct iommu_liveupdate_ops *ops;
	struct iommu_domain *domain;

	lockdep_assert_held(&lu_in.lock);

	if (lu->domain)
		return lu->domain;
	if (lu->state != IOMMU_LU_INCOMING)
		return ERR_PTR(-EINVAL);
	if (ser->reserved ||
	    memchr_inv(ser->pt.reserved, 0, sizeof(ser->pt.reserved)) ||
	    ser->flags & ~IOMMU_LU_DOMAIN_FLAGS) {
		pr_err("domain %u: its record has bits that are not known\n",
		       lu->index);
		return ERR_PTR(-EINVAL);
	}
	if (ser->type >= IOMMU_LU_UNIT_TYPES || !lu_in.ops[ser->type]) {
		pr_err("domain %u: no driver for type %u\n", lu->index,
		       ser->type);
		return ERR_PTR(-EINVAL);
	}

	ops = lu_in.ops[ser->type];
	domain = ops->restore_domain(ser);
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

static const char *device_mismatch(struct device *dev,
				   const struct iommu_lu_device *lu, bool alone)
{
	struct pci_dev *pdev = to_pci_dev(dev);

	if (lu->ser->vendor != pdev->vendor || lu->ser->device != pdev->device)
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

	domain = domain_instantiate(lu->domain);
	if (IS_ERR(domain))
		return "its domain cannot be restored";
	if (domain_lu_ops(domain)->restore_device(domain, dev, lu->ser))
		return "its entry is not as recorded";
	*domainp = domain;
	return NULL;
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
	struct iommu_lu_device *lu;
	struct pci_dev *pdev;
	const char *why;

	if (!READ_ONCE(lu_in.active) || !dev_is_pci(dev))
		return;
	pdev = to_pci_dev(dev);
	if (!iommu_lu_find_device(pci_domain_nr(pdev->bus), pci_dev_id(pdev)))
		return;

	guard(mutex)(&lu_in.lock);
	lu = iommu_lu_find_device(pci_domain_nr(pdev->bus), pci_dev_id(pdev));
	if (!lu || lu->linked)
		return;

	lu->linked = true;
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

	guard(mutex)(&lu_in.lock);
	if (lu->state == IOMMU_LU_INCOMING) {
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
	return dev->iommu->iommu_dev->ops->blocked_domain;
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

/* The device is like any other from now on */
static void device_unlink(struct device *dev, struct iommu_lu_device *lu)
{
	lockdep_assert_held(&lu_in.lock);

	WRITE_ONCE(lu->state, IOMMU_LU_FINISHED);
	WRITE_ONCE(dev->iommu->lu, NULL);
	/* After the end of the handover nobody else knows of it */
	if (!lu->ser)
		kfree_rcu(lu, rcu);
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

	guard(mutex)(&lu_in.lock);
	lu = dev->iommu->lu;
	if (!lu || lu->state == IOMMU_LU_PRESERVED)
		return false;
	rejected = lu->state == IOMMU_LU_REJECTED;
	device_unlink(dev, lu);
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

	guard(mutex)(&lu_in.lock);
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
	guard(mutex)(&lu_in.lock);
	WRITE_ONCE(dev->iommu->lu->state, IOMMU_LU_CLAIMED);
}

/* ---- The new kernel: for the file handlers ------------------------------ */

/**
 * iommu_lu_take_domain - Take over a domain
 * @index: Slot of its record, from the previous kernel
 * @owner: Who may from now on claim the devices on it
 *
 * Context: May sleep.
 * Return: the domain, to be given back with iommu_lu_release_domain() and then
 * iommu_domain_free(); -ENOENT when there is no such record; -EBUSY when it is
 * taken; -EINVAL when it cannot be restored; -ENOMEM.
 */
struct iommu_domain *iommu_lu_take_domain(u32 index, void *owner)
{
	struct iommu_domain *domain;
	struct iommu_lu_domain *lu;

	guard(mutex)(&lu_in.lock);
	lu = xa_load(&lu_in.domain_slots, index);
	if (!lu)
		return ERR_PTR(-ENOENT);
	if (lu->owner)
		return ERR_PTR(-EBUSY);
	domain = domain_instantiate(lu);
	if (IS_ERR(domain))
		return domain;
	lu->owner = owner;
	lu->state = IOMMU_LU_CLAIMED;
	return domain;
}

/**
 * iommu_lu_untake_domain - Undo iommu_lu_take_domain()
 * @domain: The domain
 *
 * Context: May sleep.
 */
void iommu_lu_untake_domain(struct iommu_domain *domain)
{
	guard(mutex)(&lu_in.lock);
	domain->lu->owner = NULL;
	domain->lu->state = IOMMU_LU_INCOMING;
}

/**
 * iommu_lu_record_in_use - Is a device attached to a domain nobody has taken?
 * @index: Slot of the domain's record, from the previous kernel
 *
 * Context: May sleep.
 * Return: true when there is one.
 */
bool iommu_lu_record_in_use(u32 index)
{
	struct iommu_lu_domain *lu;

	guard(mutex)(&lu_in.lock);
	lu = xa_load(&lu_in.domain_slots, index);
	return lu && lu->domain && iommu_lu_domain_in_use(lu->domain);
}

/**
 * iommu_lu_domain_in_use - Is a device attached to a restored domain?
 * @domain: The domain
 *
 * Context: May sleep.
 * Return: true when there is one.
 */
bool iommu_lu_domain_in_use(struct iommu_domain *domain)
{
	return domain_lu_ops(domain)->domain_in_use(domain);
}

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

	guard(mutex)(&lu_in.lock);
	if (domain_lu_ops(domain)->domain_in_use(domain))
		return -EBUSY;

	lu = domain->lu;
	block_unseen(lu);
	domain_lu_ops(domain)->release_domain(domain);
	domain->lu = NULL;
	lu->domain = NULL;
	lu->state = IOMMU_LU_FINISHED;
	/* After the end of the handover nobody else knows of it */
	if (!lu->ser)
		kfree(lu);
	return 0;
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

/* With group->mutex held, so the domain is not freed meanwhile */
static int see_restored(struct device *dev, void *data)
{
	return iommu_lu_domain_restored(iommu_get_domain_for_dev(dev));
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
 * iommu_lu_finish_device - The device is like any other from now on
 * @dev: The device, not live any more
 *
 * Context: From the finish callback of a file handler.
 */
void iommu_lu_finish_device(struct device *dev)
{
	struct iommu_lu_device *lu;

	guard(mutex)(&lu_in.lock);
	lu = dev->iommu ? dev->iommu->lu : NULL;
	if (lu && lu->state != IOMMU_LU_PRESERVED &&
	    lu->state != IOMMU_LU_REJECTED)
		device_unlink(dev, lu);
}
