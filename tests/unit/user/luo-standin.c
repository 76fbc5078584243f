// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stand-in for /dev/liveupdate, linked into a program with
 *
 *   -Wl,--wrap=open,--wrap=ioctl,--wrap=readlink
 *
 * LUO_STANDIN= names a folder. In it the node is the file "node", which only one
 * can have open; "out" has the sessions of this kernel, "in" those of the one
 * before. A session is an open file there with a lock on it, so that it can be
 * passed on, and lives as long as somebody has it: what is not locked is not
 * there any more, or was not retrieved yet. A finished one says so; with
 * LUO_STANDIN_OLD= nobody can ask about that.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "uapi.h"

#define FINISHED "finished"
#define LINK "anon_inode:[luo_session] "

int __real_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long call, ...);
ssize_t __real_readlink(const char *path, char *buf, size_t size);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long call, ...);
ssize_t __wrap_readlink(const char *path, char *buf, size_t size);

static int fail(int code)
{
	errno = code;
	return -1;
}

/* What of the folder that path is: "node", "in/NAME", "out/NAME"; or NULL */
static const char *ours(const char *path)
{
	const char *folder = getenv("LUO_STANDIN");
	size_t length = folder ? strlen(folder) : 0;

	if (!folder || strncmp(path, folder, length) || path[length] != '/')
		return NULL;
	return path + length + 1;
}

static const char *what_is(int fd, char path[PATH_MAX])
{
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = __real_readlink(link, path, PATH_MAX - 1);
	if (length < 0)
		return NULL;
	path[length] = 0;
	return ours(path);
}

static int is_session(const char *what)
{
	return what && (!strncmp(what, "in/", 3) || !strncmp(what, "out/", 4));
}

int __wrap_open(const char *path, int flags, ...)
{
	const char *what = ours(path);
	int fd;

	fd = __real_open(path, flags, 0600);
	if (fd < 0 || !what || strcmp(what, "node"))
		return fd;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return fail(EBUSY);
}

ssize_t __wrap_readlink(const char *path, char *buf, size_t size)
{
	char real[PATH_MAX], text[PATH_MAX + sizeof(LINK)];
	ssize_t length = __real_readlink(path, real, sizeof(real) - 1);
	const char *what;

	if (length < 0)
		return length;
	real[length] = 0;
	what = ours(real);
	if (!is_session(what))
		return __real_readlink(path, buf, size);
	length = snprintf(text, sizeof(text), LINK "%s", strchr(what, '/') + 1);
	if ((size_t)length > size)
		length = size;
	memcpy(buf, text, length);
	return length;
}

static int finished(int fd)
{
	char text[sizeof(FINISHED)] = "";

	return pread(fd, text, sizeof(FINISHED) - 1, 0) > 0 &&
	       !strcmp(text, FINISHED);
}

/* A call to the node */
static int get_session(struct lui_session *cmd, const char *kind, int flags,
		       int taken)
{
	char path[PATH_MAX];
	int fd;

	if (cmd->size < sizeof(*cmd) || !*cmd->name ||
	    cmd->name[LU_NAME_BYTES - 1])
		return fail(EINVAL);
	snprintf(path, sizeof(path), "%s/%s/%s", getenv("LUO_STANDIN"), kind,
		 cmd->name);
	fd = __real_open(path, O_RDWR | O_CLOEXEC | flags, 0666);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) || (!flags && finished(fd))) {
		taken = !flags && finished(fd) ? ENOENT : taken;
		close(fd);
		return fail(taken);
	}
	cmd->fd = fd;
	return 0;
}

static int get_info(int fd, struct lui_info *cmd, int incoming)
{
	cmd->nr_files = 0;
	cmd->state = !incoming ? LUI_OUTGOING :
		     finished(fd) ? LUI_FINISHED : LUI_INCOMING;
	return 0;
}

static int call_session(int fd, unsigned long call, void *arg,
			const char *what)
{
	int incoming = what[0] == 'i';
	struct lui_name *name = arg;

	switch (call) {
	case LUI_GET_NAME:
		snprintf(name->name, sizeof(name->name), "%s",
			 strchr(what, '/') + 1);
		return 0;
	case LUI_PRESERVE_FD:
		return fail(incoming ? EINVAL : EBADF);
	case LUI_GET_INFO:
		if (getenv("LUO_STANDIN_OLD"))
			return fail(EINVAL);
		return get_info(fd, arg, incoming);
	case LUI_FINISH:
		if (!incoming)
			return fail(EINVAL);
		return pwrite(fd, FINISHED, sizeof(FINISHED) - 1, 0) < 0 ? -1 :
									   0;
	default:
		return fail(EINVAL);
	}
}

int __wrap_ioctl(int fd, unsigned long call, ...)
{
	char path[PATH_MAX];
	const char *what = what_is(fd, path);
	va_list args;
	void *arg;

	va_start(args, call);
	arg = va_arg(args, void *);
	va_end(args);
	if (is_session(what))
		return call_session(fd, call, arg, what);
	if (!what || strcmp(what, "node"))
		return __real_ioctl(fd, call, arg);
	if (call == LUI_CREATE_SESSION)
		return get_session(arg, "out", O_CREAT, EEXIST);
	if (call == LUI_RETRIEVE_SESSION)
		return get_session(arg, "in", 0, EINVAL);
	return fail(EINVAL);
}
