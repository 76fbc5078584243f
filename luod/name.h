/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's names of sessions: "UID.NAME" of a user's. */
#ifndef LUOD_NAME_H
#define LUOD_NAME_H

#include <sys/types.h>

#include "liveupdate.h"

/*
 * The kernel's name of what @uid calls @name. Return: 0; -EINVAL it is empty, or
 * holds a slash or a control byte; -ENAMETOOLONG
 */
int name_make(char kernel[LU_NAME_BYTES], uid_t uid, const char *name);

/* Whose session that is; root's if the name says nothing about it. */
uid_t name_owner(const char *kernel);

#endif
