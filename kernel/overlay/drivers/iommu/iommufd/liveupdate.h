/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __IOMMUFD_LIVEUPDATE_H
#define __IOMMUFD_LIVEUPDATE_H

#include <linux/types.h>

#include "iommufd_private.h"

struct iommufd_lu_ser;
struct iopt_area;
struct liveupdate_file_op_args;

extern const struct file_operations iommufd_fops;

#ifdef CONFIG_IOMMUFD_LIVEUPDATE

int iommufd_lu_init(void);
void iommufd_lu_exit(void);
int iommufd_lu_preserve(struct iommufd_ucmd *ucmd);
int iommufd_lu_unpreserve(struct iommufd_ucmd *ucmd);
int iommufd_lu_restore(struct iommufd_ucmd *ucmd);
bool iommufd_lu_busy(struct iommufd_ctx *ictx, u32 id);
void iommufd_lu_hwpt_destroy(struct iommufd_hwpt_paging *hwpt_paging);
void iommufd_lu_release(struct iommufd_ctx *ictx);
const char *iommufd_lu_ser_error(const struct iommufd_lu_ser *ser, size_t max);

/* liveupdate-map-list.c */
int iommufd_lu_maps(struct iommufd_ucmd *ucmd);

/* liveupdate-maps.c */
int iommufd_lu_fix_ioas(const struct liveupdate_file_op_args *args,
			struct iommufd_hwpt_paging *hwpt);
void iommufd_lu_unfix_ioas(struct iommufd_ioas *ioas);
int iommufd_lu_check_bars(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas);
bool iommufd_lu_clear(struct iopt_area *area, struct iommu_domain *domain);

static inline bool iommufd_lu_fixed(const struct io_pagetable *iopt)
{
	return iopt->lu_fixed;
}

#else

static inline int iommufd_lu_init(void)
{
	return 0;
}

static inline void iommufd_lu_exit(void)
{
}

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

static inline bool iommufd_lu_clear(struct iopt_area *area,
				    struct iommu_domain *domain)
{
	return false;
}

static inline bool iommufd_lu_fixed(const struct io_pagetable *iopt)
{
	return false;
}

#endif
#endif /* __IOMMUFD_LIVEUPDATE_H */
