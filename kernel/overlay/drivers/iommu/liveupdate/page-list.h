/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages a unit or a domain owns
 */
#ifndef __IOMMU_LIVEUPDATE_PAGE_LIST_H
#define __IOMMU_LIVEUPDATE_PAGE_LIST_H

#include <linux/types.h>

struct iommu_lu_pages;
struct iommu_lu_pages_ser;

void iommu_lu_pages_init(struct iommu_lu_pages *pages, u32 kind, u32 owner);
int iommu_lu_pages_del(struct iommu_lu_pages *pages, phys_addr_t phys);
void iommu_lu_pages_seal(struct iommu_lu_pages *pages);
void iommu_lu_pages_drop(struct iommu_lu_pages *pages);
phys_addr_t iommu_lu_pages_phys(const struct iommu_lu_pages *pages);

/* Told of each entry, and before of each page of the list; an error ends it */
typedef int (*iommu_lu_pages_fn)(void *arg, phys_addr_t phys,
				 unsigned int order);

const char *iommu_lu_pages_read(struct iommu_lu_pages *pages, u64 phys, u64 nr,
				iommu_lu_pages_fn own, iommu_lu_pages_fn entry,
				void *arg);
void iommu_lu_pages_forget(struct iommu_lu_pages *pages);
void iommu_lu_pages_free(struct iommu_lu_pages *pages);

#endif /* __IOMMU_LIVEUPDATE_PAGE_LIST_H */
