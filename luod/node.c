// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "node.h"
#include "uapi.h"

static int open_node(const char *node)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case EBUSY:
		return -ETXTBSY;
	case ENOENT:
	case ENXIO:
		return -ENODEV;
	default:
		return -errno;
	}
}

static int node_call(const char *node, unsigned long call, const char *name)
{
	struct lui_session cmd = { .size = sizeof(cmd), .fd = -1 };
	int fd, rc;

	strncpy(cmd.name, name, sizeof(cmd.name) - 1);
	fd = open_node(node);
	if (fd < 0)
		return fd;
	rc = ioctl(fd, call, &cmd) ? -errno : cmd.fd;
	close(fd);
	return rc;
}

int node_create(const char *node, const char *name)
{
	return node_call(node, LUI_CREATE_SESSION, name);
}

int node_retrieve(const char *node, const char *name)
{
	int rc = node_call(node, LUI_RETRIEVE_SESSION, name);

	return rc == -EINVAL ? -EALREADY : rc;
}
