// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "error.h"
#include "plan.h"

#define MAGIC_HUGETLBFS 0x958458f6

int lu_plan_new(struct lu_plan **ret)
{
	struct lu_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	*ret = plan;
	return 0;
}

void lu_plan_free(struct lu_plan *plan)
{
	if (!plan)
		return;
	lui_parts_free(&plan->parts);
	free(plan);
}

static int copy_of(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

static int memfd_bytes(int fd, uint64_t *ret)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (fcntl(fd, F_GET_SEALS) < 0 || fstatfs(fd, &fs) ||
	    fs.f_type == MAGIC_HUGETLBFS)
		return -EMEDIUMTYPE;
	*ret = st.st_size;
	return 0;
}

int lu_plan_memfd(struct lu_plan *plan, const char *name, int fd)
{
	struct parts *p = &plan->parts;
	uint64_t bytes;
	int copy, rc;

	rc = memfd_bytes(fd, &bytes);
	if (rc)
		return rc;
	copy = copy_of(fd);
	if (copy < 0)
		return copy;
	rc = lui_add_memfd(p, name, bytes);
	if (rc) {
		close(copy);
		return rc;
	}
	p->memfd[p->memfds - 1].fd = copy;
	return 0;
}

int lu_plan_blob(struct lu_plan *plan, const char *name, const void *data,
		 size_t length)
{
	return data ? lui_add_blob(&plan->parts, name, data, length) : -EINVAL;
}

int lu_plan_iommufd(struct lu_plan *plan, const char *name, int fd)
{
	struct parts *p = &plan->parts;
	int copy, rc;

	if (!lui_is_iommufd(fd))
		return fcntl(fd, F_GETFD) < 0 ? -errno : -EMEDIUMTYPE;
	copy = copy_of(fd);
	if (copy < 0)
		return copy;
	rc = lui_add_iommufd(p, name);
	if (rc) {
		close(copy);
		return rc;
	}
	p->iommufd[p->iommufds - 1].fd = copy;
	return 0;
}

int lu_plan_hwpt(struct lu_plan *plan, const char *name, const char *iommufd,
		 uint32_t hwpt, uint32_t flags)
{
	struct parts *p = &plan->parts;
	int rc = lui_add_hwpt(p, name, iommufd, flags);

	if (!rc)
		p->hwpt[p->hwpts - 1].id = hwpt;
	return rc;
}

int lu_plan_map(struct lu_plan *plan, const char *hwpt, uint64_t iova,
		uint64_t length, const char *memfd, uint64_t offset,
		uint32_t prot)
{
	return lui_add_map(&plan->parts, hwpt, iova, length, memfd, offset,
			   prot);
}

int lu_plan_bar(struct lu_plan *plan, const char *hwpt, uint64_t iova,
		uint64_t length, const char *device, uint32_t bar,
		uint64_t offset, uint32_t prot)
{
	return lui_add_bar(&plan->parts, hwpt, iova, length, device, bar,
			   offset, prot);
}

int lu_plan_device(struct lu_plan *plan, const char *name, int fd,
		   const char *hwpt, const char *address)
{
	struct parts *p = &plan->parts;
	char found[LUI_ADDRESS_BYTES] = "";
	int copy, rc;

	rc = lui_device_check(fd);
	if (rc && rc != -EPERM)
		return rc;
	/* Nothing but who binds vfio-pci depends on it. */
	if (!address)
		lui_device_address(fd, found);
	copy = copy_of(fd);
	if (copy < 0)
		return copy;
	rc = lui_add_device(p, name, hwpt, address ? address : found);
	if (rc) {
		close(copy);
		return rc;
	}
	p->device[p->devices - 1].fd = copy;
	return 0;
}

/* The memfd that is this file, or -ENOENT. */
static int memfd_of(const struct parts *p, uint64_t dev, uint64_t ino)
{
	for (unsigned int i = 0; i < p->memfds; i++) {
		struct stat st;

		if (!fstat(p->memfd[i].fd, &st) && st.st_dev == dev &&
		    st.st_ino == ino)
			return i;
	}
	return -ENOENT;
}

/* What a dma-buf is of cannot be asked: it has to be what was told before. */
static bool is_told(const struct parts *p, const char *hwpt,
		    const struct lui_map *map)
{
	for (unsigned int i = 0; i < p->maps; i++)
		if (p->map[i].is_bar && p->map[i].iova == map->iova &&
		    p->map[i].length == map->length &&
		    !strcmp(p->hwpt[p->map[i].hwpt].name, hwpt))
			return true;
	return false;
}

static int add_known(struct lu_plan *plan, const char *hwpt,
		     const struct lui_map *map, struct lu_error *err)
{
	const struct parts *p = &plan->parts;
	uint32_t prot = 0;
	int memfd = -ENOENT, rc;

	if (map->type == LUI_MAP_OF_DMABUF && is_told(p, hwpt, map))
		return 0;
	if (map->type == LUI_MAP_OF_FILE)
		memfd = memfd_of(p, map->dev, map->ino);
	if (memfd < 0)
		return lui_fail(err, -EINVAL, LU_WHY_MEMORY, hwpt,
				"IOVA %#" PRIx64 ", %" PRIu64
				" bytes: %s; only memory of a memfd in the plan, mapped with IOMMU_IOAS_MAP_FILE, goes over",
				(uint64_t)map->iova, (uint64_t)map->length,
				map->type == LUI_MAP_BY_ADDRESS ?
					"mapped by its address" :
				map->type == LUI_MAP_OF_FILE ?
					"a file that is not in the plan" :
					"a dma-buf that lu_plan_bar() did not tell of");
	if (map->prot & LUI_MAP_READABLE)
		prot |= LU_READ;
	if (map->prot & LUI_MAP_WRITEABLE)
		prot |= LU_WRITE;
	rc = lui_add_map(&plan->parts, hwpt, map->iova, map->length,
			 p->memfd[memfd].name, map->start, prot);
	return rc ? lui_fail_system(err, rc, hwpt, "a map of") : 0;
}

#define MAPS_AT_ONCE 64

static int add_maps(struct lu_plan *plan, const char *hwpt, int iommufd,
		    uint32_t ioas, struct lu_error *err)
{
	struct lui_map maps[MAPS_AT_ONCE];
	uint64_t iova = 0;
	int more;

	do {
		uint32_t count = 0;

		more = lui_ioas_maps(iommufd, ioas, &iova, maps, MAPS_AT_ONCE,
				     &count);
		if (more == -ENOTTY)
			return lui_fail(err, -ENOTSUP, LU_WHY_UNSUPPORTED, hwpt,
					"this kernel does not say what is mapped; use lu_plan_map()");
		if (more < 0)
			return lui_fail_system(err, more, hwpt, "the maps of");
		for (uint32_t i = 0; i < count && i < MAPS_AT_ONCE; i++) {
			int rc = add_known(plan, hwpt, &maps[i], err);

			if (rc)
				return rc;
		}
	} while (more);
	return 0;
}

int lu_plan_maps(struct lu_plan *plan, const char *hwpt, uint32_t ioas,
		 struct lu_error *err)
{
	struct parts *p = &plan->parts;
	const unsigned int before = p->maps;
	int of = lui_find_hwpt(p, hwpt), rc;

	if (of < 0)
		return lui_fail(err, of, LU_WHY_PLAN, hwpt,
				"there is no HWPT '%s' in the plan", hwpt);
	rc = add_maps(plan, hwpt, p->iommufd[p->hwpt[of].iommufd].fd, ioas,
		      err);
	if (rc)
		p->maps = before;
	return rc;
}
