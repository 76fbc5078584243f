/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this kernel reads, for the two places that carry it: the kernel itself,
 * and the part of its image that is not compressed. This is the one list of all
 * subsystems that hand something over.
 */
#ifndef __LINUX_LIVEUPDATE_IMAGE_H
#define __LINUX_LIVEUPDATE_IMAGE_H

#include <linux/kho/abi/image.h>
#include <linux/kho/abi/iommu.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/luo.h>
#include <linux/kho/abi/memfd.h>
#include <linux/kho/abi/pci.h>
#include <linux/kho/abi/vfio_pci.h>

/* Every subsystem that has records has a line here, and one in lu_image */
enum {
	LU_IMAGE_KHO,
	LU_IMAGE_LUO,
	LU_IMAGE_MEMFD,
#if IS_ENABLED(CONFIG_PCI_LIVEUPDATE)
	LU_IMAGE_PCI,
#endif
#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)
	LU_IMAGE_IOMMU,
#endif
#if IS_ENABLED(CONFIG_IOMMUFD_LIVEUPDATE)
	LU_IMAGE_IOMMUFD,
#endif
#if IS_ENABLED(CONFIG_VFIO_PCI_LIVEUPDATE)
	LU_IMAGE_VFIO_PCI,
#endif
	LU_IMAGE_NAMES
};

struct lu_image {
	u64 magic0;
	u64 magic1;
	u32 length;
	u32 count;
	char names[LU_IMAGE_NAMES][LU_IMAGE_NAME_LEN];
};

static_assert(offsetof(struct lu_image, names) == sizeof(struct lu_image_ser));
static_assert(sizeof(struct lu_image) ==
	      sizeof(struct lu_image_ser) + LU_IMAGE_NAMES * LU_IMAGE_NAME_LEN);
static_assert(LU_IMAGE_NAMES <= LU_IMAGE_MAX_NAMES);

static const struct lu_image lu_image __used __aligned(LU_IMAGE_ALIGN) = {
	.magic0 = LU_IMAGE_MAGIC0,
	.magic1 = LU_IMAGE_MAGIC1,
	.length = sizeof(struct lu_image),
	.count = LU_IMAGE_NAMES,
	.names = {
		[LU_IMAGE_KHO] = KHO_FDT_COMPATIBLE,
		[LU_IMAGE_LUO] = LUO_ABI_COMPATIBLE,
		[LU_IMAGE_MEMFD] = MEMFD_LUO_FH_COMPATIBLE,
#if IS_ENABLED(CONFIG_PCI_LIVEUPDATE)
		[LU_IMAGE_PCI] = PCI_LU_FLB_COMPATIBLE,
#endif
#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)
		[LU_IMAGE_IOMMU] = IOMMU_LU_FLB_COMPATIBLE,
#endif
#if IS_ENABLED(CONFIG_IOMMUFD_LIVEUPDATE)
		[LU_IMAGE_IOMMUFD] = IOMMUFD_LU_COMPATIBLE,
#endif
#if IS_ENABLED(CONFIG_VFIO_PCI_LIVEUPDATE)
		[LU_IMAGE_VFIO_PCI] = VFIO_PCI_LU_COMPATIBLE,
#endif
	},
};

#endif /* __LINUX_LIVEUPDATE_IMAGE_H */
