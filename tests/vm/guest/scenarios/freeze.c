// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three sessions with a device each, and a kexec that fails in the second of
 * them: all go on as before, doing DMA and immutable; the next try succeeds.
 *
 * The second device is being unbound, which began before it was preserved, so
 * its freeze fails. With lu.args=inject:1, on a kernel that has fault injection,
 * nothing is wrong but the second iommufd's freeze is made to fail. Before that
 * the kexec is tried without an image and with one that takes no handover.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "counts.h"
#include "fault.h"
#include "fresh.h"
#include "iommufd.h"
#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define VMS 3
#define SECOND 1
#define SLOTS_FEW 8192
#define READS_FEW 256
/* Where an image would lie that nobody starts. */
#define IMAGE_AT (64ul << 20)
#define OTHER_IOVA (1ull << 30)

static struct vm vms[VMS];
static const char *const session[VMS] = { "first", "second", "third" };
static char second_bdf[BDF_BYTES];
static pthread_t unbinder;
static int unbinder_tid;
static int unbinder_rc = 1;

static bool inject(void)
{
	return arg_number("inject", 0);
}

static void name_vms(void)
{
	for (int i = 0; i < VMS; i++)
		snprintf(vms[i].suffix, sizeof(vms[i].suffix), "-%s",
			 session[i]);
}

static int begin(void)
{
	struct vm_plan plan, whole;

	owner_plan(&whole, "");
	for (int i = 0; i < VMS; i++) {
		plan = whole;
		memset(plan.bdf, 0, sizeof(plan.bdf));
		plan.bdf[0] = whole.bdf[i];
		plan.session = session[i];
		plan.bytes = 128 << 20;
		plan.slots = SLOTS_FEW;
		plan.reads = READS_FEW;
		if (owner_create(&vms[i], &plan))
			return -1;
		name_vms();
		if (owner_translate(&vms[i]))
			return -1;
	}
	for (int i = 0; i < VMS; i++)
		if (owner_start(&vms[i]))
			return -1;
	snprintf(second_bdf, sizeof(second_bdf), "%s",
		 vms[SECOND].device[0].state->bdf);
	owner_ready();
	for (int i = 0; i < VMS; i++)
		if (owner_warm(&vms[i]))
			return -1;
	return 0;
}

/* Returns when the last file of the device is closed. */
static void *unbind_main(void *unused)
{
	__atomic_store_n(&unbinder_tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	unbinder_rc = pci_write_file(second_bdf, "driver/unbind", second_bdf);
	return unused;
}

static char thread_state(int tid)
{
	char path[64], text[200] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

/* It is waiting when it has been found asleep many times in a row. */
static int unbind_begin(void)
{
	int asleep = 0, rc;

	rc = -pthread_create(&unbinder, NULL, unbind_main, NULL);
	for (int i = 0; !rc && i < 1000 && asleep < 20; i++) {
		int tid = __atomic_load_n(&unbinder_tid, __ATOMIC_ACQUIRE);

		usleep(10000);
		asleep = tid && thread_state(tid) != 'R' ? asleep + 1 : 0;
	}
	return rc ? rc : asleep < 20 ? -ETIMEDOUT : 0;
}

/* Of the calls there will be, one for each iommufd, the second fails, once. */
static int inject_begin(void)
{
	int rc = fault_open();

	return rc ? rc : fault_function("iommu_lu_freeze", -EIO, 2);
}

/* kexec_load(), which hands nothing to the next kernel. */
static int load_plain(bool on)
{
	static char code[4096];
	struct kexec_segment segment = {
		.buf = code,
		.bufsz = sizeof(code),
		.mem = (void *)IMAGE_AT,
		.memsz = sizeof(code),
	};

	return syscall(SYS_kexec_load, on ? IMAGE_AT : 0, on ? 1ul : 0ul,
		       on ? &segment : NULL, KEXEC_ARCH_DEFAULT) ? -errno : 0;
}

/* Everything goes on, and all of it is still immutable. */
static void check_going_on(const char *why, const struct counts *before)
{
	char name[64];

	for (int i = 0; i < VMS; i++) {
		struct vm *vm = &vms[i];
		const struct device *d = &vm->device[0];

		snprintf(name, sizeof(name), "%s-works%s", why, vm->suffix);
		check(name, device_await(d, 5), "%s", d->state->bdf);
		snprintf(name, sizeof(name), "%s-map%s", why, vm->suffix);
		check_rc(name,
			 ioas_map_file(vm->iommufd, vm->ioas, vm->memory.fd, 0,
				       PAGE_BYTES, OTHER_IOVA),
			 -EBUSY);
		snprintf(name, sizeof(name), "%s-detach%s", why, vm->suffix);
		check_rc(name, vfio_detach(&d->vfio), -EBUSY);
		snprintf(name, sizeof(name), "%s-reset%s", why, vm->suffix);
		check_rc(name, vfio_reset(&d->vfio), -EBUSY);
	}
	snprintf(name, sizeof(name), "%s-counts", why);
	counts_check(name, before);
}

static int jump_refused(const char *why, int want, const struct counts *before)
{
	char name[40];

	snprintf(name, sizeof(name), "%s-jump", why);
	if (!check_rc(name, kexec_jump(), want))
		return -1;
	check_going_on(why, before);
	return 0;
}

/* The second VM gives up, and its device is free at last. */
static void second_leaves(void)
{
	struct vm *vm = &vms[SECOND];

	pump_stop(&vm->pump);
	close(vm->session);
	vm->session = -1;
	device_disconnect(&vm->device[0]);
	if (!inject()) {
		pthread_join(unbinder, NULL);
		check_rc("unbind", unbinder_rc, 0);
	}
	check_rc("second-leaves", vm_unbind(vm), 0);
}

static int freeze_old(unsigned int stage)
{
	const int want = inject() ? -EIO : -EBUSY;
	struct counts before;

	if (begin())
		return -1;
	if (!inject() && lost("unbind-begin", unbind_begin()))
		return -1;
	for (int i = 0; i < VMS; i++)
		if (owner_preserve(&vms[i]))
			return -1;
	if (lost("counts", counts_read(&before)) ||
	    jump_refused("no-image", -EINVAL, &before))
		return -1;
	if (lost("load-plain", load_plain(true)) ||
	    jump_refused("plain-image", -EINVAL, &before) ||
	    lost("unload-plain", load_plain(false)) ||
	    lost("load", kexec_load_stage(stage + 1)))
		return -1;
	if ((inject() && lost("inject", inject_begin())) ||
	    lost("counts", counts_read(&before)) ||
	    jump_refused("second-session", want, &before))
		return -1;
	second_leaves();
	for (int i = 0; i < VMS; i++)
		if (i != SECOND && owner_load(&vms[i], stage))
			return -1;
	return owner_jump();
}

static int take_back(struct vm *vm)
{
	return owner_reclaim(vm) || owner_swap(vm) || owner_release(vm);
}

static int freeze_new(unsigned int stage)
{
	int64_t was;
	int rc = 0, i;

	(void)stage;
	for (i = 0; i < VMS; i++)
		if (i != SECOND && owner_arrive(&vms[i], session[i]))
			return -1;
	name_vms();
	was = vms[0].control->iommu_pages;
	rc = luo_retrieve_session(luo_open(), session[SECOND]);
	check_rc("second-session", rc < 0 ? rc : 0, -ENOENT);
	rc = 0;
	for (i = 0; i < VMS; i++)
		if (i != SECOND)
			rc |= take_back(&vms[i]);
	if (!lost("second-device", pci_find(NVME_ID, 0, second_bdf)))
		fresh_use("second-device", second_bdf);
	traffic_stop_host();
	for (i = 0; i < VMS; i++) {
		if (i == SECOND)
			continue;
		traffic_quiet(&vms[i]);
		traffic_check(&vms[i], "");
		traffic_values(&vms[i]);
		rc |= owner_unbind(&vms[i]);
		traffic_blobs(&vms[i]);
		owner_verify(&vms[i]);
	}
	for (i = 0; i < VMS; i++)
		if (i != SECOND)
			owner_close(&vms[i]);
	owner_count(was);
	return rc ? -1 : 0;
}

static const struct scenario freeze = {
	.name = "freeze",
	.description = "a kexec that fails in the second of three sessions",
	.stages = { freeze_old, freeze_new },
};
SCENARIO(freeze);
