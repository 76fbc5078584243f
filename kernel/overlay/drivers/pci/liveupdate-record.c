// SPDX-License-Identifier: GPL-2.0-only
/*
 * The records of PCI functions that stay as they are
 */
#include <linux/crc32c.h>
#include <linux/io.h>
#include <linux/log2.h>

#include "liveupdate.h"

/**
 * pci_lu_above - What has to stay as it is for a function to go on?
 * @pdev: The function
 *
 * Return: the physical function of a virtual one, the bridge above any other, or
 * NULL for one on a root bus.
 */
struct pci_dev *pci_lu_above(struct pci_dev *pdev)
{
	return pdev->is_virtfn ? pci_physfn(pdev) : pdev->bus->self;
}

static u16 bridge_of(struct pci_dev *pdev)
{
	struct pci_dev *above = pci_lu_above(pdev);

	return above ? pci_dev_id(above) : PCI_LU_NO_BRIDGE;
}

static u8 flags_of(struct pci_dev *pdev, bool device)
{
	if (device)
		return PCI_LU_DEVICE | (pdev->is_virtfn ? PCI_LU_VIRTFN : 0);
	return pci_is_bridge(pdev) ? 0 : PCI_LU_PHYSFN;
}

static u64 bar_of(struct pci_dev *pdev, unsigned int i)
{
	/* What these are in a bridge are its windows, or nothing */
	if (i >= (pci_is_bridge(pdev) ? 2 : PCI_STD_NUM_BARS))
		return 0;
	return pci_resource_len(pdev, i) ? pci_resource_start(pdev, i) : 0;
}

/**
 * pci_lu_record_fill - Write down what a function is, and where
 * @ser:    Its record
 * @pdev:   The function
 * @device: It is kept itself, not only for what is below it
 */
void pci_lu_record_fill(struct pci_lu_function_ser *ser, struct pci_dev *pdev,
			bool device)
{
	u32 class_rev;

	/* As it is found, before any fixup of it */
	pci_read_config_dword(pdev, PCI_CLASS_REVISION, &class_rev);
	*ser = (struct pci_lu_function_ser){
		.segment = pci_domain_nr(pdev->bus),
		.rid = pci_dev_id(pdev),
		.vendor = pdev->vendor,
		.device = pdev->device,
		.class_rev = class_rev,
		.bridge = bridge_of(pdev),
		.hdr_type = pdev->hdr_type,
		.flags = flags_of(pdev, device),
		.subsystem = (u32)pdev->subsystem_device << 16 |
			     pdev->subsystem_vendor,
	};
	for (int i = 0; i < ARRAY_SIZE(ser->bar); i++)
		ser->bar[i] = bar_of(pdev, i);
}

/**
 * pci_lu_record_fits - Is it the function that a record is about?
 * @ser:  The record, checked
 * @pdev: A function that was just found; only what is read of it first is
 *        looked at
 *
 * Return: true when it can be no other one, if the bridge above is the same.
 */
bool pci_lu_record_fits(const struct pci_lu_function_ser *ser,
			struct pci_dev *pdev)
{
	return ser->vendor == pdev->vendor && ser->device == pdev->device &&
	       ser->class_rev == (pdev->class << 8 | pdev->revision) &&
	       ser->hdr_type == pdev->hdr_type &&
	       !(ser->flags & PCI_LU_VIRTFN) == !pdev->is_virtfn &&
	       ser->bridge == bridge_of(pdev);
}

/**
 * pci_lu_record_unmoved - Is a function still what and where it was?
 * @ser:  Its record, checked
 * @pdev: The function, set up
 *
 * Return: true when the rest of its record fits too, and each BAR is in its
 * place.
 */
bool pci_lu_record_unmoved(const struct pci_lu_function_ser *ser,
			   struct pci_dev *pdev)
{
	if (ser->subsystem != ((u32)pdev->subsystem_device << 16 |
			       pdev->subsystem_vendor))
		return false;
	for (int i = 0; i < ARRAY_SIZE(ser->bar); i++)
		if (ser->bar[i] != bar_of(pdev, i))
			return false;
	return true;
}

/**
 * pci_lu_table_crc - The CRC of a table of functions
 * @table: The first record
 * @nr:    How many there are
 *
 * Return: what belongs into the header.
 */
u32 pci_lu_table_crc(const struct pci_lu_function_ser *table, u32 nr)
{
	return crc32c(nr, table, nr * sizeof(*table));
}

/**
 * pci_lu_ser_error - Is it the header of a table of functions?
 * @ser: Preserved memory, not trusted; where it points to is not looked at
 *
 * Return: what is wrong with it, or NULL.
 */
const char *pci_lu_ser_error(const struct pci_lu_ser *ser)
{
	if (ser->magic != PCI_LU_MAGIC)
		return "it is something else";
	if (ser->nr > PCI_LU_MAX_FUNCTIONS)
		return "it has too many functions";
	if (!ser->table)
		return ser->nr ? "its table is missing" : NULL;
	if (!is_power_of_2(ser->pages) ||
	    ser->pages > PCI_LU_MAX_PAGES ||
	    (u64)ser->nr * sizeof(struct pci_lu_function_ser) >
	    (u64)ser->pages << PAGE_SHIFT)
		return "its table has a wrong size";
	return NULL;
}

static bool kind_known(const struct pci_lu_function_ser *ser)
{
	switch (ser->flags) {
	case PCI_LU_DEVICE:
	case PCI_LU_PHYSFN:
		return ser->hdr_type == PCI_HEADER_TYPE_NORMAL;
	case PCI_LU_DEVICE | PCI_LU_VIRTFN:
		return ser->hdr_type == PCI_HEADER_TYPE_NORMAL &&
		       ser->bridge != PCI_LU_NO_BRIDGE;
	case 0:
		return ser->hdr_type == PCI_HEADER_TYPE_BRIDGE;
	default:
		return false;
	}
}

/**
 * pci_lu_table_error - Can the records of a table be used?
 * @ser: The header, for which pci_lu_ser_error() has nothing to say, with a table
 *       that was preserved
 *
 * Return: what is wrong with it, or NULL.
 */
const char *pci_lu_table_error(const struct pci_lu_ser *ser)
{
	const struct pci_lu_function_ser *table = phys_to_virt(ser->table);

	if (ser->crc != pci_lu_table_crc(table, ser->nr))
		return "it has a wrong CRC";
	for (u32 i = 0; i < ser->nr; i++) {
		if (table[i].flags & ~PCI_LU_FLAGS || table[i].reserved)
			return "it has bits that are not known";
		if (!kind_known(&table[i]))
			return "it has a function of another kind";
		if (i && pci_lu_key(table[i].segment, table[i].rid) <=
			 pci_lu_key(table[i - 1].segment, table[i - 1].rid))
			return "it is not in order";
	}
	return NULL;
}
