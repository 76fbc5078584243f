// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "files.h"
#include "irqs.h"
#include "parts.h"

#define MAPS_AT_ONCE 64

static bool is_event(const char *link)
{
	return !strcmp(link, "anon_inode:[eventfd]");
}

int part_of(const struct cpr *cpr, const struct cpr_fd *fd, struct why *why)
{
	char path[40], link[PATH_MAX];
	ssize_t n;

	if (cpr_find_device(cpr, fd->name))
		return PART_DEVICE;
	if (lui_is_iommufd(fd->fd))
		return PART_IOMMUFD;
	/* Only a memfd has seals; one that came from the last kernel has no name. */
	if (fcntl(fd->fd, F_GET_SEALS) >= 0)
		return PART_MEMORY;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd->fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return because(why, -EBADF, "QEMU names a file '%s' that is not open",
			       fd->name);
	link[n] = 0;
	if (is_event(link) && irq_role(fd->name, NULL) != IRQ_NONE)
		return PART_EVENT;
	return because(why, -EMEDIUMTYPE,
		       "QEMU has '%s' open (%s), which cannot go along",
		       fd->name, link);
}

int part_name(char name[LU_NAME_BYTES], const struct cpr_fd *fd,
	      struct why *why)
{
	int n = fd->id ? snprintf(name, LU_NAME_BYTES, "%s#%d", fd->name,
				  fd->id) :
			 snprintf(name, LU_NAME_BYTES, "%s", fd->name);

	if (n < LU_NAME_BYTES)
		return 0;
	return because(why, -ENAMETOOLONG,
		       "the name of '%s' is too long, %d bytes are the most",
		       fd->name, LU_NAME_BYTES - 1);
}

void hwpt_name(char name[LU_NAME_BYTES], const char *iommufd, uint32_t hwpt)
{
	snprintf(name, LU_NAME_BYTES, "%.*s/%u", LU_NAME_BYTES - 12, iommufd,
		 hwpt);
}

static int add_files(struct lu_plan *plan, const struct cpr *cpr,
		     enum part kind, struct why *why)
{
	char name[LU_NAME_BYTES];

	for (unsigned int i = 0; i < cpr->fds; i++) {
		int rc = part_of(cpr, &cpr->fd[i], why);

		if (rc >= 0 && rc != (int)kind)
			continue;
		if (rc >= 0)
			rc = part_name(name, &cpr->fd[i], why);
		if (rc)
			return rc;
		rc = kind == PART_MEMORY ?
			     lu_plan_memfd(plan, name, cpr->fd[i].fd) :
			     lu_plan_iommufd(plan, name, cpr->fd[i].fd);
		if (rc)
			return because(why, rc, "'%s' cannot be preserved: %s",
				       name, strerror(-rc));
	}
	return 0;
}

static const struct cpr_fd *find_fd(const struct cpr *cpr, const char *name)
{
	for (unsigned int i = 0; i < cpr->fds; i++)
		if (!strcmp(cpr->fd[i].name, name) && !cpr->fd[i].id)
			return &cpr->fd[i];
	return NULL;
}

static bool is_address(const char *name)
{
	unsigned int domain, bus, device, function;
	int n = 0;

	return sscanf(name, "%x:%x:%x.%x%n", &domain, &bus, &device, &function,
		      &n) == 4 &&
	       !name[n];
}

static int add_device(struct lu_plan *plan, const struct cpr *cpr,
		      const struct cpr_device *d, json_object *seen,
		      struct why *why)
{
	json_object *device = device_named(seen, d->name);
	const struct cpr_fd *fd = find_fd(cpr, d->name);
	const char *iommufd = text_of(device, "iommufd");
	char hwpt[LU_NAME_BYTES];
	int rc;

	if (!device || !fd || !d->hwpt)
		return because(why, -ENODEV,
			       "QEMU does not say enough of device '%s'",
			       d->name);
	hwpt_name(hwpt, iommufd, d->hwpt);
	rc = lu_plan_hwpt(plan, hwpt, iommufd, d->hwpt, 0);
	if (rc == -EEXIST)
		rc = 0;
	if (!rc)
		rc = lu_plan_device(plan, d->name, fd->fd, hwpt,
				    is_address(d->name) ? d->name : NULL);
	if (rc)
		because(why, rc, "device '%s' cannot be preserved: %s", d->name,
			strerror(-rc));
	return rc;
}

/* The BAR that is at these addresses of the guest. */
static json_object *find_bar(json_object *seen, const struct lui_map *map,
			     const char **ret_device)
{
	json_object *devices = json_object_object_get(seen, "devices");

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		json_object *d = json_object_array_get_idx(devices, i);
		json_object *bars = json_object_object_get(d, "bars");

		for (size_t j = 0; j < json_object_array_length(bars); j++) {
			json_object *bar = json_object_array_get_idx(bars, j);
			uint64_t address = json_object_get_uint64(
				json_object_object_get(bar, "address"));
			uint64_t size = json_object_get_uint64(
				json_object_object_get(bar, "size"));

			if (map->iova < address || map->length > size ||
			    map->iova - address > size - map->length)
				continue;
			*ret_device = text_of(d, "name");
			return bar;
		}
	}
	return NULL;
}

static int add_bar(struct lu_plan *plan, const char *hwpt,
		   const struct lui_map *map, json_object *seen,
		   struct why *why)
{
	uint64_t address;
	const char *device;
	json_object *bar = find_bar(seen, map, &device);
	uint32_t number;
	int rc;

	if (!bar)
		return because(why, -ENOENT,
			       "mapped at 0x%llx is a BAR that no device of the guest has there",
			       (unsigned long long)map->iova);
	address = json_object_get_uint64(
		json_object_object_get(bar, "address"));
	number = json_object_get_int(json_object_object_get(bar, "bar"));
	rc = lu_plan_bar(plan, hwpt, map->iova, map->length, device, number,
			 map->iova - address,
			 (map->prot & LUI_MAP_READABLE ? LU_READ : 0) |
				 (map->prot & LUI_MAP_WRITEABLE ? LU_WRITE :
								  0));
	if (rc)
		because(why, rc, "BAR %u of device '%s' cannot be preserved: %s",
			number, device, strerror(-rc));
	return rc;
}

/* BARs that are mapped for other devices; lu_plan_maps() knows the rest. */
static int add_bars(struct lu_plan *plan, const char *hwpt, int iommufd,
		    uint32_t ioas, json_object *seen, struct why *why)
{
	struct lui_map maps[MAPS_AT_ONCE];
	uint64_t iova = 0;
	uint32_t nr;
	int more, rc;

	do {
		more = lui_ioas_maps(iommufd, ioas, &iova, maps, MAPS_AT_ONCE,
				     &nr);
		if (more < 0)
			return because(why, more,
				       "this kernel does not tell what is mapped: %s",
				       strerror(-more));
		for (uint32_t i = 0; i < nr; i++) {
			if (maps[i].type != LUI_MAP_OF_DMABUF)
				continue;
			rc = add_bar(plan, hwpt, &maps[i], seen, why);
			if (rc)
				return rc;
		}
	} while (more);
	return 0;
}

static int add_maps(struct lu_plan *plan, const struct cpr *cpr,
		    const struct cpr_device *d, json_object *seen,
		    struct why *why)
{
	const char *iommufd = text_of(device_named(seen, d->name), "iommufd");
	const struct cpr_fd *fd = find_fd(cpr, iommufd);
	struct lu_error err = LU_ERROR_INIT;
	char hwpt[LU_NAME_BYTES];
	int rc;

	if (!fd)
		return because(why, -ENOENT, "QEMU does not name its iommufd '%s'",
			       iommufd);
	hwpt_name(hwpt, iommufd, d->hwpt);
	rc = add_bars(plan, hwpt, fd->fd, d->ioas, seen, why);
	if (rc)
		return rc;
	rc = lu_plan_maps(plan, hwpt, d->ioas, &err);
	return rc ? because_of(why, rc, &err) : 0;
}

/* Is it the first of the devices with this HWPT? */
static bool is_first(const struct cpr *cpr, unsigned int device,
		     json_object *seen)
{
	const struct cpr_device *d = &cpr->device[device];
	const char *iommufd = text_of(device_named(seen, d->name), "iommufd");

	for (unsigned int i = 0; i < device; i++)
		if (cpr->device[i].hwpt == d->hwpt &&
		    !strcmp(text_of(device_named(seen, cpr->device[i].name),
				    "iommufd"),
			    iommufd))
			return false;
	return true;
}

int parts_plan(struct lu_plan *plan, const struct cpr *cpr, json_object *seen,
	       struct why *why)
{
	int rc = add_files(plan, cpr, PART_MEMORY, why);

	if (!rc)
		rc = add_files(plan, cpr, PART_IOMMUFD, why);
	for (unsigned int i = 0; !rc && i < cpr->devices; i++)
		rc = add_device(plan, cpr, &cpr->device[i], seen, why);
	for (unsigned int i = 0; !rc && i < cpr->devices; i++)
		if (is_first(cpr, i, seen))
			rc = add_maps(plan, cpr, &cpr->device[i], seen, why);
	return rc;
}
