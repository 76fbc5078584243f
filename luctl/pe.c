// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "le.h"
#include "pe.h"

/* With the NUL that ends it */
#define MAGIC "PE\0"
/* Where the headers have what is looked for; an optional header follows them. */
#define HEADER_AT 0x3c
#define HEADER_BYTES 24
#define COUNT_AT 6
#define OPTIONAL_BYTES_AT 20
#define PE32_PLUS 0x20b
/* Of the optional header: where signatures are, and how long */
#define SIGNATURES_AT 144
#define SECTION_BYTES 40
#define NAME_BYTES 8
#define USED_AT 8
#define RAW_BYTES_AT 16
#define RAW_AT 20

bool pe_read(const char *data, size_t bytes, struct pe *ret)
{
	size_t at;

	if (bytes < HEADER_AT + 4 || memcmp(data, "MZ", 2))
		return false;
	at = le32(data + HEADER_AT);
	if (at > bytes || bytes - at < HEADER_BYTES + 2 ||
	    memcmp(data + at, MAGIC, sizeof(MAGIC)) ||
	    le16(data + at + HEADER_BYTES) != PE32_PLUS)
		return false;
	*ret = (struct pe){
		.data = data,
		.bytes = bytes,
		.optional = at + HEADER_BYTES,
		.count = le16(data + at + COUNT_AT),
		.sections = at + HEADER_BYTES +
			    le16(data + at + OPTIONAL_BYTES_AT),
	};
	return true;
}

bool pe_is_signed(const struct pe *pe)
{
	return pe->bytes - pe->optional >= SIGNATURES_AT + 8 &&
	       le32(pe->data + pe->optional + SIGNATURES_AT + 4);
}

/* What is used of a section may be less than is in the file, or more. */
static bool section(const struct pe *pe, const char *entry, size_t *ret_at,
		    size_t *ret_bytes)
{
	size_t at = le32(entry + RAW_AT), bytes = le32(entry + RAW_BYTES_AT);
	size_t used = le32(entry + USED_AT);

	if (at > pe->bytes || bytes > pe->bytes - at)
		return false;
	*ret_at = at;
	*ret_bytes = used && used < bytes ? used : bytes;
	return true;
}

bool pe_section(const struct pe *pe, const char *name, size_t *ret_at,
		size_t *ret_bytes)
{
	for (unsigned int i = 0; i < pe->count; i++) {
		size_t at = pe->sections + (size_t)i * SECTION_BYTES;

		if (at > pe->bytes || pe->bytes - at < SECTION_BYTES)
			return false;
		if (!strncmp(pe->data + at, name, NAME_BYTES))
			return section(pe, pe->data + at, ret_at, ret_bytes);
	}
	return false;
}
