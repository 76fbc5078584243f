// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "le.h"
#include "pe.h"
#include "sysfs.h"

#define HEADER 24
#define LENGTH_AT 16
#define COUNT_AT 20

static bool magic(const char *at)
{
	uint64_t halves[2];

	memcpy(halves, at, sizeof(halves));
	return le64toh(halves[0]) == LU_IMAGE_MAGIC0 &&
	       le64toh(halves[1]) == LU_IMAGE_MAGIC1;
}

/* The list at an offset; false when it is not well formed. */
static bool parse(const char *data, size_t bytes, size_t at, struct names *ret)
{
	uint32_t length, count;

	if (bytes - at < HEADER || !magic(data + at))
		return false;
	length = le32(data + at + LENGTH_AT);
	count = le32(data + at + COUNT_AT);
	if (!count || count > LU_IMAGE_MAX_NAMES ||
	    length != HEADER + count * LU_IMAGE_NAME_LEN || length > bytes - at)
		return false;
	memcpy(ret->name, data + at + HEADER, length - HEADER);
	ret->count = count;
	for (uint32_t i = 0; i < count; i++)
		if (!ret->name[i][0] || ret->name[i][LU_IMAGE_NAME_LEN - 1])
			return false;
	return true;
}

/* The first one that is well formed, as the kernel finds it. */
static void find(const char *data, size_t bytes, struct image *ret)
{
	for (size_t at = 0; at < bytes && !ret->found; at += LU_IMAGE_ALIGN) {
		ret->found = parse(data, bytes, at, &ret->reads);
		ret->at = at;
	}
	if (!ret->found)
		ret->reads.count = 0;
}

int image_read(const char *path, struct image *ret)
{
	size_t kernel = 0, bytes;
	struct pe pe;
	char *data;

	memset(ret, 0, sizeof(*ret));
	data = file_text(path, &ret->bytes);
	if (!data)
		return -errno;
	bytes = ret->bytes;
	if (pe_read(data, ret->bytes, &pe)) {
		ret->is_signed = pe_is_signed(&pe);
		ret->unified = pe_section(&pe, PE_KERNEL, &kernel, &bytes);
	}
	find(data + kernel, bytes, ret);
	ret->at += kernel;
	free(data);
	return 0;
}

int names_parse(const char *text, struct names *ret)
{
	ret->count = 0;
	for (text += strspn(text, " \t\n"); *text;
	     text += strspn(text, " \t\n")) {
		size_t length = strcspn(text, " \t\n");

		if (length >= LU_IMAGE_NAME_LEN ||
		    ret->count == LU_IMAGE_MAX_NAMES)
			return -EINVAL;
		for (size_t i = 0; i < length; i++)
			if (text[i] < ' ' || text[i] > '~')
				return -EINVAL;
		memcpy(ret->name[ret->count], text, length);
		ret->name[ret->count++][length] = 0;
		text += length;
	}
	return ret->count ? 0 : -ENODATA;
}

bool names_have(const struct names *names, const char *name)
{
	for (unsigned int i = 0; i < names->count; i++)
		if (!strncmp(names->name[i], name, LU_IMAGE_NAME_LEN))
			return true;
	return false;
}

char *names_text(const struct names *names)
{
	char *all = must_copy("");

	for (unsigned int i = 0; i < names->count; i++) {
		char *name = escaped(names->name[i]);
		char *more = must_print("%s%s%s", all, i ? " " : "", name);

		free(name);
		free(all);
		all = more;
	}
	return all;
}
