// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "calls.h"
#include "error.h"
#include "session.h"

int lui_session_wrap(int fd, enum lui_keeper keeper, struct lu_session **ret,
		     struct lu_error *err)
{
	struct lu_session *session;
	int rc, direction;

	session = calloc(1, sizeof(*session));
	if (!session)
		return lui_fail_system(err, -ENOMEM, NULL, "a session");
	rc = lui_session_name(fd, session->name);
	direction = rc ? rc : lui_session_direction(fd);
	if (direction < 0) {
		free(session);
		return lui_fail(err, -EMEDIUMTYPE, LU_WHY_SYSTEM, NULL,
				"file descriptor %d is not a live update session",
				fd);
	}
	session->fd = fd;
	session->direction = direction;
	session->keeper = keeper;
	*ret = session;
	return 0;
}

/* @fd is what a call has returned, and is lost with the object. */
static int wrap_new(int fd, enum lui_keeper keeper, struct lu_session **ret,
		    struct lu_error *err)
{
	int rc = lui_session_wrap(fd, keeper, ret, err);

	if (rc)
		close(fd);
	return rc;
}

static int explain_node(int rc, const char *name, struct lu_error *err)
{
	switch (rc) {
	case -ETXTBSY:
		return lui_fail(err, -EBUSY, LU_WHY_NODE_BUSY, LUI_NODE,
				"somebody keeps " LUI_NODE
				" open; 'luctl check' says who");
	case -ENOENT:
		return lui_fail(err, rc, LU_WHY_SYSTEM, name,
				"no session '%s' came from the kernel before, or it is finished",
				name);
	case -ENODEV:
		return lui_fail(err, -ENOTSUP, LU_WHY_UNSUPPORTED, LUI_NODE,
				"there is no " LUI_NODE
				"; the kernel needs CONFIG_LIVEUPDATE and liveupdate=on");
	case -EEXIST:
		return lui_fail(err, rc, LU_WHY_SYSTEM, name,
				"there is a session '%s' already", name);
	case -EACCES:
	case -EPERM:
		return lui_fail(err, -EACCES, LU_WHY_SYSTEM, LUI_NODE,
				"no leave to open " LUI_NODE
				"; ask luod(8), or give the service LUOSession=");
	default:
		return lui_fail_system(err, rc, name, "session");
	}
}

int lu_session_create(const char *name, struct lu_session **ret,
		      struct lu_error *err)
{
	int fd = lui_node_create(name);

	if (fd < 0)
		return explain_node(fd, name, err);
	return wrap_new(fd, LUI_NOBODY, ret, err);
}

int lu_session_retrieve(const char *name, struct lu_session **ret,
			struct lu_error *err)
{
	int fd = lui_node_retrieve(name);

	if (fd == -EINVAL)
		return lui_fail(err, -EALREADY, LU_WHY_SYSTEM, name,
				"somebody has session '%s' already", name);
	if (fd < 0)
		return explain_node(fd, name, err);
	return wrap_new(fd, LUI_NOBODY, ret, err);
}

int lu_session_adopt(int fd, struct lu_session **ret, struct lu_error *err)
{
	return lui_session_wrap(fd, LUI_NOBODY, ret, err);
}

/* Its owner looks for it by this name, whatever the kernel's is. */
static int called(int rc, const char *name, struct lu_session **ret)
{
	if (!rc)
		snprintf((*ret)->stored, sizeof((*ret)->stored), "%s", name);
	return rc;
}

/* It has said so, does not run, or can have none of that name. */
static bool luod_has_none(int luod)
{
	return luod == -ENOENT || luod == -ENOTCONN || luod == -EINVAL ||
	       luod == -ENAMETOOLONG;
}

/* One that luod has made has another name there; it needs no luod to be found. */
static int retrieve(const char *name, int luod, struct lu_session **ret,
		    struct lu_error *err)
{
	char other[LU_NAME_BYTES];
	int rc = lu_session_retrieve(name, ret, err);

	if (rc != -ENOENT || luod != -ENOTCONN)
		return rc;
	if (snprintf(other, sizeof(other), "%lu.%s", (unsigned long)geteuid(),
		     name) >= (int)sizeof(other))
		return rc;
	return lu_session_retrieve(other, ret, err);
}

int lu_session_acquire(const char *name, enum lu_direction direction,
		       struct lu_session **ret, struct lu_error *err)
{
	struct lu_error of_luod = LU_ERROR_INIT;
	int fd, rc, luod;

	fd = lui_stored(name, direction);
	if (fd >= 0)
		return called(lui_session_wrap(fd, LUI_SYSTEMD, ret, err), name,
			      ret);
	luod = lui_luod_get(name, direction, &of_luod);
	if (luod >= 0)
		return called(wrap_new(luod, LUI_NOBODY, ret, err), name, ret);
	/* A new session is luod's business where there is one. */
	if (luod != -ENOTCONN && direction == LU_OUT)
		goto luod_failed;
	rc = direction == LU_OUT ? lu_session_create(name, ret, err) :
				   retrieve(name, luod, ret, err);
	/*
	 * Where the node is not for everybody luod's answer is the better one. And
	 * that there is none only luod can say, if it is there.
	 */
	if ((rc != -EACCES || luod == -ENOTCONN) &&
	    (rc != -ENOENT || luod_has_none(luod)))
		return rc;
luod_failed:
	if (err && err->size >= sizeof(of_luod)) {
		of_luod.size = err->size;
		*err = of_luod;
	}
	return luod;
}

const char *lu_session_name(const struct lu_session *session)
{
	return session->name;
}

int lu_session_fd(const struct lu_session *session)
{
	return session->fd;
}

enum lu_direction lu_session_direction(const struct lu_session *session)
{
	return session->direction;
}

void lu_session_free(struct lu_session *session)
{
	if (!session)
		return;
	if (session->fd >= 0)
		close(session->fd);
	free(session);
}
