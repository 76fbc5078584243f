// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "operator.h"
#include "report.h"
#include "tool.h"

#define LINE_BYTES 400

char luctl_said[64 << 10];

int luctl(const char *verb, ...)
{
	const char *argv[TOOL_WORDS] = { "luctl", verb };
	va_list args;
	int rc;

	va_start(args, verb);
	for (int i = 2; i < TOOL_WORDS - 1; i++) {
		argv[i] = va_arg(args, const char *);
		if (!argv[i])
			break;
	}
	va_end(args);
	rc = tool_run(luctl_said, sizeof(luctl_said), argv);
	if (rc < 0)
		check("luctl", false, "%s: %s", verb, errno_name(rc));
	return rc;
}

bool luctl_ends(const char *name, int code, int want)
{
	size_t length = strlen(luctl_said);
	char text[LINE_BYTES];

	snprintf(text, sizeof(text), "%.*s", LINE_BYTES - 1,
		 luctl_said +
			 (length < LINE_BYTES ? 0 : length - LINE_BYTES + 1));
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return check(name, code == want, "exit code %d: %s", code, text);
}

bool luctl_says(const char *name, const char *what)
{
	return check(name, strstr(luctl_said, what), "luctl says '%s'", what);
}
