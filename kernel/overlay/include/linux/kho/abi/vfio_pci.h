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

/**
 * struct vfio_pci_lu_ser - One kept vfio-pci device
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  segment                         rid             vendor
 *      8  device          reserved        flags
 *
 * @segment:  PCI segment
 * @rid:      PCI requester ID, bus << 8 | devfn
 * @vendor:   PCI vendor ID
 * @device:   PCI device ID
 * @reserved: Zero
 * @flags:    Zero
 */
struct vfio_pci_lu_ser {
	u32 segment;
	u16 rid;
	u16 vendor;
	u16 device;
	u16 reserved;
	u32 flags;
} __packed;
static_assert(sizeof(struct vfio_pci_lu_ser) == 16);
static_assert(offsetof(struct vfio_pci_lu_ser, segment) == 0);
static_assert(offsetof(struct vfio_pci_lu_ser, rid) == 4);
static_assert(offsetof(struct vfio_pci_lu_ser, vendor) == 6);
static_assert(offsetof(struct vfio_pci_lu_ser, device) == 8);
static_assert(offsetof(struct vfio_pci_lu_ser, reserved) == 10);
static_assert(offsetof(struct vfio_pci_lu_ser, flags) == 12);

#endif /* _LINUX_KHO_ABI_VFIO_PCI_H */
