// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "keeper.h"
#include "session.h"

#define SESSIONS_FILE "/sys/kernel/liveupdate/sessions"
/* The first whose stores outlive a kexec; since 254 it says that there is one. */
#define SYSTEMD_KEEPS_STORES 261
#define AGAIN_MS 100

/* systemd tells a service that it has a store, and one with LUOSession= of that. */
static bool has_store(pid_t qemu)
{
	char path[32], *all, *at;
	unsigned int files;
	size_t length;
	bool store = false;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)qemu);
	all = file_read(path, &length);
	for (at = all; at && at < all + length; at += strlen(at) + 1)
		if (sscanf(at, "FDSTORE=%u", &files) == 1 ||
		    sscanf(at, "LISTEN_FDS=%u", &files) == 1)
			store |= files > 0;
	free(all);
	return store;
}

static bool stores_outlive(void)
{
	FILE *said = popen("systemctl --version", "re");
	int version;

	if (!said)
		return false;
	if (fscanf(said, "systemd %d", &version) != 1)
		version = 0;
	pclose(said);
	return version >= SYSTEMD_KEEPS_STORES;
}

int keeper_look(pid_t qemu, bool *ret_store, struct why *why)
{
	int luod;

	*ret_store = has_store(qemu) && stores_outlive();
	if (*ret_store)
		return 0;
	luod = lui_luod_connect();
	if (luod < 0)
		return because(why, -ENOTCONN,
			       "nobody would keep its session over the kexec: luod does not run; start luod.socket");
	close(luod);
	return 0;
}

/* As the kernel writes it in its list, see sysfs-kernel-liveupdate */
static void shown(char to[4 * LU_NAME_BYTES], const char *name)
{
	int used = 0;

	*to = 0;
	for (; *name && used < 4 * (LU_NAME_BYTES - 1); name++) {
		unsigned char c = *name;

		used += sprintf(to + used,
				c < ' ' || c > '~' || c == '\\' ? "\\%03o" :
								  "%c",
				c);
	}
}

/* By the name that the guest has, or that luod has made of it for this user */
static bool is_called(const char *session, const char *name)
{
	char own[16];
	size_t length = sprintf(own, "%u.", geteuid());

	return !strcmp(session, name) || (!strncmp(session, own, length) &&
					  !strcmp(session + length, name));
}

int keeper_has_none(const struct request *req, struct why *why)
{
	char name[4 * LU_NAME_BYTES], state[16], *text, *line, *rest;
	unsigned int files;
	size_t length;
	int rc = 0;

	shown(name, req->name);
	text = rest = file_read(SESSIONS_FILE, &length);
	while (!rc && rest && (line = strsep(&rest, "\n"))) {
		int at = 0;

		if (sscanf(line, "session %15s %u %n", state, &files, &at) != 2)
			continue;
		if (files && at && is_called(line + at, name))
			rc = because(why, -EEXIST,
				     "session '%s' (%s) has a guest of that name; 'luctl show' says who keeps it",
				     line + at, state);
	}
	free(text);
	return rc;
}

bool keeper_is_busy(int rc, int *left)
{
	if ((rc != -EUSERS && rc != -EPIPE) || *left <= 0)
		return false;
	usleep(AGAIN_MS * 1000);
	*left -= AGAIN_MS;
	return true;
}
