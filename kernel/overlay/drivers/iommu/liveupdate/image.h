/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which handovers the next kernel reads, known before it runs
 */
#ifndef __IOMMU_LIVEUPDATE_IMAGE_H
#define __IOMMU_LIVEUPDATE_IMAGE_H

#include <linux/types.h>

struct kimage;
struct lu_image_ser;

const struct lu_image_ser *lu_image_find(const void *buf, size_t len);
int iommu_lu_check_image(const struct kimage *image);

#endif /* __IOMMU_LIVEUPDATE_IMAGE_H */
