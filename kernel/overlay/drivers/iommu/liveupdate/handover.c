// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start and end of a handover of IOMMU state
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/error-injection.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate-devices.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "internal.h"

/**
 * DOC: IOMMU live update
 *
 * A PCI device that a user owns through iommufd goes on doing DMA through the
 * same page table while one kernel ends and the next one starts. Here the books
 * are kept: which units, domains, devices and attachments cross, where their
 * records are, whose each page is, and in which state all of it is. No IOMMU
 * driver is known here; those have &struct iommu_liveupdate_ops, and payloads in
 * the records that only they read. No file is known either; those belong to
 * iommufd and vfio-pci, which call in here from their LUO handlers. internal.h
 * has the list of files, each of which calls only those above it.
 *
 * Old kernel: a domain is preserved with its iommufd, a device, its unit and
 * the tables in between with the vfio file. From then on the device stays
 * attached where it is (iommu_lu_device_fixed()). Everything that takes time is
 * done by then. iommu_lu_freeze() is the last point at which a live update can
 * fail. What is not kept is unlinked by the drivers after all devices have been
 * shut down, when iommu_lu_jumping(); their last word to the hardware is the
 * jump op, from iommu_lu_jump() on the only CPU that is left.
 *
 * New kernel, in two phases. Before LUO is up, with interrupts off if it has to
 * be, the driver of a unit can ask whether a table that the hardware points to
 * was kept (iommu_lu_early_kept()): KHO vouches for the block and its size, and
 * for nothing that is in it. With LUO up it asks for the record of each unit
 * before it changes anything in it (iommu_lu_adopt_unit()), goes through the
 * entries it finds there with the calls in attachment.c, and says that it has
 * the unit in hand (iommu_lu_unit_settled(), iommu_lu_type_settled()). When the
 * IOMMU core then finds a kept device it links it to its record and attaches it
 * to the restored domain, in one step and without a change to the live entry
 * (iommu_lu_attach_restored()). The device is owned: only the iommufd that was
 * retrieved with its domain may claim it (iommu_lu_may_claim()). Its user
 * replaces the restored domain by one of its own, destroys it and finishes the
 * session. When the last file of all sessions is finished the records are freed.
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
 * - Two records, or two tables, claim one page: neither gives a page back.
 * - No driver takes a unit over, or it gives up half-way: the unit may go on, and
 *   no session with a domain that it may lead to can be finished.
 * - A driver gives a unit up that it had in hand: iommu_lu_unit_unsettled() is
 *   the way back to that.
 * - A user never comes back: device and domain stay as they are. The next live
 *   update does not carry them on.
 *
 * Locks, outermost first:
 *
 * - LUO's session, file and FLB locks
 * - iommu_lu_out.lock
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

struct iommu_lu_out iommu_lu_out = {
	.lock = __MUTEX_INITIALIZER(iommu_lu_out.lock),
	.unit_list = LIST_HEAD_INIT(iommu_lu_out.unit_list),
	.domain_list = LIST_HEAD_INIT(iommu_lu_out.domain_list),
};

struct iommu_lu_in iommu_lu_in = {
	.lock = __MUTEX_INITIALIZER(iommu_lu_in.lock),
	.unit_slots = XARRAY_INIT(iommu_lu_in.unit_slots, 0),
	.domain_slots = XARRAY_INIT(iommu_lu_in.domain_slots, 0),
	.device_slots = XARRAY_INIT(iommu_lu_in.device_slots, 0),
	.unit_bases = XARRAY_INIT(iommu_lu_in.unit_bases, 0),
	.device_rids = XARRAY_INIT(iommu_lu_in.device_rids, 0),
	.pages = XARRAY_INIT(iommu_lu_in.pages, 0),
	.units.blocks = XARRAY_INIT(iommu_lu_in.units.blocks, 0),
	.domains.blocks = XARRAY_INIT(iommu_lu_in.domains.blocks, 0),
	.devices.blocks = XARRAY_INIT(iommu_lu_in.devices.blocks, 0),
	.attachments.blocks = XARRAY_INIT(iommu_lu_in.attachments.blocks, 0),
};

/* ---- The old kernel ------------------------------------------------------ */

/**
 * iommu_lu_out_start - Start a handover with nothing in it
 * @out: What goes to the next kernel
 * @ser: Where it starts, a page that is preserved and zero
 */
void iommu_lu_out_start(struct iommu_lu_out *out, struct iommu_lu_ser *ser)
{
	ser->magic = IOMMU_LU_MAGIC;
	ser->version = IOMMU_LU_VERSION;
	iommu_lu_records_init(&out->units, IOMMU_LU_MAGIC_UNITS,
			      sizeof(struct iommu_lu_unit_ser), &ser->units);
	iommu_lu_records_init(&out->domains, IOMMU_LU_MAGIC_DOMAINS,
			      sizeof(struct iommu_lu_domain_ser),
			      &ser->domains);
	iommu_lu_records_init(&out->devices, IOMMU_LU_MAGIC_DEVICES,
			      sizeof(struct iommu_lu_device_ser),
			      &ser->devices);
	iommu_lu_records_init(&out->attachments, IOMMU_LU_MAGIC_ATTACHMENTS,
			      sizeof(struct iommu_lu_attachment_ser),
			      &ser->attachments);
}

/**
 * iommu_lu_out_end - Undo iommu_lu_out_start()
 * @out: What goes to the next kernel, with nothing in it
 *
 * Context: May sleep.
 */
void iommu_lu_out_end(struct iommu_lu_out *out)
{
	iommu_lu_records_destroy(&out->attachments);
	iommu_lu_records_destroy(&out->devices);
	iommu_lu_records_destroy(&out->domains);
	iommu_lu_records_destroy(&out->units);
}

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

	guard(mutex)(&iommu_lu_out.lock);
	WRITE_ONCE(iommu_lu_out.frozen, iommu_lu_out.frozen + 1);
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_lu_freeze);
ALLOW_ERROR_INJECTION(iommu_lu_freeze, ERRNO);

/**
 * iommu_lu_unfreeze - Undo iommu_lu_freeze()
 *
 * Context: From the unfreeze callback of a file handler.
 */
void iommu_lu_unfreeze(void)
{
	guard(mutex)(&iommu_lu_out.lock);
	WRITE_ONCE(iommu_lu_out.frozen, iommu_lu_out.frozen - 1);
}
EXPORT_SYMBOL_GPL(iommu_lu_unfreeze);

/**
 * iommu_lu_jumping - Is this the end of a kernel that hands over?
 *
 * Context: Any.
 * Return: true from the point of no return on.
 */
bool iommu_lu_jumping(void)
{
	return READ_ONCE(iommu_lu_out.frozen) && READ_ONCE(kexec_in_progress);
}
EXPORT_SYMBOL_GPL(iommu_lu_jumping);

/**
 * iommu_lu_jump - The last word of the old kernel to its IOMMUs
 *
 * Context: kernel_kexec(), one CPU, interrupts off. No lock is taken: those who
 * were stopped may hold them, and nobody else runs.
 */
void iommu_lu_jump(void)
{
	struct iommu_lu_unit *unit;
	unsigned int units = 0;

	if (!iommu_lu_jumping())
		return;
	list_for_each_entry(unit, &iommu_lu_out.unit_list, link) {
		iommu_lu_unit_ops(unit)->jump(unit);
		units++;
	}
	trace_iommu_liveupdate_jump_tp(units);
}

/**
 * iommu_lu_attach_refused - Must a device not be attached to a domain?
 * @dev:    The first device of its group
 * @group:  The devices of the group
 * @domain: The domain
 *
 * A preserved device stays where it is. A restored domain is for what came over
 * with it, which was alone in its group: another device would stay blocked there,
 * and its owner would take it for attached. Once the kernel jumps no device is
 * attached: what a late attach would link into the tables is not kept, and the
 * tables have been cleaned.
 *
 * Context: With group->mutex held.
 * Return: true when an attach is to be refused.
 */
bool iommu_lu_attach_refused(struct device *dev, const struct list_head *group,
			     struct iommu_domain *domain)
{
	if (iommu_lu_domain_restored(domain) &&
	    !(iommu_lu_device_incoming(dev) && list_is_singular(group)))
		return true;
	return iommu_lu_device_fixed(dev) || iommu_lu_jumping();
}

/* ---- The new kernel ------------------------------------------------------ */

static int in_start(u64 phys)
{
	int ret;

	guard(mutex)(&iommu_lu_in.lock);
	ret = iommu_lu_in_read(&iommu_lu_in, phys);
	if (!ret)
		WRITE_ONCE(iommu_lu_in.active, true);
	return ret;
}

static void in_end(void)
{
	guard(mutex)(&iommu_lu_in.lock);
	iommu_lu_block_unseen(&iommu_lu_in, NULL);
	iommu_lu_free_unclaimed(&iommu_lu_in);
	iommu_lu_in_release(&iommu_lu_in);
	/* A device that turns up meanwhile waits for the lock */
	WRITE_ONCE(iommu_lu_in.active, false);
}

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

/* ---- The FLB ------------------------------------------------------------- */

static int lu_flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct iommu_lu_ser *ser;

	ser = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	guard(mutex)(&iommu_lu_out.lock);
	iommu_lu_out_start(&iommu_lu_out, ser);
	args->obj = ser;
	args->data = virt_to_phys(ser);
	return 0;
}

static void lu_flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	guard(mutex)(&iommu_lu_out.lock);
	iommu_lu_out_end(&iommu_lu_out);
	kho_unpreserve_free(args->obj);
}

static int lu_flb_retrieve(struct liveupdate_flb_op_args *args)
{
	int ret = in_start(args->data);

	args->obj = ret ? ERR_PTR(ret) : &iommu_lu_in;
	return ret;
}

static void lu_flb_finish(struct liveupdate_flb_op_args *args)
{
	in_end();
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
EXPORT_SYMBOL_GPL(iommu_lu_register);
