// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"

int lui_send(int sock, const void *data, size_t length, int fd,
	     const struct lui_address *to, int flags)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = {
		.iov_base = (void *)(uintptr_t)data,
		.iov_len = length,
	};
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (to) {
		msg.msg_name = (void *)(uintptr_t)&to->un;
		msg.msg_namelen = to->length;
	}
	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL | flags);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

unsigned int lui_received(struct msghdr *msg, int *fds, unsigned int room)
{
	unsigned int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t here;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (count < room)
				fds[count++] = fd;
			else
				close(fd);
		}
	}
	return count;
}

int lui_notify_address(const char *path, struct lui_address *ret)
{
	size_t length = path ? strlen(path) : 0;

	if (length < 2 || (*path != '/' && *path != '@'))
		return -ENOTCONN;
	if (length >= sizeof(ret->un.sun_path))
		return -ENAMETOOLONG;
	memset(ret, 0, sizeof(*ret));
	ret->un.sun_family = AF_UNIX;
	memcpy(ret->un.sun_path, path, length);
	if (*path == '@')
		ret->un.sun_path[0] = 0;
	ret->length = offsetof(struct sockaddr_un, sun_path) + length;
	return 0;
}

long lui_number(const char *text)
{
	char *end;
	long val;

	if (!text || !*text)
		return 0;
	val = strtol(text, &end, 10);
	return *end ? 0 : val;
}
