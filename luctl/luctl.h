/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * luctl: what an operator looks at and does around a kexec live update.
 */
#ifndef LUCTL_H
#define LUCTL_H

#include <stdbool.h>

enum {
	EXIT_TAKEN = 0, /* a live update would be taken over; done; finished */
	EXIT_REFUSED = 1, /* it would not; not done; not finished in time */
	EXIT_CANNOT = 2, /* that cannot be told, or nobody knows what was meant */
};

/* The version of what --json prints */
#define SCHEMA 1

#define IGNORES_MAX 32

/* What was asked for on the command line. */
struct request {
	const char *subject; /* IMAGE, SESSION or NULL */
	bool json;
	bool dot;
	bool svg;
	bool now;
	bool offline;
	bool dry_run;
	bool reuse;
	bool unload;
	bool no_initrd;
	const char *wanted; /* --for */
	const char *append;
	const char *initrd;
	const char *ignore[IGNORES_MAX];
	unsigned int ignores;
	int timeout_ms; /* negative: for ever */
};

/* One line on stderr, "luctl: ...". */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The verbs; each returns an exit code. */
int verb_status(const struct request *req);
int verb_check(const struct request *req);
int verb_load(const struct request *req);
int verb_update(const struct request *req);
int verb_show(const struct request *req);
int verb_reap(const struct request *req);
int verb_watch(const struct request *req);

#endif
