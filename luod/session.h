/* SPDX-License-Identifier: GPL-2.0-only */
/* A session's file descriptor, and what it can be asked. */
#ifndef LUOD_SESSION_H
#define LUOD_SESSION_H

#include <stdbool.h>

#include "liveupdate.h"

/*
 * The kernel's name of it. No call is made to a file that is not a session, as
 * that could be made to take for ever. Return: 0, or -EMEDIUMTYPE
 */
int session_name(int fd, char name[LU_NAME_BYTES]);

/* It came from the kernel before. Changes nothing. */
bool session_incoming(int fd);

/* An incoming one that was finished, as far as the kernel can be asked. */
bool session_finished(int fd);

#endif
