// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "sysfs.h"
#include "world.h"

#define CANNOT_MAX 3

void world_read(struct world *w)
{
	loaded_read(&w->loaded);
	holders_read(&w->holders);
	sessions_read(&w->sessions, &w->holders);
	iommu_read(&w->iommu);
}

void world_free(struct world *w)
{
	loaded_free(&w->loaded);
	holders_free(&w->holders);
	sessions_free(&w->sessions);
	iommu_free(&w->iommu);
}

char *world_holders_text(const struct world *w, enum holds kind,
			 const char *name)
{
	const struct holder *h;
	unsigned int at = 0;
	char *all = NULL;

	while ((h = holder_next(&w->holders, kind, name, &at))) {
		char *one = holder_text(h), *more;

		if (all && strstr(all, one)) {
			free(one);
			continue;
		}
		more = must_print("%s%s%s", all ? all : "", all ? ", " : "",
				  one);
		free(one);
		free(all);
		all = more;
	}
	return all ? all : must_copy("nobody");
}

/* Sentences; how many. To be freed. */
static unsigned int cannot(const struct world *w, char *text[CANNOT_MAX])
{
	unsigned int count = 0;

	if (w->sessions.error)
		text[count++] = must_print(
			"%s: %s; only sessions that somebody has are known",
			SESSIONS_FILE, strerror(-w->sessions.error));
	if (w->iommu.error)
		text[count++] =
			must_print("%s: %s; domains and devices are not known",
				   IOMMU_FILE, strerror(-w->iommu.error));
	if (w->holders.error || w->holders.hidden)
		text[count++] = must_copy(
			"what other processes have open cannot be seen, run luctl as root");
	return count;
}

unsigned int world_cannot_print(const struct world *w)
{
	char *text[CANNOT_MAX];
	unsigned int count = cannot(w, text);

	for (unsigned int i = 0; i < count; i++) {
		printf("%-9s %s\n", i ? "" : "unknown", text[i]);
		free(text[i]);
	}
	return count;
}

void world_cannot_json(const struct world *w, json_object *to)
{
	json_object *list = put_list(to, "cannot");
	char *text[CANNOT_MAX];
	unsigned int count = cannot(w, text);

	for (unsigned int i = 0; i < count; i++) {
		json_object_array_add(list, json_object_new_string(text[i]));
		free(text[i]);
	}
}

static json_object *file_json(const struct session_file *file)
{
	json_object *o = json_object_new_object();
	char token[24];

	snprintf(token, sizeof(token), "0x%" PRIx64, file->token);
	put_text(o, "token", token);
	put_text(o, "kind", file->kind);
	put_text(o, "state", file->state);
	return o;
}

static void memory_json(const struct world *w, pid_t pid, json_object *to)
{
	for (unsigned int i = 0; i < w->holders.count; i++) {
		const struct holder *h = &w->holders.list[i];
		json_object *o;

		if (h->kind != HOLDS_MEMORY || h->pid != pid)
			continue;
		o = json_object_new_object();
		put_text(o, "name", h->name);
		put_number(o, "bytes", h->bytes);
		json_object_array_add(to, o);
	}
}

static json_object *session_json(const struct world *w, const struct session *s)
{
	json_object *o = json_object_new_object(), *list;
	const struct holder *h;
	unsigned int at = 0;

	put_text(o, "name", s->name);
	put_text(o, "state", session_state_name(s->state));
	list = put_list(o, "files");
	for (unsigned int i = 0; i < s->files; i++)
		json_object_array_add(list, file_json(&s->file[i]));
	list = put_list(o, "holders");
	while ((h = holder_next(&w->holders, HOLDS_SESSION, s->name, &at))) {
		json_object *who = json_object_new_object();

		put_number(who, "pid", h->pid);
		put_text(who, "comm", h->comm);
		memory_json(w, h->pid, put_list(who, "memory"));
		json_object_array_add(list, who);
	}
	return o;
}

void world_sessions_json(const struct world *w, json_object *to)
{
	json_object *list = put_list(to, "sessions");

	for (unsigned int i = 0; i < w->sessions.count; i++)
		json_object_array_add(list,
				      session_json(w, &w->sessions.list[i]));
}
