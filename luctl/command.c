// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "luctl.h"
#include "sysfs.h"

#define NO_PROGRAM 127

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

int command_said(const char *const *argv, char **ret_text)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out;
	size_t used = 0;
	char *text = NULL;
	ssize_t got;
	pid_t pid;

	out = command_filter(argv, in, &pid);
	if (out < 0)
		return -1;
	do {
		text = must_grow(text, used + 4097, 1);
		got = read(out, text + used, 4096);
		used += got > 0 ? got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	text[used] = 0;
	*ret_text = text;
	return command_end(out, pid);
}

char *command_text(const char *const *argv)
{
	char *text = NULL;

	if (!command_said(argv, &text))
		return text;
	free(text);
	return NULL;
}
