/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel hands to the next about an iommufd
 */
#ifndef _LINUX_KHO_ABI_IOMMUFD_H
#define _LINUX_KHO_ABI_IOMMUFD_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * DOC: iommufd live update ABI
 *
 * The u64 of a preserved iommufd is the physical address of a
 * &struct iommufd_lu_ser, followed by @nr_hwpts entries. A change of the layout
 * takes a new number in %IOMMUFD_LU_COMPATIBLE::
 *
 *   LUO file data ---> [size|nr_hwpts][token|domain][token|domain]...
 *                                           |
 *                                           +--> slot in the IOMMU core's FLB
 */
#define IOMMUFD_LU_COMPATIBLE	"iommufd-v1"

/* struct iommufd_lu_hwpt_ser::flags */
#define IOMMUFD_LU_HWPT_ENFORCE_CC	0x1U
#define IOMMUFD_LU_HWPT_PASID		0x2U

/**
 * struct iommufd_lu_hwpt_ser - One kept HWPT
 * @token:  The user's name for it, unique in its iommufd
 * @domain: Slot of its domain, see &struct iommu_lu_domain_ser
 * @flags:  IOMMUFD_LU_HWPT_*
 */
struct iommufd_lu_hwpt_ser {
	u64 token;
	u32 domain;
	u32 flags;
} __packed;
static_assert(sizeof(struct iommufd_lu_hwpt_ser) == 16);

/**
 * struct iommufd_lu_ser - One kept iommufd
 * @size:     Size of the whole in bytes, this header included
 * @nr_hwpts: Entries in @hwpts, at least 1
 * @hwpts:    The kept HWPTs
 */
struct iommufd_lu_ser {
	u64 size;
	u64 nr_hwpts;
	struct iommufd_lu_hwpt_ser hwpts[];
} __packed;
static_assert(sizeof(struct iommufd_lu_ser) == 16);

#endif /* _LINUX_KHO_ABI_IOMMUFD_H */
