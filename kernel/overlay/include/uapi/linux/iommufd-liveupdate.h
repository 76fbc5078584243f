/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Keeping HWPTs across a live update, and what an IOAS maps; included by
 * <linux/iommufd.h>
 */
#ifndef _UAPI_IOMMUFD_LIVEUPDATE_H
#define _UAPI_IOMMUFD_LIVEUPDATE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Not assigned by anybody: they stay until iommufd.h gives others */
enum {
	IOMMUFD_CMD_HWPT_LU_PRESERVE = 0x96,
	IOMMUFD_CMD_HWPT_LU_UNPRESERVE = 0x97,
	IOMMUFD_CMD_HWPT_LU_RESTORE = 0x98,
	IOMMUFD_CMD_IOAS_LU_MAPS = 0x99,
};

/**
 * struct iommu_hwpt_lu_preserve - ioctl(IOMMU_HWPT_LU_PRESERVE)
 * @size:    sizeof(struct iommu_hwpt_lu_preserve)
 * @hwpt_id: The HWPT
 * @token:   The name under which it is found again in the next kernel. Unique
 *           in the iommufd, else of the user's choice.
 *
 * Mark a HWPT: when the iommufd is preserved in a live update session, this
 * HWPT is kept. The mark is gone when it is taken back or the HWPT destroyed.
 *
 * Errors: ENOENT no object @hwpt_id; EINVAL it is no HWPT; EADDRINUSE @token is
 * in use; EBUSY the HWPT has another mark, came from the previous kernel, or the
 * iommufd is preserved; EOPNOTSUPP a HWPT that cannot be kept: nested, parent of
 * a nested one, able to take faults, or made by attaching to an IOAS.
 */
struct iommu_hwpt_lu_preserve {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 token;
};

#define IOMMU_HWPT_LU_PRESERVE _IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_LU_PRESERVE)

/**
 * struct iommu_hwpt_lu_unpreserve - ioctl(IOMMU_HWPT_LU_UNPRESERVE)
 * @size:    sizeof(struct iommu_hwpt_lu_unpreserve)
 * @hwpt_id: The HWPT
 *
 * Take back the mark of a HWPT.
 *
 * Errors: ENOENT no object @hwpt_id, or it has no mark; EINVAL it is no HWPT;
 * EBUSY the iommufd is preserved.
 */
struct iommu_hwpt_lu_unpreserve {
	__u32 size;
	__u32 hwpt_id;
};

#define IOMMU_HWPT_LU_UNPRESERVE \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_LU_UNPRESERVE)

/**
 * struct iommu_hwpt_lu_restore - ioctl(IOMMU_HWPT_LU_RESTORE)
 * @size:        sizeof(struct iommu_hwpt_lu_restore)
 * @out_hwpt_id: The ID of the HWPT in this iommufd
 * @token:       The name it was marked with
 *
 * Find a HWPT that came from the previous kernel. It can be attached and
 * replaced, nothing can be mapped or unmapped in it. It can be destroyed when
 * no device is attached to it. The answer stays the same until then.
 *
 * Errors: ENOENT no HWPT came with @token, or it is destroyed.
 */
struct iommu_hwpt_lu_restore {
	__u32 size;
	__u32 out_hwpt_id;
	__aligned_u64 token;
};

#define IOMMU_HWPT_LU_RESTORE _IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_LU_RESTORE)

/**
 * enum iommu_lu_map_type - What is mapped
 * @IOMMU_LU_MAP_MEMORY: Memory of the process that has mapped it, by its address
 * @IOMMU_LU_MAP_FILE:   Memory of a file
 * @IOMMU_LU_MAP_DMABUF: A dma-buf
 */
enum iommu_lu_map_type {
	IOMMU_LU_MAP_MEMORY = 0,
	IOMMU_LU_MAP_FILE = 1,
	IOMMU_LU_MAP_DMABUF = 2,
};

/**
 * struct iommu_lu_map - A range that an IOAS maps
 * @iova:   Its first IOVA
 * @length: How many bytes
 * @start:  The first byte of what is mapped: an address in the process that has
 *          mapped it, or an offset in the file
 * @type:   &enum iommu_lu_map_type
 * @prot:   IOMMU_IOAS_MAP_READABLE and IOMMU_IOAS_MAP_WRITEABLE
 * @dev:    Of the file or dma-buf, st_dev as stat() tells it; else 0
 * @ino:    Likewise, st_ino
 */
struct iommu_lu_map {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 start;
	__u32 type;
	__u32 prot;
	__aligned_u64 dev;
	__aligned_u64 ino;
};

/* struct iommu_ioas_lu_maps::flags */
#define IOMMU_LU_MAPS_MORE 1

/**
 * struct iommu_ioas_lu_maps - ioctl(IOMMU_IOAS_LU_MAPS)
 * @size:    sizeof(struct iommu_ioas_lu_maps)
 * @ioas_id: The IOAS
 * @iova:    Input; from which IOVA on. A map that it is in the middle of is told
 *           of as a whole. Output; where to go on: behind the last map told of,
 *           as it was when there was none
 * @nr:      Input; for how many maps there is room. Output; how many were filled in
 * @flags:   Output; %IOMMU_LU_MAPS_MORE when more follow
 * @maps:    Input; address of an array of &struct iommu_lu_map, which is filled in
 *           the order of IOVAs
 *
 * Ask what an IOAS maps. Nothing is changed. What one call tells of is of one
 * moment; it may be less than there is room for. In an IOAS that came from the
 * previous kernel nothing is mapped.
 *
 * Errors: ENOENT no IOAS @ioas_id; EFAULT @maps cannot be written to; ENOMEM.
 */
struct iommu_ioas_lu_maps {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__u32 nr;
	__u32 flags;
	__aligned_u64 maps;
};

#define IOMMU_IOAS_LU_MAPS _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_LU_MAPS)

#endif /* _UAPI_IOMMUFD_LIVEUPDATE_H */
