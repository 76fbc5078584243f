// SPDX-License-Identifier: GPL-2.0-only
/* Asked while guests run, about what would happen to them. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "keeper.h"
#include "machine.h"

static int look(const struct request *req, struct qmp *qmp)
{
	struct lu_error err = LU_ERROR_INIT;
	struct why why = { "" };
	json_object *seen = NULL;
	bool store;

	if (lu_support(NULL, &err)) {
		complain("'%s': %s.", req->name, err.text);
		return EXIT_REFUSED;
	}
	if (!keeper_has_none(req, &why) && !keeper_look(qmp->pid, &store, &why))
		seen = machine_look(qmp, &why);
	if (!seen) {
		complain("'%s' cannot go through a live update: %s.", req->name,
			 why.text);
		return EXIT_REFUSED;
	}
	printf("'%s' can go through a live update, with %zu devices.\n",
	       req->name,
	       json_object_array_length(
		       json_object_object_get(seen, "devices")));
	json_object_put(seen);
	return EXIT_DONE;
}

/* Of several one that has ended meanwhile, or is preserved, has nothing to say. */
static int check_one(const struct request *req, bool of_several)
{
	struct why why = { "" };
	struct qmp qmp;
	int code, rc;

	rc = qmp_open(&qmp, req, &why);
	if (of_several && (rc == -ENOENT || rc == -ECONNREFUSED))
		return EXIT_DONE;
	if (rc) {
		complain("'%s': %s.", req->name, why.text);
		return EXIT_REFUSED;
	}
	if (req->now) {
		complain("'%s' runs, and nothing stops it before the jump: 'lu-qemu save %s' preserves it.",
			 req->name, req->name);
		code = EXIT_REFUSED;
	} else {
		code = look(req, &qmp);
	}
	qmp_close(&qmp);
	return code;
}

/* Each guest that runs has a monitor in the folder. */
static int is_monitor(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && dot != entry->d_name && !strcmp(dot, FILE_MONITOR);
}

static int check_all(const struct request *req)
{
	struct dirent **found;
	int count = scandir(req->dir, &found, is_monitor, alphasort);
	int code = EXIT_DONE;

	if (count < 0 && errno != ENOENT) {
		complain("%s: %m.", req->dir);
		return EXIT_REFUSED;
	}
	for (int i = 0; i < count; i++) {
		struct request one = *req;

		*strrchr(found[i]->d_name, '.') = 0;
		one.name = found[i]->d_name;
		if (check_one(&one, true))
			code = EXIT_REFUSED;
		free(found[i]);
	}
	if (count >= 0)
		free(found);
	return code;
}

int verb_check(const struct request *req)
{
	return req->name ? check_one(req, false) : check_all(req);
}
