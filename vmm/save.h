/* SPDX-License-Identifier: GPL-2.0-only */
/* The monitor of a guest by its name. */
#ifndef LU_QEMU_SAVE_H
#define LU_QEMU_SAVE_H

#include "qmp.h"

/* As qmp_open(), where the guest has its monitor. */
int monitor_open(struct qmp *qmp, const struct request *req, struct why *why);

/* qmp_ask() where only success is of interest: 0 or -errno with @why. */
int monitor_ask(struct qmp *qmp, const char *command, json_object *args,
		struct why *why);

#endif
