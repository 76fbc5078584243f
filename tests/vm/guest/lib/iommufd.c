// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "iommufd.h"
#include "uapi.h"

#define MAP_FLAGS                                               \
	(IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | \
	 IOMMU_IOAS_MAP_READABLE)

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

int iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int iommufd_destroy(int iommufd, uint32_t id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return call(iommufd, IOMMU_DESTROY, &cmd);
}

static int alloc(int iommufd, bool huge_pages, uint32_t *ret_id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	struct iommu_option huge = {
		.size = sizeof(huge),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = huge_pages,
	};
	int rc;

	rc = call(iommufd, IOMMU_IOAS_ALLOC, &cmd);
	if (rc)
		return rc;
	huge.object_id = cmd.out_ioas_id;
	rc = call(iommufd, IOMMU_OPTION, &huge);
	if (rc) {
		iommufd_destroy(iommufd, cmd.out_ioas_id);
		return rc;
	}
	*ret_id = cmd.out_ioas_id;
	return 0;
}

int ioas_alloc(int iommufd, uint32_t *ret_id)
{
	return alloc(iommufd, false, ret_id);
}

int ioas_alloc_huge(int iommufd, uint32_t *ret_id)
{
	return alloc(iommufd, true, ret_id);
}

static int map_file(int iommufd, uint32_t ioas, int fd, uint64_t offset,
		    uint64_t bytes, uint64_t iova, uint32_t flags)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.fd = fd,
		.start = offset,
		.length = bytes,
		.iova = iova,
	};

	return call(iommufd, IOMMU_IOAS_MAP_FILE, &cmd);
}

int ioas_map_file(int iommufd, uint32_t ioas, int fd, uint64_t offset,
		  uint64_t bytes, uint64_t iova)
{
	return map_file(iommufd, ioas, fd, offset, bytes, iova, MAP_FLAGS);
}

int ioas_map_file_read(int iommufd, uint32_t ioas, int fd, uint64_t offset,
		       uint64_t bytes, uint64_t iova)
{
	return map_file(iommufd, ioas, fd, offset, bytes, iova,
			MAP_FLAGS & ~IOMMU_IOAS_MAP_WRITEABLE);
}

int ioas_copy(int iommufd, uint32_t to, uint64_t to_iova, uint32_t from,
	      uint64_t from_iova, uint64_t bytes)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = MAP_FLAGS,
		.dst_ioas_id = to,
		.src_ioas_id = from,
		.length = bytes,
		.dst_iova = to_iova,
		.src_iova = from_iova,
	};

	return call(iommufd, IOMMU_IOAS_COPY, &cmd);
}

int ioas_change_process(int iommufd)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	return call(iommufd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
}

int ioas_compatible(int iommufd, uint32_t ioas)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.op = IOMMU_VFIO_IOAS_SET,
	};

	return call(iommufd, IOMMU_VFIO_IOAS, &cmd);
}

int ioas_map_memory(int iommufd, uint32_t ioas, void *memory, uint64_t bytes,
		    uint64_t iova)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = MAP_FLAGS,
		.ioas_id = ioas,
		.user_va = (uintptr_t)memory,
		.length = bytes,
		.iova = iova,
	};

	return call(iommufd, IOMMU_IOAS_MAP, &cmd);
}

int ioas_unmap(int iommufd, uint32_t ioas, uint64_t iova, uint64_t bytes)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = bytes,
	};

	return call(iommufd, IOMMU_IOAS_UNMAP, &cmd);
}

int hwpt_alloc(int iommufd, uint32_t devid, uint32_t ioas, uint32_t *ret_id)
{
	return hwpt_alloc_flags(iommufd, devid, ioas, 0, 0, ret_id);
}

int hwpt_alloc_flags(int iommufd, uint32_t devid, uint32_t ioas, uint32_t flags,
		     uint32_t fault, uint32_t *ret_id)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = devid,
		.pt_id = ioas,
		.fault_id = fault,
	};
	int rc = call(iommufd, IOMMU_HWPT_ALLOC, &cmd);

	if (!rc)
		*ret_id = cmd.out_hwpt_id;
	return rc;
}

int fault_queue_alloc(int iommufd, uint32_t *ret_id, int *ret_fd)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int rc = call(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	if (!rc) {
		*ret_id = cmd.out_fault_id;
		*ret_fd = cmd.out_fault_fd;
	}
	return rc;
}

int hwpt_dirty_tracking(int iommufd, uint32_t hwpt, bool on)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = hwpt,
	};

	return call(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

int hwpt_dirty_bitmap(int iommufd, uint32_t hwpt, uint64_t iova,
		      uint64_t bytes)
{
	static uint64_t bits[4096];
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.iova = iova,
		.length = bytes,
		.page_size = 4096,
		.data = (uintptr_t)bits,
	};

	return call(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

int ioas_maps(int iommufd, uint32_t ioas, uint64_t *iova,
	      struct iommu_lu_map *maps, uint32_t *nr)
{
	struct iommu_ioas_lu_maps cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = *iova,
		.nr = *nr,
		/* It says nothing on the way in */
		.flags = ~0u,
		.maps = (uintptr_t)maps,
	};
	int rc = call(iommufd, IOMMU_IOAS_LU_MAPS, &cmd);

	if (rc)
		return rc;
	*iova = cmd.iova;
	*nr = cmd.nr;
	return cmd.flags == IOMMU_LU_MAPS_MORE ? 1 : cmd.flags ? -EPROTO : 0;
}

int hwpt_mark(int iommufd, uint32_t hwpt, uint64_t token)
{
	struct iommu_hwpt_lu_preserve cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.token = token,
	};

	return call(iommufd, IOMMU_HWPT_LU_PRESERVE, &cmd);
}

int hwpt_unmark(int iommufd, uint32_t hwpt)
{
	struct iommu_hwpt_lu_unpreserve cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
	};

	return call(iommufd, IOMMU_HWPT_LU_UNPRESERVE, &cmd);
}

int hwpt_restore(int iommufd, uint64_t token, uint32_t *ret_id)
{
	struct iommu_hwpt_lu_restore cmd = {
		.size = sizeof(cmd),
		.token = token,
	};
	int rc = call(iommufd, IOMMU_HWPT_LU_RESTORE, &cmd);

	if (!rc)
		*ret_id = cmd.out_hwpt_id;
	return rc;
}
