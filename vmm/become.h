/* SPDX-License-Identifier: GPL-2.0-only */
/* The way into QEMU. */
#ifndef LU_QEMU_BECOME_H
#define LU_QEMU_BECOME_H

#include "lu-qemu.h"

/* Is there that program, as become() looks for it? 0 or -errno with @why */
int can_become(const char *program, struct why *why);

/* Becomes that program. Returns -errno with @why if it cannot. */
int become(char *const *argv, struct why *why);

/*
 * Becomes a QEMU that goes on with its guest: @argv, its state in the file
 * @cpr_fd, of its devices in the file of this guest. Returns as become().
 */
int become_again(const struct request *req, char *const *argv, int cpr_fd,
		 struct why *why);

#endif
