// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "liveupdate.h"
#include "message.h"
#include "notify.h"

/* Every byte of a name as \xNN, and what is before it */
#define STORE_NAME_BYTES (4 * LU_NAME_BYTES + 8)

static int sock = -1;
static struct lui_address to;

void notify_open(void)
{
	if (lui_notify_address(getenv("NOTIFY_SOCKET"), &to))
		return;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsetenv("NOTIFY_SOCKET");
}

/* It waits while the manager's queue is full: that is worth more than to lose it. */
static int say_with(const char *text, int fd)
{
	if (sock < 0)
		return -ENOTCONN;
	return lui_send(sock, text, strlen(text), fd, &to, 0);
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

void notify_passed(void (*take)(int fd, const char *name, void *arg), void *arg)
{
	long count = lui_number(getenv("LISTEN_FDS"));
	const char *text = getenv("LISTEN_FDNAMES");
	char *copy, *names;

	if (lui_number(getenv("LISTEN_PID")) != getpid() || count <= 0 || count > 65536)
		return;
	copy = names = text ? strdup(text) : NULL;
	for (long i = 0; i < count; i++) {
		char *name = names ? strsep(&names, ":") : NULL;
		int fd = LUI_PASSED_FIRST + (int)i;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC))
			continue;
		take(fd, name ? name : "", arg);
	}
	free(copy);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}
