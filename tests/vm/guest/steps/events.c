// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "report.h"
#include "sleep.h"
#include "textfile.h"
#include "vfio.h"

#define PRESSURE_BYTES (192ull << 20)
#define CPU1 "/sys/devices/system/cpu/cpu1/online"
#define ANSWERS 3

/* @may: what it may answer by phase. 0 counts only as the first */
struct event {
	char letter;
	const char *name;
	int (*run)(const struct target *t);
	int may[PHASES][ANSWERS];
};

/* There is nothing to try: no check is made */
#define NOTHING 1
#define LEFT_OUT { NOTHING }
#define EVERYWHERE(...)                                                        \
	{ { __VA_ARGS__ }, { __VA_ARGS__ }, { __VA_ARGS__ },                   \
	  { __VA_ARGS__ }, { __VA_ARGS__ }, { __VA_ARGS__ } }
/* While its session is under way, and nothing to try before and after. */
#define WHILE_KEPT(...)                                                        \
	{ LEFT_OUT, { __VA_ARGS__ }, { __VA_ARGS__ }, { __VA_ARGS__ },         \
	  LEFT_OUT, LEFT_OUT }

static int remove_it(const struct target *t)
{
	return pci_write_file(t->bdf, "remove", "1");
}

static int enable(const struct target *t)
{
	return pci_write_file(t->bdf, "enable", "1");
}

static int disable(const struct target *t)
{
	return pci_write_file(t->bdf, "enable", "0");
}

static int reset(const struct target *t)
{
	return pci_write_file(t->bdf, "reset", "1");
}

static int user_reset(const struct target *t)
{
	return vfio_reset(&t->device->vfio);
}

static int user_hot_reset(const struct target *t)
{
	return vfio_hot_reset(&t->device->vfio);
}

static int detach(const struct target *t)
{
	return vfio_detach(&t->device->vfio);
}

static int identity(const struct target *t)
{
	return pci_write_file(t->bdf, "iommu_group/type", "identity");
}

static int power_off(const struct target *t)
{
	int rc = pci_slot_power(t->bdf, false);

	return rc == -ENODEV ? NOTHING : rc;
}

static int remove_bridge(const struct target *t)
{
	char above[BDF_BYTES];

	if (pci_above(t->bdf, above))
		return NOTHING;
	return pci_write_file(above, "remove", "1");
}

static int unbind_bridge(const struct target *t)
{
	char above[BDF_BYTES], driver[40];

	if (pci_above(t->bdf, above))
		return NOTHING;
	pci_driver(above, driver, sizeof(driver));
	return driver[0] ? pci_write_file(above, "driver/unbind", above) :
			   NOTHING;
}

static int unbind(const struct target *t)
{
	return pci_write_file(t->bdf, "driver/unbind", t->bdf);
}

static int open_again(const struct target *t)
{
	int rc = pci_bind(t->bdf, "vfio-pci"), fd;

	if (rc)
		return rc;
	fd = vfio_cdev_open(t->bdf);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int native(const struct target *t)
{
	int rc = pci_unbind(t->bdf);

	return rc ? rc : pci_offer(t->bdf, PCI_NATIVE);
}

static int rescan(const struct target *t)
{
	(void)t;
	return pci_rescan();
}

static int sleep_core(const struct target *t)
{
	return t->anything_kept ? sleep_down_to("mem", SLEEP_CORE) : NOTHING;
}

static int sleep_idle(const struct target *t)
{
	return t->anything_kept ? sleep_down_to("freeze", SLEEP_DEVICES) :
				  NOTHING;
}

static int cpu(const struct target *t)
{
	int rc;

	(void)t;
	if (access(CPU1, W_OK))
		return NOTHING;
	rc = put_text(CPU1, "0");
	return rc ? rc : put_text(CPU1, "1");
}

static int pressure(const struct target *t)
{
	char *p = mmap(NULL, PRESSURE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)t;
	if (p == MAP_FAILED)
		return -errno;
	for (size_t at = 0; at < PRESSURE_BYTES; at += 4096)
		p[at] = 1;
	return munmap(p, PRESSURE_BYTES) ? -errno : 0;
}

static const struct event events[] = {
	{ 'm', "remove", remove_it, WHILE_KEPT(-EBUSY) },
	{ 'e', "enable", enable, WHILE_KEPT(-EBUSY) },
	{ 'd', "disable", disable, WHILE_KEPT(-EBUSY) },
	{ 'r', "reset", reset,
	  { LEFT_OUT, { -EBUSY }, { -EBUSY }, LEFT_OUT, LEFT_OUT, { 0 } } },
	{ 'R', "user-reset", user_reset,
	  { LEFT_OUT, { -EBUSY }, LEFT_OUT, LEFT_OUT, LEFT_OUT, LEFT_OUT } },
	{ 'H', "hot-reset", user_hot_reset,
	  { LEFT_OUT, { -ENODEV, -ENOTTY, -EBUSY }, LEFT_OUT, LEFT_OUT,
	    LEFT_OUT, LEFT_OUT } },
	{ 'D', "detach", detach,
	  { LEFT_OUT, { -EBUSY }, LEFT_OUT, LEFT_OUT, LEFT_OUT, LEFT_OUT } },
	{ 't', "type", identity, WHILE_KEPT(-EPERM) },
	{ 'w', "slot-power", power_off, WHILE_KEPT(-EBUSY) },
	{ 'b', "bridge-remove", remove_bridge, WHILE_KEPT(-EBUSY) },
	{ 'B', "bridge-unbind", unbind_bridge, WHILE_KEPT(-EBUSY) },
	{ 'u', "unbind", unbind,
	  { LEFT_OUT, { -EBUSY }, LEFT_OUT, LEFT_OUT, LEFT_OUT, LEFT_OUT } },
	{ 'o', "open", open_again,
	  { LEFT_OUT, LEFT_OUT, { -EBUSY }, { -EBUSY }, LEFT_OUT, LEFT_OUT } },
	{ 'n', "native", native,
	  { LEFT_OUT, LEFT_OUT, { -EBUSY }, LEFT_OUT, LEFT_OUT, LEFT_OUT } },
	{ 'z', "sleep", sleep_core, EVERYWHERE(-EBUSY) },
	{ 'i', "sleep-idle", sleep_idle, EVERYWHERE(-EBUSY) },
	{ 's', "rescan", rescan, EVERYWHERE(0) },
	{ 'c', "cpu", cpu, EVERYWHERE(0) },
	{ 'h', "pressure", pressure, EVERYWHERE(0) },
};

static bool may_answer(const int *may, int rc)
{
	for (unsigned int i = 0; i < ANSWERS; i++)
		if (may[i] == rc && (rc || !i || !may[0]))
			return true;
	return false;
}

bool event_do(char letter, const struct target *t, const char *step)
{
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		const struct event *e = &events[i];
		const int *may = e->may[t->phase];
		char name[64];
		int rc;

		if (e->letter != letter)
			continue;
		if (may[0] == NOTHING)
			return true;
		rc = e->run(t);
		if (rc == NOTHING)
			return true;
		snprintf(name, sizeof(name), "%s-%s-%s", step, e->name, t->bdf);
		check(name, may_answer(may, rc), "%s in phase %d",
		      errno_name(rc), t->phase);
		return true;
	}
	return false;
}
