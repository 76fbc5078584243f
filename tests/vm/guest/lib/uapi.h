/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel interface these programs use. The calls for live update that are ours
 * are spelled out for headers of a kernel that does not have them, so
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

#ifndef IOMMU_IOAS_LU_MAPS
enum iommu_lu_map_type {
	IOMMU_LU_MAP_MEMORY = 0,
	IOMMU_LU_MAP_FILE = 1,
	IOMMU_LU_MAP_DMABUF = 2,
};

struct iommu_lu_map {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 start;
	__u32 type;
	__u32 prot;
	__aligned_u64 dev;
	__aligned_u64 ino;
};

#define IOMMU_LU_MAPS_MORE 1

struct iommu_ioas_lu_maps {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__u32 nr;
	__u32 flags;
	__aligned_u64 maps;
};

#define IOMMU_IOAS_LU_MAPS _IO(IOMMUFD_TYPE, 0x99)
#endif

/* The same of linux/liveupdate-info.h. */
#ifndef LIVEUPDATE_SESSION_GET_INFO
enum liveupdate_session_state {
	LIVEUPDATE_SESSION_OUTGOING = 0,
	LIVEUPDATE_SESSION_INCOMING = 1,
	LIVEUPDATE_SESSION_FINISHED = 2,
};

enum liveupdate_file_state {
	LIVEUPDATE_FILE_PRESERVED = 0,
	LIVEUPDATE_FILE_WAITING = 1,
	LIVEUPDATE_FILE_RETRIEVED = 2,
	LIVEUPDATE_FILE_FAILED = 3,
	LIVEUPDATE_FILE_UNCLAIMED = 4,
};

struct liveupdate_file_info {
	__aligned_u64 token;
	__u32 state;
	__u32 pad;
	char compatible[48];
};

struct liveupdate_session_get_info {
	__u32 size;
	__u32 state;
	__u32 nr_files;
	__u32 max_files;
	__aligned_u64 files;
};

#define LIVEUPDATE_SESSION_GET_INFO _IO(LIVEUPDATE_IOCTL_TYPE, 0x60)
#endif

#endif
