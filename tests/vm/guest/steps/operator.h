/* SPDX-License-Identifier: GPL-2.0-only */
/* The operator, who knows luctl only; for runs with tools:luctl. */
#ifndef LU_OPERATOR_H
#define LU_OPERATOR_H

#include <stdbool.h>

/* What luctl has said last, on stdout and stderr */
extern char luctl_said[64 << 10];

/* luctl WORD..., up to NULL. Its exit code; -errno, with a failed check. */
int luctl(const char *verb, ...);

/* Checks of that: the exit code, with the end of what was said; a part of it. */
bool luctl_ends(const char *name, int code, int want);
bool luctl_says(const char *name, const char *what);

#endif
