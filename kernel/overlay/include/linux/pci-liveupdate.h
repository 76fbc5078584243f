/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI functions that stay as they are across a live update
 */
#ifndef __LINUX_PCI_LIVEUPDATE_H
#define __LINUX_PCI_LIVEUPDATE_H

#include <linux/types.h>

struct device;
struct liveupdate_file_handler;
struct pci_bus;
struct pci_dev;

#ifdef CONFIG_PCI_LIVEUPDATE

/* Old kernel, for the file handlers of devices */
int pci_liveupdate_register(struct liveupdate_file_handler *fh);
int pci_liveupdate_preserve(struct pci_dev *pdev);
void pci_liveupdate_unpreserve(struct pci_dev *pdev);
int pci_liveupdate_freeze(struct pci_dev *pdev);
void pci_liveupdate_unfreeze(void);

/* Old kernel, for PCI */
bool pci_liveupdate_shutdown(struct pci_dev *pdev);
bool pci_liveupdate_preserved(struct pci_dev *pdev);

/* New kernel, for PCI while it finds functions and sets them up */
void pci_liveupdate_found(struct pci_dev *pdev);
void pci_liveupdate_hold_power(struct pci_dev *pdev);
void pci_liveupdate_gone(struct pci_dev *pdev);
bool pci_liveupdate_keep_buses(void);
bool pci_liveupdate_keep_ari(struct pci_dev *pdev);
bool pci_liveupdate_keep_ats(struct pci_dev *pdev, u16 ctrl);
bool pci_liveupdate_keep_vfs(struct pci_dev *pdev);
bool pci_liveupdate_hide_vfs(struct pci_dev *pdev, int pos, u16 *ctrl);
void pci_liveupdate_show_vfs(struct pci_dev *pdev, int pos, u16 ctrl);
bool pci_liveupdate_hold_vfs(struct pci_dev *pdev);
bool pci_liveupdate_incoming(struct pci_dev *pdev);
bool pci_liveupdate_unowned(struct pci_dev *pdev);
bool pci_liveupdate_reset_due(struct pci_dev *pdev);
int pci_liveupdate_quiesce(struct pci_dev *pdev);
void pci_liveupdate_leave(struct pci_dev *pdev);

/* New kernel, for the file handlers of devices */
int pci_liveupdate_retrieve(struct pci_dev *pdev);
void pci_liveupdate_unretrieve(struct pci_dev *pdev);

/* New kernel, for the IOMMU core: what has become of a device */
bool pci_liveupdate_came(struct pci_dev *pdev);
void pci_liveupdate_restored(struct pci_dev *pdev);
void pci_liveupdate_claimed(struct pci_dev *pdev);
void pci_liveupdate_unclaimed(struct pci_dev *pdev);
void pci_liveupdate_rejected(struct pci_dev *pdev);
void pci_liveupdate_finish(struct pci_dev *pdev);

/* Both kernels: what is to stay as it is? */
bool pci_liveupdate_kept(struct pci_dev *pdev);
bool pci_liveupdate_reset_refused(struct pci_dev *pdev);
bool pci_liveupdate_unbind_refused(struct device *dev);
bool pci_liveupdate_slot_kept(struct pci_bus *bus, unsigned int slot);
bool pci_liveupdate_put_off_removal(struct pci_dev *pdev);

#else

static inline bool pci_liveupdate_shutdown(struct pci_dev *pdev)
{
	return false;
}

static inline void pci_liveupdate_found(struct pci_dev *pdev)
{
}

static inline void pci_liveupdate_hold_power(struct pci_dev *pdev)
{
}

static inline void pci_liveupdate_gone(struct pci_dev *pdev)
{
}

static inline bool pci_liveupdate_keep_buses(void)
{
	return false;
}

static inline bool pci_liveupdate_keep_ari(struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_liveupdate_keep_ats(struct pci_dev *pdev, u16 ctrl)
{
	return false;
}

static inline bool pci_liveupdate_keep_vfs(struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_liveupdate_hide_vfs(struct pci_dev *pdev, int pos,
					   u16 *ctrl)
{
	return false;
}

static inline void pci_liveupdate_show_vfs(struct pci_dev *pdev, int pos,
					   u16 ctrl)
{
}

static inline bool pci_liveupdate_hold_vfs(struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_liveupdate_incoming(struct pci_dev *pdev)
{
	return false;
}

static inline int pci_liveupdate_quiesce(struct pci_dev *pdev)
{
	return 0;
}

static inline bool pci_liveupdate_kept(struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_liveupdate_reset_refused(struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_liveupdate_slot_kept(struct pci_bus *bus,
					    unsigned int slot)
{
	return false;
}

static inline bool pci_liveupdate_put_off_removal(struct pci_dev *pdev)
{
	return false;
}

#endif
#endif /* __LINUX_PCI_LIVEUPDATE_H */
