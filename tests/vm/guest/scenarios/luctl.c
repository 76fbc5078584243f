// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operator's tool around a live update: it sees what is preserved, refuses what
 * is unfit with everything going on, and does the kexec. In the next kernel the
 * owner of one session is dead, and luctl ends it while the other one's devices go
 * on; it tells when all is finished.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kexec.h"
#include "library.h"
#include "operator.h"
#include "owner.h"
#include "reap.h"
#include "report.h"
#include "scenario.h"
#include "tool.h"
#include "traffic.h"
#include "wire.h"

#define MAGIC "LU-READS"
#define LIVES "lives"
#define ORPHAN "orphan"
#define ORPHAN_BYTES (64ull << 20)

static struct vm lives, orphan;
/* ---- The old kernel ------------------------------------------------------ */

struct next {
	struct kexec_image image;
	char kernel[64];
	char initrd[64];
};

/* As paths for another process */
static int next_open(struct next *n, unsigned int stage)
{
	int rc = kexec_open(&n->image, stage);

	if (lost("next", rc))
		return -1;
	snprintf(n->kernel, sizeof(n->kernel), "/proc/%d/fd/%d", getpid(),
		 n->image.kernel);
	snprintf(n->initrd, sizeof(n->initrd), "/proc/%d/fd/%d", getpid(),
		 n->image.initrd);
	return 0;
}

/* A copy of the image that says nothing of what it reads. */
static int forge(char *path, size_t size)
{
	int from = open("/bzImage", O_RDONLY | O_CLOEXEC), to;
	struct stat st;
	char *image, *at;

	to = memfd_create("forged", MFD_CLOEXEC);
	if (from < 0 || to < 0 || fstat(from, &st) || ftruncate(to, st.st_size))
		return -errno;
	image = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, to,
		     0);
	if (image == MAP_FAILED || read(from, image, st.st_size) != st.st_size)
		return -EIO;
	close(from);
	at = memmem(image, st.st_size, MAGIC, strlen(MAGIC));
	if (at)
		*at = 'X';
	munmap(image, st.st_size);
	snprintf(path, size, "/proc/%d/fd/%d", getpid(), to);
	return at ? to : -ENOENT;
}

static void check_before(const struct next *n)
{
	luctl_ends("status", luctl("status", NULL), 0);
	luctl_says("status-node", "nobody has /dev/liveupdate open");
	luctl_ends("check-nothing",
		   luctl("check", "--now", "--append", n->image.line,
			 "--initrd", n->initrd, n->kernel, NULL),
		   0);
	luctl_says("check-reads", "reads kho-v4");
}

static void check_preserved(const struct next *n)
{
	luctl_ends("check",
		   luctl("check", "--now", "--append", n->image.line,
			 "--initrd", n->initrd, n->kernel, NULL),
		   0);
	luctl_says("check-session", LIVES);
	/* Nobody shuts down here, and shutting down would be the end of both. */
	luctl_ends("check-shutdown",
		   luctl("check", "--append", n->image.line, n->kernel, NULL),
		   1);
	luctl_says("check-not-kept", "[not-kept]");
	luctl_ends("check-words",
		   luctl("check", "--now", "--append", "quiet mem=1G",
			 n->kernel, NULL),
		   1);
	luctl_says("check-words-why", "liveupdate=on is missing");
}

static void show_preserved(void)
{
	luctl_ends("show", luctl("show", NULL), 0);
	luctl_says("show-session", "session " LIVES);
	luctl_says("show-memory", "memfd vm  512 MiB");
	for (unsigned int i = 0; i < lives.devices; i++)
		luctl_says("show-device", lives.device[i].state->bdf);
	luctl("show", "--json", NULL);
	luctl_says("show-json", "\"attachments\"");
	luctl_says("show-whose", "\"session\": \"" ORPHAN "\"");
	wire_blob("show.json", luctl_said, strlen(luctl_said));
	luctl("show", "--svg", NULL);
	luctl_says("show-svg", "</svg>");
	wire_blob("show.svg", luctl_said, strlen(luctl_said));
}

/* Refused by luctl, and by the kernel where luctl is told not to. */
static void update_refused(const struct next *n)
{
	char path[64];
	int forged = forge(path, sizeof(path));

	if (lost("forge", forged))
		return;
	luctl_ends("update-unfit",
		   luctl("update", "--now", "--append", n->image.line,
			 "--initrd", n->initrd, path, NULL),
		   1);
	luctl_says("update-unfit-why", "says nothing of what it reads");
	luctl_ends("update-ignored",
		   luctl("update", "--now", "--append", n->image.line,
			 "--initrd", n->initrd, "--ignore", "no-list", path,
			 NULL),
		   1);
	luctl_says("update-ignored-why",
		   "the kernel has refused: its kernel does not read");
	close(forged);
	luctl_ends("status-unloaded", luctl("status", NULL), 0);
	luctl_says("nothing-loaded", "loaded    nothing");
	check("goes-on", owner_all_work(&lives, 50), "all devices work");
}

static int update(const struct next *n)
{
	for (unsigned int i = 0; i < lives.devices; i++)
		lives.control->before[i] = device_progress(&lives.device[i]);
	event("freeze");
	wire_drain();
	luctl_ends("update",
		   luctl("update", "--now", "--append", n->image.line,
			 "--initrd", n->initrd, n->kernel, NULL),
		   0);
	return -1;
}

static int begin(void)
{
	struct vm_plan plan;

	owner_plan(&plan, LIVES);
	owner_plan_only(&plan, CARDS);
	if (owner_create(&lives, &plan) || owner_translate(&lives) ||
	    owner_start(&lives))
		return -1;
	owner_ready();
	return owner_warm(&lives);
}

/* Few reads: a drive of QEMU does them all before it resets. */
static int begin_orphan(void)
{
	struct vm_plan plan;

	owner_plan(&plan, ORPHAN);
	owner_plan_only(&plan, DRIVES);
	plan.bytes = ORPHAN_BYTES;
	plan.slots = 1024;
	plan.reads = 128;
	plan.keep_reading = false;
	if (owner_create(&orphan, &plan) || owner_translate(&orphan) ||
	    owner_start(&orphan))
		return -1;
	snprintf(orphan.suffix, sizeof(orphan.suffix), "-orphan");
	return library_preserve(&orphan, false);
}

/* A process of its own, told by @go, that has its session until the jump. */
static _Noreturn void orphan_owner(int go, int done)
{
	char byte;

	if (read(go, &byte, 1) == 1 && !begin_orphan()) {
		pump_stop(&orphan.pump);
		if (write(done, &byte, 1) == 1)
			pause();
	}
	_exit(1);
}

static int start_orphan(int *ret_go, int *ret_done)
{
	int go[2], done[2];
	pid_t pid;

	if (lost("pipes",
		 pipe2(go, O_CLOEXEC) || pipe2(done, O_CLOEXEC) ? -errno : 0))
		return -1;
	pid = fork();
	if (!pid) {
		close(go[1]);
		close(done[0]);
		orphan_owner(go[0], done[1]);
	}
	close(go[0]);
	close(done[1]);
	*ret_go = go[1];
	*ret_done = done[0];
	return lost("fork", pid < 0 ? -errno : 0) ? -1 : 0;
}

static int luctl_old(unsigned int stage)
{
	int go, done;
	struct next n;
	char byte = 0;

	if (start_orphan(&go, &done) || begin() || next_open(&n, stage + 1))
		return -1;
	check_before(&n);
	if (library_preserve(&lives, false))
		return -1;
	if (!check("other-owner",
		   write(go, &byte, 1) == 1 && read(done, &byte, 1) == 1,
		   "has preserved its own"))
		return -1;
	check_preserved(&n);
	show_preserved();
	update_refused(&n);
	kexec_close(&n.image);
	/* With the checks that have failed up to here. */
	if (next_open(&n, stage + 1))
		return -1;
	pump_stop(&lives.pump);
	traffic_check(&lives, "-before");
	return update(&n);
}

/* ---- The new kernel ------------------------------------------------------ */

static int take_memory(void *arg)
{
	(void)arg;
	return library_arrive(&orphan, ORPHAN);
}

/* @bdf is the device that is not the other one's. */
static bool reap(char bdf[BDF_BYTES])
{
	char all[DEVICES_MAX][BDF_BYTES];
	unsigned int count = machine_kept(all);

	for (unsigned int i = 0; i < count; i++)
		if (strcmp(all[i], lives.device[0].state->bdf))
			memcpy(bdf, all[i], BDF_BYTES);
	luctl_ends("reap-dry", luctl("reap", "--dry-run", ORPHAN, NULL), 0);
	luctl_says("reap-dry-says", "Nothing was changed");
	luctl_ends("reap-used", luctl("reap", LIVES, NULL), 1);
	luctl_says("reap-used-why", "end that first");
	if (!luctl_ends("reap", luctl("reap", "--timeout", "60", ORPHAN, NULL),
			0))
		return false;
	luctl_ends("reap-again", luctl("reap", ORPHAN, NULL), 1);
	return check("goes-on-reaped", owner_all_work(&lives, 50),
		     "the devices of the other one work");
}

static int luctl_new(unsigned int stage)
{
	const char *const watch[] = { "luctl", "watch", "--timeout", "600",
				      NULL };
	char bdf[BDF_BYTES];
	pid_t watcher;
	int rc;

	(void)stage;
	if (!perish("orphan", take_memory, NULL) ||
	    library_arrive(&lives, LIVES))
		return -1;
	luctl_ends("watch-left", luctl("watch", "--timeout", "0", NULL), 1);
	luctl_says("watch-names", ORPHAN);
	watcher = tool_start(watch);
	rc = lost("watch", watcher) || library_reclaim(&lives) || !reap(bdf) ||
	     library_swap(&lives) || library_release(&lives);
	if (!rc)
		check_rc("watch-ends", tool_end(watcher), 0);
	luctl_ends("status-after", luctl("status", NULL), 0);
	luctl_says("status-none", "sessions  none");
	luctl_ends("show-after", luctl("show", NULL), 0);
	if (!rc)
		reap_device(bdf);
	return owner_end(&lives, rc);
}

static const struct scenario luctl_scenario = {
	.name = "luctl",
	.description = "luctl checks, refuses, does the kexec, reaps, watches",
	.stages = { luctl_old, luctl_new },
};
SCENARIO(luctl_scenario);
