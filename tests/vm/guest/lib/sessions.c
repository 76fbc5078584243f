// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sessions.h"
#include "textfile.h"

#define TEXT_BYTES (64 << 10)

static int parse_session(struct sessions *s, const char *line)
{
	struct session_line *session = &s->session[s->count];

	if (s->count == SESSIONS_MAX)
		return -E2BIG;
	memset(session, 0, sizeof(*session));
	if (sscanf(line, "session %15s %u %259[^\n]", session->state,
		   &session->files, session->name) != 3)
		return -EPROTO;
	s->count++;
	return 0;
}

static int parse_file(struct sessions *s, const char *line)
{
	struct session_line *session = &s->session[s->count - 1];
	struct session_file *file;
	int end = 0;

	if (!s->count)
		return -EPROTO;
	if (session->lines == SESSION_FILES_MAX)
		return -E2BIG;
	file = &session->file[session->lines++];
	if (sscanf(line, "file 0x%" SCNx64 " %63s %15s%n", &file->token,
		   file->compatible, file->state, &end) != 3 || line[end])
		return -EPROTO;
	return 0;
}

int sessions_parse(struct sessions *s, char *text)
{
	char *next, *end;
	int rc = 0;

	s->count = 0;
	for (next = text; !rc && *next; next = end + 1) {
		end = strchr(next, '\n');
		if (!end)
			return -EPROTO;
		*end = '\0';
		rc = strncmp(next, "file ", 5) ? parse_session(s, next) :
						 parse_file(s, next);
	}
	for (unsigned int i = 0; !rc && i < s->count; i++)
		if (s->session[i].files != s->session[i].lines)
			rc = -EPROTO;
	return rc;
}

int sessions_read(struct sessions *s)
{
	static char text[TEXT_BYTES];
	int rc = get_text(SESSIONS_PATH, text, sizeof(text));

	return rc < 0 ? rc : sessions_parse(s, text);
}

const struct session_line *sessions_find(const struct sessions *s,
					 const char *name)
{
	for (unsigned int i = 0; i < s->count; i++)
		if (!strcmp(s->session[i].name, name))
			return &s->session[i];
	return NULL;
}

const char *session_file_state(const struct session_line *session,
			       uint64_t token)
{
	for (unsigned int i = 0; session && i < session->lines; i++)
		if (session->file[i].token == token)
			return session->file[i].state;
	return "";
}
