// SPDX-License-Identifier: GPL-2.0-only
/*
 * All numbers are big endian. Behind magic and version there are two lists, of
 * files, and in a section with a name, of devices. In front of each element is 1,
 * behind the last one 0. A name has its length in front, with its NUL.
 */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpr.h"

#define MAGIC 0x51435052 /* "QCPR" */
#define VERSION 1
#define SECTION 5
#define SECTION_NAME "CprState/vfio devices"
#define SECTION_VERSION 1

/* Reads past the end, and other mistakes, are remembered in @broken. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool broken;
};

static const void *read_bytes(struct reader *r, size_t bytes)
{
	const void *at = r->at;

	if (r->broken || bytes > r->left) {
		r->broken = true;
		return NULL;
	}
	r->at += bytes;
	r->left -= bytes;
	return at;
}

static uint8_t read_byte(struct reader *r)
{
	const uint8_t *at = read_bytes(r, 1);

	return at ? *at : 0;
}

static uint32_t read_number(struct reader *r)
{
	const void *at = read_bytes(r, sizeof(uint32_t));
	uint32_t number = 0;

	if (at)
		memcpy(&number, at, sizeof(number));
	return be32toh(number);
}

static char *read_name(struct reader *r)
{
	uint32_t length = read_number(r);
	const char *at;
	char *name;

	if (length < 2 || length > CPR_NAME_MAX)
		r->broken = true;
	at = read_bytes(r, length);
	if (!at)
		return NULL;
	if (strnlen(at, length) != length - 1) {
		r->broken = true;
		return NULL;
	}
	name = strdup(at);
	if (!name)
		r->broken = true;
	return name;
}

/* Is there one more element? */
static bool read_more(struct reader *r, unsigned int have)
{
	uint8_t more = read_byte(r);

	if (more > 1 || (more && have == CPR_FDS_MAX))
		r->broken = true;
	return more == 1 && !r->broken;
}

/* Room for one more; @list as it was on failure. */
static void *one_more(struct reader *r, void *list, unsigned int have,
		      size_t bytes)
{
	void *more = reallocarray(list, have + 1, bytes);

	if (!more)
		r->broken = true;
	return more;
}

static void read_fds(struct reader *r, struct cpr *cpr)
{
	while (read_more(r, cpr->fds)) {
		struct cpr_fd *fd = one_more(r, cpr->fd, cpr->fds, sizeof(*fd));

		if (!fd)
			return;
		cpr->fd = fd;
		fd += cpr->fds++;
		fd->name = read_name(r);
		fd->id = (int32_t)read_number(r);
		fd->fd = (int32_t)read_number(r);
		if (fd->fd < 0)
			r->broken = true;
	}
}

static void read_devices(struct reader *r, struct cpr *cpr)
{
	while (read_more(r, cpr->devices)) {
		struct cpr_device *d =
			one_more(r, cpr->device, cpr->devices, sizeof(*d));

		if (!d)
			return;
		cpr->device = d;
		d += cpr->devices++;
		d->name = read_name(r);
		d->devid = (int32_t)read_number(r);
		d->ioas = read_number(r);
		d->hwpt = read_number(r);
	}
}

static void read_section(struct reader *r)
{
	const size_t length = strlen(SECTION_NAME);
	const char *name;

	if (read_byte(r) != SECTION || read_byte(r) != length)
		r->broken = true;
	name = read_bytes(r, length);
	if (!name || memcmp(name, SECTION_NAME, length) ||
	    read_number(r) != SECTION_VERSION)
		r->broken = true;
}

int cpr_parse(const void *data, size_t length, struct cpr *ret)
{
	struct reader r = { .at = data, .left = length };
	struct cpr cpr = { 0 };

	if (read_number(&r) != MAGIC)
		return -EBADMSG;
	if (read_number(&r) != VERSION)
		return r.broken ? -EBADMSG : -ENOTSUP;
	read_fds(&r, &cpr);
	read_section(&r);
	read_devices(&r, &cpr);
	if (r.broken || r.left) {
		cpr_free(&cpr);
		return -EBADMSG;
	}
	*ret = cpr;
	return 0;
}

static void put_number(FILE *out, uint32_t number)
{
	number = htobe32(number);
	fwrite(&number, sizeof(number), 1, out);
}

static void put_name(FILE *out, const char *name)
{
	fputc(1, out);
	put_number(out, strlen(name) + 1);
	fwrite(name, strlen(name) + 1, 1, out);
}

static void put(FILE *out, const struct cpr *cpr)
{
	put_number(out, MAGIC);
	put_number(out, VERSION);
	for (unsigned int i = 0; i < cpr->fds; i++) {
		put_name(out, cpr->fd[i].name);
		put_number(out, cpr->fd[i].id);
		put_number(out, cpr->fd[i].fd);
	}
	fputc(0, out);
	fputc(SECTION, out);
	fputc(strlen(SECTION_NAME), out);
	fputs(SECTION_NAME, out);
	put_number(out, SECTION_VERSION);
	for (unsigned int i = 0; i < cpr->devices; i++) {
		put_name(out, cpr->device[i].name);
		put_number(out, cpr->device[i].devid);
		put_number(out, cpr->device[i].ioas);
		put_number(out, cpr->device[i].hwpt);
	}
	fputc(0, out);
}

void *cpr_bytes(const struct cpr *cpr, size_t *ret_length)
{
	char *bytes = NULL;
	FILE *out = open_memstream(&bytes, ret_length);
	bool broken;

	if (!out)
		return NULL;
	put(out, cpr);
	broken = ferror(out);
	if (fclose(out) || broken) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

void cpr_free(struct cpr *cpr)
{
	for (unsigned int i = 0; i < cpr->fds; i++)
		free(cpr->fd[i].name);
	for (unsigned int i = 0; i < cpr->devices; i++)
		free(cpr->device[i].name);
	free(cpr->fd);
	free(cpr->device);
	memset(cpr, 0, sizeof(*cpr));
}

const struct cpr_device *cpr_find_device(const struct cpr *cpr,
					 const char *name)
{
	for (unsigned int i = 0; i < cpr->devices; i++)
		if (!strcmp(cpr->device[i].name, name))
			return &cpr->device[i];
	return NULL;
}
