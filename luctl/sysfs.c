// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "luctl.h"
#include "sysfs.h"

#define CHUNK 16384

static const char *root = "";

void root_set(const char *dir)
{
	root = strcmp(dir, "/") ? dir : "";
}

void *must_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p) {
		complain("there is no memory left.");
		exit(EXIT_CANNOT);
	}
	return p;
}

void *must_grow(void *old, size_t count, size_t bytes)
{
	void *p = reallocarray(old, count ? count : 1, bytes);

	if (!p) {
		complain("there is no memory left.");
		exit(EXIT_CANNOT);
	}
	return p;
}

char *must_copy(const char *text)
{
	size_t bytes = strlen(text) + 1;

	return memcpy(must_alloc(bytes), text, bytes);
}

static char *print_args(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0) {
		complain("there is no memory left.");
		exit(EXIT_CANNOT);
	}
	return text;
}

char *must_print(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = print_args(fmt, args);
	va_end(args);
	return text;
}

static char *rooted(const char *fmt, va_list args)
{
	char *below = print_args(fmt, args);
	char *path = must_print("%s%s", root, below);

	free(below);
	return path;
}

/* What those with a format have in common */
#define ROOTED(path, fmt)                   \
	do {                                \
		va_list args;               \
		va_start(args, fmt);        \
		(path) = rooted(fmt, args); \
		va_end(args);               \
	} while (0)

char *root_path(const char *fmt, ...)
{
	char *path;

	ROOTED(path, fmt);
	return path;
}

static char *read_all(int fd, size_t *ret_bytes)
{
	char *text = NULL;
	size_t used = 0;
	ssize_t got;

	do {
		text = must_grow(text, used + CHUNK + 1, 1);
		got = read(fd, text + used, CHUNK);
		if (got > 0)
			used += got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0) {
		int err = errno;

		free(text);
		errno = err;
		return NULL;
	}
	text[used] = 0;
	if (ret_bytes)
		*ret_bytes = used;
	return text;
}

char *file_text(const char *path, size_t *ret_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	char *text;

	if (fd < 0)
		return NULL;
	text = read_all(fd, ret_bytes);
	err = errno;
	close(fd);
	errno = err;
	return text;
}

static char *take_text(char *path)
{
	char *text = file_text(path, NULL);
	int err = errno;

	free(path);
	errno = err;
	return text;
}

char *sys_text(const char *fmt, ...)
{
	char *path;

	ROOTED(path, fmt);
	return take_text(path);
}

static void first_line(char *buf, size_t size, char *text)
{
	const char *from = text ? text : "";

	from += strspn(from, " \t");
	snprintf(buf, size, "%.*s", (int)strcspn(from, "\n"), from);
	for (size_t n = strlen(buf); n && strchr(" \t", buf[n - 1]); n--)
		buf[n - 1] = 0;
	free(text);
}

void sys_line(char *buf, size_t size, const char *fmt, ...)
{
	char *path;

	ROOTED(path, fmt);
	first_line(buf, size, take_text(path));
}

long long sys_number(long long fallback, const char *fmt, ...)
{
	char line[64], *path, *end;
	long long number;

	ROOTED(path, fmt);
	first_line(line, sizeof(line), take_text(path));
	errno = 0;
	number = strtoll(line, &end, 0);
	return end == line || errno ? fallback : number;
}

bool sys_exists(const char *fmt, ...)
{
	bool is;
	char *path;

	ROOTED(path, fmt);
	is = !access(path, F_OK);
	free(path);
	return is;
}

static bool take_link(char *buf, size_t size, char *path)
{
	ssize_t got = readlink(path, buf, size - 1);

	free(path);
	buf[got < 0 ? 0 : got] = 0;
	return got >= 0;
}

bool sys_link(char *buf, size_t size, const char *fmt, ...)
{
	char *path;

	ROOTED(path, fmt);
	return take_link(buf, size, path);
}

bool sys_link_name(char *buf, size_t size, const char *fmt, ...)
{
	char whole[PATH_MAX], *path, *slash;

	ROOTED(path, fmt);
	buf[0] = 0;
	if (!take_link(whole, sizeof(whole), path))
		return false;
	slash = strrchr(whole, '/');
	snprintf(buf, size, "%s", slash ? slash + 1 : whole);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int sys_names(char ***ret, const char *fmt, ...)
{
	struct dirent *entry;
	char **names = NULL, *path;
	int count = 0;
	DIR *dir;

	ROOTED(path, fmt);
	dir = opendir(path);
	free(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		names = must_grow(names, count + 1, sizeof(*names));
		names[count++] = must_copy(entry->d_name);
	}
	closedir(dir);
	if (count)
		qsort(names, count, sizeof(*names), by_name);
	*ret = names;
	return count;
}

void names_free(char **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

char *escaped(const char *text)
{
	char *out = must_alloc(4 * strlen(text) + 1), *to = out;

	for (; *text; text++) {
		unsigned char c = *text;

		if (c < ' ' || c > '~' || c == '\\')
			to += sprintf(to, "\\%03o", c);
		else
			*to++ = c;
	}
	*to = 0;
	return out;
}
