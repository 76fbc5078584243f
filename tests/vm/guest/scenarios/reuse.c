// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that nobody takes back, and what comes after: their native drivers,
 * which turn bus mastering on before they reset what they get. Nothing is
 * translated by then (the next kernels have iommu=pt, or no IOMMU), and the
 * device still has the addresses of its former owner, where this machine has
 * free memory, full of a pattern. Whoever lets a driver have such a device has
 * to reset it first, or say no. No reset is made here.
 *
 * How they came to that is told by lu.args:
 *
 *   field:NAME    the old kernel breaks the handover there: rejected
 *   nothing       the next kernel was told to leave them: blocked, or stopped
 *
 * With rescan:1 each is removed and found again before.
 *
 * Scenario reuse-orphaned: the next kernel keeps them at work, and somebody
 * looks at the session and closes it again. No native driver may have them then.
 * The kernel after that knows nothing of it.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "kexec.h"
#include "luo.h"
#include "native.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "sleep.h"
#include "spare.h"
#include "stray.h"
#include "textfile.h"
#include "traffic.h"
#include "words.h"

#define SESSION "reuse"
#define MUTATE "/sys/kernel/debug/iommu/liveupdate_mutate"
#define REUSE_IOVA (512ull << 20)
#define REUSE_BYTES (128ull << 20)
/* What is left to the kernel and its drivers, in KiB. */
#define LEAVE (96ull << 10)
#define READS 256
#define HOLD_SECONDS 3
/* Frames each second: the ring is to last until the drivers come. */
#define RATE 300

static struct vm vm;
static char bdf[DEVICES_MAX][BDF_BYTES];
static unsigned int count;

static const char *name_for(const char *what, unsigned int i)
{
	static char text[4][48];
	static unsigned int turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]), "%s-%.15s", what, bdf[i]);
	return out;
}

static int reuse_old(unsigned int stage)
{
	struct vm_plan plan;

	memory_iova_start = REUSE_IOVA;
	if (arg("field") && lost("mutate", put_text(MUTATE, arg("field"))))
		return -1;
	owner_plan(&plan, SESSION);
	plan.bytes = REUSE_BYTES;
	plan.reads = READS;
	if (owner_begin(&vm, &plan))
		return -1;
	traffic_rate(RATE);
	if (owner_preserve(&vm) || owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static bool is_master(unsigned int i)
{
	uint16_t cmd = 0xffff;

	pci_read16(bdf[i], PCI_COMMAND, &cmd);
	return cmd & PCI_COMMAND_MASTER;
}

static void rescan(void)
{
	for (unsigned int i = 0; i < count; i++)
		check_rc(name_for("remove", i),
			 pci_write_file(bdf[i], "remove", "1"), 0);
	check_rc("rescan", pci_rescan(), 0);
	for (unsigned int i = 0; i < count; i++)
		check(name_for("found", i), pci_id(bdf[i]), "id %#x",
		      pci_id(bdf[i]));
}

/* A driver gets it, or is told that it cannot be had; nothing in between. */
static void take(unsigned int i)
{
	int rc = native_take(bdf[i]);

	check(name_for("native", i), !rc || rc == -EBUSY, "%s: %s",
	      native_driver(bdf[i]), errno_name(rc));
	if (rc)
		check(name_for("still-stopped", i), !is_master(i),
		      "it has no driver");
}

static int reuse_new(unsigned int stage)
{
	struct spare spare;

	(void)stage;
	count = machine_kept(bdf);
	for (unsigned int i = 0; i < count; i++)
		check(name_for("stopped", i), !is_master(i),
		      "before there is a driver");
	if (arg("field"))
		check_rc("sleep", sleep_down_to("mem", SLEEP_DEVICES), -EBUSY);
	if (spare_fill(&spare, LEAVE, REUSE_IOVA, REUSE_BYTES))
		return -1;
	sleep(HOLD_SECONDS);
	spare_whole(&spare, "spare-whole");
	if (arg("field")) {
		/* Blocked they are even if they do not stay stopped. */
		stray_let_go();
		sleep(HOLD_SECONDS);
		spare_whole(&spare, "spare-whole-armed");
	}
	if (arg_number("rescan", 0))
		rescan();
	for (unsigned int i = 0; i < count; i++) {
		take(i);
		sleep(HOLD_SECONDS);
		spare_whole(&spare, name_for("spare-whole", i));
	}
	traffic_stop_host();
	return 0;
}

static int leave(void)
{
	int session = luo_retrieve_session(luo_open(), SESSION);

	if (lost("session", session))
		return -1;
	close(session);
	for (unsigned int i = 0; i < count; i++) {
		check_rc(name_for("native-at-work", i), native_take(bdf[i]),
			 -EBUSY);
		check(name_for("still-at-work", i), is_master(i),
		      "nobody has told it to stop");
	}
	return 0;
}

static int orphaned_new(unsigned int stage)
{
	count = machine_kept(bdf);
	if (leave())
		return -1;
	/*
	 * A drive of QEMU has mapped the memory for all it was asked for, which
	 * nothing takes back. It is somebody else's after the kexec.
	 */
	if (!traffic_reads_home("reads-home") ||
	    lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	return owner_jump();
}

static const struct scenario reuse_orphaned = {
	.name = "reuse-orphaned",
	.description = "the same, in the kernel after the next one",
	.stages = { reuse_old, orphaned_new, reuse_new },
};
SCENARIO(reuse_orphaned);

static const struct scenario reuse = {
	.name = "reuse",
	.description = "a device nobody took back is quiet for its next driver",
	.stages = { reuse_old, reuse_new },
};
SCENARIO(reuse);
