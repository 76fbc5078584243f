// SPDX-License-Identifier: GPL-2.0-only
/* Does the next kernel read what this one writes? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sysfs.h"

#define WRITES "/sys/kernel/liveupdate/writes"

/* What the old kernel writes; false if there is nothing to compare with. */
static bool wanted(struct check *c, struct names *ret)
{
	const char *path = c->req->wanted;
	char *text;
	int rc;

	if (c->req->offline && !path)
		return false;
	text = path ? file_text(path, NULL) : sys_text(WRITES);
	rc = text ? names_parse(text, ret) : -errno;
	free(text);
	if (!rc)
		return true;
	if (!path)
		found(&c->found, rc == -ENOENT ? REFUSED : UNKNOWN, "kernel",
		      "no-liveupdate", NULL,
		      "it needs a kernel with the live update of devices",
		      rc == -ENOENT ?
			      "the running kernel hands over no devices" :
			      WRITES " cannot be read: %s",
		      strerror(-rc));
	else if (rc == -ENODATA || rc == -EINVAL)
		found(&c->found, UNKNOWN, "kernel", "writes", path, NULL,
		      rc == -ENODATA ? "%s names nothing that is written" :
				       "%s is not a list of names",
		      path);
	else
		found(&c->found, UNKNOWN, "kernel", "writes", path, NULL,
		      "%s cannot be read: %s", path, strerror(-rc));
	return false;
}

static void compare(struct check *c, const struct names *writes)
{
	unsigned int missing = 0;
	char *all;

	for (unsigned int i = 0; i < writes->count; i++) {
		if (names_have(&c->image.reads, writes->name[i]))
			continue;
		missing++;
		found(&c->found, REFUSED, "image", "version", writes->name[i],
		      "take an image that has it in its list",
		      "the image does not read %s", writes->name[i]);
	}
	if (missing)
		return;
	all = names_text(writes);
	found(&c->found, FINE, "image", "version", c->path, NULL, "reads %s",
	      all);
	free(all);
}

void check_image(struct check *c)
{
	struct names writes;
	char *all;
	int rc;

	rc = image_read(c->path, &c->image);
	if (rc) {
		found(&c->found, UNKNOWN, "image", "unreadable", c->path, NULL,
		      "%s cannot be read: %s", c->path, strerror(-rc));
		return;
	}
	c->have_image = true;
	if (!c->image.found) {
		found(&c->found, REFUSED, "image", "no-list", c->path,
		      "take a kernel with the live update of devices",
		      "the image says nothing of what it reads");
		return;
	}
	if (wanted(c, &writes)) {
		compare(c, &writes);
	} else if (c->req->offline && !c->req->wanted) {
		all = names_text(&c->image.reads);
		found(&c->found, FINE, "image", "version", c->path, NULL,
		      "reads %s", all);
		free(all);
	}
}
