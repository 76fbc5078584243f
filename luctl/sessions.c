// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions.h"
#include "sysfs.h"

static const char *const state_name[] = {
	[SESSION_OUTGOING] = "outgoing",   [SESSION_INCOMING] = "incoming",
	[SESSION_RETRIEVED] = "retrieved", [SESSION_FINISHED] = "finished",
	[SESSION_UNKNOWN] = "unknown",
};

const char *session_state_name(enum session_state state)
{
	return state_name[state];
}

static enum session_state state_of(const char *word)
{
	for (int i = 0; i < SESSION_UNKNOWN; i++)
		if (!strcmp(word, state_name[i]))
			return i;
	return SESSION_UNKNOWN;
}

static struct session *add(struct sessions *s, const char *name,
			   enum session_state state)
{
	struct session *new;

	s->list = must_grow(s->list, s->count + 1, sizeof(*s->list));
	new = &s->list[s->count++];
	memset(new, 0, sizeof(*new));
	new->name = must_copy(name);
	new->state = state;
	return new;
}

static void add_file(struct session *to, const char *line)
{
	struct session_file new = { 0 };

	if (sscanf(line, "file %" SCNx64 " %47s %15s", &new.token, new.kind,
		   new.state) != 3)
		return;
	to->file = must_grow(to->file, to->files + 1, sizeof(*to->file));
	to->file[to->files++] = new;
}

static void parse_line(struct sessions *s, const char *line)
{
	char word[16];
	int name = 0;

	if (sscanf(line, "session %15s %*u %n", word, &name) == 1 && name)
		add(s, line + name, state_of(word));
	else if (s->count)
		add_file(&s->list[s->count - 1], line);
}

static void parse(struct sessions *s, char *text)
{
	char *save, *line;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		parse_line(s, line);
}

const struct session *session_find(const struct sessions *s, const char *name)
{
	for (unsigned int i = 0; i < s->count; i++)
		if (!strcmp(s->list[i].name, name))
			return &s->list[i];
	return NULL;
}

void sessions_read(struct sessions *ret, const struct holders *holders)
{
	char *text = sys_text(SESSIONS_FILE);

	memset(ret, 0, sizeof(*ret));
	if (text) {
		parse(ret, text);
		free(text);
		return;
	}
	ret->error = -errno;
	for (unsigned int i = 0; i < holders->count; i++) {
		const struct holder *h = &holders->list[i];

		if (h->kind == HOLDS_SESSION && !session_find(ret, h->name))
			add(ret, h->name, SESSION_UNKNOWN);
	}
}

void sessions_free(struct sessions *s)
{
	for (unsigned int i = 0; i < s->count; i++) {
		free(s->list[i].name);
		free(s->list[i].file);
	}
	free(s->list);
}

unsigned int session_files_of(const struct session *s, const char *kind)
{
	unsigned int count = 0;
	size_t length = strlen(kind);

	for (unsigned int i = 0; i < s->files; i++)
		count += !strncmp(s->file[i].kind, kind, length) &&
			 (!s->file[i].kind[length] ||
			  !strncmp(s->file[i].kind + length, "-v", 2));
	return count;
}

bool session_is_left(const struct session *s)
{
	return s->state == SESSION_INCOMING || s->state == SESSION_RETRIEVED;
}
