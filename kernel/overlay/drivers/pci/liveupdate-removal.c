// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI functions that are taken away while they are to stay
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "liveupdate.h"
#include "pci.h"

/**
 * DOC: Removal of a kept device
 *
 * What only asks for a slot to lose power, as a button, firmware or user space
 * does, is refused while something there is kept. A card that was pulled out is
 * gone whatever anybody says. To unbind its driver waits until nobody has a file of
 * the device any more, and LUO has one for as long as the session lasts. Meanwhile
 * pci_rescan_remove_lock would be held, so nothing on the machine could be plugged,
 * and so would the lock of the device, for which device_shutdown() would wait
 * without end.
 *
 * So nothing is unbound then. The driver is told as it is after an error that
 * cannot be mended, which is how a VMM learns of it, and user space gets an
 * "offline" event. Freeze fails. The function is removed when its session is
 * undone or finished, and another card in its place is looked for then. When it is
 * taken away after freeze, the next kernel finds nothing in its place.
 *
 * What is to be removed is marked before anybody looks whether a session holds it,
 * and a session marks what it holds before it looks whether that is to be removed.
 * One of them finds the other.
 *
 * Locks: pci_rescan_remove_lock is held where functions are marked. The marks can
 * be looked at without.
 */

/* By segment and requester ID, with a reference each: what is to be removed */
static DEFINE_XARRAY(going);
/* Of these: whose drivers are to be told */
#define UNTOLD XA_MARK_0
/* For somebody who has the lock of a device meanwhile */
#define TELL_AGAIN (HZ / 10)

/*
 * What came over and was not retrieved goes at once: no file of it can be open, and
 * the session finds that it is not there any more.
 */
static bool waits_for_session(struct pci_dev *pdev)
{
	if (pci_is_bridge(pdev))
		return false;
	return pci_liveupdate_preserved(pdev) || pci_lu_in_session(pdev);
}

static int look_for_waiting(struct pci_dev *pdev, void *data)
{
	bool *waits = data;

	*waits = waits_for_session(pdev);
	return *waits;
}

static bool any_waits(struct pci_dev *pdev)
{
	bool waits = waits_for_session(pdev);

	if (!waits && pdev->subordinate)
		pci_walk_bus(pdev->subordinate, look_for_waiting, &waits);
	return waits;
}

static int tell_driver(struct pci_dev *pdev, void *data)
{
	const struct pci_error_handlers *handler;
	bool *all = data;

	if (!waits_for_session(pdev))
		return 0;
	if (!device_trylock(&pdev->dev)) {
		*all = false;
		return 0;
	}
	handler = pdev->driver ? pdev->driver->err_handler : NULL;
	if (handler && handler->error_detected)
		handler->error_detected(pdev, pci_channel_io_perm_failure);
	kobject_uevent(&pdev->dev.kobj, KOBJ_OFFLINE);
	device_unlock(&pdev->dev);
	return 0;
}

static bool tell_all(struct pci_dev *pdev)
{
	bool all = true;

	tell_driver(pdev, &all);
	if (pdev->subordinate)
		pci_walk_bus(pdev->subordinate, tell_driver, &all);
	return all;
}

/* Another card may be in the slot by now, and was not looked at */
static void remove_and_look(struct pci_dev *pdev)
{
	struct pci_bus *bus = pdev->bus;

	get_device(&bus->dev);
	pci_stop_and_remove_bus_device(pdev);
	/* One that is for virtual functions alone has no bridge */
	if (pci_is_root_bus(bus) ||
	    (bus->self && bus->self->subordinate == bus))
		pci_rescan_bus(bus);
	put_device(&bus->dev);
}

static void work_off(struct work_struct *work)
{
	struct pci_dev *pdev;
	unsigned long key;
	bool again = false;

	pci_lock_rescan_remove();
	xa_for_each(&going, key, pdev) {
		if (!any_waits(pdev))
			remove_and_look(pdev);
		else if (!xa_get_mark(&going, key, UNTOLD))
			continue;
		else if (tell_all(pdev))
			xa_clear_mark(&going, key, UNTOLD);
		else
			again = true;
	}
	pci_unlock_rescan_remove();
	if (again)
		queue_delayed_work(system_dfl_long_wq, to_delayed_work(work),
				   TELL_AGAIN);
}

static DECLARE_DELAYED_WORK(going_work, work_off);

/* Returns whether it is marked now, and was not before */
static bool mark_going(struct pci_dev *pdev)
{
	unsigned long key = pci_lu_key_of(pdev);

	/* Without a mark nobody would remove what is put off */
	if (xa_cmpxchg(&going, key, NULL, pdev, GFP_KERNEL | __GFP_NOFAIL))
		return false;
	pci_dev_get(pdev);
	return true;
}

/**
 * pci_liveupdate_put_off_removal - Is a function to be removed later?
 * @pdev: The function that somebody is about to remove
 *
 * Context: With pci_rescan_remove_lock held.
 * Return: true when a session holds the function or one below it. Then it is
 * removed when that has ended.
 */
bool pci_liveupdate_put_off_removal(struct pci_dev *pdev)
{
	bool marked;

	/* Nobody would take the mark away again */
	if (test_bit(PCI_DEV_REMOVED, &pdev->priv_flags))
		return false;
	marked = mark_going(pdev);
	/* Pairs with that in pci_lu_going() */
	smp_mb();
	if (!any_waits(pdev))
		return false;
	if (!marked)
		return true;
	pci_err(pdev, "live update: taken away, but a session holds it; it is removed when that ends\n");
	xa_set_mark(&going, pci_lu_key_of(pdev), UNTOLD);
	mod_delayed_work(system_dfl_long_wq, &going_work, 0);
	return true;
}

/**
 * pci_lu_going - Is a function to be removed?
 * @pdev: The function
 *
 * Whoever asks for a session has marked before that this holds the function.
 *
 * Context: Any.
 * Return: true when it, a bridge above it, or its physical function is to be removed.
 */
bool pci_lu_going(struct pci_dev *pdev)
{
	/* Pairs with that in pci_liveupdate_put_off_removal() */
	smp_mb();
	if (xa_empty(&going))
		return false;
	for (; pdev; pdev = pci_lu_above(pdev))
		if (xa_load(&going, pci_lu_key_of(pdev)) == pdev)
			return true;
	return false;
}

/**
 * pci_lu_removing - Is something removed that a session has held?
 *
 * That can wait for a user, with the lock of a device.
 *
 * Context: Any.
 * Return: true while that is so, or about to be.
 */
bool pci_lu_removing(void)
{
	return work_busy(&going_work.work);
}

/**
 * pci_lu_gone - A function is removed now
 * @pdev: The function
 *
 * Context: With pci_rescan_remove_lock held.
 */
void pci_lu_gone(struct pci_dev *pdev)
{
	if (xa_cmpxchg(&going, pci_lu_key_of(pdev), pdev, NULL, 0) == pdev)
		pci_dev_put(pdev);
}

/**
 * pci_lu_removal_due - A session does not hold a function any more
 *
 * Context: Any.
 */
void pci_lu_removal_due(void)
{
	if (!xa_empty(&going))
		mod_delayed_work(system_dfl_long_wq, &going_work, 0);
}
