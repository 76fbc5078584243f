// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "textfile.h"

int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int get_text(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -E2BIG;
	size_t used = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while (used < bytes) {
		got = read(fd, text + used, bytes - used);
		if (got < 0)
			rc = -errno;
		if (!got) {
			text[used] = '\0';
			rc = (int)used;
		}
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	close(fd);
	return rc;
}
