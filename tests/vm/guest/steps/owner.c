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
/* More than QEMU remembers translations, so that tables are walked. */
#define FRAMES_WARM 1100
#define READS_WARM 20
/*
 * Of all reads a drive has at first, what it always has until the jump: enough
 * for a long black-out. After it, less, as they have to come home in the end.
 */
#define READS_SHARE_OLD 2
#define READS_SHARE_NEW 16

const char *owner_tag(const struct guest *g, const char *name)
{
	static char text[8][64];
	static unsigned int turn;
	char *out = text[turn++ % 8];

	snprintf(out, sizeof(text[0]), "%s%s", name, g->suffix);
	return out;
}

void owner_plan(struct guest_plan *plan, const char *session)
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

void owner_plan_only(struct guest_plan *plan, uint32_t id)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < DEVICES_MAX && plan->bdf[i]; i++)
		if (pci_id(plan->bdf[i]) == id)
			plan->bdf[count++] = plan->bdf[i];
	while (count < DEVICES_MAX)
		plan->bdf[count++] = NULL;
}

int owner_create(struct guest *g, const struct guest_plan *plan)
{
	int64_t pages = vmstat_iommu_pages();

	if (lost("guest-create", guest_create(g, plan)))
		return -1;
	g->control->iommu_pages = pages;
	return lost("machine", g->devices ? 0 : -ENODEV) ? -1 : 0;
}

int owner_translate(struct guest *g)
{
	int64_t before;

	if (lost("guest-bind", guest_bind(g)))
		return -1;
	before = vmstat_iommu_pages();
	if (lost("guest-map", guest_remap(g)) ||
	    lost("guest-attach", guest_attach(g, g->hwpt)))
		return -1;
	g->control->table_pages = vmstat_iommu_pages() - before;
	return 0;
}

static void keep_reading(struct guest *g, unsigned int share)
{
	for (unsigned int i = 0; i < g->devices; i++) {
		struct nvme *d = &g->device[i].nvme;

		if (g->device[i].state->kind == DEVICE_NVME &&
		    g->control->keep_reading)
			d->least = d->state->reads / share;
	}
}

int owner_start(struct guest *g)
{
	if (lost("guest-start", guest_start(g)))
		return -1;
	for (unsigned int i = 0; i < g->devices; i++)
		if (g->device[i].state->kind == DEVICE_NVME)
			nvme_submit_all(&g->device[i].nvme);
	keep_reading(g, READS_SHARE_OLD);
	/* From here on the queues belong to the pump's thread. */
	return lost("pump", pump_start(&g->pump)) ? -1 : 0;
}

void owner_ready(void)
{
	event("ready");
}

int owner_warm(struct guest *g)
{
	for (unsigned int i = 0; i < g->devices; i++) {
		const struct device *d = &g->device[i];
		bool nic = d->state->kind == DEVICE_NIC;

		if (device_await_total(d, nic ? FRAMES_WARM : READS_WARM))
			continue;
		check(owner_tag(g, "traffic"), false, "%s stands still",
		      d->state->bdf);
		return -1;
	}
	return 0;
}

int owner_begin(struct guest *g, const struct guest_plan *plan)
{
	if (owner_create(g, plan) || owner_translate(g) || owner_start(g))
		return -1;
	owner_ready();
	return owner_warm(g);
}

int owner_preserve(struct guest *g)
{
	int luo = luo_open(), rc;
	const char *what;

	if (lost("luo-open", luo))
		return -1;
	g->session = luo_create(luo, g->control->session);
	if (lost("session", g->session))
		return -1;
	if (lost("mark", hwpt_mark(g->iommufd, g->hwpt, TOKEN_HWPT)))
		return -1;
	event("marked");
	rc = guest_preserve(g, &what);
	if (rc) {
		check(owner_tag(g, "preserve"), false, "%s: %s", what,
		      errno_name(rc));
		return -1;
	}
	event("preserved");
	return 0;
}

/* Each device still makes transfers. */
static bool all_work(struct guest *g, unsigned int frames)
{
	for (unsigned int i = 0; i < g->devices; i++) {
		const struct device *d = &g->device[i];
		bool nic = d->state->kind == DEVICE_NIC;

		if (!device_goes_on(d, nic ? frames : 1))
			return false;
	}
	return true;
}

int owner_load(struct guest *g, unsigned int stage)
{
	if (lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	if (!check(owner_tag(g, "traffic-preserved"), all_work(g, 100),
		   "all devices work after preserve"))
		return -1;
	pump_stop(&g->pump);
	traffic_check(g, owner_tag(g, "-before"));
	for (unsigned int i = 0; i < g->devices; i++)
		g->control->before[i] = device_progress(&g->device[i]);
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

int owner_hand_over(struct guest *g, const char *session, unsigned int stage)
{
	struct guest_plan plan;

	owner_plan(&plan, session);
	if (owner_begin(g, &plan) || owner_preserve(g) || owner_load(g, stage))
		return -1;
	return owner_jump();
}

int owner_arrive(struct guest *g, const char *session)
{
	if (lost("retrieve-memory", guest_retrieve_memory(g, session)))
		return -1;
	guest_first_scan(g);
	event("scanned");
	return 0;
}

static void check_unchanged(struct guest *g, struct device *d)
{
	char name[64], why[120];
	uint16_t cmd = 0;
	bool same;

	same = device_unchanged(d, why, sizeof(why));
	snprintf(name, sizeof(name), "not-reset-%s%s", d->state->bdf,
		 g->suffix);
	check(name, same, "%s", why);
	pci_read16(d->state->bdf, PCI_COMMAND, &cmd);
	snprintf(name, sizeof(name), "bus-master-%s%s", d->state->bdf,
		 g->suffix);
	check(name, cmd & PCI_COMMAND_MASTER, "command is %#x", cmd);
}

int owner_reclaim(struct guest *g)
{
	for (unsigned int i = 0; i < g->devices; i++)
		if (lost("vfio-pci",
			 pci_bind(g->device[i].state->bdf, "vfio-pci")))
			return -1;
	if (lost("retrieve-iommufd", guest_retrieve_iommufd(g)))
		return -1;
	for (unsigned int i = 0; i < g->devices; i++)
		if (lost("retrieve-device", guest_retrieve_device(g, i)))
			return -1;
	event("retrieved");
	for (unsigned int i = 0; i < g->devices; i++)
		if (lost("bind", device_connect(&g->device[i],
						g->device[i].vfio.fd,
						g->iommufd)))
			return -1;
	event("bound");
	for (unsigned int i = 0; i < g->devices; i++) {
		check_unchanged(g, &g->device[i]);
		pump_add(&g->pump, &g->device[i]);
	}
	keep_reading(g, READS_SHARE_NEW);
	return lost("pump", pump_start(&g->pump)) ? -1 : 0;
}

int owner_swap(struct guest *g)
{
	uint64_t errors;

	if (lost("remap", guest_remap(g)))
		return -1;
	/* So that the swap happens in the middle of traffic. */
	if (!check(owner_tag(g, "traffic-restored"), all_work(g, 50),
		   "all devices work under the restored translations"))
		return -1;
	errors = guest_errors(g);
	if (lost("swap", guest_attach(g, g->hwpt)))
		return -1;
	event("swapped");
	if (!check(owner_tag(g, "traffic-swapped"), all_work(g, 500),
		   "all devices work under the new translations"))
		return -1;
	value(owner_tag(g, "swap_frames_lost"), guest_errors(g) - errors);
	return 0;
}

int owner_release(struct guest *g)
{
	uint32_t first = 0, again = 0;
	int rc;

	rc = hwpt_restore(g->iommufd, TOKEN_HWPT, &first);
	check_rc(owner_tag(g, "restore"), rc, 0);
	rc = hwpt_restore(g->iommufd, TOKEN_HWPT, &again);
	check(owner_tag(g, "restore-again"), !rc && first == again,
	      "%s, ids %u and %u", errno_name(rc), first, again);
	rc = iommufd_destroy(g->iommufd, first);
	if (!check_rc(owner_tag(g, "destroy-restored"), rc, 0))
		return -1;
	if (!check_rc(owner_tag(g, "finish"), guest_finish(g), 0))
		return -1;
	event("finished");
	return 0;
}

void owner_reads_done(struct guest *g)
{
	pump_last_reads(&g->pump);
	for (unsigned int i = 0; i < g->devices; i++) {
		struct device *d = &g->device[i];
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

void owner_settle(struct guest *g)
{
	owner_reads_done(g);
	traffic_drain(g);
}

int owner_unbind(struct guest *g)
{
	if (lost("unbind", guest_unbind(g)))
		return -1;
	event("unbound");
	return 0;
}

void owner_verify(struct guest *g)
{
	uint64_t bad = guest_verify(g);

	check(owner_tag(g, "memory-whole"), !bad,
	      "%llu pages hold something else", (unsigned long long)bad);
}

void owner_close(struct guest *g)
{
	uint64_t kib = g->memory.layout->bytes >> 10;
	int64_t before, freed;
	char name[64];

	snprintf(name, sizeof(name), "%s", owner_tag(g, "memory-back"));
	before = meminfo_free();
	guest_close(g);
	freed = meminfo_freed(before, (int64_t)kib * 8 / 10);
	check(name, freed > (int64_t)kib * 8 / 10, "%lld of %llu KiB came back",
	      (long long)freed, (unsigned long long)kib);
}

void owner_count(int64_t was)
{
	int64_t pages = vmstat_iommu_pages();

	value("nr_iommu_pages_old", was);
	value("nr_iommu_pages_end", pages);
	value_text("pages_leaked", "%lld", (long long)(pages - was));
	check("table-pages-back", pages == was, "%lld at the end, %lld once",
	      (long long)pages, (long long)was);
}

void owner_account(struct guest *g)
{
	int64_t was = g->control->iommu_pages;

	owner_verify(g);
	owner_close(g);
	owner_count(was);
}
