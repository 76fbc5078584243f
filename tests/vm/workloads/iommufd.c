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

int ioas_alloc(int iommufd, uint32_t *ret_id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	struct iommu_option huge = {
		.size = sizeof(huge),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = 0,
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

int ioas_map_file(int iommufd, uint32_t ioas, int fd, uint64_t offset,
		  uint64_t bytes, uint64_t iova)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = MAP_FLAGS,
		.ioas_id = ioas,
		.fd = fd,
		.start = offset,
		.length = bytes,
		.iova = iova,
	};

	return call(iommufd, IOMMU_IOAS_MAP_FILE, &cmd);
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
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = devid,
		.pt_id = ioas,
	};
	int rc = call(iommufd, IOMMU_HWPT_ALLOC, &cmd);

	if (!rc)
		*ret_id = cmd.out_hwpt_id;
	return rc;
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
