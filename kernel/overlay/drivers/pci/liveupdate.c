// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI devices that stay on the bus across a live update
 */
#include <linux/error-injection.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/xarray.h>

/**
 * DOC: PCI live update
 *
 * When a kernel ends with kexec it turns off bus mastering everywhere. A kept
 * device goes on as a bus master, and so does each bridge above it, which
 * forwards its transactions upstream only as long as it is one itself. What the
 * device must not do in between is raise interrupts: nobody could take them,
 * and the table they are remapped by is gone.
 *
 * A bridge is kept as long as one device below it is, so there is a count for
 * each function.
 *
 * Locks: kept_lock is innermost. The shutdown path reads without it, when
 * nothing is preserved or unpreserved any more.
 */
static DEFINE_MUTEX(kept_lock);
/* Segment and requester ID to how often the function is kept */
static DEFINE_XARRAY(kept);

static unsigned long kept_key(struct pci_dev *pdev)
{
	return (unsigned long)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
}

static int kept_add(struct pci_dev *pdev, long delta)
{
	void *old = xa_load(&kept, kept_key(pdev));
	long nr = (old ? xa_to_value(old) : 0) + delta;

	lockdep_assert_held(&kept_lock);

	if (nr)
		return xa_err(xa_store(&kept, kept_key(pdev), xa_mk_value(nr),
				       GFP_KERNEL));
	xa_erase(&kept, kept_key(pdev));
	return 0;
}

/**
 * pci_liveupdate_preserve - Keep a device and all bridges above it on the bus
 * @pdev: The device
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int pci_liveupdate_preserve(struct pci_dev *pdev)
{
	struct pci_dev *pos, *undo;
	int ret;

	guard(mutex)(&kept_lock);
	for (pos = pdev; pos; pos = pci_upstream_bridge(pos)) {
		ret = kept_add(pos, 1);
		if (ret)
			goto err;
	}
	return 0;

err:
	for (undo = pdev; undo != pos; undo = pci_upstream_bridge(undo))
		kept_add(undo, -1);
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
	guard(mutex)(&kept_lock);
	for (; pdev; pdev = pci_upstream_bridge(pdev))
		kept_add(pdev, -1);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_unpreserve);

static int is_incoming(struct pci_dev *pdev, void *found)
{
	*(bool *)found = iommu_lu_device_incoming(&pdev->dev);
	return *(bool *)found;
}

static bool incoming_below(struct pci_dev *pdev)
{
	bool found = false;

	if (iommu_lu_handover() && pdev->subordinate)
		pci_walk_bus(pdev->subordinate, is_incoming, &found);
	return found;
}

/**
 * pci_liveupdate_kept - Is a function to stay as it is?
 * @dev: Any device
 *
 * Its driver is not to be unbound, and it is not to be removed: either ends
 * DMA, or waits for the user with device_lock held, for which device_shutdown()
 * would wait in turn. A device that came over may be unbound, which touches
 * nothing; the bridges above it may not.
 *
 * Context: May sleep.
 * Return: true for a preserved device, for all bridges above one, and for all
 * above one that came over and is not finished.
 */
bool pci_liveupdate_kept(struct device *dev)
{
	return dev_is_pci(dev) && (xa_load(&kept, kept_key(to_pci_dev(dev))) ||
				   incoming_below(to_pci_dev(dev)));
}

struct slot_look {
	struct pci_slot *slot;
	bool kept;
};

static int look_in_slot(struct pci_dev *pdev, void *data)
{
	struct pci_dev *top = pci_physfn(pdev);
	struct slot_look *look = data;

	while (top && top->bus != look->slot->bus)
		top = pci_upstream_bridge(top);
	look->kept = top && top->slot == look->slot &&
		     (xa_load(&kept, kept_key(pdev)) ||
		      iommu_lu_device_incoming(&pdev->dev));
	return look->kept;
}

/**
 * pci_liveupdate_slot_kept - Is there something in a slot that is to stay?
 * @slot: A hotplug slot
 *
 * To lose power is the end of DMA. The hardware may still take it away, or
 * somebody the whole card; that is not for us to refuse.
 *
 * Context: May sleep.
 * Return: true when a function in the slot, or below one in it, is preserved, or
 * came over and is not finished.
 */
bool pci_liveupdate_slot_kept(struct pci_slot *slot)
{
	struct slot_look look = { .slot = slot };

	pci_walk_bus(slot->bus, look_in_slot, &look);
	return look.kept;
}

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
 * If so, its interrupts are turned off here. There is no way back from where
 * this is called.
 *
 * Context: device_shutdown().
 * Return: true when bus mastering is to be left on.
 */
bool pci_liveupdate_shutdown(struct pci_dev *pdev)
{
	if (!iommu_lu_jumping())
		return false;

	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_SHUTDOWN);
	if (!xa_load(&kept, kept_key(pdev)))
		return false;
	if (pci_is_bridge(pdev))
		return true;

	clear_flag(pdev, pdev->msi_cap, PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
	clear_flag(pdev, pdev->msix_cap, PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
	pci_intx(pdev, 0);
	return true;
}
