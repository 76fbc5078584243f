/* SPDX-License-Identifier: GPL-2.0-only */
/* QEMU's monitor, one command at a time. */
#ifndef LU_QEMU_QMP_H
#define LU_QEMU_QMP_H

#include <json-c/json.h>
#include <sys/types.h>

#include "lu-qemu.h"

struct qmp {
	int fd;
	int timeout_ms;
	pid_t pid; /* of QEMU */
	int major, minor; /* its version */
	json_tokener *parser;
	char text[4096]; /* what has been read and not parsed */
	size_t begin, end;
};

/*
 * Connects to the monitor of a guest and says what it can. 0 or -errno with @why,
 * -ENOENT or -ECONNREFUSED if it does not run; ended by qmp_close().
 */
int qmp_open(struct qmp *qmp, const struct request *req, struct why *why);
void qmp_close(struct qmp *qmp);

/*
 * One command; @args is used up, NULL for none. What it returns is to be put; NULL
 * with @why if QEMU refuses or is not there any more.
 */
json_object *qmp_ask(struct qmp *qmp, const char *command, json_object *args,
		     struct why *why);

/* The same where only success is of interest: 0 or -errno with @why. */
int qmp_do(struct qmp *qmp, const char *command, json_object *args,
	   struct why *why);

/*
 * Waits until QEMU has become another program, or says that its migration has failed.
 * 0, or -errno with @why.
 */
int qmp_await_exec(struct qmp *qmp, struct why *why);

#endif
