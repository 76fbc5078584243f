// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd and vfio-pci as modules. What is preserved or incoming holds them;
 * what comes before they are loaded waits for them, and goes on meanwhile. If
 * they never come the session is there for ever, and its memory with it, which
 * the next kexec frees.
 *
 * The kernels after the first are started with lu.modules=late: pid 1 loads
 * nothing there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kexec.h"
#include "luo.h"
#include "module.h"
#include "owner.h"
#include "reap.h"
#include "report.h"
#include "scenario.h"
#include "sessions.h"
#include "traffic.h"
#include "uapi.h"
#include "vmstat.h"
#include "words.h"

#define SESSION "modules"
#define BYTES (256ull << 20)
#define READS 50
/* The rig lets its drives do 25 reads in a second. */
#define SECONDS_HOME 4

static struct vm vm;

static void check_held(const char *name, const char *module)
{
	if (module_loaded(module))
		check_rc(name, module_unload(module), -EAGAIN);
	else
		check(name, false, "%s is not a module", module);
}

/* As all who ask are told, also those who have not got the session. */
static void check_state(const char *name, const char *want)
{
	static struct sessions s;
	const char *state = "";
	int rc = sessions_read(&s);

	if (!rc)
		state = session_file_state(sessions_find(&s, SESSION),
					   TOKEN_IOMMUFD);
	check(name, !strcmp(state, want), "%s, '%s'", errno_name(rc), state);
}

static void check_retrieve(const char *name, uint64_t token, int want)
{
	int fd = luo_retrieve(vm.session, token);

	check_rc(name, fd < 0 ? fd : 0, want);
	if (fd >= 0)
		close(fd);
}

static int modules_old(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	if (owner_begin(&vm, &plan) || owner_preserve(&vm))
		return -1;
	check_held("held-preserved-iommufd", "iommufd");
	check_held("held-preserved-vfio-pci", "vfio_pci");
	if (owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

/* None of its files but the memory can be had, and none is lost by asking. */
static void check_waits(const char *when)
{
	char name[4][40];

	snprintf(name[0], sizeof(name[0]), "%snot-loaded", when);
	snprintf(name[1], sizeof(name[1]), "%searly-iommufd", when);
	snprintf(name[2], sizeof(name[2]), "%searly-device", when);
	snprintf(name[3], sizeof(name[3]), "%searly-finish", when);
	check(name[0], !module_loaded("iommufd"), "iommufd is there");
	check_retrieve(name[1], TOKEN_IOMMUFD, -EAGAIN);
	check_retrieve(name[2], TOKEN_DEVICE, -EAGAIN);
	check_rc(name[3], luo_finish(vm.session), -EBUSY);
}

/* Its memory is held by a kind of file that nobody knows yet. */
static void check_memory_held(void)
{
	int rc = ftruncate(vm.memory.fd, 0);

	check_rc("memory-held", rc ? -errno : 0, -EPERM);
}

static int load_late(void)
{
	if (lost("load-iommufd", module_load("iommufd")))
		return -1;
	check_state("state-loaded", "waiting");
	check_rc("unload-unused", module_unload("iommufd"), 0);
	check_state("state-unloaded", "unclaimed");
	check("state-unloaded-info",
	      luo_file_state(vm.session, TOKEN_IOMMUFD) ==
		      LIVEUPDATE_FILE_UNCLAIMED,
	      "%d", luo_file_state(vm.session, TOKEN_IOMMUFD));
	check_retrieve("gone-iommufd", TOKEN_IOMMUFD, -EAGAIN);
	if (lost("load-iommufd", module_load("iommufd")))
		return -1;
	if (!check_rc("late-iommufd", vm_retrieve_iommufd(&vm), 0))
		return -1;
	check_held("held-incoming-iommufd", "iommufd");
	check_retrieve("early-device-again", TOKEN_DEVICE, -EAGAIN);
	return lost("load-vfio-pci", module_load("vfio_pci")) ? -1 : 0;
}

/* Nothing holds them any more. */
static void unload_all(void)
{
	static const char *const name[] = { "vfio_pci", "vfio_pci_core",
					    "vfio", "iommufd" };
	char text[40];

	for (unsigned int i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		snprintf(text, sizeof(text), "unload-%s", name[i]);
		check_rc(text, module_unload(name[i]), 0);
	}
}

/* Nobody has opened the device yet, and who asks does not: nothing is held by it. */
static int ask_unopened(void)
{
	check_state("state-unopened", "unclaimed");
	if (lost("load-unopened", module_load("iommufd")))
		return -1;
	check_state("state-unopened-loaded", "waiting");
	check_rc("unload-unopened", module_unload("iommufd"), 0);
	return 0;
}

static int modules_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (ask_unopened() || owner_arrive(&vm, SESSION))
		return -1;
	check_waits("");
	check_memory_held();
	if (load_late() || owner_reclaim(&vm))
		return -1;
	check_held("held-incoming-vfio-pci", "vfio_pci");
	if (owner_swap(&vm) || owner_release(&vm))
		return -1;
	owner_settle(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc = owner_unbind(&vm);
	traffic_blobs(&vm);
	owner_account(&vm);
	unload_all();
	return rc;
}

static const struct scenario modules = {
	.name = "modules",
	.description = "iommufd and vfio-pci are loaded late, and held when in use",
	.stages = { modules_old, modules_new },
};
SCENARIO(modules);

static int gone_old(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	plan.bytes = BYTES;
	plan.reads = READS;
	if (owner_begin(&vm, &plan) || owner_preserve(&vm) ||
	    owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static int gone_middle(unsigned int stage)
{
	char text[40];

	for (int times = 0; times < 2; times++) {
		vm.session = luo_retrieve_session(luo_open(), SESSION);
		if (lost("session", vm.session))
			return -1;
		check_waits(times ? "again-" : "");
		close(vm.session);
	}
	snprintf(text, sizeof(text), "lu.total=%lld",
		 (long long)meminfo_total());
	words_carry(text);
	/* See unclaimed.c: a drive of QEMU does what it was asked for */
	sleep(SECONDS_HOME);
	if (lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	return owner_jump();
}

static int gone_last(unsigned int stage)
{
	int64_t more = meminfo_total(), kib = BYTES >> 10;
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int count = machine_kept(bdf);
	int rc;

	(void)stage;
	more -= (int64_t)word_number("lu.total", 0);
	check("memory-back", more > kib * 99 / 100 && more < kib * 3 / 2,
	      "%lld of %lld KiB more than in the kernel before",
	      (long long)more, (long long)kib);
	if (lost("load", module_load(NULL)))
		return -1;
	rc = luo_retrieve_session(luo_open(), SESSION);
	check_rc("session-gone", rc < 0 ? rc : 0, -ENOENT);
	for (unsigned int i = 0; i < count; i++)
		reap_device(bdf[i]);
	traffic_stop_host();
	return 0;
}

static const struct scenario modules_gone = {
	.name = "modules-gone",
	.description = "the modules never come: all waits for the next kexec",
	.stages = { gone_old, gone_middle, gone_last },
};
SCENARIO(modules_gone);
