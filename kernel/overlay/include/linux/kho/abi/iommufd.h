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
 * &struct iommufd_lu_ser, followed by @nr_hwpts entries, in whole pages that are
 * preserved as one. It is restored when the session is finished. All numbers are
 * in CPU byte order, all unknown flag bits are zero. A change of the layout takes
 * a new number in %IOMMUFD_LU_COMPATIBLE::
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
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  token
 *      8  domain                          flags
 *
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
static_assert(offsetof(struct iommufd_lu_hwpt_ser, token) == 0);
static_assert(offsetof(struct iommufd_lu_hwpt_ser, domain) == 8);
static_assert(offsetof(struct iommufd_lu_hwpt_ser, flags) == 12);

/**
 * struct iommufd_lu_ser - One kept iommufd
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  size
 *      8  nr_hwpts
 *     16  hwpts, 16 bytes each ..........................................
 *
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
static_assert(offsetof(struct iommufd_lu_ser, size) == 0);
static_assert(offsetof(struct iommufd_lu_ser, nr_hwpts) == 8);
static_assert(offsetof(struct iommufd_lu_ser, hwpts) == 16);

#endif /* _LINUX_KHO_ABI_IOMMUFD_H */
