/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of a PE file as tells about a kernel: x86 and arm64 images are such
 * files, and so is a unified kernel image, of which the kernel is one section.
 * (PE/COFF specification, "COFF File Header" and "Section Table")
 */
#ifndef LUCTL_PE_H
#define LUCTL_PE_H

#include <stdbool.h>
#include <stddef.h>

/* Of a unified kernel image: where its kernel is. */
#define PE_KERNEL ".linux"

struct pe {
	const char *data;
	size_t bytes;
	size_t optional; /* header, at which offset */
	size_t sections; /* table, at which offset */
	unsigned int count; /* of sections */
};

/* False when @data is no PE file, or one of 32 bits. */
bool pe_read(const char *data, size_t bytes, struct pe *ret);
/* By whomever. */
bool pe_is_signed(const struct pe *pe);
/* False when there is none of that name that is whole in the file. */
bool pe_section(const struct pe *pe, const char *name, size_t *ret_at,
		size_t *ret_bytes);

#endif
