/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel hands to the next about a vfio-pci device file
 */
#ifndef _LINUX_KHO_ABI_VFIO_PCI_H
#define _LINUX_KHO_ABI_VFIO_PCI_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * DOC: vfio-pci live update ABI
 *
 * The u64 of a preserved vfio-pci device file is the physical address of a
 * &struct vfio_pci_lu_ser. Which domain the device is on stands in the IOMMU
 * core's record of it; all other state stays in the device. The page it is in is
 * preserved on its own and restored when the session is finished. All numbers
 * are in CPU byte order. A change of the layout takes a new number in
 * %VFIO_PCI_LU_COMPATIBLE.
 */
#define VFIO_PCI_LU_COMPATIBLE	"vfio-pci-v1"

#define VFIO_PCI_LU_MAGIC	0x494c5656U

/**
 * struct vfio_pci_lu_ser - One kept vfio-pci device
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  magic                           crc
 *      8  segment                         rid             vendor
 *     16  device          reserved        flags
 *
 * @magic:    %VFIO_PCI_LU_MAGIC
 * @crc:      crc32c() of what follows, started with the page frame number
 * @segment:  PCI segment
 * @rid:      PCI requester ID, bus << 8 | devfn
 * @vendor:   PCI vendor ID
 * @device:   PCI device ID
 * @reserved: Zero
 * @flags:    Zero
 */
struct vfio_pci_lu_ser {
	u32 magic;
	u32 crc;
	u32 segment;
	u16 rid;
	u16 vendor;
	u16 device;
	u16 reserved;
	u32 flags;
} __packed;
static_assert(sizeof(struct vfio_pci_lu_ser) == 24);
static_assert(offsetof(struct vfio_pci_lu_ser, crc) == 4);
static_assert(offsetof(struct vfio_pci_lu_ser, segment) == 8);
static_assert(offsetof(struct vfio_pci_lu_ser, rid) == 12);
static_assert(offsetof(struct vfio_pci_lu_ser, vendor) == 14);
static_assert(offsetof(struct vfio_pci_lu_ser, device) == 16);
static_assert(offsetof(struct vfio_pci_lu_ser, reserved) == 18);
static_assert(offsetof(struct vfio_pci_lu_ser, flags) == 20);

#endif /* _LINUX_KHO_ABI_VFIO_PCI_H */
