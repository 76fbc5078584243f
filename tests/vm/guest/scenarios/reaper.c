// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owners that die in the new kernel, one at each step of taking it back, each
 * with a session and a device of its own. Another process, here their parent,
 * takes the sessions apart, and the devices work for anybody again in the
 * same boot. It never retrieves the memory, which is freed all the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iommufd.h"
#include "luo.h"
#include "owner.h"
#include "reap.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "vmstat.h"

#define GUEST_BYTES (64ull << 20)
#define NOTE "reaper-note"
#define RATE 300

enum step {
	STEP_NOTHING, /* dies before it has asked for anything */
	STEP_MEMORY,
	STEP_IOMMUFD,
	STEP_DEVICE,
	STEP_BOUND,
	STEP_SWAPPED,
	STEP_DESTROYED, /* nothing is left to do but the finish */
	STEP_FINISHED,
	STEPS,
};

static const char *const step_name[STEPS] = {
	"nothing", "memory",  "iommufd",   "device",
	"bound",   "swapped", "destroyed", "finished",
};

static struct vm vms[STEPS];

static int reaper_old(unsigned int stage)
{
	int64_t pages = vmstat_iommu_pages();
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int have = machine_kept(bdf);

	if (!check("machine", have >= STEPS, "%u devices", have))
		return -1;
	traffic_rate(RATE);
	for (int i = 0; i < STEPS; i++) {
		struct vm *vm = &vms[i];
		/* Few: a drive of QEMU does them all before it resets. */
		const struct vm_plan plan = {
			.session = step_name[i],
			.bytes = GUEST_BYTES,
			.slots = 1024,
			.reads = 128,
			.bdf = { bdf[i] },
		};

		if (owner_create(vm, &plan) || owner_translate(vm) ||
		    owner_start(vm))
			return -1;
		snprintf(vm->suffix, sizeof(vm->suffix), "-%s", step_name[i]);
	}
	owner_ready();
	for (int i = 0; i < STEPS; i++)
		if (owner_preserve(&vms[i]))
			return -1;
	if (lost("note", note_leave(NOTE, pages)))
		return -1;
	if (owner_load(&vms[0], stage))
		return -1;
	for (int i = 0; i < STEPS; i++)
		pump_stop(&vms[i].pump);
	return owner_jump();
}

static int walk(void *arg)
{
	unsigned int step = *(unsigned int *)arg;
	struct vm *vm = &vms[step];
	int rc = 0;

	if (step >= STEP_MEMORY)
		rc = vm_retrieve_memory(vm, step_name[step]);
	if (!rc && step >= STEP_IOMMUFD)
		rc = vm_retrieve_iommufd(vm);
	if (!rc && step >= STEP_DEVICE)
		rc = vm_retrieve_device(vm, 0);
	if (!rc && step >= STEP_BOUND)
		rc = device_connect(&vm->device[0], vm->device[0].vfio.fd,
				    vm->iommufd);
	if (!rc && step >= STEP_SWAPPED)
		rc = vm_remap(vm);
	if (!rc && step >= STEP_SWAPPED)
		rc = vm_attach(vm, vm->hwpt);
	if (!rc && step >= STEP_DESTROYED)
		rc = vm_destroy_restored(vm);
	if (!rc && step >= STEP_FINISHED)
		rc = luo_finish(vm->session);
	return rc;
}

static bool reap(unsigned int step)
{
	const struct remains is = {
		.iommufd = true,
		.devices = 1,
		.bound = step >= STEP_BOUND,
		.swapped = step >= STEP_SWAPPED,
	};
	char name[40];

	if (step < STEP_DESTROYED)
		return reap_session(step_name[step], step_name[step], &is);
	/* With nothing left to do the session finished when it was closed. */
	snprintf(name, sizeof(name), "session-gone-%s", step_name[step]);
	return check_rc(name, luo_retrieve_session(luo_open(),
						   step_name[step]),
			-ENOENT);
}

static int reaper_new(unsigned int stage)
{
	int64_t was, before = meminfo_free();
	int64_t kib = STEPS * GUEST_BYTES >> 10;
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int step;

	(void)stage;
	machine_kept(bdf);
	/* Their children share it: a process opens it, and keeps it. */
	if (lost("luo", luo_open()) || lost("note", note_read(NOTE, &was)))
		return -1;
	for (step = 0; step < STEPS; step++)
		if (lost("vfio-pci", pci_bind(bdf[step], "vfio-pci")))
			return -1;
	for (step = 0; step < STEPS; step++)
		if (!perish(step_name[step], walk, &step))
			return -1;
	for (step = 0; step < STEPS; step++)
		if (!reap(step))
			return -1;
	reaped(bdf, STEPS, before, kib);
	owner_count(was);
	return 0;
}

static const struct scenario reaper = {
	.name = "reaper",
	.description = "owners die at each step after the kexec, another reaps",
	.stages = { reaper_old, reaper_new },
};
SCENARIO(reaper);
