// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carries the results of the KUnit suites that ran at boot to the wire, one
 * check for each suite and case. lu.args=suites:a+b names those that must be
 * there; without it all that are there count, and there must be one.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "scenario.h"
#include "words.h"

#define ROOT "/sys/kernel/debug/kunit"

/* "ok 3 name # SKIP why": cuts the line into its parts. */
static bool parse(char *line, bool *ret_ok, char **ret_name, char **ret_rest)
{
	char *p = line;

	*ret_ok = !!strncmp(p, "not ", 4);
	if (!*ret_ok)
		p += 4;
	if (strncmp(p, "ok ", 3))
		return false;
	p += 3;
	p += strspn(p, "0123456789");
	p += strspn(p, " -");
	*ret_name = p;
	*ret_rest = strstr(p, " #");
	if (*ret_rest) {
		**ret_rest = 0;
		*ret_rest += 2;
	}
	for (; *p; p++)
		if (*p == ' ')
			*p = '_';
	return true;
}

static void one_line(const char *suite, char *line, unsigned int *ret_results)
{
	size_t indent = strspn(line, " ");
	char *name, *rest, full[160];
	bool ok;

	/* Deeper ones are the parameters of a case, summed up in its line. */
	if (indent > 4 || !parse(line + indent, &ok, &name, &rest))
		return;
	if (indent)
		snprintf(full, sizeof(full), "kunit.%s.%.80s", suite, name);
	else
		snprintf(full, sizeof(full), "kunit.%s", suite);
	/* A suite that ran no case says ok as well */
	*ret_results += !!indent;
	if (ok && rest && strstr(rest, "SKIP"))
		skip(full, "%s", rest);
	else
		check(full, ok, "%s", rest ? rest : "");
}

static void one_suite(const char *suite)
{
	char path[200], line[512];
	unsigned int results = 0;
	FILE *f;

	snprintf(path, sizeof(path), ROOT "/%s/results", suite);
	f = fopen(path, "re");
	if (!f) {
		check(suite, false, "no results at %s", path);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		one_line(suite, line, &results);
	}
	fclose(f);
	if (!results)
		check(suite, false, "did not run");
}

static unsigned int all_suites(void)
{
	unsigned int count = 0;
	struct dirent *d;
	DIR *dir;

	dir = opendir(ROOT);
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		one_suite(d->d_name);
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

static int run(unsigned int stage)
{
	const char *named = arg("suites");
	unsigned int count = 0;
	char list[512], *item, *save;

	(void)stage;
	if (named) {
		snprintf(list, sizeof(list), "%s", named);
		for (item = strtok_r(list, "+", &save); item;
		     item = strtok_r(NULL, "+", &save)) {
			one_suite(item);
			count++;
		}
	} else {
		count = all_suites();
	}
	value("suites", count);
	if (!count)
		check("suites", false, "none in %s", ROOT);
	return 0;
}

static const struct scenario kunit = {
	.name = "kunit",
	.description = "results of the KUnit suites of this kernel",
	.stages = { run },
};
SCENARIO(kunit);
