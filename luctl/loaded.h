/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is loaded for the next kexec. The kernel says only whether there is
 * anything; what luctl has loaded it notes in /run/luctl/loaded.
 */
#ifndef LUCTL_LOADED_H
#define LUCTL_LOADED_H

#include <stdbool.h>

struct loaded {
	bool any; /* the kernel says so */
	bool known; /* and it is luctl's, as far as luctl knows */
	char *image;
	char *initrd; /* or NULL */
	char *line;
};

void loaded_read(struct loaded *ret);
void loaded_free(struct loaded *l);

/* NULL for @image: nothing is. 0 or -errno. */
int loaded_note(const char *image, const char *initrd, const char *line);

#endif
