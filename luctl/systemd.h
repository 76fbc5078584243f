/* SPDX-License-Identifier: GPL-2.0-only */
/* What systemd says of itself and of its units, through systemctl. */
#ifndef LUCTL_SYSTEMD_H
#define LUCTL_SYSTEMD_H

#include <stdbool.h>

/* The first version whose file descriptor stores go over a kexec */
#define SYSTEMD_KEEPS_STORES 261

bool systemd_is_running(void);
/* 0 if it does not say. */
int systemd_version(void);

/* A property of a unit, to be freed; NULL if it does not say. */
char *systemd_property(const char *unit, const char *property);

enum kept {
	KEPT_NO,
	KEPT_YES,
	KEPT_UNKNOWN,
};

/*
 * Pid 1 has a session: in the store of which unit, and does that go over a
 * kexec? @ret_unit, to be freed, is NULL if it is not known which one it is.
 */
enum kept systemd_keeps(const char *session, char **ret_unit);

#endif
