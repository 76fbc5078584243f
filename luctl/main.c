// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "options.h"

void complain(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "luctl: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	struct request req;
	int code = options_parse(argc, argv, &req, &verb);

	if (!code && verb)
		code = verb->run(&req);
	if (fflush(stdout) || ferror(stdout)) {
		complain("what was to be printed could not be written: %m.");
		return EXIT_CANNOT;
	}
	return code;
}
