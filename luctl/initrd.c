// SPDX-License-Identifier: GPL-2.0-only
/*
 * An initrd is some cpio archives, one behind the other: mostly a small one for
 * the microcode that is not compressed, and one that is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "initrd.h"
#include "sysfs.h"

#define HEAD 110
#define NAME_MAX_BYTES 4096
#define FILE_MAX_BYTES (1 << 20)
#define SIZE_AT 54
#define NAME_SIZE_AT 94

static const struct {
	const char *magic;
	size_t bytes;
	const char *argv[4];
} packed[] = {
	{ "\x1f\x8b", 2, { "gzip", "-dc", NULL } },
	{ "\x28\xb5\x2f\xfd", 4, { "zstd", "-dcq", NULL } },
	{ "\xfd"
	  "7zXZ",
	  6,
	  { "xz", "-dc", NULL } },
	{ "\x02\x21\x4c\x18", 4, { "lz4", "-dc", NULL } },
	{ "\x04\x22\x4d\x18", 4, { "lz4", "-dc", NULL } },
	{ "BZh", 3, { "bzip2", "-dc", NULL } },
	{ "\x5d\x00\x00", 3, { "xz", "-dc", "--format=lzma", NULL } },
};

struct stream {
	FILE *in;
	size_t at;
	const char *module;
	struct initrd *found;
};

static bool get(struct stream *s, void *to, size_t bytes)
{
	size_t got = fread(to, 1, bytes, s->in);

	s->at += got;
	return got == bytes;
}

static bool skip(struct stream *s, size_t bytes)
{
	char chunk[16384];

	for (size_t n; bytes; bytes -= n) {
		n = bytes < sizeof(chunk) ? bytes : sizeof(chunk);
		if (!get(s, chunk, n))
			return false;
	}
	return true;
}

static bool align(struct stream *s)
{
	return skip(s, -s->at & 3);
}

static bool hex(const char *at, size_t *ret)
{
	char text[9], *end;

	memcpy(text, at, 8);
	text[8] = 0;
	*ret = strtoul(text, &end, 16);
	return end == text + 8;
}

/* Both ways to write it are one to the kernel. */
static bool names_module(const char *text, const char *module)
{
	size_t length = strlen(module);

	for (; *text; text++) {
		size_t i = 0;

		while (i < length && text[i] &&
		       (text[i] == module[i] ||
			(text[i] == '_' && module[i] == '-')))
			i++;
		if (i == length && !strncmp(text + i, ".ko", 3))
			return true;
	}
	return false;
}

static bool look(struct stream *s, const char *name, size_t bytes)
{
	const char *slash = strrchr(name, '/');
	char *text;
	bool ok;

	s->found->files++;
	if (names_module(name, s->module))
		s->found->has = true;
	if (strcmp(slash ? slash + 1 : name, "modules.builtin") ||
	    bytes > FILE_MAX_BYTES)
		return skip(s, bytes);
	text = must_alloc(bytes + 1);
	ok = get(s, text, bytes);
	if (ok && names_module(text, s->module))
		s->found->has = true;
	free(text);
	return ok;
}

/* Up to the trailer of an archive; false when it is none, or cut. */
static bool archive(struct stream *s, const char head[HEAD])
{
	char next[HEAD], name[NAME_MAX_BYTES];
	size_t bytes, name_bytes;

	memcpy(next, head, HEAD);
	for (;;) {
		if (strncmp(next, "07070", 5) || !hex(next + SIZE_AT, &bytes) ||
		    !hex(next + NAME_SIZE_AT, &name_bytes) || !name_bytes ||
		    name_bytes > sizeof(name) || !get(s, name, name_bytes))
			return false;
		name[name_bytes - 1] = 0;
		if (!align(s))
			return false;
		if (!strcmp(name, "TRAILER!!!"))
			return true;
		if (!look(s, name, bytes) || !align(s) || !get(s, next, HEAD))
			return false;
	}
}

static int archives(struct stream *s, long *ret_packed);

static int unpack(struct stream *s, long at)
{
	struct stream inner = { .module = s->module, .found = s->found };
	unsigned char magic[6] = { 0 };
	int fd = fileno(s->in), out, rc = -EBADMSG;
	pid_t pid;
	long none = -1;

	if (pread(fd, magic, sizeof(magic), at) <= 0)
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		if (memcmp(magic, packed[i].magic, packed[i].bytes))
			continue;
		fd = dup(fd);
		if (fd < 0 || lseek(fd, at, SEEK_SET) < 0)
			return -errno;
		out = command_filter(packed[i].argv, fd, &pid);
		if (out < 0)
			return out;
		inner.in = fdopen(dup(out), "r");
		rc = inner.in ? archives(&inner, &none) : -errno;
		/* Packed twice is nothing that a kernel unpacks. */
		if (!rc && none != -1)
			rc = -EBADMSG;
		if (inner.in)
			fclose(inner.in);
		command_end(out, pid);
		return rc ? -ENOPKG : 0;
	}
	return rc;
}

/*
 * All archives that are not compressed. @ret_packed is where one that is begins,
 * or -1; the kernel skips zeros in front of each.
 */
static int archives(struct stream *s, long *ret_packed)
{
	unsigned int count = 0;
	char head[HEAD];
	int c;

	*ret_packed = -1;
	for (;;) {
		do {
			c = fgetc(s->in);
		} while (!c);
		if (c == EOF)
			return count ? 0 : -EBADMSG;
		head[0] = c;
		if (c != '0') {
			*ret_packed = ftell(s->in) - 1;
			return 0;
		}
		if (fread(head + 1, 1, HEAD - 1, s->in) != HEAD - 1)
			return -EBADMSG;
		/* Each begins at a multiple of 4. */
		s->at = HEAD;
		if (!archive(s, head))
			return -EBADMSG;
		count++;
	}
}

int initrd_look(const char *path, const char *module, struct initrd *ret)
{
	struct stream s = { .module = module, .found = ret };
	long at;
	int rc;

	memset(ret, 0, sizeof(*ret));
	s.in = fopen(path, "re");
	if (!s.in)
		return -errno;
	rc = archives(&s, &at);
	if (!rc && at >= 0)
		rc = unpack(&s, at);
	fclose(s.in);
	return rc;
}
