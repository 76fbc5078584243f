// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

#define WRITES "/sys/kernel/liveupdate/writes"
/* Where kernels of version 1 have it */
#define WRITES_V1 "/sys/kernel/iommu_liveupdate/writes"
#define MAGIC "LU-READS"
#define COUNT_AT 20
#define NAMES_AT 24
#define NAME_BYTES 48
#define WRITES_MAX 64

/* A copy of an image, that can be written, and the list in it. */
struct copy {
	int fd;
	char *image;
	size_t bytes;
	char *list;
	uint32_t count;
};

static char writes[WRITES_MAX][NAME_BYTES];

static int read_writes(void)
{
	char line[NAME_BYTES + 2];
	FILE *f = fopen(WRITES, "re");
	int count = 0;

	if (!f)
		f = fopen(WRITES_V1, "re");
	if (!f)
		return -errno;
	while (count < WRITES_MAX && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		snprintf(writes[count++], NAME_BYTES, "%.47s", line);
	}
	fclose(f);
	return count ? count : -ENODATA;
}

static char *name_at(const struct copy *c, uint32_t i)
{
	return c->list + NAMES_AT + i * NAME_BYTES;
}

static bool reads(const struct copy *c, const char *name)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (!strncmp(name_at(c, i), name, NAME_BYTES))
			return true;
	return false;
}

static bool is_written(const char *name, int count)
{
	for (int i = 0; i < count; i++)
		if (!strncmp(writes[i], name, NAME_BYTES))
			return true;
	return false;
}

static int fill(struct copy *c, int from)
{
	struct stat st;
	ssize_t got;

	if (fstat(from, &st) || ftruncate(c->fd, st.st_size))
		return -errno;
	c->bytes = st.st_size;
	c->image = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			c->fd, 0);
	if (c->image == MAP_FAILED)
		return -errno;
	for (size_t at = 0; at < c->bytes; at += got) {
		got = read(from, c->image + at, c->bytes - at);
		if (got <= 0)
			return -EIO;
	}
	c->list = memmem(c->image, c->bytes, MAGIC, strlen(MAGIC));
	if (!c->list)
		return -ENOENT;
	memcpy(&c->count, c->list + COUNT_AT, sizeof(c->count));
	return c->count > WRITES_MAX ? -EINVAL : 0;
}

static void leave(struct copy *c)
{
	if (c->image && c->image != MAP_FAILED)
		munmap(c->image, c->bytes);
}

static int take(struct copy *c, const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), rc;

	memset(c, 0, sizeof(*c));
	if (from < 0)
		return -errno;
	c->fd = memfd_create("image", MFD_CLOEXEC);
	rc = c->fd < 0 ? -errno : fill(c, from);
	close(from);
	if (rc) {
		leave(c);
		close(c->fd);
	}
	return rc;
}

int image_missing(const char *path)
{
	int count = read_writes(), missing = 0, rc;
	struct copy c;

	rc = count < 0 ? count : take(&c, path);
	if (rc)
		return rc;
	for (int i = 0; i < count; i++)
		missing += !reads(&c, writes[i]);
	leave(&c);
	close(c.fd);
	return missing;
}

/* The best name to give up for another: an older or newer one of its kind. */
static char *give_up(const struct copy *c, const char *name, int count)
{
	size_t kind = strcspn(name, "0123456789");
	char *any = NULL;

	for (uint32_t i = 0; i < c->count; i++) {
		char *at = name_at(c, i);

		if (is_written(at, count))
			continue;
		if (!strncmp(at, name, kind))
			return at;
		any = at;
	}
	return any;
}

int image_forced(const char *path)
{
	int count = read_writes(), rc;
	struct copy c;

	rc = count < 0 ? count : take(&c, path);
	if (rc)
		return rc;
	for (int i = 0; !rc && i < count; i++) {
		char *at;

		if (reads(&c, writes[i]))
			continue;
		at = give_up(&c, writes[i], count);
		if (at)
			memcpy(at, writes[i], NAME_BYTES);
		else
			rc = -ENOSPC;
	}
	leave(&c);
	if (!rc)
		return c.fd;
	close(c.fd);
	return rc;
}
