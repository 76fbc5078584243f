/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lu-qemu: a guest of QEMU goes through a kexec live update.
 *
 * Before it, QEMU stops the guest and becomes "lu-qemu hold" (cpr-exec of QEMU),
 * which preserves memory, IOMMU and devices, and keeps the files open in case that
 * the update is called off. In the next kernel "lu-qemu run" takes all of it back
 * and becomes QEMU again. It is one process all the time, so a service manager sees
 * one service.
 */
#ifndef LU_QEMU_H
#define LU_QEMU_H

#include <liveupdate.h>
#include <stdbool.h>

enum {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1, /* not done, the guest is as it was */
	EXIT_CANNOT = 2, /* nobody knows what was meant */
	EXIT_LOST = 3, /* the guest is gone, or does not go on */
};

/* What was asked for on the command line. */
struct request {
	const char *name; /* of the guest, and of its session; NULL for all */
	bool now; /* no service is stopped before the jump */
	const char *monitor; /* path of QEMU's QMP socket */
	const char *dir; /* where guests leave what the next call needs */
	int timeout_ms;
	char **command; /* QEMU and its arguments, behind "--" */
};

#define WHY_BYTES 320

/* Why something failed, for people; "" before it did. */
struct why {
	char text[WHY_BYTES];
};

/* Sets the text, returns @code. */
int because(struct why *why, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, in the library's words. */
int because_of(struct why *why, int code, const struct lu_error *err);

/* One line on stderr, "lu-qemu: ...". */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The verbs; each returns an exit code, but what becomes QEMU does not return. */
int verb_run(const struct request *req);
int verb_check(const struct request *req);
int verb_save(const struct request *req);
int verb_resume(const struct request *req);
int verb_stop(const struct request *req);
int verb_hold(const struct request *req);

#endif
