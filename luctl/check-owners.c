// SPDX-License-Identifier: GPL-2.0-only
/*
 * What owners have preserved the kernel knows. Those that preserve only while their
 * service stops can fail when there is no way back. So programs that know them are
 * asked before: whatever their packages, or the administrator, put into check.d.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "command.h"
#include "sysfs.h"

/* Of the administrator, of "make install", of packages; a name hides the same below. */
static const char *const dirs[] = {
	"/etc/luctl/check.d",
	"/usr/local/lib/luctl/check.d",
	"/usr/lib/luctl/check.d",
};
/* What one takes is unknown; this is long for a program that asks its guests. */
#define OWNER_MS 60000

/* Each line is a reason. */
static void refused(struct check *c, const char *name, char *said)
{
	bool any = false;
	char *line, *rest = said;

	while ((line = strsep(&rest, "\n"))) {
		size_t end = strlen(line);

		while (end && strchr("\r .", line[end - 1]))
			line[--end] = 0;
		if (!end)
			continue;
		found(&c->found, REFUSED, "owners", "owner", name, NULL, "%s",
		      line);
		any = true;
	}
	if (!any)
		found(&c->found, REFUSED, "owners", "owner", name, NULL,
		      "%s says no, and not why", name);
}

static void ask(struct check *c, const char *dir, const char *name)
{
	char *path = root_path("%s/%s", dir, name), *said = NULL;
	const char *argv[] = { path, c->now ? "--now" : NULL, NULL };
	int code;

	if (!access(path, X_OK)) {
		code = command_said(argv, c->timeout_ms < 0 ? OWNER_MS :
							      c->timeout_ms,
				    &said);
		if (code < 0 || code == 127)
			found(&c->found, UNKNOWN, "owners", "owner-unknown",
			      name, NULL, "%s/%s %s", dir, name,
			      code == -ETIMEDOUT ?
				      "does not answer; --timeout gives it longer" :
			      code < 0 ? "was killed, or cannot be started" :
					 "cannot be started");
		else if (code)
			refused(c, name, said);
	}
	free(said);
	free(path);
}

static bool is_hidden(unsigned int dir, const char *name)
{
	while (dir--)
		if (sys_exists("%s/%s", dirs[dir], name))
			return true;
	return false;
}

static void ask_all(struct check *c, unsigned int dir)
{
	char **names;
	int count = sys_names(&names, "%s", dirs[dir]);

	for (int i = 0; i < count; i++)
		if (!is_hidden(dir, names[i]))
			ask(c, dirs[dir], names[i]);
	if (count >= 0)
		names_free(names, count);
}

void check_owners(struct check *c)
{
	unsigned int before = c->found.count;

	for (unsigned int i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		ask_all(c, i);
	if (c->found.count == before)
		found(&c->found, FINE, "owners", "owners", NULL, NULL,
		      "no owner has anything against it");
}
