/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Keeping HWPTs across a live update, included by <linux/iommufd.h>
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

#endif /* _UAPI_IOMMUFD_LIVEUPDATE_H */
