/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel hands to the next about PCI functions that stay as they are
 */
#ifndef _LINUX_KHO_ABI_PCI_H
#define _LINUX_KHO_ABI_PCI_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * DOC: PCI live update ABI
 *
 * The u64 of the FLB is the physical address of a &struct pci_lu_ser, in a page
 * that is preserved on its own. It leads to one table, preserved as one block,
 * with a &struct pci_lu_function_ser for each kept device and for each bridge
 * above one. All numbers are in CPU byte order. A change of the layout takes a
 * new number in %PCI_LU_FLB_COMPATIBLE, which has the page size too.
 */
#define PCI_LU_FLB_COMPATIBLE	"pci-v1-4k"

#define PCI_LU_MAGIC		0x494c4350U

/* More functions than any machine has, and a table that is large enough */
#define PCI_LU_MAX_FUNCTIONS	16384
#define PCI_LU_MAX_PAGES	512

/**
 * struct pci_lu_ser - Where the table of functions is
 * @magic: %PCI_LU_MAGIC
 * @crc:   crc32c() of the @nr records, started with @nr
 * @nr:    How many records there are
 * @pages: Size of the block in pages, a power of two
 * @table: Physical address of the first &struct pci_lu_function_ser, 0 when
 *         there was never any
 */
struct pci_lu_ser {
	u32 magic;
	u32 crc;
	u32 nr;
	u32 pages;
	u64 table;
} __packed;
static_assert(sizeof(struct pci_lu_ser) == 24);

/* The function is kept itself, not only for what is below it */
#define PCI_LU_DEVICE		0x01
/* It is kept for its virtual functions, and has VF Enable set */
#define PCI_LU_PHYSFN		0x02
/* It is a virtual function */
#define PCI_LU_VIRTFN		0x04
#define PCI_LU_FLAGS		(PCI_LU_DEVICE | PCI_LU_PHYSFN | PCI_LU_VIRTFN)

/* The function is on a root bus */
#define PCI_LU_NO_BRIDGE	0xffff

/**
 * struct pci_lu_function_ser - One function that stays as it is
 * @segment:   PCI segment
 * @rid:       Bus << 8 | devfn
 * @vendor:    PCI vendor ID
 * @device:    PCI device ID
 * @class_rev: Class and revision, as in the header
 * @bridge:    @rid of the bridge above, or of the physical function of a virtual
 *             one, which has a record too, or %PCI_LU_NO_BRIDGE
 * @hdr_type:  Type of its header, without the bit for many functions
 * @flags:     PCI_LU_DEVICE, with PCI_LU_VIRTFN or alone; PCI_LU_PHYSFN; or zero for a
 *             bridge
 * @subsystem: Subsystem device ID << 16 | vendor ID
 * @reserved:  Zero
 * @bar:       CPU physical address of each BAR, 0 for one that is not used
 */
struct pci_lu_function_ser {
	u16 segment;
	u16 rid;
	u16 vendor;
	u16 device;
	u32 class_rev;
	u16 bridge;
	u8 hdr_type;
	u8 flags;
	u32 subsystem;
	u32 reserved;
	u64 bar[6];
} __packed;
static_assert(sizeof(struct pci_lu_function_ser) == 72);
static_assert(offsetof(struct pci_lu_function_ser, class_rev) == 8);
static_assert(offsetof(struct pci_lu_function_ser, subsystem) == 16);
static_assert(offsetof(struct pci_lu_function_ser, bar) == 24);
static_assert(PCI_LU_MAX_FUNCTIONS * sizeof(struct pci_lu_function_ser) <=
	      PCI_LU_MAX_PAGES * 4096);

#endif /* _LINUX_KHO_ABI_PCI_H */
