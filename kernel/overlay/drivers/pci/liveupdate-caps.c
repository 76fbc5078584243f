// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities of functions that came over: what stays switched on
 */
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>

/**
 * pci_liveupdate_keep_ari - Does the bridge above forward as it did before?
 * @pdev: First function of a device
 *
 * Context: When @pdev is set up.
 * Return: true when the bridge is kept; then it is known to forward ARI if it
 * does, whatever this kernel would choose.
 */
bool pci_liveupdate_keep_ari(struct pci_dev *pdev)
{
	struct pci_dev *bridge = pdev->bus->self;
	u16 ctl;

	if (!bridge || pdev->devfn || !pci_liveupdate_incoming(bridge))
		return false;
	pcie_capability_read_word(bridge, PCI_EXP_DEVCTL2, &ctl);
	bridge->ari_enabled = !!(ctl & PCI_EXP_DEVCTL2_ARI);
	return true;
}

#ifdef CONFIG_PCI_ATS
/**
 * pci_liveupdate_keep_ats - Does a device go on asking for translations?
 * @pdev: The device
 * @ctrl: What this kernel would write, without the bit that enables it
 *
 * Switching ATS off under a device at work is not allowed, and what it has cached
 * would be lost without anybody having asked for that.
 *
 * Context: When its IOMMU prepares @pdev.
 * Return: true when it came over with ATS on, as this kernel would switch it on.
 */
bool pci_liveupdate_keep_ats(struct pci_dev *pdev, u16 ctrl)
{
	u16 now;

	if (!pci_liveupdate_incoming(pdev))
		return false;
	pci_read_config_word(pdev, pdev->ats_cap + PCI_ATS_CTRL, &now);
	return now == (ctrl | PCI_ATS_CTRL_ENABLE);
}
#endif
