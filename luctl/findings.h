/* SPDX-License-Identifier: GPL-2.0-only */
/* What a check has found. */
#ifndef LUCTL_FINDINGS_H
#define LUCTL_FINDINGS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "luctl.h"

enum level {
	FINE,
	NOTE, /* worth to know, stands against nothing */
	UNKNOWN, /* it cannot be told, and it matters */
	REFUSED,
};

struct finding {
	enum level level;
	const char *area; /* what was looked at: "image", "node", ... */
	const char *code; /* for scripts, and for --ignore */
	char *subject; /* what it is about, or NULL */
	char *text; /* a sentence without its full stop */
	char *hint; /* what to do about it, or NULL */
	bool ignored;
};

struct findings {
	const struct request *req; /* has what is to be ignored */
	struct finding *list;
	unsigned int count;
};

void found(struct findings *f, enum level level, const char *area,
	   const char *code, const char *subject, const char *hint,
	   const char *fmt, ...) __attribute__((format(printf, 7, 8)));

unsigned int findings_of(const struct findings *f, enum level level);
/* EXIT_TAKEN, EXIT_REFUSED or EXIT_CANNOT. */
int findings_code(const struct findings *f);
void findings_print(const struct findings *f, FILE *out);
/* Adds "taken", "reasons" and "findings". */
void findings_json(const struct findings *f, json_object *to);
void findings_free(struct findings *f);

#endif
