// SPDX-License-Identifier: GPL-2.0-only
/*
 * The card of a session is pulled out of its slot: after preserve, in the next
 * kernel when its owner has it again, or there before anybody has asked for it.
 * The owner is told, other slots work on, and the session can be undone or
 * finished. A press of the slot's button is only a wish, and is refused.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "disk.h"
#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "slot.h"
#include "traffic.h"
#include "uapi.h"
#include "wire.h"
#include "words.h"

#define SESSION "removal"
#define READS 50
/* Where the firmware numbers the ports' buses. */
#define PORT "rp1"
#define OTHER_PORT "rp2"
#define OTHER_AT "0000:02:00.0"
#define HOST_SECONDS 300
#define PATIENCE_MS 60000

/* When the card is pulled: the last three are in the next kernel. */
enum when { IN_OLD, IN_OWNED, IN_UNOWNED, IN_RETRIEVED };

static struct vm vm;
static int error_fd, request_fd;

/* The last one: what is left of the VM goes on without it. */
static struct device *card(void)
{
	return &vm.device[vm.devices - 1];
}

static bool signalled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, PATIENCE_MS) == 1;
}

static bool gone(const char *bdf)
{
	int ms = 0;

	while (pci_id(bdf) && ms < PATIENCE_MS) {
		usleep(10000);
		ms += 10;
	}
	return !pci_id(bdf);
}

static int listen_to_card(void)
{
	error_fd = vfio_event(&card()->vfio, VFIO_PCI_ERR_IRQ_INDEX);
	request_fd = vfio_event(&card()->vfio, VFIO_PCI_REQ_IRQ_INDEX);
	if (lost("error-event", error_fd) || lost("request-event", request_fd))
		return -1;
	return 0;
}

/* QEMU presses it when it is asked to take out a card. */
static int press_button(void)
{
	const char *bdf = card()->state->bdf;

	event("unplug port=" PORT);
	if (lost("unplug", wire_wait("unplug-" PORT, HOST_SECONDS)) ||
	    lost("slot-settle", slot_settle(bdf)))
		return -1;
	check("button-refused", pci_id(bdf) && device_goes_on(card(), 100),
	      "the card is there and at work");
	return 0;
}

static int other_slot(const char *when)
{
	struct disk disk;
	bool well;
	char name[64];

	if (!disk_plug(OTHER_PORT, OTHER_AT) ||
	    lost("disk", disk_start(&disk, OTHER_AT)))
		return -1;
	well = disk_works(&disk, READS);
	disk_stop(&disk);
	snprintf(name, sizeof(name), "other-slot-%s", when);
	check(name, well, "%llu reads, %llu bad",
	      (unsigned long long)disk.reads, (unsigned long long)disk.bad);
	return disk_unplug(OTHER_PORT, OTHER_AT) ? 0 : -1;
}

static int pull(void)
{
	const char *bdf = card()->state->bdf;
	uint32_t id = pci_id(bdf);

	if (lost("pull", slot_pull(bdf)) ||
	    !check("owner-told", signalled(error_fd), "by the error event"))
		return -1;
	if (other_slot("pulled"))
		return -1;
	check("still-held", pci_id(bdf) == id, "the kernel knows %08x",
	      pci_id(bdf));
	return 0;
}

/* The session has ended, and the owner is asked to let go */
static void let_go(void)
{
	char bdf[BDF_BYTES];

	snprintf(bdf, sizeof(bdf), "%s", card()->state->bdf);
	check("owner-asked", signalled(request_fd), "by the request event");
	pump_stop(&vm.pump);
	device_disconnect(card());
	vm.devices--;
	vm.pump.devices--;
	check("removed", gone(bdf), "%s", bdf);
	lost("pump", pump_start(&vm.pump));
}

static int end(void)
{
	int rc;

	owner_reads_done(&vm);
	pump_stop(&vm.pump);
	rc = owner_unbind(&vm);
	owner_account(&vm);
	return rc;
}

static int in_old(unsigned int stage)
{
	if (listen_to_card() || press_button() || !traffic_stop_host() ||
	    pull() || lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	check_rc("jump", kexec_jump(), -EBUSY);
	check("drive-works", device_goes_on(&vm.device[0], 1), "after that");
	check_rc("preserve-again",
		 luo_preserve(vm.session, card()->vfio.fd, TOKEN_DEVICE + 9),
		 -EBUSY);
	close(vm.session);
	vm.session = -1;
	let_go();
	return other_slot("undone") || end() ? -1 : 0;
}

static int removal_old(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	if (owner_begin(&vm, &plan) || owner_preserve(&vm))
		return -1;
	if (arg_number("pull", IN_OLD) == IN_OLD)
		return in_old(stage);
	if (owner_load(&vm, stage) || !traffic_stop_host())
		return -1;
	return owner_jump();
}

static int in_owned(void)
{
	if (owner_reclaim(&vm) || listen_to_card() || pull() ||
	    lost("remap", vm_remap(&vm)) ||
	    lost("swap", vm_attach(&vm, vm.hwpt)) || owner_release(&vm))
		return -1;
	let_go();
	return other_slot("finished") || end() ? -1 : 0;
}

/* Nothing waits for a session then: the card is away at once */
static int in_unowned(void)
{
	const char *bdf = card()->state->bdf;
	int fd;

	if (lost("pull", slot_pull(bdf)))
		return -1;
	check("removed", gone(bdf), "%s", bdf);
	if (other_slot("pulled"))
		return -1;
	fd = luo_retrieve(vm.session, TOKEN_DEVICE + vm.devices - 1);
	check_rc("retrieve-pulled", fd < 0 ? fd : 0, -ENODEV);
	check("state-pulled",
	      luo_file_state(vm.session, TOKEN_DEVICE + vm.devices - 1) ==
		      LIVEUPDATE_FILE_FAILED,
	      "%d", luo_file_state(vm.session, TOKEN_DEVICE + vm.devices - 1));
	vm.devices--;
	if (owner_reclaim(&vm) || lost("remap", vm_remap(&vm)) ||
	    lost("swap", vm_attach(&vm, vm.hwpt)) || owner_release(&vm))
		return -1;
	return other_slot("finished") || end() ? -1 : 0;
}

/*
 * The session has given out its file, and so holds it. Nobody can listen yet; the
 * owner hears of it when it binds the device, which then does not hold up the rest.
 */
static int in_retrieved(void)
{
	char bdf[BDF_BYTES];
	uint32_t devid;

	snprintf(bdf, sizeof(bdf), "%s", card()->state->bdf);
	if (lost("vfio-pci", pci_bind(bdf, "vfio-pci")) ||
	    lost("retrieve-iommufd", vm_retrieve_iommufd(&vm)) ||
	    lost("retrieve-device",
		 vm_retrieve_device(&vm, vm.devices - 1)) ||
	    lost("pull", slot_pull(bdf)) || other_slot("pulled"))
		return -1;
	check("still-held", pci_id(bdf), "%s", bdf);
	check_rc("bind-pulled",
		 vfio_bind(card()->vfio.fd, vm.iommufd, &devid), -ENODEV);
	close(card()->vfio.fd);
	vm.devices--;
	if (owner_reclaim(&vm) || lost("remap", vm_remap(&vm)) ||
	    lost("swap", vm_attach(&vm, vm.hwpt)) || owner_release(&vm))
		return -1;
	check("removed", gone(bdf), "%s", bdf);
	return other_slot("finished") || end() ? -1 : 0;
}

static int removal_new(unsigned int stage)
{
	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	switch (arg_number("pull", IN_OLD)) {
	case IN_OWNED:
		return in_owned();
	case IN_RETRIEVED:
		return in_retrieved();
	default:
		return in_unowned();
	}
}

static const struct scenario removal = {
	.name = "removal",
	.description = "the card of a session is pulled out of its slot",
	.stages = { removal_old, removal_new },
};
SCENARIO(removal);
