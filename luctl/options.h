/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of the command line: one table for parsing and for --help. */
#ifndef LUCTL_OPTIONS_H
#define LUCTL_OPTIONS_H

#include "luctl.h"

struct verb {
	const char *name;
	const char *args; /* of the usage line, "" for none */
	const char *does; /* a line of help */
	int (*run)(const struct request *req);
	unsigned int options; /* bits of the table of options */
	bool takes; /* a subject */
	bool needs; /* and does nothing without one */
};

/*
 * Fills @ret; @ret_verb is NULL when there is nothing left to do, and the
 * program ends with what is returned: --help, --version, or a mistake.
 */
int options_parse(int argc, char **argv, struct request *ret,
		  const struct verb **ret_verb);

#endif
