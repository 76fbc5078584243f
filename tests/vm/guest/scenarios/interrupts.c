// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts armed, and raised all the time, when the machine jumps. The devices
 * are served when one is heard, and are not polled: where none comes, nothing is
 * taken, and the transfers stand still.
 *
 * Nothing of the old kernel's interrupts reaches the new one, so that what was
 * raised in between was raised for nobody: the new owner arms them anew and
 * signals each once by itself. A drive that has done all it was asked for does not
 * say so again; a card with MSI says nothing at all before it was asked why.
 * INTx comes by itself, as its line is up still.
 *
 * lu.args=irq:msix, msi (of the card; drives of QEMU have none) or intx.
 *
 * With unruly:1 the host turns MSI-X on again after the jump, as a device could
 * that does not keep to the rules. It is for the IOMMU then: each request has to be
 * blocked, and the new kernel will hear of that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "klog.h"
#include "owner.h"
#include "pci.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define SESSION "interrupts"
#define GUEST_BYTES (256ull << 20)
#define READS 256
#define SOME 50
#define PATIENCE_SECONDS 60

static struct vm vm;

static const char *name_of(const char *what, const struct device *d)
{
	static char text[4][64];
	static unsigned int turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]), "%s-%s", what, d->state->bdf);
	return out;
}

/* A second card is polled, and nothing of it is armed. */
static enum irq_kind kind_for(const struct device *d)
{
	const char *irq = arg("irq");

	if (d->state->kind == DEVICE_NIC && d != vm_nic(&vm))
		return IRQ_NONE;
	if (irq && !strcmp(irq, "intx"))
		return IRQ_INTX;
	if (irq && !strcmp(irq, "msi") && d->state->kind == DEVICE_NIC)
		return IRQ_MSI;
	return IRQ_MSIX;
}

static uint64_t heard(const struct device *d)
{
	return __atomic_load_n(&d->irq.count, __ATOMIC_RELAXED);
}

/* Gives up only when none has come for a long while. */
static bool await_heard(const struct device *d, uint64_t count)
{
	for (int i = 0; i < PATIENCE_SECONDS * 1000; i++) {
		if (heard(d) >= count)
			return true;
		usleep(1000);
	}
	return false;
}

static void note_heard(uint64_t *was)
{
	for (unsigned int i = 0; i < vm.devices; i++)
		was[i] = heard(&vm.device[i]);
}

static void check_heard(const char *what, const uint64_t *was)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		const struct device *d = &vm.device[i];
		uint64_t more = heard(d) - was[i];

		if (d->state->irq == IRQ_NONE)
			continue;
		check(name_of(what, d), more, "%llu interrupts",
		      (unsigned long long)more);
	}
}

static int begin(void)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	plan.bytes = GUEST_BYTES;
	plan.reads = READS;
	if (owner_create(&vm, &plan))
		return -1;
	if (!vm_nic(&vm) || !vm_nvme(&vm)) {
		check("devices", false, "a card and a drive are needed");
		return -1;
	}
	if (owner_translate(&vm))
		return -1;
	for (unsigned int i = 0; i < vm.devices; i++) {
		struct device *d = &vm.device[i];

		if (kind_for(d) != IRQ_NONE &&
		    lost("arm", device_raise(d, kind_for(d))))
			return -1;
	}
	if (owner_start(&vm))
		return -1;
	owner_ready();
	return owner_warm(&vm);
}

static int interrupts_old(unsigned int stage)
{
	uint64_t was[DEVICES_MAX] = { 0 };

	value_text("irq", "%s", arg("irq") ? arg("irq") : "msix");
	if (arg_number("unruly", 0))
		value("unruly", 1);
	if (begin())
		return -1;
	check_heard("heard", was);
	if (owner_preserve(&vm))
		return -1;
	note_heard(was);
	if (owner_load(&vm, stage))
		return -1;
	check_heard("heard-preserved", was);
	if (lost("mark", pci_trace_mark(MARK_FREEZE)))
		return -1;
	return owner_jump();
}

/* Before any driver, and whatever they were armed as. */
static void check_off(const struct device *d)
{
	const char *bdf = d->state->bdf;

	check(name_of("msix-off", d), irq_off(bdf, IRQ_MSIX), "its registers");
	check(name_of("msi-off", d), irq_off(bdf, IRQ_MSI), "its registers");
	check(name_of("intx-off", d), irq_off(bdf, IRQ_INTX), "its registers");
}

/* What no handler is there for, or the IOMMU has blocked. */
static void check_stray(const char *when)
{
	char name[48];

	snprintf(name, sizeof(name), "no-stray-vector-%s", when);
	check(name, !klog_has("No irq handler for vector"), "in the log");
	if (arg_number("unruly", 0))
		return;
	snprintf(name, sizeof(name), "no-remapping-fault-%s", when);
	check(name, !klog_has("[INTR-REMAP]"), "in the log");
}

/*
 * All reads are done, frames came, and nobody was told of them. Those of before
 * were taken when the new owner looked at all rings.
 */
static bool missed(const struct device *d)
{
	uint64_t left = 1;
	uint64_t was = vm.control->before[d - vm.device];

	if (d->state->kind == DEVICE_NVME)
		left = d->state->nvme.submitted - device_progress(d);
	for (int i = 0; i < PATIENCE_SECONDS * 1000; i++) {
		if (device_waiting(d) >= left)
			break;
		usleep(1000);
	}
	return check(name_of("missed", d),
		     device_waiting(d) >= left &&
			     device_progress(d) + device_waiting(d) > was,
		     "%u transfers since the new owner looked",
		     device_waiting(d));
}

static bool signal_once(struct device *d)
{
	return !lost(name_of("signal", d), irq_once(&d->irq));
}

static int arm_again(void)
{
	struct device *nic = vm_nic(&vm), *drive = vm_nvme(&vm);
	bool level = kind_for(drive) == IRQ_INTX;

	if (!missed(nic) || !missed(drive))
		return -1;
	if (lost("mark", pci_trace_mark(MARK_ARM)))
		return -1;
	for (unsigned int i = 0; i < vm.devices; i++)
		if (vm.device[i].state->irq != IRQ_NONE &&
		    lost("arm-again", device_arm(&vm.device[i])))
			return -1;
	if (!level && !signal_once(nic))
		return -1;
	if (!check("card-again", await_heard(nic, SOME), "%llu interrupts",
		   (unsigned long long)heard(nic)))
		return -1;
	if (level)
		return check("drive-by-itself", await_heard(drive, 1),
			     "its line is up") ? 0 : -1;
	check("drive-silent", !heard(drive),
	      "%llu interrupts for what it did in between",
	      (unsigned long long)heard(drive));
	return signal_once(drive) ? 0 : -1;
}

static int go_on(void)
{
	uint64_t was[DEVICES_MAX];

	if (owner_reclaim(&vm) || arm_again())
		return -1;
	note_heard(was);
	if (owner_swap(&vm) || owner_release(&vm))
		return -1;
	check_heard("heard-again", was);
	return 0;
}

static int interrupts_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	check_stray("arrived");
	for (unsigned int i = 0; i < vm.devices; i++)
		check_off(&vm.device[i]);
	rc = owner_end(&vm, go_on());
	check_stray("ended");
	return rc;
}

static const struct scenario interrupts = {
	.name = "interrupts",
	.description = "interrupts that are armed and raised at the jump",
	.stages = { interrupts_old, interrupts_new },
};
SCENARIO(interrupts);
