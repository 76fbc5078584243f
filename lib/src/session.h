/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LU_SESSION_H
#define LU_SESSION_H

#include "liveupdate.h"

/* Where a session came from, and who has a copy of it; luod may not have answered */
enum lui_keeper { LUI_NOBODY, LUI_SYSTEMD, LUI_LUOD, LUI_PERHAPS_LUOD };

struct lu_session {
	int fd; /* -1 once it is closed by lu_plan_undo() */
	enum lu_direction direction;
	enum lui_keeper keeper;
	char name[LU_NAME_BYTES]; /* the kernel's */
	char stored[LU_NAME_BYTES]; /* in systemd's store: its owner's name of it */
};

/* Takes @fd on success only. */
int lui_session_wrap(int fd, enum lui_keeper keeper, struct lu_session **ret,
		     struct lu_error *err);

/* keeper.c: file descriptors of sessions, or -errno */
int lui_stored(const char *name, enum lu_direction direction);
/* A new connection to luod; -ENOTCONN where it does not run */
int lui_luod_connect(void);
int lui_luod_get(const char *name, enum lu_direction direction,
		 struct lu_error *err);
/* systemd, if it has a copy, is told to close it; it does so when it gets to it. */
int lui_session_forget(struct lu_session *session);

#endif
