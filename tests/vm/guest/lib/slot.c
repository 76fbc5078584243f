// SPDX-License-Identifier: GPL-2.0-only
/*
 * A card that comes while the driver of its slot is still busy with the one
 * that left is seen twice: first as a card that is there, then as a press of
 * the button, which means "off" by then. QEMU plugs with both in one; people
 * wait for the light.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci.h"
#include "slot.h"

/* Longer than the five seconds for which a button can be taken back. */
#define PATIENCE_MS 60000
#define LOOK_MS 10
#define LOOKS_IN_A_ROW 20

#define SLOT_CONTROL 0x18
#define SLOT_LIGHT (3u << 8)
#define SLOT_LIGHT_ON (1u << 8)
#define SLOT_LIGHT_BLINKS (2u << 8)
#define SLOT_LIGHT_OFF (3u << 8)
#define SLOT_POWER_OFF (1u << 10)
#define SLOT_TELLS_PRESENCE (1u << 3)
#define SLOT_INTERRUPT (1u << 5)
#define SLOT_STATUS 0x1a
/* Button, power fault, presence changed, link changed. */
#define SLOT_EVENTS 0x010bu

/* What leads to the bus that the device is, or was, on. */
static int port_of(const char *bdf, char *port)
{
	char path[64], target[256];
	const char *name;
	ssize_t got;

	snprintf(path, sizeof(path), "/sys/class/pci_bus/%.7s/device", bdf);
	got = readlink(path, target, sizeof(target) - 1);
	if (got < 0)
		return -ENODEV;
	target[got] = 0;
	name = strrchr(target, '/');
	snprintf(port, BDF_BYTES, "%.12s", name ? name + 1 : target);
	return 0;
}

/* The thread that works off a slot's events sleeps when there are none. */
static bool thread_asleep(const char *pid)
{
	char path[300], text[128] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return true;
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	end = strstr(text, "-pciehp) ");
	return !end || end[9] == 'S';
}

static bool drivers_asleep(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	bool asleep = true;

	if (!dir)
		return false;
	while (asleep && (e = readdir(dir)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			asleep = thread_asleep(e->d_name);
	closedir(dir);
	return asleep;
}

static bool at_rest(const char *port, unsigned int express)
{
	uint16_t control, status;

	return !pci_read16(port, express + SLOT_CONTROL, &control) &&
	       !pci_read16(port, express + SLOT_STATUS, &status) &&
	       (control & SLOT_LIGHT) != SLOT_LIGHT_BLINKS &&
	       !(status & SLOT_EVENTS) && drivers_asleep();
}

int slot_settle(const char *bdf)
{
	unsigned int express = 0, looks = 0;
	char port[BDF_BYTES];
	int rc;

	rc = port_of(bdf, port);
	if (!rc)
		express = pci_capability(port, PCI_CAP_EXPRESS);
	if (!rc && !express)
		rc = -ENODEV;
	for (int ms = 0; !rc && looks < LOOKS_IN_A_ROW; ms += LOOK_MS) {
		looks = at_rest(port, express) ? looks + 1 : 0;
		if (ms > PATIENCE_MS)
			rc = -ETIMEDOUT;
		usleep(LOOK_MS * 1000);
	}
	return rc;
}

/*
 * QEMU has no hand that pulls. But it takes a card out of a slot whose power and
 * light go off, and does not ask by whose will. The slot's driver, which hears
 * nothing of that, then finds the power on, and the card gone.
 */
int slot_pull(const char *bdf)
{
	unsigned int express, at;
	char port[BDF_BYTES];
	uint16_t was;
	int rc;

	rc = port_of(bdf, port);
	express = rc ? 0 : pci_capability(port, PCI_CAP_EXPRESS);
	at = express + SLOT_CONTROL;
	if (!rc && !express)
		rc = -ENODEV;
	if (!rc)
		rc = pci_read16(port, at, &was);
	if (!rc)
		rc = pci_write16(port, at, (was & ~SLOT_INTERRUPT) |
						   SLOT_LIGHT_OFF |
						   SLOT_POWER_OFF);
	if (rc)
		return rc;
	was &= ~(SLOT_LIGHT | SLOT_POWER_OFF);
	return pci_write16(port, at, was | SLOT_LIGHT_ON | SLOT_INTERRUPT |
					     SLOT_TELLS_PRESENCE);
}
