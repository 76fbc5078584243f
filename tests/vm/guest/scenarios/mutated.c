// SPDX-License-Identifier: GPL-2.0-only
/*
 * The old kernel changes the handover after the last device is shut down: with
 * lu.args=field:NAME one field, with seed:N a random one, n:N times. Or, with
 * fail:1, the new kernel runs out of memory while it boots, at each allocation
 * of the function liveupdate_fail.in in turn; there are at least least:N and at
 * most n:N of them. With field:none all is as it should be, and what a device
 * needs is missing in the new kernel.
 *
 * In the new kernel each device goes on as it did, or is blocked and no bus
 * master; never anything else. Then everything is taken apart, and every device
 * works for anybody, if need be after another kexec.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fresh.h"
#include "iommufd.h"
#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "textfile.h"
#include "traffic.h"
#include "words.h"

#define SESSION "mutated"
#define MUTATE "/sys/kernel/debug/iommu/liveupdate_mutate"
#define FAILED "/sys/module/liveupdate_fail/parameters/failed"
#define UNKNOWN 99

static struct vm vm;

/* What became of a device. */
struct outcome {
	bool blocked;
	bool retrieved;
	bool bound;
	uint32_t waiting;
};

static struct outcome outcome[DEVICES_MAX];

/* What the old kernel changes. */
static int choose_field(unsigned int stage)
{
	const char *field = arg("field");
	char text[64];

	if (field)
		snprintf(text, sizeof(text), "%s", field);
	else
		snprintf(text, sizeof(text), "seed:%lu",
			 arg_number("seed", 0) + stage);
	return put_text(MUTATE, text);
}

/* Which allocation the new kernel cannot make; this one's turn is lu.nth. */
static int choose_allocation(void)
{
	unsigned long nth = word_number("lu.nth", 0) + 1;
	char words[96];

	snprintf(words, sizeof(words),
		 "-lu.nth,-liveupdate_fail.nth,lu.nth=%lu,liveupdate_fail.nth=%lu",
		 nth, nth);
	words_carry(words);
	return access(FAILED, R_OK) ? -errno : 0;
}

static int choose(unsigned int stage)
{
	const char *field = arg("field");
	int rc = 0;

	if (arg("fail"))
		rc = choose_allocation();
	else if (!field || strcmp(field, "none"))
		rc = choose_field(stage);
	event("mutated-%u", stage);
	return rc;
}

/* In the kernel that was to fail: it had no such allocation to make. */
static bool all_have_failed(void)
{
	char text[4] = "";
	int fd;

	if (!word("liveupdate_fail.nth"))
		return false;
	fd = open(FAILED, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = 0;
		close(fd);
	}
	return text[0] == 'N';
}

/* As owner_begin(), but frames lost since another kernel count for nothing. */
static int begin(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	/*
	 * Few, and no more than these: a drive of QEMU finishes all of them
	 * before it resets, and what is under way at a detach never ends.
	 */
	plan.reads = 512;
	plan.keep_reading = false;
	plan.bytes = 256 << 20;
	if (owner_create(&vm, &plan))
		return -1;
	snprintf(vm.suffix, sizeof(vm.suffix), "-%u", stage);
	if (owner_translate(&vm) || owner_start(&vm))
		return -1;
	if (stage == 1)
		owner_ready();
	return owner_warm(&vm);
}

static int hand_over(unsigned int stage)
{
	if (lost("mutate", choose(stage)) || begin(stage) ||
	    owner_preserve(&vm) ||
	    lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	pump_stop(&vm.pump);
	return owner_jump();
}

static const char *name_for(const char *what, unsigned int i)
{
	static char text[4][64];
	static unsigned int turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]), "%s-%s%s", what,
		 vm.device[i].state->bdf, vm.suffix);
	return out;
}

static unsigned int look(void)
{
	unsigned int blocked = 0;
	uint16_t cmd;

	for (unsigned int i = 0; i < vm.devices; i++) {
		struct outcome *o = &outcome[i];

		memset(o, 0, sizeof(*o));
		cmd = 0;
		pci_read16(vm.device[i].state->bdf, PCI_COMMAND, &cmd);
		o->blocked = !(cmd & PCI_COMMAND_MASTER);
		o->waiting = device_waiting(&vm.device[i]);
		blocked += o->blocked;
	}
	return blocked;
}

/* The session gives what is whole, and the documented errors for the rest. */
static int retrieve(void)
{
	int rc, all = vm_retrieve_iommufd(&vm);

	check(owner_tag(&vm, "iommufd"),
	      !all || all == -EINVAL || all == -ENOENT, "%s",
	      errno_name(all));
	for (unsigned int i = 0; i < vm.devices; i++) {
		struct outcome *o = &outcome[i];

		/*
		 * Without an iommufd nobody can bind it, and its removal would
		 * wait for the file.
		 */
		if (all && !o->blocked)
			continue;
		rc = vm_retrieve_device(&vm, i);
		o->retrieved = !rc;
		check(name_for("device", i),
		      o->blocked ? rc == -EIO || rc == -ENODEV :
				   !rc || rc == -EIO || rc == -ENODEV,
		      "%s, %s", o->blocked ? "blocked" : "goes on",
		      errno_name(rc));
	}
	return all;
}

static void go_on(void)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		struct device *d = &vm.device[i];
		int rc;

		if (!outcome[i].retrieved || outcome[i].blocked)
			continue;
		rc = device_connect(d, d->vfio.fd, vm.iommufd);
		outcome[i].bound = check_rc(name_for("bound", i), rc, 0);
		if (outcome[i].bound)
			pump_add(&vm.pump, d);
	}
	if (lost("pump", pump_start(&vm.pump)))
		return;
	for (unsigned int i = 0; i < vm.devices; i++) {
		const struct device *d = &vm.device[i];

		if (outcome[i].bound)
			check(name_for("goes-on", i), device_goes_on(d, 1),
			      "%llu transfers",
			      (unsigned long long)device_progress(d));
	}
	pump_stop(&vm.pump);
}

/* Not one transfer since this kernel first looked. */
static void check_still(void)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		uint32_t now = device_waiting(&vm.device[i]);

		if (outcome[i].blocked)
			check(name_for("stands-still", i),
			      now == outcome[i].waiting, "%u, was %u", now,
			      outcome[i].waiting);
	}
}

static void detach_all(uint32_t hwpt)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		struct vfio *v = &vm.device[i].vfio;

		if (!outcome[i].bound)
			continue;
		check_rc(name_for("attach", i), vfio_attach(v, hwpt), 0);
		check_rc(name_for("detach", i), vfio_detach(v), 0);
	}
}

/*
 * A blocked device is let go by removal. One that goes on and cannot be
 * retrieved stays as it is until the next kexec: how many of those?
 */
static unsigned int remove_unbound(void)
{
	unsigned int stuck = 0;

	for (unsigned int i = 0; i < vm.devices; i++) {
		const char *bdf = vm.device[i].state->bdf;

		if (outcome[i].bound)
			continue;
		stuck += !outcome[i].blocked;
		check_rc(name_for("remove", i),
			 pci_write_file(bdf, "remove", "1"),
			 outcome[i].blocked ? 0 : -EBUSY);
	}
	return stuck;
}

/* False when somebody keeps the session from being finished. */
static bool take_apart(bool have_iommufd)
{
	unsigned int stuck;
	uint32_t id = 0;

	if (have_iommufd &&
	    check_rc(owner_tag(&vm, "restore"),
		     hwpt_restore(vm.iommufd, TOKEN_HWPT, &id), 0))
		detach_all(id);
	stuck = remove_unbound();
	if (id)
		check_rc(owner_tag(&vm, "destroy"),
			 iommufd_destroy(vm.iommufd, id),
			 stuck ? -EBUSY : 0);
	check_rc(owner_tag(&vm, "finish"), vm_finish(&vm),
		 stuck ? -EBUSY : 0);
	return !stuck;
}

static void use_all(unsigned int stage)
{
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int count = machine_kept(bdf);

	for (unsigned int i = 0; i < count; i++) {
		char name[48];

		snprintf(name, sizeof(name), "fresh-%.15s-%u", bdf[i], stage);
		fresh_use(name, bdf[i]);
	}
}

/*
 * A drive of QEMU has reads under way that neither the IOMMU nor the loss of
 * bus mastering stops any more; a reset waits for them, and the kernel makes
 * one before a device that was blocked gets a driver. Until then the memory
 * they go to must not be anybody else's.
 */
static void bind_blocked(void)
{
	for (unsigned int i = 0; i < vm.devices; i++)
		if (outcome[i].blocked)
			check_rc(name_for("bind-after", i),
				 pci_bind(vm.device[i].state->bdf, "vfio-pci"),
				 0);
}

/* The same for one that cannot be reset: its reads have to complete. */
static void await_stuck(void)
{
	for (unsigned int i = 0; i < vm.devices; i++)
		if (!outcome[i].bound && !outcome[i].blocked)
			pump_add(&vm.pump, &vm.device[i]);
	if (lost("pump", pump_start(&vm.pump)))
		return;
	for (unsigned int i = 0; i < vm.devices; i++) {
		struct device *d = &vm.device[i];
		uint64_t all = d->state->nvme.submitted, left;

		/* One that was detached completes nothing any more that could be seen */
		if (d->state->kind != DEVICE_NVME || outcome[i].blocked ||
		    outcome[i].bound)
			continue;
		left = all - device_progress(d);
		check(name_for("reads-home", i), device_await_total(d, all),
		      "%llu were left", (unsigned long long)left);
	}
	pump_stop(&vm.pump);
}

/* Everything that can be retrieved is back, and works for anybody. */
static void put_away(unsigned int stage)
{
	/* What went on without an owner has filled buffers nobody looked at */
	for (unsigned int i = 0; i < vm.devices; i++)
		device_poll(&vm.device[i]);
	check_rc(owner_tag(&vm, "rescan"), pci_rescan(), 0);
	bind_blocked();
	owner_unbind(&vm);
	owner_verify(&vm);
	owner_close(&vm);
	use_all(stage);
}

/* An ordinary kexec: nobody preserves anything. */
static int start_over(unsigned int stage)
{
	check_rc(owner_tag(&vm, "rescan"), pci_rescan(), 0);
	bind_blocked();
	await_stuck();
	/* Those of a drive that was detached, and still has an owner, as well */
	if (!traffic_reads_home(owner_tag(&vm, "all-reads-home")))
		return -1;
	words_carry("-liveupdate_fail.nth");
	if (lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	return owner_jump();
}

static int look_at_all(unsigned int stage)
{
	unsigned long want = arg_number("blocked", UNKNOWN);
	unsigned int blocked;

	snprintf(vm.suffix, sizeof(vm.suffix), "-%u", stage);
	blocked = look();
	value(owner_tag(&vm, "blocked"), blocked);
	if (all_have_failed())
		want = 0;
	if (want != UNKNOWN)
		check("blocked", blocked == want, "%u devices, %lu expected",
		      blocked, want);
	for (unsigned int i = 0; i < vm.devices; i++)
		if (lost("vfio-pci",
			 pci_bind(vm.device[i].state->bdf, "vfio-pci")))
			return -1;
	return 0;
}

/* With lu.args=fail:1, how many there are is not known before. */
static bool is_last(unsigned int stage)
{
	unsigned long most = arg_number("n", 1), nth;

	if (!arg("fail"))
		return stage > most;
	nth = word_number("lu.nth", 0);
	if (!all_have_failed() && stage <= most)
		return false;
	check("failures", all_have_failed() && nth > arg_number("least", 1),
	      "%lu allocations have failed%s", nth - 1,
	      all_have_failed() ? "" : " and there are more");
	return true;
}

static int mutated_new(unsigned int stage)
{
	bool last = is_last(stage), whole;
	int rc;

	/* Nothing came over from one that had to start over */
	rc = luo_retrieve_session(luo_open(), SESSION);
	if (rc == -ENOENT) {
		use_all(stage);
	} else {
		if (rc >= 0)
			close(rc);
		if (owner_arrive(&vm, SESSION) || look_at_all(stage))
			return -1;
		rc = retrieve();
		go_on();
		check_still();
		whole = take_apart(!rc);
		if (whole)
			put_away(stage);
		else if (!last)
			return start_over(stage);
	}
	if (!last)
		return hand_over(stage);
	traffic_stop_host();
	return 0;
}

static const struct scenario mutated = {
	.name = "mutated",
	.description = "a broken handover blocks, and hurts nothing",
	.stages = { hand_over, mutated_new },
};
SCENARIO(mutated);
