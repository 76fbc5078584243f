// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "module.h"

#define NAME_BYTES 64
#define PATH_BYTES 256

static int load_one(const char *folder, const char *name)
{
	char path[PATH_BYTES + NAME_BYTES];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s/%s.ko", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		rc = -errno;
	close(fd);
	if (rc)
		fprintf(stderr, "module %s: %s\n", name, strerror(-rc));
	return rc;
}

int module_load(const char *last)
{
	char folder[PATH_BYTES - 8], path[PATH_BYTES], name[NAME_BYTES];
	struct utsname kernel;
	bool found = !last;
	FILE *order;
	int rc = 0;

	if (uname(&kernel))
		return -errno;
	snprintf(folder, sizeof(folder), "/modules/%s", kernel.release);
	snprintf(path, sizeof(path), "%s/order", folder);
	order = fopen(path, "re");
	if (!order)
		return last ? -ENOENT : 0;
	while (!rc && fscanf(order, "%63s", name) == 1) {
		rc = load_one(folder, name);
		if (last && !strcmp(name, last)) {
			found = true;
			break;
		}
	}
	fclose(order);
	return rc ? rc : found ? 0 : -ENOENT;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

bool module_loaded(const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}
