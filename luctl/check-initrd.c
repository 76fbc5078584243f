// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is vfio-pci there before the root file system is? Devices go on without it, but
 * their owners have to wait.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "initrd.h"

#define MODULE "vfio-pci"

static void check_content(struct check *c, const struct initrd *found_in)
{
	if (found_in->has)
		found(&c->found, FINE, "initrd", "initrd", c->initrd, NULL,
		      "%s has " MODULE, c->initrd);
	else
		found(&c->found, NOTE, "initrd", "no-vfio-pci", c->initrd,
		      "devices go on, their owners wait for the root file system; or it is built in",
		      "%s has no module " MODULE, c->initrd);
}

void check_initrd(struct check *c)
{
	struct initrd in;
	int rc;

	if (!c->initrd) {
		if (!c->req->offline)
			found(&c->found, NOTE, "initrd", "no-initrd", NULL,
			      c->req->no_initrd ?
				      NULL :
				      "name one with --initrd, unless it needs none",
			      "the next kernel has no initial RAM disk");
		return;
	}
	rc = initrd_look(c->initrd, MODULE, &in);
	if (!rc)
		check_content(c, &in);
	else if (rc == -ENOPKG)
		found(&c->found, NOTE, "initrd", "not-looked-at", c->initrd,
		      NULL, "%s was not looked at: it cannot be unpacked here",
		      c->initrd);
	else if (rc == -EBADMSG)
		found(&c->found, NOTE, "initrd", "not-looked-at", c->initrd,
		      NULL, "%s was not looked at: it is no cpio archive",
		      c->initrd);
	else
		found(&c->found, REFUSED, "initrd", "initrd-unreadable",
		      c->initrd, NULL, "%s cannot be read: %s", c->initrd,
		      strerror(-rc));
}
