/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is kept, by user and the kernel's name. A session of the kernel before,
 * and one for the next kernel, can have the same name.
 */
#ifndef LUOD_KEPT_H
#define LUOD_KEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "liveupdate.h"

struct kept {
	struct kept *next;
	uint64_t serial; /* never used again */
	int fd;
	uid_t owner;
	bool incoming;
	char name[LU_NAME_BYTES];
};

struct keep {
	struct kept *first; /* by serial */
	uint64_t serial;
};

/* One that is not in any list yet, so that adding cannot fail; or NULL */
struct kept *kept_new(const char *name);

/* @fd is the list's from then on. */
void kept_add(struct keep *keep, struct kept *kept, int fd, bool incoming);

struct kept *kept_find(const struct keep *keep, const char *name,
		       bool incoming);

/* The first of those after @serial which @uid may see, root all; or NULL */
struct kept *kept_after(const struct keep *keep, uint64_t serial, uid_t uid);

/* Out of the list, and freed. Return: its file descriptor, the caller's */
int kept_take(struct keep *keep, struct kept *kept);

/*
 * How many there are of this kernel, in all or of a user. Of those that came
 * there are not more than there were before.
 */
unsigned int kept_count(const struct keep *keep);
unsigned int kept_of(const struct keep *keep, uid_t owner);

#endif
