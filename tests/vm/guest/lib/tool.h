/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs for user space that a run takes along, as tools:NAME in its args. */
#ifndef LU_TOOL_H
#define LU_TOOL_H

#include <sys/types.h>

#define TOOL_WORDS 16

/*
 * Runs a program, and waits. What it says on stdout and stderr is in @said, cut to
 * @size. Its exit code, or -errno; -EINTR if it was killed. @argv ends with NULL.
 */
int tool_run(char *said, size_t size, const char *const *argv);

/* The same in the background: its pid or -errno, then its end. */
pid_t tool_start(const char *const *argv);
int tool_end(pid_t pid);

#endif
