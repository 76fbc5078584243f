/* SPDX-License-Identifier: GPL-2.0-only */
/* The keeper of sessions; the case has tools:luod. */
#ifndef LU_LUOD_H
#define LU_LUOD_H

#include <sys/types.h>

/* Starts it, and waits until it can be asked: its pid, or -errno, which was told. */
pid_t luod_start(void);

#endif
