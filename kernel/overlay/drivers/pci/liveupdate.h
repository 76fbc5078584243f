/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI live update, between its own files
 */
#ifndef DRIVERS_PCI_LIVEUPDATE_H
#define DRIVERS_PCI_LIVEUPDATE_H

#include <linux/kho/abi/pci.h>
#include <linux/pci.h>
#include <linux/types.h>

/* Where a function is looked up, also in an xarray */
static inline unsigned long pci_lu_key(u32 segment, u16 rid)
{
	return (unsigned long)segment << 16 | rid;
}

static inline unsigned long pci_lu_key_of(struct pci_dev *pdev)
{
	return pci_lu_key(pci_domain_nr(pdev->bus), pci_dev_id(pdev));
}

/* liveupdate-record.c */
struct pci_dev *pci_lu_above(struct pci_dev *pdev);
void pci_lu_record_fill(struct pci_lu_function_ser *ser, struct pci_dev *pdev,
			bool device);
bool pci_lu_record_fits(const struct pci_lu_function_ser *ser,
			struct pci_dev *pdev);
bool pci_lu_record_unmoved(const struct pci_lu_function_ser *ser,
			   struct pci_dev *pdev);
u32 pci_lu_table_crc(const struct pci_lu_function_ser *table, u32 nr);
const char *pci_lu_ser_error(const struct pci_lu_ser *ser);
const char *pci_lu_table_error(const struct pci_lu_ser *ser);

/* liveupdate-in.c */
int pci_lu_in_start(u64 phys);
void pci_lu_in_end(void);
struct pci_dev *pci_lu_in_any(void);
bool pci_lu_in_session(struct pci_dev *pdev);
bool pci_lu_incoming_above(struct pci_dev *pdev);
struct pci_dev *pci_lu_in_physfn(u32 *index);

/* liveupdate-vfs.c */
bool pci_lu_leaves_vfs(struct pci_dev *pdev);
bool pci_lu_keeps_driver_off(struct pci_dev *pdev);

/* liveupdate.c */
bool pci_lu_preserved_vfs(struct pci_dev *pdev);

/* liveupdate-removal.c */
bool pci_lu_going(struct pci_dev *pdev);
bool pci_lu_removing(void);
void pci_lu_gone(struct pci_dev *pdev);
void pci_lu_removal_due(void);

#endif /* DRIVERS_PCI_LIVEUPDATE_H */
