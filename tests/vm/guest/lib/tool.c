// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

#define NO_PROGRAM 127

static _Noreturn void become(const char *const *argv, int out)
{
	char path[64];

	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	snprintf(path, sizeof(path), "/bin/%s", argv[0]);
	execv(path, (char *const *)argv);
	_exit(NO_PROGRAM);
}

int tool_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -EINTR;
	return WEXITSTATUS(status) == NO_PROGRAM ? -ENOENT :
						   WEXITSTATUS(status);
}

pid_t tool_start(const char *const *argv)
{
	pid_t pid = fork();

	if (!pid)
		become(argv, -1);
	return pid < 0 ? -errno : pid;
}

/* All of it is read, so that the program does not wait. */
static void listen_to(int from, char *said, size_t size)
{
	char rest[4096];
	size_t used = 0;
	ssize_t got;

	do {
		if (used + 1 < size)
			got = read(from, said + used, size - 1 - used);
		else
			got = read(from, rest, sizeof(rest));
		if (got > 0 && used + 1 < size)
			used += got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	said[used] = 0;
}

int tool_run(char *said, size_t size, const char *const *argv)
{
	int ends[2];
	pid_t pid;

	said[0] = 0;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		become(argv, ends[1]);
	close(ends[1]);
	if (pid > 0)
		listen_to(ends[0], said, size);
	close(ends[0]);
	return pid < 0 ? -errno : tool_end(pid);
}
