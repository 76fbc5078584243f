// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever users and operators do, in any order. Nobody knows beforehand what it
 * leads to; what must hold is looked at from outside: no word of a VM's memory
 * comes from a device that is not its own, nothing writes to memory that is
 * nobody's, each call answers what it may, what was kept is at work in the end,
 * and when nothing goes over all that was taken is given back.
 *
 * lu.args has what is done in the first kernel and in the next one, words set
 * apart by '+':
 *
 *   owners:0+1+0   which VM has each of the machine's devices
 *   shared:1       VMs that have a device which shares its IOMMU group
 *   nobodys:BDF    devices that take no part
 *   old:...        P0 preserves VM 0, C0 closes its session
 *   new:...        T0 takes VM 0 back, A0 gives it new page tables, S0 finishes
 *                  it, with new page tables if it has none yet
 *
 * and the events of steps/events.h with the number of a device; nobody's come
 * last. Y1 pulls device 1 out of its slot. K0 kills the owner of VM 0, T0 then
 * takes apart what it had. What is preserved at the end of the old kernel goes
 * over, the rest is closed before. A kernel that keeps nothing comes last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counts.h"
#include "events.h"
#include "iommufd.h"
#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "reap.h"
#include "report.h"
#include "scenario.h"
#include "slot.h"
#include "spare.h"
#include "traffic.h"
#include "words.h"

#define VMS_MAX 3
#define GUEST_BYTES (128ull << 20)
/* Where free memory is, too, so that an address that is not translated shows. */
#define CHAOS_IOVA (512ull << 20)
/* What is left to the kernel and to those who press it, in KiB. */
#define LEAVE (384ull << 10)
#define RATE 200
#define SLOTS 2048
#define READS 256
#define WORDS_MAX 512
#define HOLD_SECONDS 2
#define PATIENCE_MS 30000

static const char *const session[VMS_MAX] = { "chaos-a", "chaos-b", "chaos-c" };

struct party {
	struct vm vm;
	enum phase phase;
	bool marked;
	bool shared; /* a device's IOMMU group */
	bool attached; /* to new page tables */
};

static struct party parties[VMS_MAX];
static unsigned int vms, devices, nobodys, step;
/* Those that are nobody's come last */
static char bdf[2 * DEVICES_MAX][BDF_BYTES];
static unsigned int owner[DEVICES_MAX];
static bool pulled[DEVICES_MAX];
/* A device that takes no part may have other tables now, or none: no count */
static bool disturbed;

static const char *step_name(const char *what)
{
	static char text[4][48];
	static unsigned int turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]), "%u-%s", step, what);
	return out;
}

static struct party *owner_of(unsigned int device)
{
	return &parties[owner[device]];
}

/* The next device of the same VM, or as many as there are */
static unsigned int next_of(unsigned int vm, unsigned int from)
{
	while (from < devices && owner[from] != vm)
		from++;
	return from;
}

/* Its place in its VM */
static unsigned int place_of(unsigned int device)
{
	unsigned int place = 0;

	for (unsigned int d = 0; d < device; d++)
		place += owner[d] == owner[device];
	return place;
}

/* Nobody has it in hand */
static bool absent(const struct party *p)
{
	return p->phase == PHASE_CAME || p->phase == PHASE_DEAD ||
	       p->phase == PHASE_AWAY;
}

static struct device *in_hand(unsigned int device)
{
	struct party *p = owner_of(device);

	return absent(p) ? NULL : &p->vm.device[place_of(device)];
}

static bool anything_kept(void)
{
	for (unsigned int i = 0; i < vms; i++)
		if (parties[i].phase >= PHASE_KEPT &&
		    parties[i].phase <= PHASE_DEAD)
			return true;
	return false;
}

/* ---- What becomes of a VM ------------------------------------------------- */

static int create(unsigned int i)
{
	struct vm_plan plan = {
		.session = session[i],
		.bytes = GUEST_BYTES,
		.slots = SLOTS,
		.reads = READS,
		.keep_reading = true,
	};
	struct vm *vm = &parties[i].vm;
	unsigned int n = 0;

	for (unsigned int d = next_of(i, 0); d < devices; d = next_of(i, d + 1))
		plan.bdf[n++] = bdf[d];
	if (owner_create(vm, &plan))
		return -1;
	snprintf(vm->suffix, sizeof(vm->suffix), "-%c", 'a' + i);
	return owner_translate(vm) || owner_start(vm) ? -1 : 0;
}

static bool any_pulled(const struct party *p)
{
	for (unsigned int d = 0; d < devices; d++)
		if (pulled[d] && owner_of(d) == p)
			return true;
	return false;
}

static void preserve(unsigned int i)
{
	struct party *p = &parties[i];
	const char *what;
	int rc;

	if (p->phase != PHASE_FREE)
		return;
	p->vm.session = luo_create(luo_open(), session[i]);
	rc = p->vm.session < 0 ? p->vm.session : 0;
	if (!rc && !p->marked)
		rc = hwpt_mark(p->vm.iommufd, p->vm.hwpt, TOKEN_HWPT);
	p->marked |= !rc;
	if (!rc)
		rc = vm_preserve(&p->vm, &what);
	check_rc(step_name("preserve"), rc,
		 p->shared     ? -EOPNOTSUPP :
		 any_pulled(p) ? -EBUSY :
				 0);
	if (!rc) {
		p->phase = PHASE_KEPT;
	} else if (p->vm.session >= 0) {
		close(p->vm.session);
		p->vm.session = -1;
	}
}

static void close_session(unsigned int i)
{
	struct party *p = &parties[i];

	if (p->phase != PHASE_KEPT)
		return;
	close(p->vm.session);
	p->vm.session = -1;
	p->phase = PHASE_FREE;
}

static bool works(const struct party *p)
{
	for (unsigned int n = 0; n < p->vm.devices; n++)
		if (!device_goes_on(&p->vm.device[n], 1))
			return false;
	return true;
}

static void see_at_work(struct party *p, const char *when)
{
	char name[64];

	if (absent(p) || any_pulled(p))
		return;
	snprintf(name, sizeof(name), "works-%s%s", when, p->vm.suffix);
	check(name, works(p), "phase %d", p->phase);
}

/* What came is what was sent or asked for; frames may get lost on the way */
static uint64_t wrong_transfers(const struct party *p)
{
	uint64_t wrong = 0;

	for (unsigned int n = 0; n < p->vm.devices; n++) {
		const struct device *d = &p->vm.device[n];
		const struct frame_tally *frames = device_frames(d);

		wrong += frames ? frames->damaged + frames->foreign :
				  d->state->nvme.data_errors +
					  d->state->nvme.stray;
	}
	return wrong;
}

/* With nothing under way: what is on its way is not whole */
static void verify(struct party *p)
{
	uint64_t bad;
	char name[64];

	if (absent(p))
		return;
	pump_stop(&p->vm.pump);
	bad = vm_verify(&p->vm);
	snprintf(name, sizeof(name), "memory%s", p->vm.suffix);
	check(name, !bad, "%llu pages hold something else",
	      (unsigned long long)bad);
	snprintf(name, sizeof(name), "transfers%s", p->vm.suffix);
	check(name, !wrong_transfers(p), "%llu are not what they should be",
	      (unsigned long long)wrong_transfers(p));
}

/* Its session has ended. A card that was pulled goes when its owner lets go. */
static void put_away(struct party *p)
{
	char name[64];
	int rc;

	pump_last_reads(&p->vm.pump);
	pump_stop(&p->vm.pump);
	rc = vm_unbind(&p->vm);
	snprintf(name, sizeof(name), "unbind%s-%u", p->vm.suffix, step);
	check(name, !rc || any_pulled(p), "%s", errno_name(rc));
	vm_close(&p->vm);
	p->phase = PHASE_AWAY;
}

/* Of somebody who had retrieved and bound all */
static void take_apart(unsigned int i)
{
	struct party *p = &parties[i];
	const struct remains is = {
		.iommufd = true,
		.devices = p->vm.devices,
		.bound = true,
		.swapped = p->attached,
	};

	if (!reap_session(session[i], step_name("reap"), &is))
		return;
	p->phase = PHASE_AWAY;
	for (unsigned int d = next_of(i, 0); d < devices; d = next_of(i, d + 1))
		if (!pulled[d])
			reap_device(bdf[d]);
}

static void take(unsigned int i)
{
	struct party *p = &parties[i];
	unsigned int n = 0;

	if (p->phase == PHASE_DEAD)
		take_apart(i);
	if (p->phase != PHASE_CAME)
		return;
	if (lost(step_name("take"), vm_retrieve_memory(&p->vm, session[i])))
		return;
	snprintf(p->vm.suffix, sizeof(p->vm.suffix), "-%c", 'a' + i);
	vm_first_scan(&p->vm);
	for (unsigned int d = next_of(i, 0); d < devices;
	     d = next_of(i, d + 1), n++)
		if (pulled[d])
			p->vm.devices = n;
	if (owner_reclaim(&p->vm))
		return;
	p->phase = PHASE_OWNED;
}

static void attach(unsigned int i)
{
	struct party *p = &parties[i];

	if (p->phase != PHASE_OWNED || p->attached)
		return;
	/* All its cards may have been pulled */
	p->attached = !p->vm.devices ||
		      (!lost(step_name("remap"), vm_remap(&p->vm)) &&
		       !lost(step_name("swap"), vm_attach(&p->vm, p->vm.hwpt)));
}

static void swap(unsigned int i)
{
	struct party *p = &parties[i];

	if (p->phase != PHASE_OWNED)
		return;
	attach(i);
	if (!p->attached ||
	    lost(step_name("destroy"), vm_destroy_restored(&p->vm)))
		return;
	if (check_rc(step_name("finish"), vm_finish(&p->vm), 0))
		p->phase = PHASE_DONE;
}

static void kill_owner(unsigned int i)
{
	struct party *p = &parties[i];
	unsigned int had = p->vm.devices;
	bool dead = p->phase == PHASE_OWNED;

	if (absent(p))
		return;
	vm_drop(&p->vm);
	p->vm.devices = had;
	p->phase = dead ? PHASE_DEAD : PHASE_AWAY;
	if (dead)
		return;
	for (unsigned int d = next_of(i, 0); d < devices; d = next_of(i, d + 1))
		if (!pulled[d])
			lost(step_name("let-go"), pci_unbind(bdf[d]));
}

static void pull(unsigned int d)
{
	struct party *p = owner_of(d);
	int ms = 0;

	/* Only the last device of a VM, so that the others keep their places */
	if (pulled[d] || next_of(owner[d], d + 1) < devices ||
	    p->phase < PHASE_KEPT || p->phase > PHASE_OWNED ||
	    slot_pull(bdf[d]))
		return;
	pulled[d] = true;
	event("pulled bdf=%s", bdf[d] + strlen("0000:"));
	while (p->phase == PHASE_CAME && pci_id(bdf[d]) && ms++ < PATIENCE_MS)
		usleep(1000);
	check(step_name("pulled"), !pci_id(bdf[d]) == (p->phase == PHASE_CAME),
	      "%s, phase %d", bdf[d], p->phase);
}

/* ---- The words ------------------------------------------------------------ */

static const struct {
	char letter;
	void (*run)(unsigned int vm);
} of_vms[] = {
	{ 'P', preserve }, { 'C', close_session }, { 'T', take },
	{ 'A', attach },   { 'S', swap },	   { 'K', kill_owner },
};

static bool to_vm(char letter, unsigned int vm)
{
	for (size_t i = 0; i < sizeof(of_vms) / sizeof(of_vms[0]); i++) {
		if (of_vms[i].letter != letter)
			continue;
		of_vms[i].run(vm);
		return true;
	}
	return false;
}

static void to_device(char letter, unsigned int d)
{
	struct target t = {
		.bdf = bdf[d],
		.anything_kept = anything_kept(),
		.phase = PHASE_NOBODY,
	};

	if (d < devices) {
		if (pulled[d])
			return;
		t.device = in_hand(d);
		t.phase = owner_of(d)->phase;
	} else if (letter != 's' && !pci_id(t.bdf)) {
		return;
	} else {
		disturbed = true;
	}
	if (!event_do(letter, &t, step_name("do")))
		check(step_name("known"), false, "no event %c", letter);
}

static void one_word(const char *text)
{
	unsigned int i = strtoul(text + 1, NULL, 10);

	step++;
	value_text(step_name("word"), "%s", text);
	if (to_vm(text[0], i % vms))
		return;
	if (text[0] == 'Y')
		pull(i % devices);
	else
		to_device(text[0], i % (devices + nobodys));
}

static void all_words(const char *key)
{
	char text[WORDS_MAX], *save, *one;

	snprintf(text, sizeof(text), "%s", arg(key) ? arg(key) : "");
	for (one = strtok_r(text, "+", &save); one;
	     one = strtok_r(NULL, "+", &save))
		one_word(one);
}

static unsigned int items(const char *key, char item[][BDF_BYTES],
			  unsigned int most)
{
	char text[WORDS_MAX], *save, *one;
	unsigned int count = 0;

	snprintf(text, sizeof(text), "%s", arg(key) ? arg(key) : "");
	for (one = strtok_r(text, "+", &save); one && count < most;
	     one = strtok_r(NULL, "+", &save))
		snprintf(item[count++], BDF_BYTES, "%s", one);
	return count;
}

static void read_machine(void)
{
	char item[DEVICES_MAX][BDF_BYTES];
	unsigned int count;

	devices = machine_kept(bdf);
	count = items("owners", item, devices);
	for (unsigned int d = 0; d < count; d++) {
		owner[d] = strtoul(item[d], NULL, 10);
		if (owner[d] >= vms)
			vms = owner[d] + 1;
	}
	count = items("shared", item, VMS_MAX);
	for (unsigned int n = 0; n < count; n++)
		parties[strtoul(item[n], NULL, 10) % VMS_MAX].shared = true;
	nobodys = items("nobodys", bdf + devices, DEVICES_MAX);
}

static int begin(void)
{
	memory_iova_start = CHAOS_IOVA;
	read_machine();
	return lost("machine",
		    vms && vms <= VMS_MAX && devices >= vms ? 0 : -ENODEV) ?
		       -1 :
		       0;
}

/* ---- The kernels ---------------------------------------------------------- */

static int leave(unsigned int stage)
{
	int rc;

	if (lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	event("freeze");
	rc = kexec_jump();
	check("jump", false, "%s", errno_name(rc));
	return -1;
}

static int chaos_old(unsigned int stage)
{
	struct counts was;
	unsigned int kept = 0;
	char line[32];

	if (begin() || lost("counts", counts_read(&was)))
		return -1;
	traffic_rate(RATE);
	for (unsigned int i = 0; i < vms; i++)
		if (create(i))
			return -1;
	owner_ready();
	for (unsigned int i = 0; i < vms; i++)
		check(step_name(parties[i].vm.suffix), works(&parties[i]),
		      "at first");
	step = 100;
	all_words("old");
	for (unsigned int i = 0; i < vms; i++) {
		struct party *p = &parties[i];

		/* It has taken the tables of its default domain along */
		disturbed |= any_pulled(p);
		if (any_pulled(p))
			close_session(i);
		see_at_work(p, "old");
		if (p->phase == PHASE_FREE)
			put_away(p);
		else if (p->phase == PHASE_KEPT)
			kept |= 1u << i;
	}
	if (!kept)
		return disturbed || counts_check("counts", &was) ? 0 : -1;
	snprintf(line, sizeof(line), "lu.came=%u", kept);
	words_carry(line);
	return leave(stage);
}

static int chaos_new(unsigned int stage)
{
	struct spare spare;
	unsigned int came = word_number("lu.came", 0);

	if (begin() || lost("spare", spare_take(&spare, LEAVE)))
		return -1;
	for (unsigned int i = 0; i < vms; i++)
		parties[i].phase = came & 1u << i ? PHASE_CAME : PHASE_AWAY;
	step = 200;
	all_words("new");
	for (unsigned int i = 0; i < vms; i++)
		see_at_work(&parties[i], "new");
	/* A drive of QEMU writes what it has mapped, whatever the IOMMU says */
	for (unsigned int i = 0; i < vms; i++)
		pump_last_reads(&parties[i].vm.pump);
	if (!traffic_stop_host() || !traffic_reads_home("reads-home"))
		return -1;
	for (unsigned int i = 0; i < vms; i++)
		verify(&parties[i]);
	spare_whole(&spare, "spare-new");
	spare_give(&spare);
	for (unsigned int i = 0; i < vms; i++)
		if (parties[i].phase == PHASE_DONE)
			put_away(&parties[i]);
	return leave(stage);
}

/* Nothing was handed over: whatever was at work is quiet. */
static int chaos_last(unsigned int stage)
{
	struct spare spare;
	uint16_t cmd;
	char name[48];

	(void)stage;
	if (begin() || lost("spare", spare_take(&spare, LEAVE)))
		return -1;
	for (unsigned int d = 0; d < devices; d++) {
		if (pci_read16(bdf[d], PCI_COMMAND, &cmd))
			continue;
		snprintf(name, sizeof(name), "quiet-%.15s", bdf[d]);
		check(name, !(cmd & PCI_COMMAND_MASTER), "command %#x", cmd);
	}
	sleep(HOLD_SECONDS);
	spare_whole(&spare, "spare-last");
	return 0;
}

static const struct scenario chaos = {
	.name = "chaos",
	.description = "whatever users and operators do, in any order",
	.stages = { chaos_old, chaos_new, chaos_last },
};
SCENARIO(chaos);
