// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel of another version of the handover: reboot() says no, and everything
 * goes on; then a live update into the running version, which the machine has as
 * a second image. Where the two versions are the same the first one is taken.
 *
 * With lu.args=differs:1 they have to be different ones. What becomes of it when
 * the other kernel is jumped into all the same is told by 'next', force:1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "kexec.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "wire.h"
#include "words.h"

#define SESSION "other-version"
#define OTHER "/bzImage"

static struct guest guest;

static bool goes_on(void)
{
	for (unsigned int i = 0; i < guest.devices; i++)
		if (!device_await(&guest.device[i], 20))
			return false;
	return true;
}

static int refused(unsigned int stage)
{
	if (lost("load-other", kexec_load_stage(stage + 1)))
		return -1;
	wire_drain();
	if (!check_rc("other-refused", kexec_jump(), -EPROTONOSUPPORT))
		return -1;
	return check("goes-on", goes_on(), "all devices work") ? 0 : -1;
}

/* The image of the running version, by the name the rig gave it. */
static int load_own(unsigned int stage)
{
	const char *own = arg("own");
	char path[64];
	int image, rc;

	snprintf(path, sizeof(path), "/bzImage-%.40s", own ? own : "");
	image = open(path, O_RDONLY | O_CLOEXEC);
	if (image < 0)
		return -errno;
	rc = kexec_load_image(image, stage + 1);
	close(image);
	return rc;
}

static int other_old(unsigned int stage)
{
	int missing = image_missing(OTHER);
	struct guest_plan plan;

	if (lost("image", missing))
		return -1;
	value("names_not_read", missing);
	if (arg_number("differs", 0) &&
	    !check("versions-differ", missing, "%d names are not read", missing))
		return -1;
	owner_plan(&plan, SESSION);
	plan.bytes = 256 << 20;
	if (owner_begin(&guest, &plan) || owner_preserve(&guest) ||
	    (missing && refused(stage)) || owner_load(&guest, stage) ||
	    (missing && lost("load-own", load_own(stage))))
		return -1;
	return owner_jump();
}

static int other_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (owner_arrive(&guest, SESSION))
		return -1;
	rc = owner_reclaim(&guest) || owner_swap(&guest) ||
	     owner_release(&guest);
	if (rc)
		traffic_drain(&guest);
	else
		owner_settle(&guest);
	traffic_check(&guest, "");
	traffic_values(&guest);
	rc |= owner_unbind(&guest);
	traffic_blobs(&guest);
	/* Table pages are not counted: the two kernels may need other ones. */
	owner_verify(&guest);
	owner_close(&guest);
	return rc ? -1 : 0;
}

static const struct scenario other_version = {
	.name = "other-version",
	.rows = "C2",
	.description = "a kernel of another version is refused",
	.stages = { other_old, other_new },
};
SCENARIO(other_version);
