// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "liveupdate.h"
#include "notify.h"

#define PASSED_FIRST 3
/* Every byte of a name as \xNN, and what is before it */
#define STORE_NAME_BYTES (4 * LU_NAME_BYTES + 8)

static int sock = -1;
static struct sockaddr_un to = { .sun_family = AF_UNIX };
static socklen_t to_length;

void notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	if (length < 2 || length >= sizeof(to.sun_path) ||
	    (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, length);
	if (*path == '@')
		to.sun_path[0] = 0;
	to_length = offsetof(struct sockaddr_un, sun_path) + length;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsetenv("NOTIFY_SOCKET");
}

/* It waits while the manager's queue is full: that is worth more than to lose it. */
static int say_with(const char *text, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = {
		.iov_base = (void *)(uintptr_t)text,
		.iov_len = strlen(text),
	};
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = to_length,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t sent;

	if (sock < 0)
		return -ENOTCONN;
	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int notify_say(const char *text)
{
	int rc = say_with(text, -1);

	return rc == -ENOTCONN ? 0 : rc;
}

/*
 * A name in the store is ASCII without colons, and for one session only, so that
 * it can be taken out alone. It is not read again: the kernel knows better.
 */
static void store_name(char out[STORE_NAME_BYTES], const char *name,
		       bool incoming)
{
	char *end = out + sprintf(out, "%s", incoming ? "in-" : "out-");

	for (; *name; name++) {
		unsigned char c = *name;

		if (c <= ' ' || c >= 0x7f || c == ':' || c == '\\')
			end += sprintf(end, "\\x%02x", c);
		else
			*end++ = (char)c;
	}
	*end = 0;
}

int notify_store(const char *name, bool incoming, int fd)
{
	char text[STORE_NAME_BYTES + 64], as[STORE_NAME_BYTES];
	int rc;

	store_name(as, name, incoming);
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", as);
	rc = say_with(text, fd);
	return rc == -ENOTCONN ? 0 : rc;
}

static int forget(const char *as)
{
	char text[STORE_NAME_BYTES + 64];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", as);
	return notify_say(text);
}

int notify_forget(const char *name, bool incoming)
{
	char as[STORE_NAME_BYTES];

	store_name(as, name, incoming);
	return forget(as);
}

/* First out, then in: what is there already is not taken a second time. */
void notify_stored_as(const char *as, const char *name, bool incoming, int fd)
{
	char want[STORE_NAME_BYTES];

	store_name(want, name, incoming);
	if (!*as || !strcmp(as, want))
		return;
	forget(as);
	notify_store(name, incoming, fd);
}

int notify_barrier(void)
{
	int ends[2], rc;

	if (sock < 0)
		return -ENOTCONN;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	rc = say_with("BARRIER=1", ends[1]);
	close(ends[1]);
	if (!rc)
		return ends[0];
	close(ends[0]);
	return rc;
}

static long number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long val;

	if (!text || !*text)
		return 0;
	val = strtol(text, &end, 10);
	return *end ? 0 : val;
}

void notify_passed(void (*take)(int fd, const char *name, void *arg), void *arg)
{
	long count = number("LISTEN_FDS");
	const char *text = getenv("LISTEN_FDNAMES");
	char *copy, *names;

	if (number("LISTEN_PID") != getpid() || count <= 0 || count > 65536)
		return;
	copy = names = text ? strdup(text) : NULL;
	for (long i = 0; i < count; i++) {
		char *name = names ? strsep(&names, ":") : NULL;
		int fd = PASSED_FIRST + (int)i;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC))
			continue;
		take(fd, name ? name : "", arg);
	}
	free(copy);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}
