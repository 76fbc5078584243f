// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "name.h"

struct kept *kept_new(const char *name)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return NULL;
	kept->fd = -1;
	kept->owner = name_owner(name);
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	return kept;
}

void kept_add(struct keep *keep, struct kept *kept, int fd, bool incoming)
{
	struct kept **end = &keep->first;

	while (*end)
		end = &(*end)->next;
	*end = kept;
	kept->serial = ++keep->serial;
	kept->fd = fd;
	kept->incoming = incoming;
}

struct kept *kept_find(const struct keep *keep, const char *name, bool incoming)
{
	for (struct kept *k = keep->first; k; k = k->next)
		if (k->incoming == incoming && !strcmp(k->name, name))
			return k;
	return NULL;
}

struct kept *kept_after(const struct keep *keep, uint64_t serial, uid_t uid)
{
	for (struct kept *k = keep->first; k; k = k->next)
		if (k->serial > serial && (!uid || k->owner == uid))
			return k;
	return NULL;
}

int kept_take(struct keep *keep, struct kept *kept)
{
	struct kept **at = &keep->first;
	int fd = kept->fd;

	while (*at != kept)
		at = &(*at)->next;
	*at = kept->next;
	free(kept);
	return fd;
}

unsigned int kept_count(const struct keep *keep)
{
	unsigned int count = 0;

	for (struct kept *k = keep->first; k; k = k->next)
		count += !k->incoming;
	return count;
}

unsigned int kept_of(const struct keep *keep, uid_t owner)
{
	unsigned int count = 0;

	for (struct kept *k = keep->first; k; k = k->next)
		count += !k->incoming && k->owner == owner;
	return count;
}
