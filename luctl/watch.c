// SPDX-License-Identifier: GPL-2.0-only
/*
 * How far the owners are with taking back what came over. The kernel tells nobody
 * when that changes, so it is looked at again and again; a line is printed when
 * it has.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "luctl.h"
#include "sysfs.h"
#include "world.h"

#define PAUSE_MS 200

static unsigned int left(const struct world *w)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < w->sessions.count; i++)
		count += session_is_left(&w->sessions.list[i]);
	return count;
}

/* Files that were taken */
static unsigned int taken(const struct session *s)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < s->files; i++)
		count += !strcmp(s->file[i].state, "retrieved");
	return count;
}

static unsigned int old_tables(const struct iommu *i)
{
	unsigned int count = 0;

	for (unsigned int n = 0; n < i->devices; n++)
		count += iommu_on_old_tables(i, &i->device[n]);
	return count;
}

static char *add(char *text, char *more)
{
	char *both = must_print("%s%s", text, more);

	free(text);
	free(more);
	return both;
}

static char *in_words(const struct world *w)
{
	unsigned int count = left(w), devices = old_tables(&w->iommu);
	char *text;

	if (!count)
		return must_print("all sessions are finished");
	text = must_print("%u session%s left", count, count == 1 ? "" : "s");
	if (!w->iommu.error)
		text = add(
			text,
			must_print(
				", %u device%s with tables of the old kernel",
				devices, devices == 1 ? "" : "s"));
	for (unsigned int i = 0, n = 0; i < w->sessions.count; i++) {
		const struct session *s = &w->sessions.list[i];

		if (session_is_left(s))
			text = add(
				text,
				must_print("%s %s (%s, %u of %u files taken)",
					   n++ ? "," : ":", s->name,
					   session_state_name(s->state),
					   taken(s), s->files));
	}
	return text;
}

static char *in_json(const struct world *w)
{
	json_object *o = json_answer("watch"), *list;
	char *text;

	put_number(o, "left", left(w));
	put_number(o, "old_tables",
		   w->iommu.error ? -1 : (int64_t)old_tables(&w->iommu));
	list = put_list(o, "sessions");
	for (unsigned int i = 0; i < w->sessions.count; i++) {
		const struct session *s = &w->sessions.list[i];
		json_object *one;

		if (!session_is_left(s))
			continue;
		one = json_object_new_object();
		put_text(one, "name", s->name);
		put_text(one, "state", session_state_name(s->state));
		put_number(one, "files", s->files);
		put_number(one, "taken", taken(s));
		json_object_array_add(list, one);
	}
	text = must_copy(json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return text;
}

/* Prints what differs from *@last; an exit code, or -1 to go on. */
static int look(const struct request *req, char **last)
{
	struct world w;
	char *text;
	int code;

	world_read(&w);
	if (w.sessions.error) {
		complain(SESSIONS_FILE
			 ": %s. Which sessions are left cannot be told.",
			 strerror(-w.sessions.error));
		world_free(&w);
		return EXIT_CANNOT;
	}
	text = req->json ? in_json(&w) : in_words(&w);
	code = left(&w) ? -1 : EXIT_TAKEN;
	world_free(&w);
	if (!*last || strcmp(*last, text)) {
		puts(text);
		fflush(stdout);
	}
	free(*last);
	*last = text;
	return code;
}

int verb_watch(const struct request *req)
{
	int64_t end = now_ms() + req->timeout_ms;
	char *last = NULL;
	int code;

	while ((code = look(req, &last)) < 0) {
		if (req->timeout_ms >= 0 && now_ms() >= end) {
			complain("not all sessions were finished in time.");
			code = EXIT_REFUSED;
			break;
		}
		poll(NULL, 0, PAUSE_MS);
	}
	free(last);
	return code;
}
