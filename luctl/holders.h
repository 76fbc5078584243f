/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has what open, as far as /proc shows. */
#ifndef LUCTL_HOLDERS_H
#define LUCTL_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum holds {
	HOLDS_NODE, /* /dev/liveupdate */
	HOLDS_SESSION, /* named */
	HOLDS_DEVICE, /* "vfio3": the character device of a vfio device */
	HOLDS_GROUP, /* "3": the older way to devices, by their group */
	HOLDS_MEMORY, /* a memfd, of a process that holds a session too */
};

struct holder {
	enum holds kind;
	pid_t pid;
	char comm[32];
	char *name; /* escaped */
	int64_t bytes; /* of memory */
	uint64_t inode;
};

struct holders {
	struct holder *list;
	unsigned int count;
	unsigned int hidden; /* processes that may not be looked at */
	int error; /* /proc cannot be read at all */
};

void holders_read(struct holders *ret);
void holders_free(struct holders *h);

/* The next one from *@at on, which is moved behind it; NULL for none. */
const struct holder *holder_next(const struct holders *h, enum holds kind,
				 const char *name, unsigned int *at);

/* "pid 812 (qemu)", to be freed. */
char *holder_text(const struct holder *h);

/* The unit of a process, as systemd has it; false if there is none. */
bool process_unit(pid_t pid, char *buf, size_t size);
/* Does its name begin with '@', which systemd spares at shutdown? */
bool process_is_spared(pid_t pid);

#endif
