/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel hands to the next about Intel VT-d
 */
#ifndef _LINUX_KHO_ABI_IOMMU_VTD_H
#define _LINUX_KHO_ABI_IOMMU_VTD_H

#include <linux/kho/abi/iommu.h>

/**
 * DOC: VT-d live update ABI
 *
 * Payloads of records of type %IOMMU_LU_TYPE_VTD; those of attachments are empty.
 * The list of pages of a unit has its root table first, then context tables, PASID
 * directories and PASID tables in any order.
 *
 * The hardware walks a root table in which every entry but those of context tables
 * in the list is zero, and context tables in which every entry but those of kept
 * devices is zero. What is not zero is fully given by the records:
 *
 * In legacy mode a context entry has domain ID hw_id, address width
 * pt.top_level - 1, the table top, and translation of untranslated requests alone,
 * or with %IOMMU_LU_VTD_ATS of all kinds; faults are reported.
 *
 * In scalable mode a context entry leads to the PASID directory of its device, with
 * the PASID of requests without one being 0, page requests off, and the bits that
 * the flags of the device stand for. In that directory every entry but those of
 * PASID tables in the list is zero, and in these every entry but those of
 * attachments, where %IOMMU_LU_NO_PASID is entry 0. A PASID table entry has domain
 * ID hw_id, the table top, the stage that the format of the table belongs to
 * ("vtdss": second, "x86_64": first) and its number of levels, and the snoop bits
 * that the flags of domain and table stand for. One of the first stage has the
 * address width of the unit too, the widest of its capability register.
 */

/* Version of all payloads of IOMMU_LU_TYPE_VTD */
#define IOMMU_LU_VTD_VERSION	1

/* struct iommu_lu_vtd_unit_ser::mode */
#define IOMMU_LU_VTD_LEGACY	0U
#define IOMMU_LU_VTD_SCALABLE	1U

/**
 * struct iommu_lu_vtd_unit_ser - Payload of a VT-d unit
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  mode                            reserved
 *      8  cap
 *     16  ecap
 *
 * @mode:     IOMMU_LU_VTD_LEGACY or IOMMU_LU_VTD_SCALABLE
 * @reserved: Zero
 * @cap:      Capability register
 * @ecap:     Extended capability register
 */
struct iommu_lu_vtd_unit_ser {
	u32 mode;
	u32 reserved;
	u64 cap;
	u64 ecap;
} __packed;
static_assert(sizeof(struct iommu_lu_vtd_unit_ser) == 24);
static_assert(offsetof(struct iommu_lu_vtd_unit_ser, reserved) == 4);
static_assert(offsetof(struct iommu_lu_vtd_unit_ser, cap) == 8);
static_assert(offsetof(struct iommu_lu_vtd_unit_ser, ecap) == 16);

/* struct iommu_lu_vtd_domain_ser::flags */
#define IOMMU_LU_VTD_FORCE_SNOOP	0x1U
#define IOMMU_LU_VTD_DOMAIN_FLAGS	IOMMU_LU_VTD_FORCE_SNOOP

/**
 * struct iommu_lu_vtd_domain_ser - Payload of a domain of VT-d
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  flags                           reserved
 *      8  pt, 32 bytes ..................................................
 *
 * @flags:    IOMMU_LU_VTD_FORCE_SNOOP
 * @reserved: Zero
 * @pt:       Its page table
 */
struct iommu_lu_vtd_domain_ser {
	u32 flags;
	u32 reserved;
	struct iommu_pt_ser pt;
} __packed;
static_assert(sizeof(struct iommu_lu_vtd_domain_ser) == 40);
static_assert(offsetof(struct iommu_lu_vtd_domain_ser, reserved) == 4);
static_assert(offsetof(struct iommu_lu_vtd_domain_ser, pt) == 8);

/* struct iommu_lu_vtd_device_ser::flags */
#define IOMMU_LU_VTD_ATS		0x1U
#define IOMMU_LU_VTD_PASID		0x2U
#define IOMMU_LU_VTD_DEVICE_FLAGS	(IOMMU_LU_VTD_ATS | IOMMU_LU_VTD_PASID)

/**
 * struct iommu_lu_vtd_device_ser - Payload of a device behind VT-d
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  dir
 *      8  dir_order                       flags
 *
 * @dir:       Physical address of its PASID directory; 0 in legacy mode
 * @dir_order: log2 of the size of the directory in pages; 0 in legacy mode
 * @flags:     IOMMU_LU_VTD_ATS: translation requests and translated requests are
 *             served; IOMMU_LU_VTD_PASID: so are requests with a PASID
 */
struct iommu_lu_vtd_device_ser {
	u64 dir;
	u32 dir_order;
	u32 flags;
} __packed;
static_assert(sizeof(struct iommu_lu_vtd_device_ser) == 16);
static_assert(offsetof(struct iommu_lu_vtd_device_ser, dir_order) == 8);
static_assert(offsetof(struct iommu_lu_vtd_device_ser, flags) == 12);

#endif /* _LINUX_KHO_ABI_IOMMU_VTD_H */
