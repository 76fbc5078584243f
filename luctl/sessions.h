/* SPDX-License-Identifier: GPL-2.0-only */
/* The sessions of the live update orchestrator, as the kernel lists them. */
#ifndef LUCTL_SESSIONS_H
#define LUCTL_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "holders.h"

#define SESSIONS_FILE "/sys/kernel/liveupdate/sessions"

enum session_state {
	SESSION_OUTGOING,
	SESSION_INCOMING, /* nobody has it */
	SESSION_RETRIEVED,
	SESSION_FINISHED,
	SESSION_UNKNOWN, /* somebody holds it; the kernel lists none */
};

struct session_file {
	uint64_t token;
	char kind[48]; /* what it is, with version: "memfd-v2" */
	char state[16];
};

struct session {
	char *name; /* escaped */
	enum session_state state;
	struct session_file *file;
	unsigned int files;
};

struct sessions {
	struct session *list;
	unsigned int count;
	/* 0; or why the kernel's list could not be had, then these are those held */
	int error;
};

/* @holders has those that somebody holds, for a kernel without a list. */
void sessions_read(struct sessions *ret, const struct holders *holders);
void sessions_free(struct sessions *s);

const char *session_state_name(enum session_state state);
const struct session *session_find(const struct sessions *s, const char *name);
/* Those of a kind as "vfio-pci", without the version. */
unsigned int session_files_of(const struct session *s, const char *kind);
/* Came from the kernel before, and is not finished. */
bool session_is_left(const struct session *s);

#endif
