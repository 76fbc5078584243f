/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel hands to the next about AMD-Vi
 */
#ifndef _LINUX_KHO_ABI_IOMMU_AMD_H
#define _LINUX_KHO_ABI_IOMMU_AMD_H

#include <linux/kho/abi/iommu.h>

/**
 * DOC: AMD-Vi live update ABI
 *
 * Payloads of records of type %IOMMU_LU_TYPE_AMD; that of an attachment is
 * empty. The root table of a unit is the device table, which all units of a PCI
 * segment share; the list of the unit that owns it has that table and nothing else.
 * The source ID of a device is its requester ID.
 *
 * An entry of the device table that has a mode other than 0, or a guest table, is
 * that of a kept device. All others have V=1 and TV=0, so that DMA is aborted, with
 * what the firmware wants to be set in addition. The entry of a kept device is fully
 * given by the records: V, TV, IR and IW set, mode pt.top_level + 1, the table top,
 * domain ID hw_id, I set when the device has %IOMMU_LU_AMD_ATS, IV set with an IntCtl
 * of 0, so that interrupts are aborted, and beside that nothing but what the firmware
 * wants to be set in the first two words.
 *
 * Entries of other devices abort interrupts too, but for those of IOAPIC and HPET,
 * which have IV=0: a kernel that does not know this IOMMU could not tell the time
 * without. Where the old kernel remaps no interrupts only kept devices have IV set.
 *
 * A domain has one ID in all units, which is in the record of the domain as well as
 * in those of its attachments. The command buffer and all logs of a unit are off.
 */

/* Version of all payloads of IOMMU_LU_TYPE_AMD */
#define IOMMU_LU_AMD_VERSION	2

/**
 * struct iommu_lu_amd_unit_ser - Payload of an AMD-Vi unit
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  efr
 *      8  efr2
 *
 * @efr:  Extended feature register
 * @efr2: Extended feature 2 register
 */
struct iommu_lu_amd_unit_ser {
	u64 efr;
	u64 efr2;
} __packed;
static_assert(sizeof(struct iommu_lu_amd_unit_ser) == 16);
static_assert(offsetof(struct iommu_lu_amd_unit_ser, efr2) == 8);

/**
 * struct iommu_lu_amd_domain_ser - Payload of a domain of AMD-Vi
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  id                              reserved
 *      8  pt, 32 bytes ..................................................
 *
 * @id:       Its domain ID
 * @reserved: Zero
 * @pt:       Its page table, of the format "amdv1"
 */
struct iommu_lu_amd_domain_ser {
	u32 id;
	u32 reserved;
	struct iommu_pt_ser pt;
} __packed;
static_assert(sizeof(struct iommu_lu_amd_domain_ser) == 40);
static_assert(offsetof(struct iommu_lu_amd_domain_ser, reserved) == 4);
static_assert(offsetof(struct iommu_lu_amd_domain_ser, pt) == 8);

/* struct iommu_lu_amd_device_ser::flags */
#define IOMMU_LU_AMD_ATS		0x1U
#define IOMMU_LU_AMD_DEVICE_FLAGS	IOMMU_LU_AMD_ATS

/**
 * struct iommu_lu_amd_device_ser - Payload of a device behind AMD-Vi
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  flags                           reserved
 *
 * @flags:    IOMMU_LU_AMD_ATS: the device asks for translations, and is answered
 * @reserved: Zero
 */
struct iommu_lu_amd_device_ser {
	u32 flags;
	u32 reserved;
} __packed;
static_assert(sizeof(struct iommu_lu_amd_device_ser) == 8);
static_assert(offsetof(struct iommu_lu_amd_device_ser, reserved) == 4);

#endif /* _LINUX_KHO_ABI_IOMMU_AMD_H */
