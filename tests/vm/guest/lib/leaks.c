// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "leaks.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"
/* kmemleak leaves younger objects alone for five. */
#define SECONDS_YOUNG 6
/* One pass can miss, or take for lost, what moves meanwhile. */
#define PASSES 2

static int scan(void)
{
	int fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, "scan", 4) != 4)
		rc = -errno;
	close(fd);
	return rc;
}

static int print_found(void)
{
	FILE *f = fopen(KMEMLEAK, "re");
	char line[256];
	int found = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		found += !strncmp(line, "unreferenced object", 19);
		fprintf(stderr, "kmemleak: %s", line);
	}
	fclose(f);
	return found;
}

int leaks_look(void)
{
	int rc;

	if (access(KMEMLEAK, W_OK))
		return -errno;
	sleep(SECONDS_YOUNG);
	for (int pass = 0; pass < PASSES; pass++) {
		rc = scan();
		if (rc)
			return rc;
	}
	return print_found();
}
