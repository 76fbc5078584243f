/* SPDX-License-Identifier: GPL-2.0-only */
/* Little-endian numbers in files, wherever they stand. */
#ifndef LUCTL_LE_H
#define LUCTL_LE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t le16(const char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static inline uint32_t le32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

#endif
