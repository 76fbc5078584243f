/* SPDX-License-Identifier: GPL-2.0-only */
/* Other programs, and the time they take. */
#ifndef LUCTL_COMMAND_H
#define LUCTL_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

/* Of a clock that nobody sets */
int64_t now_ms(void);

/* Runs it and waits. Its exit code, 127 if there is no such program, -1 if it
 * was killed. */
int command_run(const char *const *argv);

/*
 * The same, and what it prints, to be freed; NULL if it could not be started. After
 * @limit_ms, if that is not negative, it is killed: -ETIMEDOUT.
 */
int command_said(const char *const *argv, int limit_ms, char **ret_text);

/* What it prints, to be freed; NULL if it fails or is not there. */
char *command_text(const char *const *argv);

/*
 * Starts it with @in as its input, which is closed; its output comes through
 * what is returned, -errno if that cannot be. To be ended with command_end().
 */
int command_filter(const char *const *argv, int in, pid_t *ret_pid);
int command_end(int out, pid_t pid);

#endif
