/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has to be so that a live update is taken over. Each check looks at one
 * thing and adds what it has found.
 */
#ifndef LUCTL_CHECK_H
#define LUCTL_CHECK_H

#include "findings.h"
#include "image.h"
#include "world.h"

struct check {
	const struct request *req;
	struct findings found;

	/* The next kernel: what is to be loaded, or what luctl has loaded */
	char *path; /* NULL if it is not known */
	char *initrd; /* NULL for none */
	char *line; /* its command line, NULL if it is not known */
	struct image image;
	bool have_image;

	/* How it is done: through systemctl, or at once */
	bool now;
	int timeout_ms; /* of an owner that is asked; negative: the usual one */
	int systemd; /* its version, 0 without it */

	struct world world;
};

void check_begin(struct check *c, const struct request *req);
void check_end(struct check *c);

/* The next kernel alone. */
void check_next(struct check *c);
/* That, and this machine. */
void check_all(struct check *c);

void check_image(struct check *c);
void check_words(struct check *c);
void check_load(struct check *c);
void check_initrd(struct check *c);
void check_sessions(struct check *c);
void check_node(struct check *c);
void check_devices(struct check *c);
void check_memory(struct check *c);
void check_owners(struct check *c);

#endif
