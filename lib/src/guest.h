/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LU_GUEST_H
#define LU_GUEST_H

#include "parts.h"
#include "session.h"

struct lu_guest {
	struct lu_session *session;
	struct parts parts;
};

/*
 * guest-bind.c: takes iommufds and devices, waits for drivers. @drop_lost: goes on
 * without devices that cannot be had any more.
 */
int lui_guest_take(struct lu_guest *guest, int timeout_ms, bool drop_lost,
		   struct lu_error *err);

#endif
