// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a session that came over and that nobody wants any more: its devices
 * are blocked, its memory is free. Its memory, and what its devices were asked for,
 * are lost.
 */
#include <errno.h>
#include <inttypes.h>
#include <liveupdate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "luctl.h"
#include "sysfs.h"
#include "world.h"

static int tell_error(const struct lu_error *e, int rc)
{
	complain("%s", e->text[0] ? e->text : strerror(-rc));
	return EXIT_REFUSED;
}

static void plan(const struct world *w, const struct session *s)
{
	printf("%s is %s. It would\n", s->name, session_state_name(s->state));
	for (unsigned int i = 0; i < s->files; i++)
		printf("  %s 0x%" PRIx64 " (%s, %s)\n",
		       strncmp(s->file[i].kind, "vfio-pci", 8) ?
			       "drop" :
			       "block the DMA of device",
		       s->file[i].token, s->file[i].kind, s->file[i].state);
	for (unsigned int i = 0; i < w->iommu.devices; i++)
		if (iommu_on_old_tables(&w->iommu, &w->iommu.device[i]))
			printf("  (%s has tables of the old kernel)\n",
			       w->iommu.device[i].bdf);
	printf("and finish it. Nothing was changed.\n");
}

/*
 * Who has it. luod does not count: it keeps a copy of what it has given to somebody,
 * gives root one as well, and lets go of its own when that is finished. It may have
 * one in its store, too.
 */
static const struct holder *owner_of(const struct world *w, const char *shown)
{
	const struct holder *h, *systemd = NULL, *other = NULL;
	unsigned int at = 0;
	bool luod = false;

	while ((h = holder_next(&w->holders, HOLDS_SESSION, shown, &at))) {
		if (h->pid == getpid())
			continue;
		if (!strcmp(h->comm, "luod"))
			luod = true;
		else if (h->pid == 1)
			systemd = h;
		else
			other = h;
	}
	return other || luod ? other : systemd;
}

/* What stands against it, before it is touched; an exit code, 0 for nothing */
static int look(const struct world *w, const char *shown, bool dry_run)
{
	const struct session *s = session_find(&w->sessions, shown);
	const struct holder *h = owner_of(w, shown);
	char *who;

	if (w->sessions.error && dry_run) {
		complain(SESSIONS_FILE ": %s. What it would do cannot be told.",
			 strerror(-w->sessions.error));
		return EXIT_CANNOT;
	}
	if (!w->sessions.error && !s) {
		complain("there is no session %s; luctl status has a list.",
			 shown);
		return EXIT_REFUSED;
	}
	if (s && s->state == SESSION_OUTGOING) {
		complain(
			"%s is of this kernel: it ends when its owner closes it.",
			shown);
		return EXIT_REFUSED;
	}
	if (h && h->pid == 1) {
		complain("systemd has %s in the store of a service: stop that, and 'systemctl clean --what=fdstore UNIT' takes it out.",
			 shown);
		return EXIT_REFUSED;
	}
	if (h) {
		who = holder_text(h);
		complain("%s has %s; end that first.", who, shown);
		free(who);
		return EXIT_REFUSED;
	}
	if (s && dry_run)
		plan(w, s);
	return 0;
}

/*
 * From the kernel, or a copy of luod's. That knows one of this user by a shorter name
 * as well, which can be the whole name of another.
 */
static int take(const char *name, struct lu_session **ret, struct lu_error *e)
{
	struct lu_error of_luod = LU_ERROR_INIT;
	int rc = lu_session_retrieve(name, ret, e);

	if (rc != -EALREADY ||
	    lu_session_acquire(name, LU_IN, ret, &of_luod))
		return rc;
	if (!strcmp(lu_session_name(*ret), name))
		return 0;
	lu_session_free(*ret);
	return rc;
}

/* Its owner may have got it from luod, too, since it was looked at. */
static int still_alone(const char *shown)
{
	const struct holder *h;
	struct world w;
	int code = 0;
	char *who;

	world_read(&w);
	h = owner_of(&w, shown);
	if (h) {
		who = holder_text(h);
		complain("%s has %s now; end that first.", who, shown);
		free(who);
		code = EXIT_REFUSED;
	}
	world_free(&w);
	return code;
}

static int reap(const char *name, const char *shown, int timeout_ms)
{
	struct lu_error e = LU_ERROR_INIT;
	struct lu_session *session;
	struct lu_guest *guest;
	int rc;

	rc = take(name, &session, &e);
	if (rc)
		return tell_error(&e, rc);
	if (still_alone(shown)) {
		lu_session_free(session);
		return EXIT_REFUSED;
	}
	rc = lu_guest_open(session, &guest, &e);
	if (!rc) {
		rc = lu_guest_reap(guest, timeout_ms, &e);
		lu_guest_free(guest);
	}
	lu_session_free(session);
	if (rc)
		return tell_error(&e, rc);
	printf("%s is finished\n", name);
	return EXIT_TAKEN;
}

int verb_reap(const struct request *req)
{
	char *shown = escaped(req->subject);
	struct world w;
	int code;

	world_read(&w);
	code = look(&w, shown, req->dry_run);
	world_free(&w);
	if (!code && !req->dry_run)
		code = reap(req->subject, shown, req->timeout_ms);
	free(shown);
	return code;
}
