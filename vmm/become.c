// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "become.h"
#include "cpr.h"
#include "files.h"

int can_become(const char *program, struct why *why)
{
	const char *dirs = getenv("PATH"), *end;
	char path[PATH_MAX];

	if (!access(program, X_OK) && strchr(program, '/'))
		return 0;
	for (; dirs && !strchr(program, '/'); dirs = *end ? end + 1 : NULL) {
		end = strchrnul(dirs, ':');
		if (snprintf(path, sizeof(path), "%.*s/%s", (int)(end - dirs),
			     dirs, program) < (int)sizeof(path) &&
		    !access(path, X_OK))
			return 0;
	}
	return because(why, -ENOENT, "%s cannot be run: it is not there",
		       program);
}

int become(char *const *argv, struct why *why)
{
	execvp(argv[0], argv);
	return because(why, -errno, "%s cannot be run: %m", argv[0]);
}

int become_again(const struct request *req, char *const *argv, int cpr_fd,
		 struct why *why)
{
	char path[PATH_MAX + 5] = "file:", number[16], **all;
	unsigned int n = 0;
	int rc;

	rc = file_path(path + 5, req, FILE_STREAM, why);
	if (rc)
		return rc;
	while (argv[n])
		n++;
	snprintf(number, sizeof(number), "%d", cpr_fd);
	all = calloc(n + 3, sizeof(*all));
	if (!all || setenv(CPR_STATE_ENV, number, 1)) {
		free(all);
		return because(why, -ENOMEM, "no memory");
	}
	memcpy(all, argv, n * sizeof(*all));
	all[n] = (char *)"-incoming";
	all[n + 1] = path;
	fcntl(cpr_fd, F_SETFD, 0);
	rc = become(all, why);
	free(all);
	return rc;
}
