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
 *   LUO file data ---> [magic|crc|size|nr][token|domain][token|domain]...
 *                                                |
 *                             slot in the IOMMU core's FLB, whose user is the
 *                             address of this entry
 */
#define IOMMUFD_LU_COMPATIBLE	"iommufd-v1"

#define IOMMUFD_LU_MAGIC	0x494c5546U

/* struct iommufd_lu_hwpt_ser::flags */
#define IOMMUFD_LU_HWPT_ENFORCE_CC	0x1U
#define IOMMUFD_LU_HWPT_PASID		0x2U
#define IOMMUFD_LU_HWPT_FLAGS		0x3U

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
static_assert(offsetof(struct iommufd_lu_hwpt_ser, domain) == 8);
static_assert(offsetof(struct iommufd_lu_hwpt_ser, flags) == 12);

/**
 * struct iommufd_lu_ser - One kept iommufd
 *
 * ::
 *
 *   byte  0       1       2       3       4       5       6       7
 *      0  magic                           crc
 *      8  size
 *     16  nr_hwpts
 *     24  hwpts, 16 bytes each ..........................................
 *
 * @magic:    %IOMMUFD_LU_MAGIC
 * @crc:      crc32c() of what follows, @size less the 8 bytes up to here,
 *            started with the page frame number
 * @size:     Size of the whole in bytes, this header included
 * @nr_hwpts: Entries in @hwpts, at least 1
 * @hwpts:    The kept HWPTs
 */
struct iommufd_lu_ser {
	u32 magic;
	u32 crc;
	u64 size;
	u64 nr_hwpts;
	struct iommufd_lu_hwpt_ser hwpts[];
} __packed;
static_assert(sizeof(struct iommufd_lu_ser) == 24);
static_assert(offsetof(struct iommufd_lu_ser, crc) == 4);
static_assert(offsetof(struct iommufd_lu_ser, size) == 8);
static_assert(offsetof(struct iommufd_lu_ser, nr_hwpts) == 16);
static_assert(offsetof(struct iommufd_lu_ser, hwpts) == 24);

#endif /* _LINUX_KHO_ABI_IOMMUFD_H */
