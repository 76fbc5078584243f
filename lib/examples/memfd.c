// SPDX-License-Identifier: LGPL-2.1-or-later
/* "memfd TEXT" keeps a text over a live update, "memfd" prints it after that. */
#define _GNU_SOURCE
#include <liveupdate.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int keep(const char *text, struct lu_error *err)
{
	int fd = memfd_create("text", MFD_CLOEXEC);
	struct lu_session *session;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -1;
	if (lu_session_acquire("example", LU_OUT, &session, err) < 0 ||
	    lu_session_preserve(session, fd, 1, err) < 0)
		return -1;
	return lu_session_park(session, err);
}

static int show(struct lu_error *err)
{
	struct lu_session *session;
	char text[80];
	ssize_t length;
	int fd;

	if (lu_session_acquire("example", LU_IN, &session, err) < 0)
		return -1;
	fd = lu_session_take(session, 1, err);
	if (fd < 0)
		return -1;
	length = pread(fd, text, sizeof(text), 0);
	printf("%.*s\n", (int)length, text);
	return lu_session_finish(session, err);
}

int main(int argc, char **argv)
{
	struct lu_error err = LU_ERROR_INIT;

	if ((argc > 1 ? keep(argv[1], &err) : show(&err)) == 0)
		return 0;
	fprintf(stderr, "memfd: %s\n", err.text);
	return 1;
}
