// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "name.h"

static int name_good(const char *name)
{
	if (!*name)
		return 0;
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f ||
		    *name == '/')
			return 0;
	return 1;
}

int name_make(char kernel[LU_NAME_BYTES], uid_t uid, const char *name)
{
	int length;

	if (!name_good(name))
		return -EINVAL;
	length = snprintf(kernel, LU_NAME_BYTES, "%lu.%s", (unsigned long)uid,
			  name);
	return length < LU_NAME_BYTES ? 0 : -ENAMETOOLONG;
}

/*
 * Only a number as name_make() writes it counts, so that a user has one prefix
 * and not several. (uid_t)-1 is nobody's.
 */
uid_t name_owner(const char *kernel)
{
	size_t digits = strspn(kernel, "0123456789");
	uint64_t uid = 0;

	if (!digits || digits > 10 || kernel[digits] != '.' ||
	    !kernel[digits + 1] || (*kernel == '0' && digits > 1))
		return 0;
	for (size_t i = 0; i < digits; i++)
		uid = uid * 10 + (unsigned int)(kernel[i] - '0');
	return uid < (uid_t)-1 ? (uid_t)uid : 0;
}
