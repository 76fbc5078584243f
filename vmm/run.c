// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "back.h"
#include "become.h"
#include "files.h"
#include "keeper.h"

/* QEMU's monitor that "lu-qemu save" talks to, behind the command line. */
static int start(const struct request *req, struct why *why)
{
	char monitor[PATH_MAX], option[PATH_MAX + 32], **argv;
	unsigned int n = 0;
	int rc = file_path(monitor, req, FILE_MONITOR, why);

	if (rc)
		return rc;
	while (req->command[n])
		n++;
	argv = calloc(n + 3, sizeof(*argv));
	if (!argv)
		return because(why, -ENOMEM, "no memory");
	memcpy(argv, req->command, n * sizeof(*argv));
	if (!req->monitor) {
		snprintf(option, sizeof(option), "unix:%s,server=on,wait=off",
			 monitor);
		argv[n] = (char *)"-qmp";
		argv[n + 1] = option;
	}
	rc = become(argv, why);
	free(argv);
	return rc;
}

/* Nothing was taken: another process tries again, for which somebody has to keep it. */
static void put_back(const struct request *req, struct lu_session *session,
		     const struct why *why)
{
	struct lu_error err = LU_ERROR_INIT;

	complain("'%s' can be tried again: %s.", req->name, why->text);
	if (lu_session_park(session, &err))
		complain("without a device it is lost, as nobody keeps its session: %s.",
			 err.text);
}

int verb_run(const struct request *req)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *session;
	struct why why = { "" };
	int rc, left = req->timeout_ms;

	if (mkdir(req->dir, 0700) && errno != EEXIST) {
		complain("%s: %m.", req->dir);
		return EXIT_REFUSED;
	}
	do
		rc = lu_session_acquire(req->name, LU_IN, &session, &err);
	while (keeper_is_busy(rc, &left));
	if (!rc) {
		rc = back(req, session, &why);
		if (rc == -EAGAIN)
			put_back(req, session, &why);
		else
			complain("'%s' does not go on: %s. 'luctl show' has what is left, 'luctl reap %s' ends it.",
				 req->name, why.text, lu_session_name(session));
		lu_session_free(session);
		return rc == -EAGAIN ? EXIT_REFUSED : EXIT_LOST;
	}
	/* Nothing came over; a kernel that has no live update starts guests, too. */
	if (rc != -ENOENT && rc != -ENODEV && rc != -ENOTSUP) {
		complain("whether '%s' came over cannot be told: %s.",
			 req->name, err.text);
		return EXIT_REFUSED;
	}
	/* Two guests on the same disks would be worse than none. */
	if (keeper_has_none(req, &why)) {
		complain("'%s' is not started: %s.", req->name, why.text);
		return EXIT_REFUSED;
	}
	start(req, &why);
	complain("%s.", why.text);
	return EXIT_REFUSED;
}
