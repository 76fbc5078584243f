// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU state across a live update
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/error-injection.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-steps.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate-devices.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "test/debugfs.h"
#include "internal.h"
#include "records.h"

/**
 * DOC: IOMMU live update
 *
 * A PCI device that a user owns through iommufd goes on doing DMA through the
 * same page table while one kernel ends and the next one starts. Here the books
 * are kept: which units, domains and devices cross, where their records are, and
 * in which state each of them is. core.c is the old kernel's side, parse.c
 * reads the records in the new one, incoming.c puts devices and domains back,
 * retrieve.c is what the handlers of files take them over with. They know no IOMMU driver; those have &struct
 * iommu_liveupdate_ops. They know no files either; those belong to iommufd and
 * vfio-pci, which call in here from their LUO handlers.
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
 * - The image was loaded without KHO data, or its kernel does not read what this
 *   one writes: freeze refuses.
 * - A record makes no sense in the new kernel: what it is about is rejected
 *   with a line in the log. The device is put on the blocked domain and its bus
 *   mastering is turned off; its memory stays reserved until the next kexec.
 * - No driver takes the units over, or it gives up half-way: they may go on, and
 *   no session with an iommufd can be finished (iommu_lu_units_settled()).
 * - A user never comes back: device and domain stay as they are. The next live
 *   update does not carry them on.
 *
 * Locks, outermost first:
 *
 * - LUO's session, file and FLB locks
 * - lu_out.lock
 * - group->mutex of the IOMMU core, or dmar_global_lock
 * - iommu_lu_in.lock
 * - locks of the drivers
 *
 * LUO is never called with group->mutex or one of our own locks held. At boot
 * the driver of a unit asks for the handover with dmar_global_lock held, outside
 * of the FLB lock; nothing in LUO or in the callbacks of the FLB takes that. A
 * device that takes no part never takes one of our locks: without a handover
 * iommu_lu_in.active is false, and with one, its lookup is lockless.
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

/* ---- The old kernel: domains -------------------------------------------- */

/**
 * iommu_lu_preserve_domain - Keep a domain and its page table
 * @domain: The domain
 * @user:   Physical address of what will name the record, in preserved memory
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
int iommu_lu_preserve_domain(struct iommu_domain *domain, phys_addr_t user,
			     u32 *index)
{
	const struct iommu_liveupdate_ops *ops = iommu_lu_domain_ops(domain);
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

	scoped_class(iommu_lu_lap, lap, IOMMU_LU_STEP_TABLES)
		ret = ops->preserve_domain(domain, lu->ser);
	if (ret) {
		iommu_lu_record_free(&lu_out.domains, lu->index);
		return ret;
	}

	lu->ser->user = user;
	iommu_lu_record_seal(&lu_out.domains, lu->index);
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
	iommu_lu_domain_ops(domain)->unpreserve_domain(domain);
	iommu_lu_record_free(&lu_out.domains, lu->index);
	kfree(lu);
}

/**
 * iommu_lu_domain_runs - Where does a range of IOVAs lead?
 * @domain: The domain
 * @iova:   The first one
 * @len:    How many bytes
 * @fn:     Told of one contiguous piece after the other, until it returns an
 *          error
 * @arg:    For @fn
 *
 * The caller makes sure that the range does not change meanwhile.
 *
 * Context: May sleep if @fn does.
 * Return: 0; -EOPNOTSUPP when the driver cannot preserve this domain; -ENOENT
 * when not all of the range is mapped; or the error of @fn.
 */
int iommu_lu_domain_runs(struct iommu_domain *domain, u64 iova, u64 len,
			 iommu_lu_run_fn fn, void *arg)
{
	const struct iommu_liveupdate_ops *ops = iommu_lu_domain_ops(domain);

	if (!ops)
		return -EOPNOTSUPP;
	return ops->domain_runs(domain, iova, len, fn, arg);
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

	iommu_lu_record_seal(&lu_out.units, unit->index);
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

	ret = iommu_lu_domain_ops(domain)->preserve_device(lu->unit, &pdev->dev,
							   domain, ser);
	if (ret)
		unit_put(lu->unit);
	return ret;
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
 * cannot be carried over: not PCI, sharing its group or its requester ID, a VF,
 * a PF with VFs, with ATS; -EBUSY when it is preserved or came from the previous
 * kernel and is not finished; -ENOMEM.
 */
int iommu_lu_preserve_device(struct device *dev, phys_addr_t user)
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

	lu->ser->user = user;
	iommu_lu_record_seal(&lu_out.devices, lu->index);
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
 * iommu_lu_freeze - The last check before the jump
 *
 * Context: From the freeze callback of a file handler.
 * Return: 0; -EINVAL when the loaded image would not get what is preserved,
 * which is so for one loaded by kexec_load(); -EPROTONOSUPPORT when its kernel
 * does not read it.
 */
int iommu_lu_freeze(void)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_FREEZE);
	int ret;

	ret = liveupdate_image_check();
	if (ret)
		return ret;

	guard(mutex)(&lu_out.lock);
	WRITE_ONCE(lu_out.frozen, lu_out.frozen + 1);
	return 0;
}
ALLOW_ERROR_INJECTION(iommu_lu_freeze, ERRNO);

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

/* ---- The FLB ------------------------------------------------------------ */

static int lu_flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct iommu_lu_ser *ser;

	ser = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	guard(mutex)(&lu_out.lock);
	ser->magic = IOMMU_LU_MAGIC;
	ser->version = IOMMU_LU_VERSION;
	iommu_lu_records_init(&lu_out.units, IOMMU_LU_MAGIC_UNITS,
			      sizeof(struct iommu_lu_unit_ser), &ser->units);
	iommu_lu_records_init(&lu_out.domains, IOMMU_LU_MAGIC_DOMAINS,
			      sizeof(struct iommu_lu_domain_ser),
			      &ser->domains);
	iommu_lu_records_init(&lu_out.devices, IOMMU_LU_MAGIC_DEVICES,
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
	args->obj = iommu_lu_in_start(args->data);
	return PTR_ERR_OR_ZERO(args->obj);
}

static void lu_flb_finish(struct liveupdate_flb_op_args *args)
{
	iommu_lu_in_end();
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

/**
 * iommu_lu_in_get - Read the handover, once
 *
 * The reference is not kept: those of the files hold the records until the last
 * file is finished.
 *
 * Context: May sleep.
 * Return: 0, or the error of liveupdate_flb_get_incoming().
 */
int iommu_lu_in_get(void)
{
	void *obj;
	int ret;

	ret = liveupdate_flb_get_incoming(&lu_flb, &obj);
	if (!ret)
		liveupdate_flb_put_incoming(&lu_flb);
	return ret;
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
	iommu_lu_in_get();
	return liveupdate_register_flb(fh, &lu_flb);
}

#ifdef CONFIG_IOMMU_LIVEUPDATE_DEBUGFS
/**
 * iommu_lu_count_outgoing - Count what goes to the next kernel
 * @counts: Filled in
 *
 * Context: May sleep.
 */
void iommu_lu_count_outgoing(struct iommu_lu_counts *counts)
{
	guard(mutex)(&lu_out.lock);
	*counts = (struct iommu_lu_counts){
		.units = iommu_lu_records_used(&lu_out.units),
		.domains = iommu_lu_records_used(&lu_out.domains),
		.devices = iommu_lu_records_used(&lu_out.devices),
		.blocks = lu_out.units.nr_blocks + lu_out.domains.nr_blocks +
			  lu_out.devices.nr_blocks,
		.frozen = lu_out.frozen,
	};
}
#endif

#ifdef CONFIG_IOMMU_LIVEUPDATE_MUTATE
/**
 * iommu_lu_out_records - What the next kernel will read
 * @magic: IOMMU_LU_MAGIC_* of the kind
 *
 * Context: One processor, when iommu_lu_jumping().
 * Return: the records of that kind.
 */
struct iommu_lu_records *iommu_lu_out_records(u32 magic)
{
	if (magic == IOMMU_LU_MAGIC_UNITS)
		return &lu_out.units;
	return magic == IOMMU_LU_MAGIC_DOMAINS ? &lu_out.domains :
						 &lu_out.devices;
}
#endif
