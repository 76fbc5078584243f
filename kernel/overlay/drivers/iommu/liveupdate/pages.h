/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __IOMMU_PAGES_LIVEUPDATE_H
#define __IOMMU_PAGES_LIVEUPDATE_H

#include <linux/types.h>

int iommu_page_preserve(void *virt);
void iommu_page_unpreserve(void *virt);
size_t iommu_preserved_size(phys_addr_t phys);
void iommu_preserved_free(void *virt);
bool iommu_page_preserved(phys_addr_t phys);
void *iommu_page_restore(phys_addr_t phys);

#endif /* __IOMMU_PAGES_LIVEUPDATE_H */
