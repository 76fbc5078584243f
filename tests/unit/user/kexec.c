// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stands in for the calls of luctl that would load and start a kernel: notes them
 * in $STANDIN_LOG, and fails with $STANDIN_LOAD, $STANDIN_UNLOAD and
 * $STANDIN_REBOOT if these are set. $STANDIN_LOADED is what says whether
 * something is loaded. Linked in with --wrap.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __wrap_reboot(int command);
void __wrap_sync(void);

static void note(const char *fmt, ...)
{
	FILE *f = fopen(getenv("STANDIN_LOG"), "ae");
	va_list args;

	if (!f)
		abort();
	va_start(args, fmt);
	vfprintf(f, fmt, args);
	va_end(args);
	fputc('\n', f);
	fclose(f);
}

static int outcome(const char *variable)
{
	const char *text = getenv(variable);

	if (!text)
		return 0;
	errno = atoi(text);
	return -1;
}

static void say_loaded(int count)
{
	FILE *f = fopen(getenv("STANDIN_LOADED"), "we");

	if (!f)
		abort();
	fprintf(f, "%d\n", count);
	fclose(f);
}

static const char *name(int fd)
{
	static char text[2][4096];
	static int turn;
	char *to = text[turn++ % 2], path[40];
	ssize_t got;

	if (fd < 0)
		return "-";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	got = readlink(path, to, sizeof(text[0]) - 1);
	to[got < 0 ? 0 : got] = 0;
	return to;
}

static long load(int kernel, int initrd, size_t length, const char *line,
		 unsigned long flags)
{
	if (flags & KEXEC_FILE_UNLOAD) {
		note("unload");
		if (outcome("STANDIN_UNLOAD"))
			return -1;
		say_loaded(0);
		return 0;
	}
	if (length != strlen(line) + 1 ||
	    !(initrd < 0) != !(flags & KEXEC_FILE_NO_INITRAMFS))
		abort();
	note("load %s %s %s", name(kernel), name(initrd), line);
	if (outcome("STANDIN_LOAD"))
		return -1;
	say_loaded(1);
	return 0;
}

long __wrap_syscall(long number, ...)
{
	long arg[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_kexec_file_load)
		return load(arg[0], arg[1], arg[2], (const char *)arg[3],
			    arg[4]);
	return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4],
			      arg[5]);
}

int __wrap_reboot(int command)
{
	note("reboot %#x", command);
	return outcome("STANDIN_REBOOT");
}

void __wrap_sync(void)
{
	note("sync");
}
