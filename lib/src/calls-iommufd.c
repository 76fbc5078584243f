// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "calls.h"

#define OPTION_RLIMIT_MODE 0
#define OPTION_GET 1

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

bool lui_is_iommufd(int fd)
{
	struct lui_option cmd = {
		.size = sizeof(cmd),
		.option_id = OPTION_RLIMIT_MODE,
		.op = OPTION_GET,
	};

	return !call(fd, LUI_OPTION, &cmd);
}

int lui_destroy(int iommufd, uint32_t id)
{
	struct lui_destroy cmd = { .size = sizeof(cmd), .id = id };

	return call(iommufd, LUI_DESTROY, &cmd);
}

int lui_ioas_alloc(int iommufd, uint32_t *ret_id)
{
	struct lui_ioas_alloc cmd = { .size = sizeof(cmd) };
	int rc = call(iommufd, LUI_IOAS_ALLOC, &cmd);

	if (!rc)
		*ret_id = cmd.out_ioas_id;
	return rc;
}

int lui_hwpt_alloc(int iommufd, uint32_t devid, uint32_t ioas, uint32_t flags,
		   uint32_t *ret_id)
{
	struct lui_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = devid,
		.pt_id = ioas,
	};
	int rc = call(iommufd, LUI_HWPT_ALLOC, &cmd);

	if (!rc)
		*ret_id = cmd.out_hwpt_id;
	return rc;
}

int lui_map_file(int iommufd, uint32_t ioas, uint64_t iova, uint64_t length,
		 int fd, uint64_t offset, uint32_t prot)
{
	struct lui_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = LUI_MAP_FIXED_IOVA |
			 (prot & LU_READ ? LUI_MAP_READABLE : 0) |
			 (prot & LU_WRITE ? LUI_MAP_WRITEABLE : 0),
		.ioas_id = ioas,
		.fd = fd,
		.start = offset,
		.length = length,
		.iova = iova,
	};

	return call(iommufd, LUI_IOAS_MAP_FILE, &cmd);
}

int lui_ioas_maps(int iommufd, uint32_t ioas, uint64_t *iova,
		  struct lui_map *maps, uint32_t room, uint32_t *ret_nr)
{
	struct lui_ioas_maps cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = *iova,
		.nr = room,
		.maps = (uintptr_t)maps,
	};
	int rc = call(iommufd, LUI_IOAS_MAPS, &cmd);

	if (rc)
		return rc;
	*iova = cmd.iova;
	*ret_nr = cmd.nr;
	return cmd.flags & LUI_MAPS_MORE ? 1 : 0;
}

int lu_hwpt_mark(int iommufd, uint32_t hwpt, uint64_t token)
{
	struct lui_hwpt_preserve cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.token = token,
	};

	return call(iommufd, LUI_HWPT_PRESERVE, &cmd);
}

int lu_hwpt_unmark(int iommufd, uint32_t hwpt)
{
	struct lui_hwpt_unpreserve cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
	};

	return call(iommufd, LUI_HWPT_UNPRESERVE, &cmd);
}

int lu_hwpt_restored(int iommufd, uint64_t token, uint32_t *ret_hwpt)
{
	struct lui_hwpt_restore cmd = {
		.size = sizeof(cmd),
		.token = token,
	};
	int rc = call(iommufd, LUI_HWPT_RESTORE, &cmd);

	if (!rc)
		*ret_hwpt = cmd.out_hwpt_id;
	return rc;
}
