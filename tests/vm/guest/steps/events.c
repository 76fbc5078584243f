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

/* What a call returns that cannot be made: no check is made either. */
#define NOTHING 1
/* 0, in the table, where zeros are what is left out. */
#define WORKS 2
#define EVERYWHERE(...) { [0 ... PHASES - 1] = { __VA_ARGS__ } }
/* From preserve to finish, whoever has it */
#define WHILE_KEPT(...)                                                 \
	[PHASE_KEPT] = { __VA_ARGS__ }, [PHASE_CAME] = { __VA_ARGS__ }, \
	[PHASE_OWNED] = { __VA_ARGS__ }, [PHASE_DEAD] = { __VA_ARGS__ }
#define NOBODYS(...) [PHASE_NOBODY] = { __VA_ARGS__ }

/* @may: what it may answer by phase; where nothing is said it is not done */
struct event {
	char letter;
	const char *name;
	int (*run)(const struct target *t);
	int may[PHASES][ANSWERS];
};

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
	{ 'm', "remove", remove_it, { WHILE_KEPT(-EBUSY), NOBODYS(WORKS) } },
	{ 'e', "enable", enable, { WHILE_KEPT(-EBUSY), NOBODYS(WORKS, -EBUSY) } },
	{ 'd', "disable", disable,
	  { WHILE_KEPT(-EBUSY), NOBODYS(WORKS, -EBUSY, -EIO) } },
	{ 'r', "reset", reset,
	  { [PHASE_KEPT] = { -EBUSY }, [PHASE_CAME] = { -EBUSY },
	    [PHASE_AWAY] = { WORKS }, NOBODYS(WORKS) } },
	{ 'R', "user-reset", user_reset, { [PHASE_KEPT] = { -EBUSY } } },
	{ 'H', "hot-reset", user_hot_reset,
	  { [PHASE_KEPT] = { -ENODEV, -ENOTTY, -EBUSY } } },
	{ 'D', "detach", detach, { [PHASE_KEPT] = { -EBUSY } } },
	{ 't', "type", identity, { WHILE_KEPT(-EPERM) } },
	{ 'w', "slot-power", power_off, { WHILE_KEPT(-EBUSY), NOBODYS(WORKS) } },
	{ 'b', "bridge-remove", remove_bridge,
	  { WHILE_KEPT(-EBUSY), NOBODYS(WORKS) } },
	{ 'B', "bridge-unbind", unbind_bridge,
	  { WHILE_KEPT(-EBUSY), NOBODYS(WORKS) } },
	{ 'u', "unbind", unbind,
	  { [PHASE_KEPT] = { -EBUSY }, NOBODYS(WORKS, -ENOENT) } },
	{ 'o', "open", open_again,
	  { [PHASE_CAME] = { -EBUSY }, [PHASE_OWNED] = { -EBUSY },
	    [PHASE_DEAD] = { -EBUSY } } },
	{ 'n', "native", native, { [PHASE_CAME] = { -EBUSY }, NOBODYS(WORKS) } },
	{ 'z', "sleep", sleep_core, EVERYWHERE(-EBUSY) },
	{ 'i', "sleep-idle", sleep_idle, EVERYWHERE(-EBUSY) },
	{ 's', "rescan", rescan, EVERYWHERE(WORKS) },
	{ 'c', "cpu", cpu, EVERYWHERE(WORKS) },
	{ 'h', "pressure", pressure, EVERYWHERE(WORKS) },
};

static bool may_answer(const int *may, int rc)
{
	for (unsigned int i = 0; i < ANSWERS; i++)
		if (may[i] && may[i] == (rc ? rc : WORKS))
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
		if (!may[0])
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
