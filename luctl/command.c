// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "luctl.h"
#include "sysfs.h"

#define NO_PROGRAM 127

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static _Noreturn void become(const char *const *argv, int in, int out, int err)
{
	if ((in >= 0 && dup2(in, STDIN_FILENO) < 0) ||
	    (out >= 0 && dup2(out, STDOUT_FILENO) < 0) ||
	    (err >= 0 && dup2(err, STDERR_FILENO) < 0))
		_exit(NO_PROGRAM);
	execvp(argv[0], (char *const *)argv);
	_exit(NO_PROGRAM);
}

int command_run(const char *const *argv)
{
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (!pid)
		become(argv, -1, -1, -1);
	return wait_for(pid);
}

int command_filter(const char *const *argv, int in, pid_t *ret_pid)
{
	int ends[2], null, err;

	if (pipe2(ends, O_CLOEXEC)) {
		err = errno;
		close(in);
		return -err;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	*ret_pid = fork();
	if (!*ret_pid)
		become(argv, in, ends[1], null);
	err = errno;
	close(in);
	close(ends[1]);
	if (null >= 0)
		close(null);
	if (*ret_pid >= 0)
		return ends[0];
	close(ends[0]);
	return -err;
}

int command_end(int out, pid_t pid)
{
	close(out);
	return wait_for(pid);
}

/* Something can be read, or 0 when nothing can by then; negative: for ever. */
static int wait_readable(int fd, int64_t end_ms)
{
	struct pollfd waits = { .fd = fd, .events = POLLIN };
	int got;

	do {
		int64_t left = end_ms - now_ms();

		got = poll(&waits, 1, end_ms < 0 ? -1 : left > 0 ? (int)left : 0);
	} while (got < 0 && errno == EINTR);
	return got;
}

/* More of its output; 0 at its end, -ETIMEDOUT if none has come by then. */
static ssize_t more(int out, char *buf, size_t size, int64_t end_ms)
{
	ssize_t got;

	if (!wait_readable(out, end_ms))
		return -ETIMEDOUT;
	do {
		got = read(out, buf, size);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? 0 : got;
}

/* Its output is closed; it need not have ended for that. */
static int wait_end(pid_t pid, int64_t end_ms)
{
	int fd = pidfd_open(pid, 0), got = 1;

	if (fd >= 0) {
		got = wait_readable(fd, end_ms);
		close(fd);
	}
	return got ? 0 : -ETIMEDOUT;
}

int command_said(const char *const *argv, int limit_ms, char **ret_text)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out, code;
	int64_t end_ms = limit_ms < 0 ? -1 : now_ms() + limit_ms;
	size_t used = 0;
	char *text = NULL;
	ssize_t got;
	pid_t pid;

	out = command_filter(argv, in, &pid);
	if (out < 0)
		return -1;
	do {
		text = must_grow(text, used + 4097, 1);
		got = more(out, text + used, 4096, end_ms);
		used += got > 0 ? got : 0;
	} while (got > 0);
	text[used] = 0;
	*ret_text = text;
	if (!got)
		got = wait_end(pid, end_ms);
	if (got < 0)
		kill(pid, SIGKILL);
	code = command_end(out, pid);
	return got < 0 ? (int)got : code;
}

char *command_text(const char *const *argv)
{
	char *text = NULL;

	if (!command_said(argv, -1, &text))
		return text;
	free(text);
	return NULL;
}
