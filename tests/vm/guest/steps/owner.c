// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iommufd.h"
#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "traffic.h"
#include "vmstat.h"
#include "wire.h"
#include "words.h"

#define SLOTS 16384
#define READS 1024
/*
 * More than QEMU remembers translations, so that tables are walked. A card that
 * gets less has most of its buffers still before it, and walks for each.
 */
#define FRAMES_WARM 1100
#define READS_WARM 20
/*
 * Of all reads a drive has at first, what it always has until the jump: enough
 * for a long black-out. After it, less, as they have to come home in the end.
 */
#define READS_SHARE_OLD 2
#define READS_SHARE_NEW 16

const char *owner_tag(const struct vm *vm, const char *name)
{
	static char text[8][64];
	static unsigned int turn;
	char *out = text[turn++ % 8];

	snprintf(out, sizeof(text[0]), "%s%s", name, vm->suffix);
	return out;
}

void owner_plan(struct vm_plan *plan, const char *session)
{
	static char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int count = machine_kept(bdf);

	memset(plan, 0, sizeof(*plan));
	plan->session = session;
	plan->bytes = arg_number("mem", 512) << 20;
	plan->slots = SLOTS;
	plan->reads = READS;
	plan->keep_reading = true;
	for (unsigned int i = 0; i < count; i++)
		plan->bdf[i] = bdf[i];
}

void owner_plan_only(struct vm_plan *plan, enum owner_part part)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < DEVICES_MAX && plan->bdf[i]; i++) {
		uint32_t id = pci_id(plan->bdf[i]);

		if (part == CARDS ? device_is_card(id) : id == NVME_ID)
			plan->bdf[count++] = plan->bdf[i];
	}
	while (count < DEVICES_MAX)
		plan->bdf[count++] = NULL;
}

int owner_create(struct vm *vm, const struct vm_plan *plan)
{
	int64_t pages = vmstat_iommu_pages();

	if (lost("vm-create", vm_create(vm, plan)))
		return -1;
	vm->control->iommu_pages = pages;
	return lost("machine", vm->devices ? 0 : -ENODEV) ? -1 : 0;
}

int owner_translate(struct vm *vm)
{
	int64_t before;

	if (lost("vm-bind", vm_bind(vm)))
		return -1;
	before = vmstat_iommu_pages();
	if (lost("vm-map", vm_remap(vm)) ||
	    lost("vm-attach", vm_attach(vm, vm->hwpt)))
		return -1;
	vm->control->table_pages = vmstat_iommu_pages() - before;
	return 0;
}

static void keep_reading(struct vm *vm, unsigned int share)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		struct nvme *d = &vm->device[i].nvme;

		if (vm->device[i].state->kind == DEVICE_NVME &&
		    vm->control->keep_reading)
			d->least = d->state->reads / share;
	}
}

int owner_start(struct vm *vm)
{
	if (lost("vm-start", vm_start(vm)))
		return -1;
	for (unsigned int i = 0; i < vm->devices; i++)
		if (vm->device[i].state->kind == DEVICE_NVME)
			nvme_submit_all(&vm->device[i].nvme);
	keep_reading(vm, READS_SHARE_OLD);
	/* From here on the queues belong to the pump's thread. */
	return lost("pump", pump_start(&vm->pump)) ? -1 : 0;
}

void owner_ready(void)
{
	event("ready");
}

int owner_warm(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		const struct device *d = &vm->device[i];
		uint64_t least = device_frames(d) ?
					 device_share(d, FRAMES_WARM) :
					 READS_WARM;

		if (device_await_total(d, least))
			continue;
		check(owner_tag(vm, "traffic"), false, "%s stands still",
		      d->state->bdf);
		return -1;
	}
	return 0;
}

int owner_begin(struct vm *vm, const struct vm_plan *plan)
{
	if (owner_create(vm, plan) || owner_translate(vm) || owner_start(vm))
		return -1;
	owner_ready();
	return owner_warm(vm);
}

int owner_preserve(struct vm *vm)
{
	int luo = luo_open(), rc;
	const char *what;

	if (lost("luo-open", luo))
		return -1;
	vm->session = luo_create(luo, vm->control->session);
	if (lost("session", vm->session))
		return -1;
	if (lost("mark", hwpt_mark(vm->iommufd, vm->hwpt, TOKEN_HWPT)))
		return -1;
	event("marked");
	rc = vm_preserve(vm, &what);
	if (rc) {
		check(owner_tag(vm, "preserve"), false, "%s: %s", what,
		      errno_name(rc));
		return -1;
	}
	event("preserved");
	return 0;
}

/* Each device still makes transfers. */
bool owner_all_work(struct vm *vm, unsigned int frames)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		const struct device *d = &vm->device[i];

		if (!device_goes_on(d, device_share(d, frames))) {
			value_text("stands_still", "%s", d->state->bdf);
			return false;
		}
	}
	return true;
}

int owner_load(struct vm *vm, unsigned int stage)
{
	if (lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	if (!check(owner_tag(vm, "traffic-preserved"), owner_all_work(vm, 100),
		   "all devices work after preserve"))
		return -1;
	pump_stop(&vm->pump);
	traffic_check(vm, owner_tag(vm, "-before"));
	for (unsigned int i = 0; i < vm->devices; i++)
		vm->control->before[i] = device_progress(&vm->device[i]);
	return 0;
}

int owner_jump(void)
{
	int rc;

	event("freeze");
	wire_drain();
	rc = kexec_jump();
	check("jump", false, "reboot: %s", errno_name(rc));
	return -1;
}

int owner_hand_over(struct vm *vm, const char *session, unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, session);
	if (owner_begin(vm, &plan) || owner_preserve(vm) ||
	    owner_load(vm, stage))
		return -1;
	return owner_jump();
}

int owner_arrive(struct vm *vm, const char *session)
{
	if (lost("retrieve-memory", vm_retrieve_memory(vm, session)))
		return -1;
	vm_first_scan(vm);
	event("scanned");
	return 0;
}

static void check_unchanged(struct vm *vm, struct device *d)
{
	char name[64], why[120];
	uint16_t cmd = 0;
	bool same;

	same = device_unchanged(d, why, sizeof(why));
	snprintf(name, sizeof(name), "not-reset-%s%s", d->state->bdf,
		 vm->suffix);
	check(name, same, "%s", why);
	pci_read16(d->state->bdf, PCI_COMMAND, &cmd);
	snprintf(name, sizeof(name), "bus-master-%s%s", d->state->bdf,
		 vm->suffix);
	check(name, cmd & PCI_COMMAND_MASTER, "command is %#x", cmd);
}

int owner_serve(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++) {
		check_unchanged(vm, &vm->device[i]);
		pump_add(&vm->pump, &vm->device[i]);
	}
	keep_reading(vm, READS_SHARE_NEW);
	return lost("pump", pump_start(&vm->pump)) ? -1 : 0;
}

int owner_reclaim(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->devices; i++)
		if (lost("vfio-pci",
			 pci_bind(vm->device[i].state->bdf, "vfio-pci")))
			return -1;
	if (lost("retrieve-iommufd", vm_retrieve_iommufd(vm)))
		return -1;
	for (unsigned int i = 0; i < vm->devices; i++)
		if (lost("retrieve-device", vm_retrieve_device(vm, i)))
			return -1;
	event("retrieved");
	for (unsigned int i = 0; i < vm->devices; i++)
		if (lost("bind", device_connect(&vm->device[i],
						vm->device[i].vfio.fd,
						vm->iommufd)))
			return -1;
	event("bound");
	return owner_serve(vm);
}

int owner_swap_by(struct vm *vm, int (*swap)(struct vm *vm))
{
	uint64_t errors;

	/* So that the swap happens in the middle of traffic. */
	if (!check(owner_tag(vm, "traffic-restored"), owner_all_work(vm, 50),
		   "all devices work under the restored translations"))
		return -1;
	errors = vm_errors(vm);
	if (swap(vm))
		return -1;
	event("swapped");
	if (!check(owner_tag(vm, "traffic-swapped"), owner_all_work(vm, 500),
		   "all devices work under the new translations"))
		return -1;
	value(owner_tag(vm, "swap_frames_lost"), vm_errors(vm) - errors);
	return 0;
}

static int swap_all(struct vm *vm)
{
	return lost("swap", vm_attach(vm, vm->hwpt)) ? -1 : 0;
}

int owner_swap(struct vm *vm)
{
	return lost("remap", vm_remap(vm)) ? -1 : owner_swap_by(vm, swap_all);
}

int owner_release(struct vm *vm)
{
	uint32_t first = 0, again = 0;
	int rc;

	rc = hwpt_restore(vm->iommufd, TOKEN_HWPT, &first);
	check_rc(owner_tag(vm, "restore"), rc, 0);
	rc = hwpt_restore(vm->iommufd, TOKEN_HWPT, &again);
	check(owner_tag(vm, "restore-again"), !rc && first == again,
	      "%s, ids %u and %u", errno_name(rc), first, again);
	rc = iommufd_destroy(vm->iommufd, first);
	if (!check_rc(owner_tag(vm, "destroy-restored"), rc, 0))
		return -1;
	if (!check_rc(owner_tag(vm, "finish"), vm_finish(vm), 0))
		return -1;
	event("finished");
	return 0;
}

void owner_reads_done(struct vm *vm)
{
	pump_last_reads(&vm->pump);
	for (unsigned int i = 0; i < vm->devices; i++) {
		struct device *d = &vm->device[i];
		uint64_t all = d->state->nvme.submitted, left;
		char name[64];

		if (d->state->kind != DEVICE_NVME || d->nvme.endless)
			continue;
		left = all - device_progress(d);
		snprintf(name, sizeof(name), "reads-done-%s", d->state->bdf);
		check(name, device_await_total(d, all), "%llu were left",
		      (unsigned long long)left);
	}
}

void owner_settle(struct vm *vm)
{
	owner_reads_done(vm);
	traffic_drain(vm);
}

int owner_unbind(struct vm *vm)
{
	if (lost("unbind", vm_unbind(vm)))
		return -1;
	event("unbound");
	return 0;
}

void owner_verify(struct vm *vm)
{
	uint64_t bad = vm_verify(vm);

	check(owner_tag(vm, "memory-whole"), !bad,
	      "%llu pages hold something else", (unsigned long long)bad);
}

void owner_close(struct vm *vm)
{
	uint64_t kib = vm->memory.layout->bytes >> 10;
	int64_t before, freed;
	char name[64];

	snprintf(name, sizeof(name), "%s", owner_tag(vm, "memory-back"));
	before = meminfo_free();
	vm_close(vm);
	freed = meminfo_freed(before, (int64_t)kib * 8 / 10);
	check(name, freed > (int64_t)kib * 8 / 10, "%lld of %llu KiB came back",
	      (long long)freed, (unsigned long long)kib);
}

void owner_count(int64_t was)
{
	int64_t pages = vmstat_iommu_pages();

	/* What others need from then on */
	was += arg_number("pages", 0);
	value("nr_iommu_pages_old", was);
	value("nr_iommu_pages_end", pages);
	value_text("pages_leaked", "%lld", (long long)(pages - was));
	check("table-pages-back", pages == was, "%lld at the end, %lld once",
	      (long long)pages, (long long)was);
}

void owner_account(struct vm *vm)
{
	int64_t was = vm->control->iommu_pages;

	owner_verify(vm);
	owner_close(vm);
	owner_count(was);
}

int owner_end(struct vm *vm, int rc)
{
	if (rc)
		traffic_drain(vm);
	else
		owner_settle(vm);
	traffic_check(vm, "");
	traffic_values(vm);
	rc |= owner_unbind(vm);
	traffic_blobs(vm);
	owner_account(vm);
	return rc ? -1 : 0;
}

void owner_name(struct vm *vm, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		snprintf(vm[i].suffix, sizeof(vm[i].suffix), "-%c", 'a' + i);
}

int owner_end_several(struct vm *vm, unsigned int count, int rc)
{
	traffic_stop_host();
	for (unsigned int i = 0; i < count; i++) {
		if (!rc)
			owner_reads_done(&vm[i]);
		traffic_quiet(&vm[i]);
		traffic_check(&vm[i], "");
		traffic_values(&vm[i]);
		rc |= owner_unbind(&vm[i]);
		traffic_blobs(&vm[i]);
		owner_verify(&vm[i]);
	}
	for (unsigned int i = 0; i < count; i++)
		owner_close(&vm[i]);
	return rc;
}
