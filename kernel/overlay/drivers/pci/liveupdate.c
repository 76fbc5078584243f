// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI functions that stay as they are across a live update
 */
#define pr_fmt(fmt) "PCI: live update: " fmt

#include <linux/cleanup.h>
#include <linux/error-injection.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/log2.h>
#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/suspend.h>
#include <linux/xarray.h>

#include "liveupdate.h"
#include "pci.h"

/**
 * DOC: PCI live update
 *
 * When a kernel ends with kexec it turns off bus mastering everywhere. A kept
 * device goes on as a bus master, and so does each bridge above it, which
 * forwards its transactions upstream only as long as it is one itself. What the
 * device must not do in between is raise interrupts: nobody could take them,
 * and the table they are remapped by is gone.
 *
 * The tables of the IOMMU know a device by its number only. So the next kernel
 * gets a record of each kept device and of each bridge above one, and looks at
 * it when it enumerates the bus, before it changes anything: a function is taken
 * for a kept one only when it is the same in all that can be read, behind the
 * same bridges. While there is one, no bus gets another number, no window of a
 * bridge above one is moved, and what the command line says about ACS and ARI is
 * for all others.
 *
 * PCI asks nobody whether a device is to stay as it is. The IOMMU core asks PCI,
 * and tells it what has become of the device. One that is rejected, or that
 * nobody has taken over, is reset before any driver is bound to it
 * (pci_liveupdate_quiesce()), or else when the kernel ends.
 *
 * A bridge is kept as long as one device below it is, so there is a count for
 * each function. The physical function of a kept virtual one is kept for it like a
 * bridge, but is no bus master in between, and its driver is shut down and bound
 * again. Only drivers are allowed there that do not take its virtual ones away with
 * that, see pci_lu_leaves_vfs().
 *
 * Unhappy paths:
 *
 * - The records cannot be read: no bus is renumbered, the IOMMU core gets no
 *   device confirmed and blocks all it has records of.
 * - Another function is in the place of a kept one: it is not taken for it, and
 *   the IOMMU's record is rejected.
 * - A reset does not work: no driver is bound.
 * - Somebody wants to sleep: that fails until nothing is kept any more, because
 *   the IOMMU would be off meanwhile.
 *
 * Locks: LUO's, those of devices, group->mutex and the IOMMU core's are outside
 * of kept_lock and in_lock, which are innermost and never nested. The shutdown
 * path reads what is kept without kept_lock, when nothing is preserved or
 * unpreserved any more.
 */
struct pci_lu_kept {
	struct pci_dev *pdev;
	unsigned int users;
	bool device;
};

static DEFINE_MUTEX(kept_lock);
/* By segment and requester ID */
static DEFINE_XARRAY(kept);
static unsigned int nr_kept;
/* Devices that are past the last check */
static unsigned int nr_frozen;
/* The machine is about to sleep: nothing can be preserved before it is awake */
static bool sleeping;
static struct pci_lu_ser *outgoing;

/* ---- The table for the next kernel --------------------------------------- */

static int grow_table(unsigned int nr)
{
	size_t size = nr * sizeof(struct pci_lu_function_ser);
	u32 pages = roundup_pow_of_two(DIV_ROUND_UP(size, PAGE_SIZE));
	void *table, *old;

	lockdep_assert_held(&kept_lock);

	if (nr > PCI_LU_MAX_FUNCTIONS)
		return -E2BIG;
	if (outgoing->table && outgoing->pages >= pages)
		return 0;
	table = kho_alloc_preserve(pages << PAGE_SHIFT);
	if (IS_ERR(table))
		return PTR_ERR(table);
	old = outgoing->table ? phys_to_virt(outgoing->table) : NULL;
	if (old) {
		memcpy(table, old, outgoing->pages << PAGE_SHIFT);
		kho_unpreserve_free(old);
	}
	outgoing->table = virt_to_phys(table);
	outgoing->pages = pages;
	return 0;
}

/* In the order of the keys, in which the next kernel looks them up */
static void write_table(void)
{
	struct pci_lu_function_ser *ser = phys_to_virt(outgoing->table);
	struct pci_lu_kept *pos;
	unsigned long key;

	lockdep_assert_held(&kept_lock);

	outgoing->nr = nr_kept;
	xa_for_each(&kept, key, pos)
		pci_lu_record_fill(ser++, pos->pdev, pos->device);
	outgoing->crc = pci_lu_table_crc(phys_to_virt(outgoing->table),
					 outgoing->nr);
}

static int kept_get(struct pci_dev *pdev, bool device)
{
	struct pci_lu_kept *old = xa_load(&kept, pci_lu_key_of(pdev));
	int ret;

	lockdep_assert_held(&kept_lock);

	/* A function that is kept itself has no kept VFs */
	if (old && old->device != device)
		return -EOPNOTSUPP;
	if (old) {
		old->users++;
		return 0;
	}
	/* What the next kernel does not take for a kept function */
	if (pdev->hdr_type != (device || pdev->is_physfn ?
				       PCI_HEADER_TYPE_NORMAL :
				       PCI_HEADER_TYPE_BRIDGE) ||
	    pci_domain_nr(pdev->bus) > U16_MAX)
		return -EOPNOTSUPP;
	ret = grow_table(nr_kept + 1);
	if (ret)
		return ret;

	struct pci_lu_kept *new __free(kfree) = kzalloc_obj(*new);

	if (!new)
		return -ENOMEM;
	*new = (struct pci_lu_kept){
		.pdev = pdev, .users = 1, .device = device,
	};
	ret = xa_err(xa_store(&kept, pci_lu_key_of(pdev), new, GFP_KERNEL));
	if (ret)
		return ret;
	pci_dev_get(pdev);
	retain_and_null_ptr(new);
	nr_kept++;
	return 0;
}

static void kept_put(struct pci_dev *pdev)
{
	struct pci_lu_kept *old = xa_load(&kept, pci_lu_key_of(pdev));

	lockdep_assert_held(&kept_lock);

	if (WARN_ON(!old) || --old->users)
		return;
	xa_erase(&kept, pci_lu_key_of(pdev));
	nr_kept--;
	kfree(old);
	pci_dev_put(pdev);
}

/* ---- The old kernel ------------------------------------------------------ */

/* What puts functions into one IOMMU group, if it is missing */
#define ISOLATION (PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF)

/*
 * A function that user space has removed is not in the group of the device, and
 * one that came back by a rescan may be in another one. The next kernel finds
 * them in one group, and would have to reject the device for it.
 */
static bool beside_others(struct pci_dev *pdev)
{
	unsigned int slot = PCI_SLOT(pdev->devfn), devfn;
	u32 id;

	if (pci_acs_enabled(pdev, ISOLATION))
		return false;
	for (unsigned int fn = 0; fn < 8; fn++) {
		devfn = PCI_DEVFN(slot, fn);
		if (devfn != pdev->devfn &&
		    pci_bus_read_dev_vendor_id(pdev->bus, devfn, &id, 0))
			return true;
	}
	return false;
}

/**
 * pci_liveupdate_preserve - Keep a device and all bridges above it as they are
 * @pdev: The device
 *
 * Context: From the preserve callback of a file handler registered with
 * pci_liveupdate_register(); may sleep.
 * Return: 0; -EBUSY for a device that is not in D0 or was taken away, or when the
 * machine is about to sleep; -EOPNOTSUPP when it is not isolated from another
 * function of its slot, also from one that was removed, behind a CardBus bridge, in a
 * segment whose number is too large, or when the driver of its physical function
 * would take it away; -E2BIG or -ENOMEM.
 */
int pci_liveupdate_preserve(struct pci_dev *pdev)
{
	struct pci_dev *pos, *undo;
	int ret;

	if (pdev->current_state != PCI_D0)
		return -EBUSY;
	if (beside_others(pdev)) {
		pci_err(pdev, "live update: it is not isolated from a function beside it\n");
		return -EOPNOTSUPP;
	}

	guard(mutex)(&kept_lock);
	if (sleeping)
		return -EBUSY;
	for (pos = pdev; pos; pos = pci_lu_above(pos)) {
		ret = kept_get(pos, pos == pdev);
		if (ret)
			goto err;
	}
	if (pci_lu_going(pdev)) {
		ret = -EBUSY;
		goto err;
	}
	/* A driver that is bound from here on finds that the function is kept */
	if (pdev->is_virtfn && !pci_lu_leaves_vfs(pci_physfn(pdev))) {
		ret = -EOPNOTSUPP;
		goto err;
	}
	write_table();
	return 0;

err:
	for (undo = pdev; undo != pos; undo = pci_lu_above(undo))
		kept_put(undo);
	pci_lu_removal_due();
	return ret;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_preserve);
ALLOW_ERROR_INJECTION(pci_liveupdate_preserve, ERRNO);

/**
 * pci_liveupdate_unpreserve - Undo pci_liveupdate_preserve()
 * @pdev: The device
 *
 * Context: May sleep.
 */
void pci_liveupdate_unpreserve(struct pci_dev *pdev)
{
	scoped_guard(mutex, &kept_lock) {
		for (; pdev; pdev = pci_lu_above(pdev))
			kept_put(pdev);
		write_table();
	}
	pci_lu_removal_due();
}
EXPORT_SYMBOL_GPL(pci_liveupdate_unpreserve);

/**
 * pci_liveupdate_freeze - Is a preserved device as it has to be for the jump?
 * @pdev: The device
 *
 * Context: From the freeze callback of a file handler.
 * Return: 0; -EBUSY when it is not in D0 or was taken away, or while one that was
 * taken away before is being removed.
 */
int pci_liveupdate_freeze(struct pci_dev *pdev)
{
	if (pdev->current_state != PCI_D0) {
		pci_err(pdev, "live update: it is not in D0\n");
		return -EBUSY;
	}
	if (pci_lu_going(pdev) || pci_lu_removing()) {
		pci_err(pdev, "live update: it, or another one, was taken away\n");
		return -EBUSY;
	}
	guard(mutex)(&kept_lock);
	WRITE_ONCE(nr_frozen, nr_frozen + 1);
	return 0;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_freeze);

/**
 * pci_liveupdate_unfreeze - Undo pci_liveupdate_freeze()
 *
 * Context: From the unfreeze callback of a file handler.
 */
void pci_liveupdate_unfreeze(void)
{
	guard(mutex)(&kept_lock);
	WRITE_ONCE(nr_frozen, nr_frozen - 1);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_unfreeze);

static void clear_flag(struct pci_dev *pdev, int cap, int reg, u16 flag)
{
	u16 ctrl;

	if (!cap)
		return;
	pci_read_config_word(pdev, cap + reg, &ctrl);
	if (ctrl & flag)
		pci_write_config_word(pdev, cap + reg, ctrl & ~flag);
}

/**
 * pci_liveupdate_shutdown - Is this function to stay a bus master?
 * @pdev: The function
 *
 * If so, its interrupts are turned off here. One that came over and does not go on
 * is reset. There is no way back from where this is called.
 *
 * Context: device_shutdown().
 * Return: true when bus mastering is to be left on.
 */
bool pci_liveupdate_shutdown(struct pci_dev *pdev)
{
	if (!kexec_in_progress)
		return false;

	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_SHUTDOWN);
	if (!READ_ONCE(nr_frozen) || !pci_liveupdate_preserved(pdev)) {
		pci_liveupdate_leave(pdev);
		return false;
	}
	/* Virtual functions do DMA of their own, whatever their physical one does */
	if (pci_lu_preserved_vfs(pdev))
		return false;
	clear_flag(pdev, pdev->msi_cap, PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
	clear_flag(pdev, pdev->msix_cap, PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
	if (pci_is_bridge(pdev))
		return true;
	pci_intx(pdev, 0);
	return true;
}

/* ---- Both kernels: what is to stay as it is? ----------------------------- */

/**
 * pci_liveupdate_preserved - Is a function to go over as it is?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true for a preserved device and for the bridges above it.
 */
bool pci_liveupdate_preserved(struct pci_dev *pdev)
{
	return xa_load(&kept, pci_lu_key_of(pdev));
}
EXPORT_SYMBOL_GPL(pci_liveupdate_preserved);

/**
 * pci_lu_preserved_vfs - Is a function to go over for its virtual ones?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true for the physical function of a preserved one.
 */
bool pci_lu_preserved_vfs(struct pci_dev *pdev)
{
	return pdev->is_physfn && pci_num_vf(pdev) &&
	       pci_liveupdate_preserved(pdev);
}

/**
 * pci_liveupdate_kept - Is a function on its way through a live update?
 * @pdev: The function
 *
 * It is not to be enabled, disabled, resized, removed, nor reset behind the back
 * of its owner.
 *
 * Context: Any.
 * Return: true for a device, and for all bridges above it, from preserve to
 * unpreserve, and in the new kernel until the session is finished.
 */
bool pci_liveupdate_kept(struct pci_dev *pdev)
{
	return pci_liveupdate_preserved(pdev) || pci_liveupdate_incoming(pdev);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_kept);

/**
 * pci_liveupdate_unbind_refused - Is a driver not to be unbound by user space?
 * @dev: A PCI device
 *
 * To unbind ends DMA, or waits for the user with device_lock held, for which
 * device_shutdown() would wait in turn. A device that came over may be unbound,
 * which touches nothing; the bridges above it may not, nor may its physical
 * function, whose driver would take its virtual ones away.
 *
 * Context: Any.
 * Return: true when the request is to be refused.
 */
bool pci_liveupdate_unbind_refused(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);

	return pci_liveupdate_preserved(pdev) || pci_lu_incoming_above(pdev);
}

/**
 * pci_liveupdate_reset_refused - Must a function not be reset?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true for what is preserved, and in the new kernel for what nobody has
 * claimed yet, and for the bridges above until the session is finished.
 */
bool pci_liveupdate_reset_refused(struct pci_dev *pdev)
{
	return pci_liveupdate_unbind_refused(&pdev->dev) ||
	       pci_liveupdate_unowned(pdev);
}

struct slot_look {
	struct pci_bus *bus;
	unsigned int slot;
	bool kept;
};

static int look_in_slot(struct pci_dev *pdev, void *data)
{
	struct pci_dev *top = pci_physfn(pdev);
	struct slot_look *look = data;

	while (top && top->bus != look->bus)
		top = pci_upstream_bridge(top);
	look->kept = top &&
		     (look->slot == PCI_SLOT_ALL_DEVICES ||
		      look->slot == PCI_SLOT(top->devfn)) &&
		     pci_liveupdate_kept(pdev);
	return look->kept;
}

/**
 * pci_liveupdate_slot_kept - Is there something in a slot that is to stay?
 * @bus: The bus of a hotplug slot
 * @slot: The number of its device there, or PCI_SLOT_ALL_DEVICES
 *
 * To lose power is the end of DMA. The hardware may still take it away, or
 * somebody the whole card; that is not for us to refuse.
 *
 * Context: May sleep.
 * Return: true when a function in the slot, or below one in it, is preserved, or
 * came over and is not finished.
 */
bool pci_liveupdate_slot_kept(struct pci_bus *bus, unsigned int slot)
{
	struct slot_look look = { .bus = bus, .slot = slot };

	pci_walk_bus(bus, look_in_slot, &look);
	return look.kept;
}

/* ---- Sleep --------------------------------------------------------------- */

static struct pci_dev *any_kept(void)
{
	struct pci_lu_kept *first;
	unsigned long key = 0;

	guard(mutex)(&kept_lock);
	first = xa_find(&kept, &key, ULONG_MAX, XA_PRESENT);
	return first ? pci_dev_get(first->pdev) : NULL;
}

/* Translation is off while the machine sleeps; a kept device would go on */
static int sleep_notify(struct notifier_block *nb, unsigned long action,
			void *data)
{
	bool begins = action == PM_SUSPEND_PREPARE ||
		      action == PM_HIBERNATION_PREPARE ||
		      action == PM_RESTORE_PREPARE;
	struct pci_dev *pdev;

	scoped_guard(mutex, &kept_lock)
		sleeping = begins;
	if (!begins)
		return NOTIFY_DONE;
	pdev = any_kept() ?: pci_lu_in_any();
	if (!pdev)
		return NOTIFY_DONE;
	/* Who said no is not told when it is over */
	scoped_guard(mutex, &kept_lock)
		sleeping = false;
	pci_err(pdev, "live update: no sleep before it is finished or reset\n");
	pci_dev_put(pdev);
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block sleep_nb = { .notifier_call = sleep_notify };

/* ---- The FLB ------------------------------------------------------------- */

static int pci_lu_flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct pci_lu_ser *ser = kho_alloc_preserve(PAGE_SIZE);

	if (IS_ERR(ser))
		return PTR_ERR(ser);

	guard(mutex)(&kept_lock);
	ser->magic = PCI_LU_MAGIC;
	outgoing = ser;
	args->obj = ser;
	args->data = virt_to_phys(ser);
	return 0;
}

static void pci_lu_flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	guard(mutex)(&kept_lock);
	if (outgoing->table)
		kho_unpreserve_free(phys_to_virt(outgoing->table));
	kho_unpreserve_free(outgoing);
	outgoing = NULL;
}

static int pci_lu_flb_retrieve(struct liveupdate_flb_op_args *args)
{
	int ret = pci_lu_in_start(args->data);

	args->obj = ret ? ERR_PTR(ret) : phys_to_virt(args->data);
	return ret;
}

static void pci_lu_flb_finish(struct liveupdate_flb_op_args *args)
{
	struct pci_lu_ser *ser = args->obj;

	pci_lu_in_end();
	if (ser->table)
		kho_restore_free(phys_to_virt(ser->table));
	kho_restore_free(ser);
}

static const struct liveupdate_flb_ops pci_lu_flb_ops = {
	.preserve = pci_lu_flb_preserve,
	.unpreserve = pci_lu_flb_unpreserve,
	.retrieve = pci_lu_flb_retrieve,
	.finish = pci_lu_flb_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_flb pci_lu_flb = {
	.ops = &pci_lu_flb_ops,
	.compatible = PCI_LU_FLB_COMPATIBLE,
};

/* The reference is not kept: those of the files hold the records */
static void read_incoming(void)
{
	void *obj;

	if (!liveupdate_flb_get_incoming(&pci_lu_flb, &obj))
		liveupdate_flb_put_incoming(&pci_lu_flb);
}

/**
 * pci_liveupdate_register - Let the PCI records live as long as files of a handler
 * @fh: A file handler that calls pci_liveupdate_preserve(), already registered
 *      with LUO
 *
 * Context: Module init.
 * Return: 0, or the error of liveupdate_register_flb().
 */
int pci_liveupdate_register(struct liveupdate_file_handler *fh)
{
	return liveupdate_register_flb(fh, &pci_lu_flb);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_register);

/* With LUO up, and before the first function is found */
static int __init pci_liveupdate_init(void)
{
	read_incoming();
	return register_pm_notifier(&sleep_nb);
}
postcore_initcall(pci_liveupdate_init);
