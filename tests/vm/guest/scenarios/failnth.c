// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call of a live update is made with each of its allocations failing in
 * turn, and with each preserve call in it failing in turn, on both sides of
 * the kexec, while the devices go on with their DMA. Needs a kernel with fault
 * injection.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "fault.h"
#include "iommufd.h"
#include "kexec.h"
#include "leaks.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "sweep.h"
#include "traffic.h"
#include "words.h"

#define SESSION "failnth"
#define SPARE "spare"
#define MEMORY_BYTES (32ull << 20)
#define SLOTS 2048
#define READS 256
/* The rate leaves time for the slow steps of a slow kernel. */
#define RATE 100
/* Small memfds, each for one failure. */
#define SPARES 64
#define SPARE_BYTES (64 << 10)
#define TOKEN_SPARE 0x10000ull

static struct vm vm;
static struct kexec_image image;
static struct device *device; /* the one at hand */
static int spare = -1; /* session, or what a call has given */
static int spare_memfd = -1;
static unsigned int spares_tried;
static uint32_t hwpt_restored;

/* ---- Both kernels -------------------------------------------------------- */

/* DMA goes on, and nothing of it was lost. */
static int still_works(const char *after)
{
	uint64_t errors = vm_errors(&vm);
	char name[64];
	bool works = true;

	for (unsigned int i = 0; i < vm.devices; i++)
		if (vm.device[i].vfio.bar)
			works &= device_await(&vm.device[i], 3);
	snprintf(name, sizeof(name), "dma-after-%s", after);
	return check(name, works && !errors, "%s, %llu transfers went wrong",
		     works ? "going on" : "stands still",
		     (unsigned long long)errors) ?
		       0 :
		       -1;
}

static void read_for_ever(bool on)
{
	struct device *nvme = vm_nvme(&vm);

	if (nvme)
		nvme->nvme.endless = on;
}

/* ---- The old kernel ------------------------------------------------------ */

/* A new session in place of the last one, with the first @files in it. */
static int session_with(unsigned int files)
{
	int rc = 0;

	if (vm.session >= 0)
		close(vm.session);
	vm.session = luo_create(luo_open(), SESSION);
	if (vm.session < 0)
		return vm.session;
	if (files > 0)
		rc = luo_preserve(vm.session, vm.memory.fd, TOKEN_MEMORY);
	if (!rc && files > 1)
		rc = luo_preserve(vm.session, vm.iommufd, TOKEN_IOMMUFD);
	for (unsigned int i = 0; !rc && i + 2 < files; i++)
		rc = luo_preserve(vm.session, vm.device[i].vfio.fd,
				  TOKEN_DEVICE + i);
	return rc;
}

static int run_create(void)
{
	spare = luo_create(luo_open(), SPARE);
	return spare < 0 ? spare : 0;
}

static int undo_create(void)
{
	close(spare);
	spare = -1;
	return 0;
}

static int run_mark(void)
{
	return hwpt_mark(vm.iommufd, vm.hwpt, TOKEN_HWPT);
}

static int run_unmark(void)
{
	return hwpt_unmark(vm.iommufd, vm.hwpt);
}

static int run_memory(void)
{
	return luo_preserve(vm.session, spare_memfd, TOKEN_MEMORY);
}

static int nothing_preserved(void)
{
	return session_with(0);
}

static int run_iommufd(void)
{
	return luo_preserve(vm.session, vm.iommufd, TOKEN_IOMMUFD);
}

static int memory_preserved(void)
{
	return session_with(1);
}

static unsigned int device_index(void)
{
	return device - vm.device;
}

static int run_device(void)
{
	return luo_preserve(vm.session, device->vfio.fd,
			    TOKEN_DEVICE + device_index());
}

static int earlier_preserved(void)
{
	return session_with(2 + device_index());
}

static int run_close(void)
{
	int fd = vm.session;

	vm.session = -1;
	return close(fd) ? -errno : 0;
}

static int all_preserved(void)
{
	return session_with(2 + vm.devices);
}

static int run_load(void)
{
	return kexec_load(&image);
}

static const struct call create_session = { "create-session", run_create,
					     undo_create, 0 };
static const struct call mark = { "mark", run_mark, run_unmark, SWEEP_LOOKUP };
static const struct call unmark = { "unmark", run_unmark, run_mark,
				    SWEEP_LOOKUP };
static const struct call preserve_memory = { "preserve-memory", run_memory,
					      nothing_preserved, 0 };
static const struct call preserve_iommufd = { "preserve-iommufd", run_iommufd,
					       memory_preserved, 0 };
static const struct call close_session = { "close-session", run_close,
					    all_preserved, SWEEP_MAY_PASS };
static const struct call load = { "kexec-load", run_load, NULL, SWEEP_COARSE };
static const struct call freeze = { "freeze", kexec_jump, NULL, SWEEP_FIRST };

static int sweep_marks(void)
{
	if (sweep(&create_session, 0))
		return -1;
	undo_create();
	if (sweep(&mark, 0) || sweep(&unmark, 0))
		return -1;
	return lost("mark", run_mark()) ? -1 : 0;
}

static int sweep_memory(void)
{
	int rc;

	spare_memfd = bench_memfd(1 << 20);
	if (lost("memfd", spare_memfd) || lost("session", session_with(0)))
		return -1;
	rc = sweep(&preserve_memory, 0);
	close(spare_memfd);
	return rc;
}

static int sweep_mark(const struct call *call, const char *function)
{
	return lost("session", call->undo()) ? -1 :
					       sweep_function(call, function);
}

/* Ends with the call made. */
static int sweep_preserve(const struct call *call)
{
	if (lost("session", call->undo()) || sweep(call, 0))
		return -1;
	return 0;
}

static int sweep_iommufd(void)
{
	return sweep_preserve(&preserve_iommufd) ||
	       sweep_mark(&preserve_iommufd, "iommu_page_preserve") ||
	       sweep_mark(&preserve_iommufd, "iommu_lu_records_grow");
}

/* The tables and records of the first one serve the others as well. */
static int sweep_devices(void)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		char name[40];
		struct call call = { name, run_device, earlier_preserved, 0 };

		device = &vm.device[i];
		snprintf(name, sizeof(name), "preserve-%s", device->state->bdf);
		if (sweep_preserve(&call) ||
		    sweep_mark(&call, "pci_liveupdate_preserve"))
			return -1;
		if (!i && (sweep_mark(&call, "iommu_page_preserve") ||
			   sweep_mark(&call, "iommu_lu_records_grow")))
			return -1;
	}
	return 0;
}

static int sweep_jump(unsigned int stage)
{
	int rc;

	if (lost("image", kexec_open(&image, stage + 1)))
		return -1;
	rc = sweep(&load, 0);
	kexec_close(&image);
	if (!rc)
		rc = sweep_function(&freeze, "iommu_lu_freeze");
	return rc;
}

static int keep_spares(void)
{
	spare = luo_create(luo_open(), SPARE);
	if (lost("session", spare))
		return -1;
	for (unsigned int i = 0; i < SPARES; i++) {
		int fd = bench_memfd(SPARE_BYTES);

		if (lost("memfd", fd) ||
		    lost("spare", luo_preserve(spare, fd, TOKEN_SPARE + i)))
			return -1;
		close(fd);
	}
	return 0;
}

static int begin(void)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	plan.bytes = MEMORY_BYTES;
	plan.slots = SLOTS;
	plan.reads = READS;
	if (owner_create(&vm, &plan) || owner_translate(&vm))
		return -1;
	read_for_ever(true);
	if (owner_start(&vm))
		return -1;
	owner_ready();
	traffic_rate(RATE);
	return still_works("start");
}

static int failnth_old(unsigned int stage)
{
	int leaks;

	sweep_look_at_kho(true);
	if (lost("fault-injection", fault_open()) ||
	    lost("luo-open", luo_open()) || begin())
		return -1;
	if (sweep_marks() || sweep_memory() || still_works("memory"))
		return -1;
	if (sweep_iommufd() || still_works("iommufd"))
		return -1;
	if (sweep_devices() || still_works("devices"))
		return -1;
	if (sweep(&close_session, 0) || lost("session", all_preserved()) ||
	    still_works("close"))
		return -1;
	if (keep_spares() || sweep_jump(stage) || still_works("freeze"))
		return -1;
	/* What was lost here is not seen from the next kernel. */
	if (word_number("lu.leaks", 0)) {
		leaks = leaks_look();
		check("leaks-old", !leaks, "%d found", leaks);
	}
	if (owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

/* ---- The new kernel ------------------------------------------------------ */

static int run_retrieve_session(void)
{
	spare = luo_retrieve_session(luo_open(), SPARE);
	return spare < 0 ? spare : 0;
}

/* Each try takes another one: of one that failed not all is left to be done. */
static int run_retrieve_memfd(void)
{
	spare_memfd = luo_retrieve(spare, TOKEN_SPARE + spares_tried++);
	return spare_memfd < 0 ? spare_memfd : 0;
}

static int undo_retrieve_memfd(void)
{
	close(spare_memfd);
	return 0;
}

static int run_retrieve_iommufd(void)
{
	return vm_retrieve_iommufd(&vm);
}

static int run_retrieve_device(void)
{
	return vm_retrieve_device(&vm, device_index());
}

static int run_bind(void)
{
	return vfio_bind(device->vfio.fd, vm.iommufd, &device->vfio.devid);
}

static int run_restore(void)
{
	return hwpt_restore(vm.iommufd, TOKEN_HWPT, &hwpt_restored);
}

static int run_attach(void)
{
	return vfio_attach(&device->vfio, vm.hwpt);
}

static int run_destroy(void)
{
	return iommufd_destroy(vm.iommufd, hwpt_restored);
}

static int run_finish(void)
{
	return luo_finish(vm.session);
}

static int run_finish_spare(void)
{
	return luo_finish(spare);
}

static const struct call retrieve_session = { "retrieve-session",
					       run_retrieve_session, NULL,
					       SWEEP_ONCE };
static const struct call retrieve_memfd = { "retrieve-memfd",
					     run_retrieve_memfd,
					     undo_retrieve_memfd,
					     SWEEP_ANY_ERRNO };
static const struct call retrieve_iommufd = { "retrieve-iommufd",
					       run_retrieve_iommufd, NULL,
					       SWEEP_ONCE };
static const struct call restore = { "restore", run_restore, NULL,
				     SWEEP_MAY_PASS };
static const struct call destroy = { "destroy", run_destroy, NULL,
				     SWEEP_LOOKUP | SWEEP_MAY_PASS |
					     SWEEP_ONCE };
static const struct call finish = { "finish", run_finish, NULL,
				    SWEEP_MAY_PASS | SWEEP_ONCE };
static const struct call finish_spare = { "finish-spare", run_finish_spare,
					   NULL, SWEEP_MAY_PASS | SWEEP_ONCE };

/* A failure that a call tolerates ends the sweep; the next device goes on. */
static int sweep_each(const char *what, int (*run)(void))
{
	int next = 0;

	for (unsigned int i = 0; i < vm.devices; i++) {
		char name[40];
		struct call call = { name, run, NULL,
				     SWEEP_LOOKUP | SWEEP_ONCE };

		/* Perhaps only failures that a call tolerates are left. */
		if (i)
			call.flags |= SWEEP_MAY_PASS;

		device = &vm.device[i];
		snprintf(name, sizeof(name), "%s-%s", what, device->state->bdf);
		next = sweep(&call, next);
		if (next < 0)
			return -1;
	}
	return 0;
}

/* The other half is finished as it was left. */
static void retrieve_again(void)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && i < spares_tried; i += 2) {
		int fd = luo_retrieve(spare, TOKEN_SPARE + i);

		rc = fd < 0 ? fd : 0;
		close(fd);
	}
	check_rc("retrieve-memfd-again", rc, 0);
}

static int sweep_spares(void)
{
	if (sweep(&retrieve_session, 0) < 0)
		return -1;
	if (sweep(&retrieve_memfd, 0) < 0)
		return -1;
	undo_retrieve_memfd();
	value("spares", spares_tried);
	retrieve_again();
	if (sweep(&finish_spare, 0) < 0)
		return -1;
	close(spare);
	return 0;
}

static int reach(void)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		struct device *d = &vm.device[i];

		snprintf(d->vfio.bdf, sizeof(d->vfio.bdf), "%s", d->state->bdf);
		if (lost("config", vfio_find_config(&d->vfio)))
			return -1;
		/* vfio-pci tolerates a BAR that it could not map. */
		if (device_reach(d)) {
			value_text("no-bar", "%s", d->state->bdf);
			continue;
		}
		pump_add(&vm.pump, d);
	}
	return lost("pump", pump_start(&vm.pump)) ? -1 : 0;
}

static int sweep_reclaim(void)
{
	for (unsigned int i = 0; i < vm.devices; i++)
		if (lost("vfio-pci",
			 pci_bind(vm.device[i].state->bdf, "vfio-pci")))
			return -1;
	if (sweep(&retrieve_iommufd, 0) < 0)
		return -1;
	event("retrieved");
	if (sweep_each("retrieve", run_retrieve_device) ||
	    sweep_each("bind", run_bind))
		return -1;
	event("bound");
	return reach() || still_works("bind") ? -1 : 0;
}

static int sweep_release(void)
{
	if (sweep(&restore, 0) < 0 || lost("remap", vm_remap(&vm)) ||
	    sweep_each("attach", run_attach) || still_works("attach"))
		return -1;
	event("swapped");
	if (sweep(&destroy, 0) < 0 || sweep(&finish, 0) < 0)
		return -1;
	event("finished");
	close(vm.session);
	vm.session = -1;
	return still_works("finish");
}

static int failnth_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (lost("fault-injection", fault_open()) ||
	    owner_arrive(&vm, SESSION))
		return -1;
	read_for_ever(true);
	rc = sweep_reclaim() || sweep_release() || sweep_spares();
	read_for_ever(false);
	traffic_drain(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc |= owner_unbind(&vm);
	traffic_blobs(&vm);
	owner_account(&vm);
	return rc ? -1 : 0;
}

static const struct scenario failnth = {
	.name = "failnth",
	.description = "each allocation and each preserve call fails in turn",
	.stages = { failnth_old, failnth_new },
};
SCENARIO(failnth);
