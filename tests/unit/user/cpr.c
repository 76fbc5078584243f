// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a state of QEMU and says what is in it; then cuts it and changes it at each
 * byte, which must never be taken for something longer, and never hurt.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../vmm/cpr.h"
#include "../../../vmm/files.h"

static void say(const struct cpr *cpr)
{
	for (unsigned int i = 0; i < cpr->fds; i++)
		printf("file %s %d %d\n", cpr->fd[i].name, cpr->fd[i].id,
		       cpr->fd[i].fd);
	for (unsigned int i = 0; i < cpr->devices; i++)
		printf("device %s %d %u %u\n", cpr->device[i].name,
		       cpr->device[i].devid, cpr->device[i].ioas,
		       cpr->device[i].hwpt);
}

/* What was read is written as it was. */
static int same(const struct cpr *cpr, const void *data, size_t length)
{
	size_t again;
	void *bytes = cpr_bytes(cpr, &again);
	int is = bytes && again == length && !memcmp(bytes, data, length);

	free(bytes);
	return is;
}

/* Each copy has a place of its own, so that a byte too far is seen. */
static int refuses_cuts(const char *data, size_t length)
{
	struct cpr cpr;

	for (size_t n = 0; n < length; n++) {
		char *copy = malloc(n);
		int rc;

		if (n)
			memcpy(copy, data, n);
		rc = cpr_parse(copy, n, &cpr);
		free(copy);
		if (!rc)
			return 0;
	}
	return 1;
}

static int survives_changes(const char *data, size_t length)
{
	char *copy = malloc(length);
	struct cpr cpr;
	int good = 1;

	for (size_t at = 0; at < length && good; at++)
		for (int bit = 0; bit < 8 && good; bit++) {
			memcpy(copy, data, length);
			copy[at] ^= 1 << bit;
			if (cpr_parse(copy, length, &cpr))
				continue;
			good = same(&cpr, copy, length);
			cpr_free(&cpr);
		}
	free(copy);
	return good;
}

int main(int argc, char **argv)
{
	size_t length;
	struct cpr cpr;
	char *data;
	int rc;

	if (argc < 2 || !(data = file_read(argv[1], &length)))
		return 2;
	rc = cpr_parse(data, length, &cpr);
	if (rc) {
		printf("refused %d\n", -rc);
		free(data);
		return 0;
	}
	say(&cpr);
	printf("same %d\ncut %d\nchanged %d\n", same(&cpr, data, length),
	       refuses_cuts(data, length), survives_changes(data, length));
	cpr_free(&cpr);
	free(data);
	return 0;
}
