// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "session.h"

/*
 * What /proc shows of a session. The path of a file in a file system begins with
 * a slash, so nobody can make one that looks like it.
 */
#define LOOKS_LIKE "anon_inode:[luo_session]"

int session_name(int fd, char name[LU_NAME_BYTES])
{
	char link[32], looks[sizeof(LOOKS_LIKE)];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, looks, sizeof(looks) - 1);
	if (length != sizeof(looks) - 1 ||
	    memcmp(looks, LOOKS_LIKE, sizeof(looks) - 1))
		return -EMEDIUMTYPE;
	return lui_session_name(fd, name) || !*name ? -EMEDIUMTYPE : 0;
}

bool session_incoming(int fd)
{
	return lui_session_direction(fd) == LU_IN;
}

bool session_finished(int fd)
{
	struct lui_info cmd = { .size = sizeof(cmd) };

	return !ioctl(fd, LUI_GET_INFO, &cmd) && cmd.state == LUI_FINISHED;
}
