/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest comes back in the next kernel. */
#ifndef LU_QEMU_BACK_H
#define LU_QEMU_BACK_H

#include "lu-qemu.h"

/*
 * Takes everything of the session back and becomes the QEMU that goes on with it.
 * Returns only if that fails: -errno with @why. Until its devices were taken it can
 * be tried again.
 */
int back(const struct request *req, struct lu_session *session,
	 struct why *why);

#endif
