// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/ioctl.h>

#include "type1.h"
#include "uapi.h"

int type1_map(int iommufd, void *p, uint64_t bytes, uint64_t iova)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)p,
		.iova = iova,
		.size = bytes,
	};

	return ioctl(iommufd, VFIO_IOMMU_MAP_DMA, &cmd) ? -errno : 0;
}

static int unmap(int iommufd, uint64_t iova, uint64_t bytes, uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.iova = iova,
		.size = bytes,
	};

	return ioctl(iommufd, VFIO_IOMMU_UNMAP_DMA, &cmd) ? -errno : 0;
}

int type1_unmap(int iommufd, uint64_t iova, uint64_t bytes)
{
	return unmap(iommufd, iova, bytes, 0);
}

int type1_unmap_all(int iommufd)
{
	return unmap(iommufd, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL);
}
