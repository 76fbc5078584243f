// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual functions that stay as they are, and their physical one
 */
#include <linux/array_size.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/string.h>

#include "liveupdate.h"

/**
 * DOC: Virtual functions and live update
 *
 * A virtual function (VF) is there as long as its physical one (PF) says so, in its
 * SR-IOV capability. So a kept VF takes its PF along: there is a record of it, like
 * of a bridge, and neither kernel changes what makes the VFs. The new kernel makes
 * its devices for them before the IOMMU looks for any, with what it finds in the
 * capability. They are no new ones: nothing is written, and nobody waits for them.
 *
 * The PF itself is like any other function. Its driver is shut down, and bound
 * again, and its DMA is blocked in between. Most drivers reset the PF then, which is
 * the end of its VFs. They are not bound to a PF while one of its VFs is kept.
 */

/*
 * Drivers that reset nothing of a PF that its VFs depend on, and disable no VFs when
 * they are shut down or bound. What a VFIO user may do to a PF is unknown, and
 * vfio-pci does not bind to one that has VFs.
 */
static const char * const leave_vfs[] = {
	"pci-pf-stub",
	"virtio-pci",
};

/**
 * pci_lu_leaves_vfs - Does the driver of a function leave its virtual ones alone?
 * @pdev: The physical function
 *
 * Whoever asks has marked it as kept before, and whoever binds a driver to it looks
 * for that mark afterwards.
 *
 * Context: Any.
 * Return: true also when it has no driver; false with a line in the log.
 */
bool pci_lu_leaves_vfs(struct pci_dev *pdev)
{
	struct device_driver *driver;

	/* Pairs with that in pci_lu_keeps_driver_off() */
	smp_mb();
	driver = READ_ONCE(pdev->dev.driver);
	if (!driver || match_string(leave_vfs, ARRAY_SIZE(leave_vfs),
				    driver->name) >= 0)
		return true;
	pci_err(pdev, "live update: %s would take its virtual functions away\n",
		driver->name);
	return false;
}

static bool keeps_vfs(struct pci_dev *pdev)
{
	return pci_lu_preserved_vfs(pdev) || pci_liveupdate_keep_vfs(pdev);
}

/**
 * pci_lu_keeps_driver_off - Is a function not to have the driver that it is given?
 * @pdev: The function
 *
 * Context: With the lock of the device held, before the probe of a driver.
 * Return: true when one of its virtual functions is kept that the driver would end.
 */
bool pci_lu_keeps_driver_off(struct pci_dev *pdev)
{
	/* Pairs with that in pci_lu_leaves_vfs() */
	smp_mb();
	return keeps_vfs(pdev) && !pci_lu_leaves_vfs(pdev);
}

/**
 * pci_liveupdate_hold_vfs - Are the virtual functions of a function to stay?
 * @pdev: The function, whose driver wants to disable them
 *
 * A driver cannot be unbound by request, but its module can be unloaded.
 *
 * Context: Any that may disable SR-IOV.
 * Return: true while one of them is kept, unless @pdev is taken away.
 */
bool pci_liveupdate_hold_vfs(struct pci_dev *pdev)
{
	return keeps_vfs(pdev) && !pci_lu_going(pdev);
}

/**
 * pci_liveupdate_hide_vfs - Begin to look at the SR-IOV capability of a function
 * @pdev: The function
 * @pos:  Where its capability is
 * @ctrl: What this kernel would write to it
 *
 * Its VFs go on, but their memory is not decoded while its size is found out.
 *
 * Context: When @pdev is set up.
 * Return: true when it goes on with the VFs it had: nothing is to be written then,
 * and @ctrl is what is there.
 */
bool pci_liveupdate_hide_vfs(struct pci_dev *pdev, int pos, u16 *ctrl)
{
	u16 now;

	if (!pci_liveupdate_keep_vfs(pdev))
		return false;
	pci_read_config_word(pdev, pos + PCI_SRIOV_CTRL, &now);
	pci_write_config_word(pdev, pos + PCI_SRIOV_CTRL,
			      now & ~PCI_SRIOV_CTRL_MSE);
	*ctrl = now;
	return true;
}

/**
 * pci_liveupdate_show_vfs - Undo pci_liveupdate_hide_vfs()
 * @pdev: The function
 * @pos:  Where its capability is
 * @ctrl: From pci_liveupdate_hide_vfs()
 *
 * Context: When @pdev is set up.
 */
void pci_liveupdate_show_vfs(struct pci_dev *pdev, int pos, u16 ctrl)
{
	if (pci_liveupdate_keep_vfs(pdev))
		pci_write_config_word(pdev, pos + PCI_SRIOV_CTRL, ctrl);
}

static void make_vfs(struct pci_dev *pdev)
{
	int pos = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_SRIOV);
	u16 ctrl, nr;
	int ret;

	pci_read_config_word(pdev, pos + PCI_SRIOV_CTRL, &ctrl);
	pci_read_config_word(pdev, pos + PCI_SRIOV_NUM_VF, &nr);
	ret = ctrl & PCI_SRIOV_CTRL_VFE ? pci_enable_sriov(pdev, nr) : -ENODEV;
	if (ret)
		pci_err(pdev, "live update: its %u virtual functions cannot be used: %pe\n",
			nr, ERR_PTR(ret));
}

/* With all resources claimed, and before the IOMMU looks for devices */
static int __init pci_lu_make_vfs(void)
{
	struct pci_dev *pdev;
	u32 index = 0;

	pci_lock_rescan_remove();
	while ((pdev = pci_lu_in_physfn(&index))) {
		make_vfs(pdev);
		pci_dev_put(pdev);
	}
	pci_unlock_rescan_remove();
	return 0;
}
fs_initcall_sync(pci_lu_make_vfs);
