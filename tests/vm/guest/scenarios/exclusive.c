// SPDX-License-Identifier: GPL-2.0-only
/*
 * A preserved device belongs to its session until that is finished. Whatever
 * else user space of the new kernel tries on it is refused and changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "iommufd.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "textfile.h"
#include "traffic.h"

#define SESSION "exclusive"

static struct vm vm;

static const char *name_for(const char *what, const char *bdf)
{
	static char text[4][80];
	static unsigned int turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]), "%s-%.15s", what, bdf);
	return out;
}

static int native_old(unsigned int stage)
{
	return owner_hand_over(&vm, SESSION, stage);
}

/* Before anything is retrieved. */
static void try_driver(const char *bdf)
{
	char driver[40];

	check_rc(name_for("native-driver", bdf), pci_offer(bdf, PCI_NATIVE),
		 -EBUSY);
	pci_driver(bdf, driver, sizeof(driver));
	check(name_for("no-driver", bdf), !driver[0], "the driver is \"%s\"",
	      driver);
}

/* It was the live update that kept that driver out, and nothing else. */
static void try_driver_late(const char *bdf)
{
	check_rc(name_for("native-driver-after", bdf),
		 pci_offer(bdf, PCI_NATIVE), 0);
	lost("unbind", pci_unbind(bdf));
}

static void try_type(const char *bdf, const char *type)
{
	char path[160], what[40], was[32] = "", is[32] = "";
	int fd, rc = 0;

	snprintf(what, sizeof(what), "domain-type-%s", type);
	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/iommu_group/type", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		check(name_for(what, bdf), false, "%s: %s", path,
		      errno_name(-errno));
		return;
	}
	if (pread(fd, was, sizeof(was) - 1, 0) < 0)
		was[0] = 0;
	if (write(fd, type, strlen(type)) < 0)
		rc = -errno;
	if (pread(fd, is, sizeof(is) - 1, 0) < 0)
		is[0] = 0;
	close(fd);
	was[strcspn(was, "\n")] = 0;
	check(name_for(what, bdf),
	      rc == -EPERM && !strncmp(was, is, strlen(was)), "%s, type %s",
	      errno_name(rc), was);
}

static void try_domain_type(const char *bdf)
{
	try_type(bdf, "identity");
	/* This needs no other domain, only another way to flush */
	try_type(bdf, "DMA-FQ");
}

/* Neither comes from the owner. Without a driver nothing else says no. */
static void try_enable(const char *what, const char *bdf)
{
	uint16_t before = 0, after = 0;
	char name[32];

	pci_read16(bdf, PCI_COMMAND, &before);
	snprintf(name, sizeof(name), "%s-enable", what);
	check_rc(name_for(name, bdf), pci_write_file(bdf, "enable", "1"),
		 -EBUSY);
	snprintf(name, sizeof(name), "%s-disable", what);
	check_rc(name_for(name, bdf), pci_write_file(bdf, "enable", "0"),
		 -EBUSY);
	pci_read16(bdf, PCI_COMMAND, &after);
	snprintf(name, sizeof(name), "%s-command", what);
	check(name_for(name, bdf),
	      before == after && (after & PCI_COMMAND_MASTER),
	      "command %#x, was %#x", after, before);
}

/* Without a driver, or with one that nobody uses, a function may be suspended. */
static void try_suspend(const char *bdf)
{
	check_rc(name_for("runtime-power", bdf),
		 pci_write_file(bdf, "power/control", "auto"), 0);
}

static void check_awake(const char *what, const char *bdf)
{
	char path[80], state[16] = "";

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.15s/power_state",
		 bdf);
	get_text(path, state, sizeof(state));
	check(name_for(what, bdf), !strcmp(state, "D0\n"), "it is in %s",
	      state);
}

static void try_open(const char *what, const char *bdf)
{
	int fd = vfio_cdev_open(bdf);

	check_rc(name_for(what, bdf), fd < 0 ? fd : 0, -EBUSY);
	if (fd >= 0)
		close(fd);
}

/* With pcie_ports=compat it has none. */
static bool has_driver(const char *bdf)
{
	char driver[40];

	pci_driver(bdf, driver, sizeof(driver));
	return driver[0];
}

/* Removing a bridge would take the device with it, or cut it off. */
static void try_bridge(const char *bdf)
{
	char above[BDF_BYTES];

	if (pci_above(bdf, above))
		return;
	check_rc(name_for("bridge-remove", bdf),
		 pci_write_file(above, "remove", "1"), -EBUSY);
	try_enable("bridge", above);
	if (!has_driver(above))
		return;
	check_rc(name_for("bridge-unbind", bdf),
		 pci_write_file(above, "driver/unbind", above), -EBUSY);
	check_rc(name_for("slot-power", bdf), pci_slot_power(bdf, false),
		 -EBUSY);
}

static void try_bridge_late(const char *bdf, const char *above)
{
	if (has_driver(above)) {
		check_rc(name_for("slot-power-after", bdf),
			 pci_slot_power(bdf, false), 0);
		check_rc(name_for("bridge-unbind-after", bdf),
			 pci_write_file(above, "driver/unbind", above), 0);
	}
	check_rc(name_for("bridge-remove-after", bdf),
		 pci_write_file(above, "remove", "1"), 0);
}

/* The VM's memory, where it notes its devices, is gone by now. */
static void try_bridges_late(void)
{
	char bdf[DEVICES_MAX][BDF_BYTES], above[BDF_BYTES];
	unsigned int count = machine_kept(bdf);

	for (unsigned int i = 0; i < count; i++)
		if (!pci_above(bdf[i], above))
			try_bridge_late(bdf[i], above);
}

static void try_early(void)
{
	for (unsigned int i = 0; i < vm.devices; i++) {
		const char *bdf = vm.device[i].state->bdf;

		try_suspend(bdf);
		try_driver(bdf);
		try_domain_type(bdf);
		try_enable("device", bdf);
		try_bridge(bdf);
		check_awake("awake", bdf);
		if (!lost("vfio-pci", pci_bind(bdf, "vfio-pci")))
			try_open("open", bdf);
	}
	for (unsigned int i = 0; i < vm.devices; i++)
		check_awake("awake-bound", vm.device[i].state->bdf);
}

/* Retrieved, but with an iommufd that is not the one it came with. */
static int try_iommufd(void)
{
	struct device *d = &vm.device[0];
	uint32_t devid;
	int other, rc;

	other = iommufd_open();
	if (lost("iommufd", other) ||
	    lost("retrieve-iommufd", vm_retrieve_iommufd(&vm)) ||
	    lost("retrieve-device", vm_retrieve_device(&vm, 0)))
		return -1;
	rc = vfio_bind(d->vfio.fd, other, &devid);
	check_rc("bind-elsewhere", rc, -EBUSY);
	close(other);
	return 0;
}

static void try_finish(const char *name)
{
	check_rc(name, luo_finish(vm.session), -EBUSY);
}

static int native_new(unsigned int stage)
{
	uint32_t id;
	int rc;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	try_early();
	try_finish("finish-unretrieved");
	if (try_iommufd())
		return -1;
	try_finish("finish-unbound");
	if (owner_reclaim(&vm))
		return -1;
	for (unsigned int i = 0; i < vm.devices; i++)
		try_open("open-bound", vm.device[i].state->bdf);
	rc = hwpt_restore(vm.iommufd, TOKEN_HWPT, &id);
	check_rc("restore-early", rc, 0);
	check_rc("destroy-in-use", iommufd_destroy(vm.iommufd, id), -EBUSY);
	try_finish("finish-in-use");
	if (owner_swap(&vm))
		return -1;
	try_finish("finish-undestroyed");
	if (owner_release(&vm))
		return -1;
	owner_settle(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc = owner_unbind(&vm);
	for (unsigned int i = 0; i < vm.devices; i++)
		try_driver_late(vm.device[i].state->bdf);
	traffic_blobs(&vm);
	owner_account(&vm);
	try_bridges_late();
	return rc;
}

static const struct scenario exclusive = {
	.name = "exclusive",
	.description = "nobody else gets a kept device before the finish",
	.stages = { native_old, native_new },
};
SCENARIO(exclusive);
