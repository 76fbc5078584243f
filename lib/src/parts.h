/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a virtual machine consists of: what a plan is made of in the old kernel,
 * what the map of its session says, and what a guest is put together from in the
 * new one. Things refer to each other by their place in these arrays, which only
 * grow.
 */
#ifndef LU_PARTS_H
#define LU_PARTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "calls.h"

struct part_memfd {
	char name[LU_NAME_BYTES];
	uint64_t token;
	uint64_t bytes;
	int fd;
};

struct part_blob {
	char name[LU_NAME_BYTES];
	uint64_t token;
	uint64_t length;
	void *data;
};

struct part_iommufd {
	char name[LU_NAME_BYTES];
	uint64_t token;
	int fd;
};

struct part_hwpt {
	char name[LU_NAME_BYTES];
	uint64_t token; /* in its iommufd */
	unsigned int iommufd;
	uint32_t flags; /* to be allocated with */
	uint32_t id; /* plan: of the one to preserve; guest: of the new one */
	bool marked; /* plan */
	uint32_t ioas; /* guest: the new one, and how much is in it */
	unsigned int mapped;
};

/* Of memory, or of a BAR */
struct part_map {
	unsigned int hwpt;
	bool is_bar;
	unsigned int of; /* the place of the memfd or device */
	uint32_t bar;
	uint64_t iova;
	uint64_t length;
	uint64_t offset;
	uint32_t prot;
};

struct part_device {
	char name[LU_NAME_BYTES];
	uint64_t token;
	unsigned int hwpt;
	char address[LUI_ADDRESS_BYTES]; /* empty where it is not known */
	int fd;
	/* guest */
	bool dropped; /* nothing is done with it any more */
	bool bound;
	bool swapped;
	uint32_t devid;
};

struct parts {
	struct part_memfd *memfd;
	struct part_blob *blob;
	struct part_iommufd *iommufd;
	struct part_hwpt *hwpt;
	struct part_map *map;
	struct part_device *device;
	unsigned int memfds, blobs, iommufds, hwpts, maps, devices;
};

void lui_parts_free(struct parts *parts);

/*
 * Each adds one at the end, with a copy of the name and without a file: 0, or
 * -errno as lu_plan_memfd() and its like. Names belong to one thing only.
 */
int lui_add_memfd(struct parts *parts, const char *name, uint64_t bytes);
int lui_add_blob(struct parts *parts, const char *name, const void *data,
		 uint64_t length);
int lui_add_iommufd(struct parts *parts, const char *name);
int lui_add_hwpt(struct parts *parts, const char *name, const char *iommufd,
		 uint32_t flags);
int lui_add_map(struct parts *parts, const char *hwpt, uint64_t iova,
		uint64_t length, const char *memfd, uint64_t offset,
		uint32_t prot);
int lui_add_device(struct parts *parts, const char *name, const char *hwpt,
		   const char *address);
int lui_add_bar(struct parts *parts, const char *hwpt, uint64_t iova,
		uint64_t length, const char *device, uint32_t bar,
		uint64_t offset, uint32_t prot);

/* Their place, or -ENOENT. */
int lui_find_memfd(const struct parts *parts, const char *name);
int lui_find_blob(const struct parts *parts, const char *name);
int lui_find_iommufd(const struct parts *parts, const char *name);
int lui_find_hwpt(const struct parts *parts, const char *name);
int lui_find_device(const struct parts *parts, const char *name);

/*
 * Sorts the maps by HWPT and address, and puts together what lies beside each
 * other. -EEXIST if two of one HWPT overlap, *@ret_at is the place of the first.
 */
int lui_merge_maps(struct parts *parts, unsigned int *ret_at);

/* map.c: as text, malloc()ed, and back. -EBADMSG and a sentence in @err */
char *lui_map_write(const struct parts *parts);
int lui_map_read(const char *text, size_t length, struct parts *parts,
		 struct lu_error *err);

#endif
