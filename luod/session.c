// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "uapi.h"

/*
 * What /proc shows of a session. The path of a file in a file system begins with
 * a slash, so nobody can make one that looks like it.
 */
#define LOOKS_LIKE "anon_inode:[luo_session]"

int session_name(int fd, char name[LU_NAME_BYTES])
{
	struct lui_name cmd = { .size = sizeof(cmd) };
	char link[32], looks[sizeof(LOOKS_LIKE)];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, looks, sizeof(looks) - 1);
	if (length != sizeof(looks) - 1 ||
	    memcmp(looks, LOOKS_LIKE, sizeof(looks) - 1))
		return -EMEDIUMTYPE;
	if (ioctl(fd, LUI_GET_NAME, &cmd))
		return -EMEDIUMTYPE;
	memcpy(name, cmd.name, LU_NAME_BYTES);
	name[LU_NAME_BYTES - 1] = 0;
	return *name ? 0 : -EMEDIUMTYPE;
}

/*
 * An incoming session refuses the call as such; an outgoing one looks for the
 * file, of which there is none.
 */
bool session_incoming(int fd)
{
	struct lui_file cmd = { .size = sizeof(cmd), .fd = -1 };

	return ioctl(fd, LUI_PRESERVE_FD, &cmd) && errno == EINVAL;
}

bool session_finished(int fd)
{
	struct lui_info cmd = { .size = sizeof(cmd) };

	return !ioctl(fd, LUI_GET_INFO, &cmd) && cmd.state == LUI_FINISHED;
}
