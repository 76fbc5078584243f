/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __IOMMUFD_LIVEUPDATE_H
#define __IOMMUFD_LIVEUPDATE_H

#include <linux/types.h>

struct iommufd_ctx;
struct iommufd_hwpt_paging;
struct iommufd_ucmd;

#ifdef CONFIG_IOMMUFD_LIVEUPDATE

int iommufd_lu_preserve(struct iommufd_ucmd *ucmd);
int iommufd_lu_unpreserve(struct iommufd_ucmd *ucmd);
int iommufd_lu_restore(struct iommufd_ucmd *ucmd);
bool iommufd_lu_busy(struct iommufd_ctx *ictx, u32 id);
void iommufd_lu_hwpt_destroy(struct iommufd_hwpt_paging *hwpt_paging);
void iommufd_lu_release(struct iommufd_ctx *ictx);

extern const struct file_operations iommufd_fops;

#define IOMMUFD_LU_IOCTLS                                                      \
	IOCTL_OP(IOMMU_HWPT_LU_PRESERVE, iommufd_lu_preserve,                  \
		 struct iommu_hwpt_lu_preserve, token),                        \
	IOCTL_OP(IOMMU_HWPT_LU_RESTORE, iommufd_lu_restore,                    \
		 struct iommu_hwpt_lu_restore, token),                         \
	IOCTL_OP(IOMMU_HWPT_LU_UNPRESERVE, iommufd_lu_unpreserve,              \
		 struct iommu_hwpt_lu_unpreserve, hwpt_id),

#else

static inline bool iommufd_lu_busy(struct iommufd_ctx *ictx, u32 id)
{
	return false;
}

static inline void
iommufd_lu_hwpt_destroy(struct iommufd_hwpt_paging *hwpt_paging)
{
}

static inline void iommufd_lu_release(struct iommufd_ctx *ictx)
{
}

#define IOMMUFD_LU_IOCTLS

#endif
#endif /* __IOMMUFD_LIVEUPDATE_H */
