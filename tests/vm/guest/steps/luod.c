// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "luod.h"
#include "report.h"
#include "tool.h"

#define SOCKET "/run/luod/socket"
#define TRIES 6000
#define WAIT_US 10000

/* Its socket is there before it listens. */
static int greet(void)
{
	const struct sockaddr_un at = {
		.sun_family = AF_UNIX,
		.sun_path = SOCKET,
	};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)&at, sizeof(at)) ? -errno : 0;
	close(fd);
	return rc;
}

pid_t luod_start(void)
{
	/* A node that is busy here is busy for longer than elsewhere. */
	static const char *const argv[] = { "luod", "--wait=10000", NULL };
	pid_t pid;
	int rc = 0;

	mkdir("/run", 0755);
	unlink(SOCKET);
	pid = tool_start(argv);
	if (lost("luod", pid))
		return pid;
	for (int i = 0; i < TRIES; i++) {
		rc = greet();
		if (!rc)
			return pid;
		usleep(WAIT_US);
	}
	lost("luod-socket", rc);
	return rc;
}
