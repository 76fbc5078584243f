// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "sysfs.h"
#include "systemd.h"

bool systemd_is_running(void)
{
	return sys_exists("/run/systemd/system");
}

int systemd_version(void)
{
	static const char *const argv[] = { "systemctl", "--version", NULL };
	char *text = command_text(argv);
	int version = 0;

	if (text && sscanf(text, "systemd %d", &version) != 1)
		version = 0;
	free(text);
	return version;
}

char *systemd_property(const char *unit, const char *property)
{
	const char *argv[] = { "systemctl", "show", "--property", property,
			       "--value",   "--",   unit,	  NULL };
	char *text = command_text(argv);

	if (text)
		text[strcspn(text, "\n")] = 0;
	return text;
}

/* Is the session among what the store of a unit lists? */
static bool store_has(const char *unit, const char *session)
{
	const char *argv[] = { "systemd-analyze", "--no-pager", "fdstore", unit,
			       NULL };
	char *text = command_text(argv);
	char *name = must_print("[luo_session] %s", session);
	const char *at = text ? strstr(text, name) : NULL;
	bool has = false;

	while (at && !has) {
		at += strlen(name);
		has = !*at || strchr(" \t\n", *at);
		at = strstr(at, name);
	}
	free(name);
	free(text);
	return has;
}

static bool is_preserved(const char *unit)
{
	char *value = systemd_property(unit, "FileDescriptorStorePreserve");
	bool is = value &&
		  (!strcmp(value, "yes") || !strcmp(value, "on-success"));

	free(value);
	return is;
}

/* The services that have anything in their stores; one a line, to be freed. */
static char *stores(void)
{
	static const char *const argv[] = {
		"systemctl", "show", "--all", "--property",
		"Id,NFileDescriptorStore", "--", "*.service", NULL
	};
	char *text = command_text(argv), *all = must_copy("");
	char id[256] = "", *line, *save;
	int count;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *more;

		sscanf(line, "Id=%255s", id);
		if (sscanf(line, "NFileDescriptorStore=%d", &count) != 1 ||
		    !count)
			continue;
		more = must_print("%s%s\n", all, id);
		free(all);
		all = more;
	}
	free(text);
	return all;
}

enum kept systemd_keeps(const char *session, char **ret_unit)
{
	char *all = stores(), *unit, *save;
	unsigned int count = 0, kept = 0;
	enum kept answer = KEPT_UNKNOWN;

	*ret_unit = NULL;
	for (unit = strtok_r(all, "\n", &save); unit && !*ret_unit;
	     unit = strtok_r(NULL, "\n", &save)) {
		bool is = is_preserved(unit);

		count++;
		kept += is;
		if (!store_has(unit, session))
			continue;
		*ret_unit = must_copy(unit);
		answer = is ? KEPT_YES : KEPT_NO;
	}
	free(all);
	if (answer == KEPT_UNKNOWN && count && count == kept)
		return KEPT_YES;
	return answer;
}
