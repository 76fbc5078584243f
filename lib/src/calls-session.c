// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

/*
 * The node is for one at a time, and everybody is to open it, ask and close it
 * again. So one that is busy will not be so for long.
 */
#define NODE_TRIES 500
#define NODE_WAIT_NS (10 * 1000 * 1000)

static int node_open(const char *node)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	/* Not what the ioctls say of a session that somebody has */
	case EBUSY:
		return -ETXTBSY;
	/* Nor of one that is not there */
	case ENOENT:
	case ENXIO:
		return -ENODEV;
	default:
		return -errno;
	}
}

int lui_node_call(const char *node, unsigned long call, const char *name)
{
	struct lui_session cmd = { .size = sizeof(cmd), .fd = -1 };
	int fd, rc;

	if (strlen(name) >= sizeof(cmd.name))
		return -ENAMETOOLONG;
	strcpy(cmd.name, name);
	fd = node_open(node);
	if (fd < 0)
		return fd;
	rc = ioctl(fd, call, &cmd) ? -errno : cmd.fd;
	close(fd);
	return rc;
}

static int node_session(unsigned long call, const char *name)
{
	const struct timespec wait = { .tv_nsec = NODE_WAIT_NS };
	int rc;

	for (int i = 0; i < NODE_TRIES; i++) {
		rc = lui_node_call(LUI_NODE, call, name);
		if (rc != -ETXTBSY)
			break;
		nanosleep(&wait, NULL);
	}
	return rc;
}

int lui_node_create(const char *name)
{
	return node_session(LUI_CREATE_SESSION, name);
}

int lui_node_retrieve(const char *name)
{
	return node_session(LUI_RETRIEVE_SESSION, name);
}

int lui_session_name(int session, char name[LU_NAME_BYTES])
{
	struct lui_name cmd = { .size = sizeof(cmd) };

	if (ioctl(session, LUI_GET_NAME, &cmd))
		return -errno;
	snprintf(name, LU_NAME_BYTES, "%.*s", LU_NAME_BYTES - 1, cmd.name);
	return 0;
}

/* Sessions have their own answer to calls that they do not know. */
static bool unknown(int error)
{
	return error == ENOTTY || error == EINVAL;
}

/*
 * An incoming session refuses to preserve as such; an outgoing one looks for the
 * file, of which there is none.
 */
static int direction_by_trying(int session)
{
	return lui_session_preserve(session, -1, LU_NO_TOKEN) == -EINVAL ?
		       LU_IN :
		       LU_OUT;
}

int lui_session_direction(int session)
{
	struct lui_info cmd = { .size = sizeof(cmd) };

	if (!ioctl(session, LUI_GET_INFO, &cmd))
		return cmd.state == LUI_OUTGOING ? LU_OUT : LU_IN;
	return unknown(errno) ? direction_by_trying(session) : -errno;
}

int lui_session_files(int session, struct lu_file *files, unsigned int room)
{
	struct lui_info cmd = {
		.size = sizeof(cmd),
		.max_files = room,
		.files = (uintptr_t)files,
	};

	if (!ioctl(session, LUI_GET_INFO, &cmd))
		return cmd.nr_files;
	return unknown(errno) ? -ENOTTY : -errno;
}

int lui_session_preserve(int session, int fd, uint64_t token)
{
	struct lui_file cmd = {
		.size = sizeof(cmd),
		.fd = fd,
		.token = token,
	};

	return ioctl(session, LUI_PRESERVE_FD, &cmd) ? -errno : 0;
}

int lui_session_take(int session, uint64_t token)
{
	struct lui_file cmd = {
		.size = sizeof(cmd),
		.fd = -1,
		.token = token,
	};

	return ioctl(session, LUI_RETRIEVE_FD, &cmd) ? -errno : cmd.fd;
}

int lui_session_finish(int session)
{
	struct lui_finish cmd = { .size = sizeof(cmd) };

	return ioctl(session, LUI_FINISH, &cmd) ? -errno : 0;
}
