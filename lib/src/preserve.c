// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From a plan to a session, and back.
 *
 * The kernel wants a file after those it depends on, and has no call that takes
 * one out of a session again: only the end of the session does. So everything that
 * can be looked at is looked at first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "plan.h"
#include "session.h"

/* How long systemd may take to close a copy once it has heard of it */
#define CLOSE_MS 10000

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* A sealed memfd with these bytes, which is preserved and then closed. */
static int preserve_bytes(struct lu_session *session, const char *name,
			  const char *data, size_t length, uint64_t token,
			  struct lu_error *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), rc = 0;

	if (fd < 0)
		return lui_fail_system(err, -errno, name, "a memfd for");
	for (size_t at = 0; !rc && at < length;) {
		ssize_t done = write(fd, data + at, length - at);

		if (done > 0)
			at += done;
		else if (errno != EINTR)
			rc = lui_fail_system(err, -errno, name,
					     "a memfd for");
	}
	if (!rc && fcntl(fd, F_ADD_SEALS, SEALS))
		rc = lui_fail_system(err, -errno, name, "the seals of");
	if (!rc)
		rc = lu_session_preserve(session, fd, token, err);
	close(fd);
	return rc;
}

static void number(struct parts *p)
{
	uint64_t token = LU_TOKEN_PLAN;

	for (unsigned int i = 0; i < p->memfds; i++)
		p->memfd[i].token = token++;
	for (unsigned int i = 0; i < p->blobs; i++)
		p->blob[i].token = token++;
	for (unsigned int i = 0; i < p->iommufds; i++)
		p->iommufd[i].token = token++;
	for (unsigned int i = 0; i < p->hwpts; i++)
		p->hwpt[i].token = token++;
	for (unsigned int i = 0; i < p->devices; i++)
		p->device[i].token = token++;
}

static int explain_mark(int rc, const struct part_hwpt *h, struct lu_error *err)
{
	switch (rc) {
	case -ENOENT:
	case -EINVAL:
		return lui_fail(err, rc, LU_WHY_PLAN, h->name,
				"'%s': object %u of its iommufd is not an HWPT",
				h->name, h->id);
	case -EBUSY:
	case -EADDRINUSE:
		return lui_fail(err, rc, LU_WHY_PRESERVED, h->name,
				"'%s' is marked or preserved already, or came from the kernel before",
				h->name);
	case -EOPNOTSUPP:
		return lui_fail(err, rc, LU_WHY_UNSUPPORTED, h->name,
				"'%s' is an HWPT that cannot be preserved: nested, able to take faults, or made by attaching to an IOAS",
				h->name);
	case -ENOTTY:
		return lui_fail(err, -ENOTSUP, LU_WHY_UNSUPPORTED, h->name,
				"this kernel's iommufd cannot be preserved");
	default:
		return lui_fail_system(err, rc, h->name, "the mark of");
	}
}

static int mark(struct parts *p, struct lu_error *err)
{
	for (unsigned int i = 0; i < p->hwpts; i++) {
		struct part_hwpt *h = &p->hwpt[i];
		int rc;

		if (h->marked)
			continue;
		rc = lu_hwpt_mark(p->iommufd[h->iommufd].fd, h->id, h->token);
		if (rc)
			return explain_mark(rc, h, err);
		h->marked = true;
	}
	return 0;
}

/*
 * -EBUSY if one is still preserved, by a copy of the session. Those that could not
 * be unmarked are tried again the next time.
 */
static int unmark(struct parts *p)
{
	int rc = 0;

	for (unsigned int i = 0; i < p->hwpts; i++) {
		struct part_hwpt *h = &p->hwpt[i];
		int err;

		if (!h->marked)
			continue;
		err = lu_hwpt_unmark(p->iommufd[h->iommufd].fd, h->id);
		/* -ENOENT: it was destroyed, and its mark with it */
		if (!err || err == -ENOENT)
			h->marked = false;
		else
			rc = err;
	}
	return rc;
}

/* So that it says which of the files it was. */
static int name_it(int rc, const char *name, struct lu_error *err)
{
	if (rc && err && err->size >= sizeof(*err) && !*err->subject)
		strcpy(err->subject, name);
	return rc;
}

static int preserve_map(struct parts *p, struct lu_session *session,
			struct lu_error *err)
{
	char *text = lui_map_write(p);
	int rc;

	if (!text)
		return lui_fail_system(err, -ENOMEM, NULL,
				       "the map of the session");
	rc = preserve_bytes(session, "map", text, strlen(text), 0, err);
	free(text);
	return rc;
}

/* *@ret_any: the kernel has taken something. */
static int preserve_files(struct parts *p, struct lu_session *session,
			  bool *ret_any, struct lu_error *err)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && i < p->memfds; i++) {
		rc = lu_session_preserve(session, p->memfd[i].fd,
					 p->memfd[i].token, err);
		name_it(rc, p->memfd[i].name, err);
		*ret_any |= !rc;
	}
	for (unsigned int i = 0; !rc && i < p->blobs; i++) {
		rc = preserve_bytes(session, p->blob[i].name, p->blob[i].data,
				    p->blob[i].length, p->blob[i].token, err);
		name_it(rc, p->blob[i].name, err);
		*ret_any |= !rc;
	}
	for (unsigned int i = 0; !rc && i < p->iommufds; i++) {
		rc = lu_session_preserve(session, p->iommufd[i].fd,
					 p->iommufd[i].token, err);
		name_it(rc, p->iommufd[i].name, err);
	}
	for (unsigned int i = 0; !rc && i < p->devices; i++) {
		rc = lu_session_preserve(session, p->device[i].fd,
					 p->device[i].token, err);
		name_it(rc, p->device[i].name, err);
	}
	return rc ? rc : preserve_map(p, session, err);
}

/* The end of all that is preserved in it, unless somebody has a copy. */
static int close_session(struct lu_session *session, struct lu_error *err)
{
	int rc = lu_session_unpark(session, err);

	if (rc)
		return rc;
	close(session->fd);
	session->fd = -1;
	return 0;
}

int lu_plan_preserve(struct lu_plan *plan, struct lu_session *session,
		     struct lu_error *err)
{
	struct parts *p = &plan->parts;
	bool any = false;
	int rc;

	if (session->fd < 0)
		return lui_fail(err, -EBADF, LU_WHY_SYSTEM, session->name,
				"session '%s' is closed", session->name);
	if (session->direction == LU_IN)
		return lui_fail(err, -EINVAL, LU_WHY_DIRECTION, session->name,
				"session '%s' came from the kernel before; a new one is needed to preserve in",
				session->name);
	rc = lu_plan_check(plan, err);
	if (rc)
		return rc;
	number(p);
	rc = mark(p, err);
	if (!rc)
		rc = preserve_files(p, session, &any, err);
	if (!rc)
		return 0;
	/* The first failure is what the caller has to hear of. */
	if (any)
		close_session(session, NULL);
	unmark(p);
	return rc;
}

int lu_plan_undo(struct lu_plan *plan, struct lu_session *session,
		 struct lu_error *err)
{
	bool by_systemd = session->keeper == LUI_SYSTEMD;
	int rc = 0;

	if (session->fd >= 0)
		rc = close_session(session, err);
	if (rc)
		return rc;
	rc = unmark(&plan->parts);
	/* systemd leaves that to a process of its own, which nobody hears of. */
	for (int i = 0; by_systemd && rc == -EBUSY && i < CLOSE_MS; i++) {
		usleep(1000);
		rc = unmark(&plan->parts);
	}
	if (rc == -EBUSY)
		return lui_fail(err, rc, LU_WHY_PRESERVED, session->name,
				"somebody has a copy of session '%s', and everything in it is still preserved",
				session->name);
	return rc ? lui_fail_system(err, rc, session->name,
				    "the marks of session") :
		    0;
}
