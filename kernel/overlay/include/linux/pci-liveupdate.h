/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI devices that stay on the bus across a live update
 */
#ifndef __LINUX_PCI_LIVEUPDATE_H
#define __LINUX_PCI_LIVEUPDATE_H

#include <linux/types.h>

struct device;
struct pci_dev;
struct pci_slot;

#ifdef CONFIG_PCI_LIVEUPDATE

int pci_liveupdate_preserve(struct pci_dev *pdev);
void pci_liveupdate_unpreserve(struct pci_dev *pdev);
bool pci_liveupdate_kept(struct device *dev);
bool pci_liveupdate_slot_kept(struct pci_slot *slot);
bool pci_liveupdate_shutdown(struct pci_dev *pdev);

#else

static inline bool pci_liveupdate_kept(struct device *dev)
{
	return false;
}

static inline bool pci_liveupdate_slot_kept(struct pci_slot *slot)
{
	return false;
}

static inline bool pci_liveupdate_shutdown(struct pci_dev *pdev)
{
	return false;
}

#endif
#endif /* __LINUX_PCI_LIVEUPDATE_H */
