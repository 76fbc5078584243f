/* SPDX-License-Identifier: GPL-2.0-only */
/* Which modules an initial RAM disk has, without unpacking it. */
#ifndef LUCTL_INITRD_H
#define LUCTL_INITRD_H

#include <stdbool.h>

struct initrd {
	unsigned int files; /* that were seen */
	bool has; /* a module of that name, or it is built in */
};

/*
 * Looks for a module, as "vfio-pci". 0; -ENOPKG when the program that unpacks it
 * is missing or fails; -EBADMSG when it is no archive that is known; or -errno.
 */
int initrd_look(const char *path, const char *module, struct initrd *ret);

#endif
