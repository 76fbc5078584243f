/* SPDX-License-Identifier: GPL-2.0-only */
/* /sys/kernel/liveupdate/sessions: which sessions there are, and what is in them. */
#ifndef LU_SESSIONS_H
#define LU_SESSIONS_H

#include <stdint.h>

#define SESSIONS_PATH "/sys/kernel/liveupdate/sessions"
#define SESSIONS_MAX 8
#define SESSION_FILES_MAX 160

struct session_file {
	uint64_t token;
	char compatible[64];
	char state[16];
};

struct session_line {
	char state[16];
	char name[260]; /* escaped, as it is in the file */
	unsigned int files; /* as the line says */
	unsigned int lines; /* those that follow */
	struct session_file file[SESSION_FILES_MAX];
};

struct sessions {
	unsigned int count;
	struct session_line session[SESSIONS_MAX];
};

/* 0 or -errno: -EPROTO when a line is not as it is documented. */
int sessions_read(struct sessions *s);
/* The same, of a text that was read before; it is written to. */
int sessions_parse(struct sessions *s, char *text);
/* NULL when there is none of that name. */
const struct session_line *sessions_find(const struct sessions *s,
					 const char *name);
/* The state of a file, "" when the session has none with this token. */
const char *session_file_state(const struct session_line *session,
			       uint64_t token);

#endif
