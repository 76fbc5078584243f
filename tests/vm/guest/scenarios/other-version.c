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

static struct vm vm;

static bool goes_on(void)
{
	for (unsigned int i = 0; i < vm.devices; i++)
		if (!device_await(&vm.device[i], 20))
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
	struct vm_plan plan;

	if (lost("image", missing))
		return -1;
	value("names_not_read", missing);
	if (arg_number("differs", 0) &&
	    !check("versions-differ", missing, "%d names are not read", missing))
		return -1;
	owner_plan(&plan, SESSION);
	plan.bytes = 256 << 20;
	if (owner_begin(&vm, &plan) || owner_preserve(&vm) ||
	    (missing && refused(stage)) || owner_load(&vm, stage) ||
	    (missing && lost("load-own", load_own(stage))))
		return -1;
	return owner_jump();
}

static int other_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	rc = owner_reclaim(&vm) || owner_swap(&vm) ||
	     owner_release(&vm);
	if (rc)
		traffic_drain(&vm);
	else
		owner_settle(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc |= owner_unbind(&vm);
	traffic_blobs(&vm);
	/* Table pages are not counted: the two kernels may need other ones. */
	owner_verify(&vm);
	owner_close(&vm);
	return rc ? -1 : 0;
}

static const struct scenario other_version = {
	.name = "other-version",
	.description = "a kernel of another version is refused",
	.stages = { other_old, other_new },
};
SCENARIO(other_version);
