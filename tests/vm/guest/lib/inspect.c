// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"
#include "textfile.h"

static uint64_t number(const char *text)
{
	return strcmp(text, "-") ? strtoull(text, NULL, 10) : 0;
}

static int parse_unit(struct inspect *what, const char *line)
{
	struct inspect_unit *u = &what->unit[what->units++];
	char tables[24];
	int end = 0;

	if (sscanf(line, "unit %u %31s %31s %23s%n", &u->id, u->driver, u->name,
		   tables, &end) != 4 || line[end])
		return -EPROTO;
	u->tables = number(tables);
	return 0;
}

static int parse_domain(struct inspect *what, const char *line)
{
	struct inspect_domain *d = &what->domain[what->domains++];
	char tables[24];
	int end = 0;

	if (sscanf(line, "domain %u %15s %19s %23s %63s %23s %23s%n", &d->id,
		   d->unit, d->kind, tables, d->levels, d->owner, d->token,
		   &end) != 7 || line[end])
		return -EPROTO;
	d->tables = number(tables);
	return 0;
}

static int parse_device(struct inspect *what, const char *line)
{
	struct inspect_device *d = &what->device[what->devices++];
	int end = 0;

	return sscanf(line, "device %15s %15s%n", d->bdf, d->state, &end) != 2 ||
			       line[end] ?
		       -EPROTO :
		       0;
}

static int parse_attachment(struct inspect *what, const char *line)
{
	struct inspect_attachment *a = &what->attachment[what->attachments++];
	int end = 0;

	return sscanf(line, "attachment %15s %15s %u %u%n", a->bdf, a->pasid,
		      &a->domain, &a->did, &end) != 4 || line[end] ?
		       -EPROTO :
		       0;
}

static int parse_line(struct inspect *what, const char *line)
{
	if (what->units == INSPECT_MAX || what->domains == INSPECT_MAX ||
	    what->devices == INSPECT_MAX || what->attachments == INSPECT_MAX)
		return -E2BIG;
	if (!strncmp(line, "unit ", 5))
		return parse_unit(what, line);
	if (!strncmp(line, "domain ", 7))
		return parse_domain(what, line);
	if (!strncmp(line, "device ", 7))
		return parse_device(what, line);
	return parse_attachment(what, line);
}

int inspect_read(struct inspect *what, const char *side)
{
	static char text[64 << 10];
	int rc = get_text(INSPECT_PATH, text, sizeof(text));
	size_t skip = strlen(side);
	char *line, *rest = text;

	memset(what, 0, sizeof(*what));
	while (rc >= 0 && (line = strsep(&rest, "\n")) && *line) {
		if (strncmp(line, "in ", 3) && strncmp(line, "out ", 4))
			return -EPROTO;
		if (!strncmp(line, side, skip) && line[skip] == ' ')
			rc = parse_line(what, line + skip + 1);
	}
	return rc < 0 ? rc : 0;
}

const struct inspect_device *inspect_device(const struct inspect *what,
					    const char *bdf)
{
	for (unsigned int i = 0; i < what->devices; i++)
		if (!strcmp(what->device[i].bdf, bdf))
			return &what->device[i];
	return NULL;
}

const struct inspect_attachment *inspect_attachment(const struct inspect *what,
						    const char *bdf)
{
	for (unsigned int i = 0; i < what->attachments; i++)
		if (!strcmp(what->attachment[i].bdf, bdf))
			return &what->attachment[i];
	return NULL;
}
