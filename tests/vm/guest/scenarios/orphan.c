// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owners that die in the old kernel, one at each step of preserving, each with
 * a session and a device of its own.
 *
 * A session lives as long as somebody has its file. When that was the owner
 * alone, everything is undone with its death. When a broker has it as well, the
 * session goes on, and so do the devices in it: another process can do the
 * kexec, and take the session apart in the next kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "counts.h"
#include "iommufd.h"
#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "reap.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "vmstat.h"

#define GUEST_BYTES (64ull << 20)
#define NOTE "orphan-note"
#define RATE 300

enum step {
	STEP_MARKED, /* the session is made, and empty */
	STEP_MEMORY,
	STEP_IOMMUFD,
	STEP_DEVICE,
	STEP_LOADED, /* so is the next kernel */
	STEPS,
};

static const char *const step_name[STEPS] = {
	"marked", "memory", "iommufd", "device", "loaded",
};

struct walk {
	unsigned int step;
	unsigned int stage;
	int session; /* the broker's, or -1: there is none */
	char bdf[BDF_BYTES];
};

static struct vm vm;

static int begin(const struct walk *w)
{
	const struct vm_plan plan = {
		.session = step_name[w->step],
		.bytes = GUEST_BYTES,
		.slots = 1024,
		/* Few: a drive of QEMU does them all before it resets. */
		.reads = 128,
		.bdf = { w->bdf },
	};
	int rc = vm_create(&vm, &plan);

	if (!rc)
		rc = vm_bind(&vm);
	if (!rc)
		rc = vm_remap(&vm);
	if (!rc)
		rc = vm_attach(&vm, vm.hwpt);
	if (!rc)
		rc = vm_start(&vm);
	if (!rc && vm.device[0].state->kind == DEVICE_NVME)
		nvme_submit_all(&vm.device[0].nvme);
	return rc;
}

static int walk(void *arg)
{
	const struct walk *w = arg;
	int rc = begin(w);

	if (rc)
		return rc;
	vm.session = w->session;
	if (vm.session < 0)
		vm.session = luo_create(luo_open(), step_name[w->step]);
	if (vm.session < 0)
		return vm.session;
	rc = hwpt_mark(vm.iommufd, vm.hwpt, TOKEN_HWPT);
	if (!rc && w->step >= STEP_MEMORY)
		rc = luo_preserve(vm.session, vm.memory.fd, TOKEN_MEMORY);
	if (!rc && w->step >= STEP_IOMMUFD)
		rc = luo_preserve(vm.session, vm.iommufd, TOKEN_IOMMUFD);
	if (!rc && w->step >= STEP_DEVICE)
		rc = luo_preserve(vm.session, vm.device[0].vfio.fd,
				  TOKEN_DEVICE);
	if (!rc && w->step >= STEP_LOADED)
		rc = kexec_load_stage(w->stage + 1);
	return rc;
}

static const char *tag(const char *what, unsigned int step)
{
	static char text[8][64];
	static unsigned int turn;
	char *out = text[turn++ % 8];

	snprintf(out, sizeof(text[0]), "%s-%s", what, step_name[step]);
	return out;
}

/* The devices have to be there; their drivers, sessions and LUO as well. */
static int prepare(char bdf[DEVICES_MAX][BDF_BYTES])
{
	unsigned int have = machine_kept(bdf);

	if (!check("machine", have >= STEPS, "%u devices", have) ||
	    lost("luo", luo_open()))
		return -1;
	traffic_rate(RATE);
	owner_ready();
	for (unsigned int i = 0; i < STEPS; i++)
		if (lost("vfio-pci", pci_bind(bdf[i], "vfio-pci")))
			return -1;
	return 0;
}

/* Alone: one after the other, in one kernel. */
static int orphan_here(unsigned int stage)
{
	const int64_t least = -(int64_t)(GUEST_BYTES >> 10) / 2;
	char bdf[DEVICES_MAX][BDF_BYTES];
	struct walk w = { .stage = stage, .session = -1 };
	int64_t before, freed;
	struct counts was;

	if (prepare(bdf) || lost("counts", counts_read(&was)))
		return -1;
	before = meminfo_free();
	for (w.step = 0; w.step < STEPS; w.step++) {
		const char *name = step_name[w.step];
		int session;

		memcpy(w.bdf, bdf[w.step], sizeof(w.bdf));
		if (!perish(name, walk, &w))
			return -1;
		counts_check(tag("counts", w.step), &was);
		session = luo_create(luo_open(), name);
		check_rc(tag("session-anew", w.step),
			 session < 0 ? session : 0, 0);
		close(session);
		/* The image is nobody's, and large on a debug kernel */
		lost(tag("unload", w.step), kexec_unload());
		freed = meminfo_freed(before, least);
		check(tag("memory-back", w.step), freed > least, "%lld KiB",
		      (long long)freed);
	}
	for (w.step = 0; w.step < STEPS; w.step++)
		reap_device(bdf[w.step]);
	traffic_stop_host();
	counts_check("counts", &was);
	return 0;
}

/*
 * What is in a session lives on in it. A device that is in one cannot be opened
 * by anybody else; one that was not preserved yet is free already.
 */
static void check_alive(const struct walk *w)
{
	int fd, other;

	other = luo_create(luo_open(), step_name[w->step]);
	check_rc(tag("session-taken", w->step), other < 0 ? other : 0,
		 -EEXIST);
	if (other >= 0)
		close(other);
	check_rc(tag("not-incoming", w->step), luo_finish(w->session), -EINVAL);
	fd = vfio_cdev_open(w->bdf);
	if (lost("open", fd))
		return;
	other = iommufd_open();
	if (!lost("iommufd", other)) {
		uint32_t id;
		int rc = vfio_bind(fd, other, &id);

		if (w->step >= STEP_DEVICE)
			check(tag("bind-refused", w->step), rc,
			      "%s", errno_name(rc));
		else
			check_rc(tag("bind-free", w->step), rc, 0);
		close(other);
	}
	close(fd);
}

static int broker_old(unsigned int stage)
{
	char bdf[DEVICES_MAX][BDF_BYTES];
	struct walk w = { .stage = stage };
	int64_t pages;

	if (prepare(bdf))
		return -1;
	pages = vmstat_iommu_pages();
	for (w.step = 0; w.step < STEPS; w.step++) {
		memcpy(w.bdf, bdf[w.step], sizeof(w.bdf));
		w.session = luo_create(luo_open(), step_name[w.step]);
		if (lost(tag("broker", w.step), w.session) ||
		    !perish(step_name[w.step], walk, &w))
			return -1;
		check_alive(&w);
	}
	if (lost("note", note_leave(NOTE, pages)))
		return -1;
	return owner_jump();
}

static int broker_new(unsigned int stage)
{
	int64_t was, before = meminfo_free();
	/* All but the first had memory in their sessions. */
	int64_t kib = (STEPS - 1) * GUEST_BYTES >> 10;
	char bdf[DEVICES_MAX][BDF_BYTES];

	(void)stage;
	machine_kept(bdf);
	if (lost("note", note_read(NOTE, &was)))
		return -1;
	for (unsigned int i = 0; i < STEPS; i++) {
		const struct remains is = {
			.iommufd = i >= STEP_IOMMUFD,
			.devices = i >= STEP_DEVICE,
		};

		if (lost("vfio-pci", pci_bind(bdf[i], "vfio-pci")) ||
		    !reap_session(step_name[i], step_name[i], &is))
			return -1;
	}
	reaped(bdf, STEPS, before, kib);
	owner_count(was);
	return 0;
}

static const struct scenario orphan = {
	.name = "orphan",
	.description = "owners die at each step before the kexec, all is undone",
	.stages = { orphan_here },
};
SCENARIO(orphan);

static const struct scenario orphan_broker = {
	.name = "orphan-broker",
	.description = "owners die before the kexec, a broker has their sessions",
	.stages = { broker_old, broker_new },
};
SCENARIO(orphan_broker);
