// SPDX-License-Identifier: GPL-2.0-only
/*
 * Next kernels that do not take the handover as they should. Whatever they do,
 * devices must not write to memory that is not preserved for them. So the new
 * kernel fills all the memory it has with a pattern, lets the host go on
 * sending and the drive go on reading, and looks at the pattern again.
 *
 * lu.args=outcome:NAME tells what the kernel has to do about the devices:
 *
 *   taken    nothing: the owner takes them back, as usual
 *   blocked  leave translation on, with nothing behind it
 *   stopped  turn translation off, but their bus mastering before; the session
 *            cannot be finished
 *   changed  the same, and then turn it on again with nothing behind it
 *   unseen   nothing: it has not found the IOMMU, which goes on as it was; the
 *            session cannot be finished
 *
 * With force:1 the image is made to look as if it read the handover. With
 * offline:1 a CPU is switched off before preserve, and again in the next kernel
 * before anything is taken back.
 *
 * The devices use addresses at which this machine has ordinary memory, so that
 * a transfer that is not translated hits it. That the pattern would show it is
 * tried at the end: with translation off and bus mastering turned on again by
 * hand it must be damaged.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "kexec.h"
#include "klog.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "spare.h"
#include "stray.h"
#include "textfile.h"
#include "traffic.h"
#include "words.h"

#define SESSION "next"
#define CPU1 "/sys/devices/system/cpu/cpu1/online"
#define NEXT_IOVA (512ull << 20)
#define NEXT_BYTES (128ull << 20)
/* What is left to the kernel, in KiB. */
#define LEAVE (64ull << 10)
#define HOLD_SECONDS 4
/* Frames each second: the ring is to last until the devices are let go. */
#define RATE 300

static struct vm vm;

static const char *const lines[] = {
	"live update: DMA goes on through domain",
	"all DMA is blocked",
	"is turned off, so all its devices are stopped",
};

static const struct {
	const char *name;
	unsigned int line; /* which alone of them the kernel says */
#define NOTHING ~0u
} outcomes[] = {
	{ "taken", 0 },
	{ "blocked", 1 },
	{ "stopped", 2 },
	{ "changed", 2 },
	{ "unseen", NOTHING },
};

static bool outcome_is(const char *name)
{
	const char *outcome = arg("outcome");

	return outcome && !strcmp(outcome, name);
}

static void check_log(void)
{
	unsigned int i = 0;

	while (i < sizeof(outcomes) / sizeof(outcomes[0]) &&
	       !outcome_is(outcomes[i].name))
		i++;
	if (!check("outcome", i < sizeof(outcomes) / sizeof(outcomes[0]),
		   "is one that is known"))
		return;
	for (unsigned int l = 0; l < sizeof(lines) / sizeof(lines[0]); l++) {
		bool said = klog_has(lines[l]);
		char name[16];

		snprintf(name, sizeof(name), "log-%u", l);
		check(name, said == (outcomes[i].line == l),
		      "\"%s\" was%s said", lines[l], said ? "" : " not");
	}
}

static int switch_cpu(bool on)
{
	return arg_number("offline", 0) ? put_text(CPU1, on ? "1" : "0") : 0;
}

/* Loads it as if it read all that is written, which may not be so. */
static int force(unsigned int stage)
{
	int image = image_forced("/bzImage"), rc;

	if (image < 0)
		return image;
	rc = kexec_load_image(image, stage + 1);
	close(image);
	return rc;
}

static int next_old(unsigned int stage)
{
	struct vm_plan plan;

	memory_iova_start = NEXT_IOVA;
	owner_plan(&plan, SESSION);
	plan.bytes = NEXT_BYTES;
	if (owner_begin(&vm, &plan))
		return -1;
	traffic_rate(RATE);
	if (lost("cpu-off", switch_cpu(false)) || owner_preserve(&vm) || owner_load(&vm, stage) ||
	    (arg_number("force", 0) && lost("force", force(stage))))
		return -1;
	return owner_jump();
}

/*
 * No driver has taken the IOMMU over, which for all this kernel knows goes on:
 * the memory must not be given back.
 */
static void try_to_finish(void)
{
	int session = luo_retrieve_session(luo_open(), SESSION);
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int count = machine_kept(bdf);

	if (lost("session", session) ||
	    lost("memory", luo_retrieve(session, TOKEN_MEMORY)))
		return;
	check_rc("retrieve-iommufd", luo_retrieve(session, TOKEN_IOMMUFD),
		 -EINVAL);
	for (unsigned int i = 0; i < count; i++) {
		char name[48];

		snprintf(name, sizeof(name), "retrieve-%.16s", bdf[i]);
		check_rc(name, luo_retrieve(session, TOKEN_DEVICE + i), -EIO);
	}
	check_rc("finish", luo_finish(session), -EBUSY);
	close(session);
}

static int next_not_taken(void)
{
	struct spare spare;

	if (outcome_is("unseen") || outcome_is("stopped"))
		try_to_finish();
	if (spare_fill(&spare, LEAVE, NEXT_IOVA, NEXT_BYTES))
		return -1;
	sleep(HOLD_SECONDS);
	spare_whole(&spare, "spare-whole");
	if (!outcome_is("unseen"))
		stray_check_stopped();
	if (outcome_is("stopped")) {
		stray_control(&spare);
		return 0;
	}
	/* Blocked they are even if they do not stay stopped. */
	stray_let_go();
	sleep(HOLD_SECONDS);
	spare_whole(&spare, "spare-whole-armed");
	return 0;
}

static int next_taken(void)
{
	struct spare spare;
	int rc;

	memory_iova_start = NEXT_IOVA;
	if (owner_arrive(&vm, SESSION) || lost("cpu-off", switch_cpu(false)) ||
	    spare_fill(&spare, LEAVE, NEXT_IOVA, NEXT_BYTES))
		return -1;
	sleep(HOLD_SECONDS);
	if (!spare_whole(&spare, "spare-whole"))
		return -1;
	rc = owner_reclaim(&vm) || owner_swap(&vm) ||
	     owner_release(&vm);
	if (!rc)
		owner_settle(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc |= owner_unbind(&vm);
	traffic_blobs(&vm);
	spare_whole(&spare, "spare-whole-after");
	lost("cpu-on", switch_cpu(true));
	/* Table pages are not counted: the two kernels may need other ones. */
	spare_give(&spare);
	owner_verify(&vm);
	owner_close(&vm);
	return rc;
}

static int next_new(unsigned int stage)
{
	(void)stage;
	check_log();
	return outcome_is("taken") ? next_taken() : next_not_taken();
}

static const struct scenario next_kernel = {
	.name = "next-kernel",
	.description = "a next kernel that is not as it should be",
	.stages = { next_old, next_new },
};
SCENARIO(next_kernel);
