/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel interface these programs use. The three live update calls of
 * iommufd are spelled out for headers of a kernel that does not have them, so
 * that the same binary also runs, and is refused, on such a kernel.
 */
#ifndef LU_UAPI_H
#define LU_UAPI_H

#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/types.h>
#include <linux/vfio.h>

/*
 * Of the kernel's linux/iommufd-liveupdate.h, which has the numbers. This copy is
 * for a build against the headers of the system, and has to be kept equal.
 */
#ifndef IOMMU_HWPT_LU_PRESERVE
struct iommu_hwpt_lu_preserve {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 token;
};

struct iommu_hwpt_lu_unpreserve {
	__u32 size;
	__u32 hwpt_id;
};

struct iommu_hwpt_lu_restore {
	__u32 size;
	__u32 out_hwpt_id;
	__aligned_u64 token;
};

#define IOMMU_HWPT_LU_PRESERVE _IO(IOMMUFD_TYPE, 0x96)
#define IOMMU_HWPT_LU_UNPRESERVE _IO(IOMMUFD_TYPE, 0x97)
#define IOMMU_HWPT_LU_RESTORE _IO(IOMMUFD_TYPE, 0x98)
#endif

#endif
