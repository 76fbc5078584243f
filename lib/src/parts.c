// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"

/* Of each kind: enough for any machine, and no number overflows. */
#define COUNT_MAX 65536u
#define BARS 6

/* Room for one more, cleared; NULL if there is none. */
static void *grow(void **array, unsigned int count, size_t size)
{
	char *more;

	if (count >= COUNT_MAX)
		return NULL;
	more = reallocarray(*array, count + 1, size);
	if (!more)
		return NULL;
	*array = more;
	return memset(more + count * size, 0, size);
}

#define GROW(parts, kind)                                                      \
	((struct part_##kind *)grow((void **)&(parts)->kind, (parts)->kind##s, \
				    sizeof(struct part_##kind)))

#define FIND(parts, kind, wanted)                                         \
	do {                                                              \
		for (unsigned int i = 0; i < (parts)->kind##s; i++)       \
			if (!strcmp((parts)->kind[i].name, wanted))       \
				return i;                                 \
		return -ENOENT;                                           \
	} while (0)

int lui_find_memfd(const struct parts *parts, const char *name)
{
	FIND(parts, memfd, name);
}

int lui_find_blob(const struct parts *parts, const char *name)
{
	FIND(parts, blob, name);
}

int lui_find_iommufd(const struct parts *parts, const char *name)
{
	FIND(parts, iommufd, name);
}

int lui_find_hwpt(const struct parts *parts, const char *name)
{
	FIND(parts, hwpt, name);
}

int lui_find_device(const struct parts *parts, const char *name)
{
	FIND(parts, device, name);
}

/* Can something new have this name? */
static int check_name(const struct parts *parts, const char *name)
{
	size_t length = strlen(name);

	if (!length || length >= LU_NAME_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return -EINVAL;
	if (lui_find_memfd(parts, name) >= 0 ||
	    lui_find_blob(parts, name) >= 0 ||
	    lui_find_iommufd(parts, name) >= 0 ||
	    lui_find_hwpt(parts, name) >= 0 ||
	    lui_find_device(parts, name) >= 0)
		return -EEXIST;
	return 0;
}

int lui_add_memfd(struct parts *parts, const char *name, uint64_t bytes)
{
	int rc = check_name(parts, name);
	struct part_memfd *m;

	if (rc || !bytes)
		return rc ? rc : -EINVAL;
	m = GROW(parts, memfd);
	if (!m)
		return -ENOMEM;
	strcpy(m->name, name);
	m->bytes = bytes;
	m->fd = -1;
	parts->memfds++;
	return 0;
}

int lui_add_blob(struct parts *parts, const char *name, const void *data,
		 uint64_t length)
{
	int rc = check_name(parts, name);
	struct part_blob *b;

	if (rc || !length)
		return rc ? rc : -EINVAL;
	b = GROW(parts, blob);
	if (!b)
		return -ENOMEM;
	if (data) {
		b->data = malloc(length);
		if (!b->data)
			return -ENOMEM;
		memcpy(b->data, data, length);
	}
	strcpy(b->name, name);
	b->length = length;
	parts->blobs++;
	return 0;
}

int lui_add_iommufd(struct parts *parts, const char *name)
{
	int rc = check_name(parts, name);
	struct part_iommufd *f;

	if (rc)
		return rc;
	f = GROW(parts, iommufd);
	if (!f)
		return -ENOMEM;
	strcpy(f->name, name);
	f->fd = -1;
	parts->iommufds++;
	return 0;
}

int lui_add_hwpt(struct parts *parts, const char *name, const char *iommufd,
		 uint32_t flags)
{
	int rc = check_name(parts, name), of = lui_find_iommufd(parts, iommufd);
	struct part_hwpt *h;

	if (rc || of < 0)
		return rc ? rc : of;
	h = GROW(parts, hwpt);
	if (!h)
		return -ENOMEM;
	strcpy(h->name, name);
	h->iommufd = of;
	h->flags = flags;
	parts->hwpts++;
	return 0;
}

static bool is_range(uint64_t iova, uint64_t length, uint64_t offset,
		     uint32_t prot)
{
	const uint64_t page = sysconf(_SC_PAGESIZE);

	return length && !((iova | length | offset) & (page - 1)) &&
	       iova + (length - 1) >= iova &&
	       offset + (length - 1) >= offset && prot &&
	       !(prot & ~(LU_READ | LU_WRITE));
}

static int add_range(struct parts *parts, const struct part_map *map)
{
	struct part_map *m = GROW(parts, map);

	if (!m)
		return -ENOMEM;
	*m = *map;
	parts->maps++;
	return 0;
}

int lui_add_map(struct parts *parts, const char *hwpt, uint64_t iova,
		uint64_t length, const char *memfd, uint64_t offset,
		uint32_t prot)
{
	int of = lui_find_hwpt(parts, hwpt), to = lui_find_memfd(parts, memfd);
	const uint64_t page = sysconf(_SC_PAGESIZE);

	if (of < 0 || to < 0)
		return -ENOENT;
	if (!is_range(iova, length, offset, prot))
		return -EINVAL;
	/* The kernel counts whole pages of a file that ends within one. */
	if (offset > parts->memfd[to].bytes ||
	    length > ((parts->memfd[to].bytes + page - 1) & ~(page - 1)) - offset)
		return -EINVAL;
	return add_range(parts, &(struct part_map){ .hwpt = of,
						    .of = to,
						    .iova = iova,
						    .length = length,
						    .offset = offset,
						    .prot = prot });
}

int lui_add_bar(struct parts *parts, const char *hwpt, uint64_t iova,
		uint64_t length, const char *device, uint32_t bar,
		uint64_t offset, uint32_t prot)
{
	int of = lui_find_hwpt(parts, hwpt);
	int to = lui_find_device(parts, device);

	if (of < 0 || to < 0)
		return -ENOENT;
	/* The kernel tells a BAR only by a device of the same iommufd. */
	if (parts->hwpt[parts->device[to].hwpt].iommufd !=
		    parts->hwpt[of].iommufd ||
	    bar >= BARS || !is_range(iova, length, offset, prot))
		return -EINVAL;
	return add_range(parts, &(struct part_map){ .hwpt = of,
						    .is_bar = true,
						    .of = to,
						    .bar = bar,
						    .iova = iova,
						    .length = length,
						    .offset = offset,
						    .prot = prot });
}

/* "0000:00:05.0", or one of a domain with more digits */
static bool is_address(const char *text)
{
	size_t digits = strspn(text, "0123456789abcdef");

	return digits >= 4 && strlen(text) == digits + 8 &&
	       strlen(text) < LUI_ADDRESS_BYTES && text[digits] == ':' &&
	       strspn(text + digits + 1, "0123456789abcdef") == 2 &&
	       text[digits + 3] == ':' &&
	       strspn(text + digits + 4, "0123456789abcdef") == 2 &&
	       text[digits + 6] == '.' && text[digits + 7] >= '0' &&
	       text[digits + 7] <= '7';
}

int lui_add_device(struct parts *parts, const char *name, const char *hwpt,
		   const char *address)
{
	int rc = check_name(parts, name), on = lui_find_hwpt(parts, hwpt);
	struct part_device *d;

	if (rc || on < 0)
		return rc ? rc : on;
	if (*address && !is_address(address))
		return -EINVAL;
	d = GROW(parts, device);
	if (!d)
		return -ENOMEM;
	strcpy(d->name, name);
	strcpy(d->address, address);
	d->hwpt = on;
	d->fd = -1;
	parts->devices++;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct part_map *x = a, *y = b;

	if (x->hwpt != y->hwpt)
		return x->hwpt < y->hwpt ? -1 : 1;
	return x->iova < y->iova ? -1 : x->iova > y->iova;
}

static bool joins(const struct part_map *a, const struct part_map *b)
{
	return a->hwpt == b->hwpt && !a->is_bar && !b->is_bar &&
	       a->of == b->of &&
	       a->prot == b->prot && a->iova + a->length == b->iova &&
	       a->offset + a->length == b->offset;
}

int lui_merge_maps(struct parts *parts, unsigned int *ret_at)
{
	struct part_map *map = parts->map;
	unsigned int last = 0;

	if (!parts->maps)
		return 0;
	qsort(map, parts->maps, sizeof(*map), by_place);
	for (unsigned int i = 1; i < parts->maps; i++) {
		if (map[i].hwpt == map[i - 1].hwpt &&
		    map[i].iova - map[i - 1].iova < map[i - 1].length) {
			*ret_at = i - 1;
			return -EEXIST;
		}
	}
	for (unsigned int i = 1; i < parts->maps; i++) {
		if (joins(&map[last], &map[i]))
			map[last].length += map[i].length;
		else
			map[++last] = map[i];
	}
	parts->maps = last + 1;
	return 0;
}

static void close_all(struct parts *parts)
{
	for (unsigned int i = 0; i < parts->memfds; i++)
		if (parts->memfd[i].fd >= 0)
			close(parts->memfd[i].fd);
	for (unsigned int i = 0; i < parts->devices; i++)
		if (parts->device[i].fd >= 0)
			close(parts->device[i].fd);
	for (unsigned int i = 0; i < parts->iommufds; i++)
		if (parts->iommufd[i].fd >= 0)
			close(parts->iommufd[i].fd);
}

void lui_parts_free(struct parts *parts)
{
	close_all(parts);
	for (unsigned int i = 0; i < parts->blobs; i++)
		free(parts->blob[i].data);
	free(parts->memfd);
	free(parts->blob);
	free(parts->iommufd);
	free(parts->hwpt);
	free(parts->map);
	free(parts->device);
	memset(parts, 0, sizeof(*parts));
}
