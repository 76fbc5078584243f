// SPDX-License-Identifier: GPL-2.0-only
/* Will each session still be there when the old kernel ends? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sysfs.h"
#include "systemd.h"

struct keeper {
	enum kept kept;
	char *who;
	char *hint;
};

static void by_systemd(const struct check *c, const struct session *s,
		       struct keeper *k)
{
	char *unit = NULL;

	if (c->systemd < SYSTEMD_KEEPS_STORES) {
		k->kept = c->systemd ? KEPT_NO : KEPT_UNKNOWN;
		k->who = must_print("systemd %d, whose stores end with it",
				    c->systemd);
		k->hint = must_copy("let luod keep it, or use --now");
		return;
	}
	k->kept = systemd_keeps(s->name, &unit);
	k->who = must_print("systemd (%s)",
			    unit ? unit : "which unit is not known");
	k->hint = must_print("set FileDescriptorStorePreserve=yes in %s",
			     unit ? unit : "its unit");
	free(unit);
}

static void by_process(const struct holder *h, struct keeper *k)
{
	char unit[256], *value = NULL, *text = holder_text(h);
	bool spared = process_is_spared(h->pid);

	if (!spared && process_unit(h->pid, unit, sizeof(unit)))
		value = systemd_property(unit, "SurviveFinalKillSignal");
	k->kept =
		spared || (value && !strcmp(value, "yes")) ? KEPT_YES : KEPT_NO;
	k->who =
		must_print("%s%s", text,
			   k->kept == KEPT_YES ? "" : ", which shutdown kills");
	k->hint = must_copy("park it with systemd or luod, or use --now");
	free(value);
	free(text);
}

/* The best of those that have it. */
static void keeper_of(const struct check *c, const struct session *s,
		      struct keeper *best)
{
	const struct holder *h;
	unsigned int at = 0;

	memset(best, 0, sizeof(*best));
	while (best->kept != KEPT_YES &&
	       (h = holder_next(&c->world.holders, HOLDS_SESSION, s->name,
				&at))) {
		struct keeper k = { 0 };

		if (h->pid == 1 && c->systemd)
			by_systemd(c, s, &k);
		else
			by_process(h, &k);
		if (best->who && k.kept == KEPT_NO) {
			free(k.who);
			free(k.hint);
			continue;
		}
		free(best->who);
		free(best->hint);
		*best = k;
	}
}

static void say_files(const struct session *s, char *buf, size_t size)
{
	unsigned int devices = session_files_of(s, "vfio-pci");

	if (!s->files)
		snprintf(buf, size, "%s",
			 s->state == SESSION_UNKNOWN ? "" : ", empty");
	else
		snprintf(buf, size, ", %u file%s, %u of them device%s",
			 s->files, s->files == 1 ? "" : "s", devices,
			 devices == 1 ? "" : "s");
}

static void check_keeper(struct check *c, const struct session *s)
{
	char files[64];
	struct keeper k;

	say_files(s, files, sizeof(files));
	if (c->now) {
		found(&c->found, FINE, "sessions", "kept", s->name, NULL,
		      "%s%s: nobody is stopped before the jump", s->name,
		      files);
		return;
	}
	keeper_of(c, s, &k);
	if (!k.who)
		found(&c->found, UNKNOWN, "sessions", "keeper-unknown", s->name,
		      "run luctl as root", "%s%s: who has it cannot be seen",
		      s->name, files);
	else if (k.kept == KEPT_YES)
		found(&c->found, FINE, "sessions", "kept", s->name, NULL,
		      "%s%s: kept by %s", s->name, files, k.who);
	else if (k.kept == KEPT_NO)
		found(&c->found, REFUSED, "sessions", "not-kept", s->name,
		      k.hint, "%s%s: kept by %s", s->name, files, k.who);
	else
		found(&c->found, UNKNOWN, "sessions", "keeper-unknown", s->name,
		      k.hint, "%s%s: kept by %s", s->name, files, k.who);
	free(k.who);
	free(k.hint);
}

static void check_left(struct check *c, const struct session *s)
{
	found(&c->found, REFUSED, "sessions", "not-finished", s->name,
	      "let its owner finish it (luctl watch), or luctl reap it",
	      "%s came from the kernel before and is not finished: it would end",
	      s->name);
}

static void check_way(struct check *c)
{
	if (c->now)
		return;
	if (!systemd_is_running())
		found(&c->found, REFUSED, "way", "no-systemd", NULL,
		      "stop what has to be stopped, then use --now",
		      "systemd does not run here, so nobody shuts down");
	else if (!c->systemd)
		found(&c->found, UNKNOWN, "way", "no-systemctl", NULL, NULL,
		      "systemctl does not say which version systemd is");
}

void check_sessions(struct check *c)
{
	check_way(c);
	if (c->world.sessions.error)
		found(&c->found, NOTE, "sessions", "no-list", NULL, NULL,
		      "the kernel lists no sessions (%s), only those that somebody has are known",
		      strerror(-c->world.sessions.error));
	for (unsigned int i = 0; i < c->world.sessions.count; i++) {
		const struct session *s = &c->world.sessions.list[i];

		if (session_is_left(s))
			check_left(c, s);
		else if (s->state != SESSION_FINISHED)
			check_keeper(c, s);
	}
	if (c->world.holders.error || c->world.holders.hidden)
		found(&c->found, UNKNOWN, "sessions", "not-root", NULL,
		      "run luctl as root",
		      "what other processes have open cannot be seen");
	else if (!c->world.sessions.count)
		found(&c->found, NOTE, "sessions", "none", NULL, NULL,
		      "there are none: an ordinary kexec");
}
