// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "state.h"

int state_write(const struct owner *o, const char *path)
{
	const struct nvme_state *d = &o->control->nvme;
	char part[256];
	FILE *f;

	snprintf(part, sizeof(part), "%s.new", path);
	f = fopen(part, "we");
	if (!f)
		return -errno;
	fprintf(f, "pid %d\nkernels %ju\nkept %d\nreads %ju\nerrors %ju\n"
		"waiting %ju\nfound %ju\n", getpid(),
		(uintmax_t)o->control->kernels, o->kept,
		(uintmax_t)d->completed,
		(uintmax_t)(d->data_errors + d->status_errors + d->stray),
		(uintmax_t)o->control->waiting, (uintmax_t)o->control->found);
	if (fclose(f))
		return -errno;
	return rename(part, path) ? -errno : 0;
}
