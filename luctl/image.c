// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "sysfs.h"

#define HEADER 24
#define LENGTH_AT 16
#define COUNT_AT 20

/* Of the PE header: where it is, and the entry that says where signatures are */
#define PE_AT 0x3c
#define PE_OPTIONAL 24
#define PE_SIGNATURES 144
#define PE32_PLUS 0x20b

static uint32_t le32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

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

static bool has_signature(const char *data, size_t bytes)
{
	size_t at;

	if (bytes < PE_AT + 4 || memcmp(data, "MZ", 2))
		return false;
	at = le32(data + PE_AT);
	if (at > bytes || bytes - at < PE_OPTIONAL + PE_SIGNATURES + 8 ||
	    memcmp(data + at, "PE\0\0", 4))
		return false;
	at += PE_OPTIONAL;
	return (le32(data + at) & 0xffff) == PE32_PLUS &&
	       le32(data + at + PE_SIGNATURES + 4);
}

int image_read(const char *path, struct image *ret)
{
	char *data;

	memset(ret, 0, sizeof(*ret));
	data = file_text(path, &ret->bytes);
	if (!data)
		return -errno;
	find(data, ret->bytes, ret);
	ret->is_signed = has_signature(data, ret->bytes);
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
