/* SPDX-License-Identifier: GPL-2.0-only */
/* What QEMU is asked before its guest is stopped. */
#ifndef LU_QEMU_MACHINE_H
#define LU_QEMU_MACHINE_H

#include "qmp.h"

/*
 * Can this guest be preserved at all? If so, what QEMU becomes has to know: an
 * object with "argv", the command line that starts QEMU again, and "devices", each
 * with "name", "iommufd" and "bars" (of "bar", "address", "size"). NULL with @why.
 */
json_object *machine_look(struct qmp *qmp, struct why *why);

/* How its next migration is done, of what QEMU calls "mode". 0 or -errno with @why */
int machine_set_mode(struct qmp *qmp, const char *mode, struct why *why);

#endif
