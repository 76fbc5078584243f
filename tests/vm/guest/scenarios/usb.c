// SPDX-License-Identifier: GPL-2.0-only
/*
 * USB controllers in the hands of a user. Each kernel takes such controllers
 * from the firmware as soon as it has found them, and stops them: not those that
 * are kept. They run, stay bus masters and go on writing, from before the kexec
 * until their owner stops them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "iommufd.h"
#include "kexec.h"
#include "luo.h"
#include "report.h"
#include "scenario.h"
#include "usb.h"
#include "vm.h"

#define WAIT_S 30

static struct kept {
	struct bench bench;
	struct usb usb;
	void *memory;
	char *bdf;
} kept[DEVICES_MAX];
static char bdfs[DEVICES_MAX][BDF_BYTES];
static unsigned int count;

static const char *name_for(const char *what, const struct kept *k)
{
	static char text[4][64];
	static unsigned int turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]), "%s-%s", what, k->bdf);
	return out;
}

static int find_all(void)
{
	count = machine_kept(bdfs);
	for (unsigned int i = 0; i < count; i++)
		kept[i].bdf = bdfs[i];
	return lost("controllers", count ? 0 : -ENODEV) ? -1 : 0;
}

static int map_memory(struct kept *k, int memfd)
{
	k->memory = mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			 memfd, 0);
	return k->memory == MAP_FAILED ? -errno : 0;
}

static void check_runs(struct kept *k, const char *when)
{
	uint32_t command, status;
	uint16_t cmd = 0;
	char what[32];
	bool runs = usb_runs(&k->usb, &command, &status);

	pci_read16(k->bdf, PCI_COMMAND, &cmd);
	snprintf(what, sizeof(what), "runs-%s", when);
	check(name_for(what, k), runs && cmd & PCI_COMMAND_MASTER,
	      "command register %#x, USBCMD %#x, USBSTS %#x", cmd, command,
	      status);
}

/* Two more events from now on. */
static void check_writes(struct kept *k, const char *when)
{
	unsigned int was, is;
	char what[32];

	if (!k->usb.xhci)
		return;
	was = is = usb_events(k->memory);
	for (int ms = 0; ms < WAIT_S * 1000 && is < was + 2; ms++) {
		is = usb_events(k->memory);
		usleep(1000);
	}
	snprintf(what, sizeof(what), "writes-%s", when);
	check(name_for(what, k), is >= was + 2, "%u events, were %u", is, was);
}

static int begin(struct kept *k)
{
	int rc = pci_bind(k->bdf, "vfio-pci");

	if (!rc)
		rc = bench_open_as(&k->bench, k->bdf, k->bdf);
	if (!rc)
		rc = map_memory(k, k->bench.memfd);
	if (!rc)
		rc = vfio_map_bar(&k->bench.vfio, 0);
	if (!rc)
		rc = vfio_enable(&k->bench.vfio);
	if (!rc)
		rc = usb_find(&k->usb, pci_id(k->bdf), k->bench.vfio.bar);
	if (rc)
		return rc;
	memset(k->memory, 0, USB_EVENTS_BYTES);
	return usb_start(&k->usb, k->memory, BENCH_IOVA);
}

static int usb_old(unsigned int stage)
{
	if (find_all())
		return -1;
	for (unsigned int i = 0; i < count; i++) {
		struct kept *k = &kept[i];

		if (lost(name_for("begin", k), begin(k)) ||
		    !check_rc(name_for("preserve", k),
			      bench_preserve(&k->bench), 0))
			return -1;
		check_writes(k, "before");
	}
	if (lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	for (unsigned int i = 0; i < count; i++)
		check_runs(&kept[i], "before");
	event("freeze");
	return lost("jump", kexec_jump()) ? -1 : 0;
}

/* Nothing but the kernel has had a hand on it so far. */
static int look(struct kept *k)
{
	volatile void *bar = pci_map_bar(k->bdf, 0, USB_BAR_BYTES);

	if (lost("bar", usb_find(&k->usb, pci_id(k->bdf), bar)))
		return -1;
	check_runs(k, "arrived");
	return 0;
}

static int find_memory(struct kept *k)
{
	int fd;

	k->bench.session = luo_retrieve_session(luo_open(), k->bdf);
	if (k->bench.session < 0)
		return k->bench.session;
	fd = luo_retrieve(k->bench.session, TOKEN_MEMORY);
	return fd < 0 ? fd : map_memory(k, fd);
}

static int take(struct kept *k)
{
	struct bench *b = &k->bench;
	int fd, rc;

	rc = pci_bind(k->bdf, "vfio-pci");
	if (rc)
		return rc;
	check_runs(k, "with-driver");
	b->iommufd = luo_retrieve(b->session, TOKEN_IOMMUFD);
	fd = luo_retrieve(b->session, TOKEN_DEVICE);
	if (b->iommufd < 0 || fd < 0)
		return fd < 0 ? fd : b->iommufd;
	rc = vfio_start(&b->vfio, k->bdf, fd, b->iommufd);
	if (!rc)
		rc = hwpt_restore(b->iommufd, TOKEN_HWPT, &b->hwpt);
	if (!rc)
		rc = vfio_map_bar(&b->vfio, 0);
	if (rc)
		return rc;
	/* A kernel may take away what is mapped past a driver that has come */
	munmap((void *)k->usb.bar, USB_BAR_BYTES);
	return usb_find(&k->usb, pci_id(k->bdf), b->vfio.bar);
}

static void give_back(struct kept *k)
{
	struct bench *b = &k->bench;

	usb_stop(&k->usb);
	check_rc(name_for("attach", k), vfio_attach(&b->vfio, b->hwpt), 0);
	check_rc(name_for("detach", k), vfio_detach(&b->vfio), 0);
	check_rc(name_for("destroy", k), iommufd_destroy(b->iommufd, b->hwpt),
		 0);
	check_rc(name_for("finish", k), luo_finish(b->session), 0);
	bench_close(b);
	lost("unbind", pci_unbind(k->bdf));
}

static int usb_new(unsigned int stage)
{
	(void)stage;
	if (find_all())
		return -1;
	for (unsigned int i = 0; i < count; i++)
		if (look(&kept[i]))
			return -1;
	for (unsigned int i = 0; i < count; i++) {
		struct kept *k = &kept[i];

		k->bench.memfd = -1;
		if (lost("memory", find_memory(k)))
			return -1;
		check_writes(k, "arrived");
		if (lost("take", take(k)))
			return -1;
		check_runs(k, "bound");
		check_writes(k, "bound");
		give_back(k);
	}
	return 0;
}

static const struct scenario usb = {
	.name = "usb",
	.description = "USB controllers run on",
	.stages = { usb_old, usb_new },
};
SCENARIO(usb);
