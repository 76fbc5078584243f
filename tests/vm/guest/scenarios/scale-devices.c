// SPDX-License-Identifier: GPL-2.0-only
/*
 * All the devices the machine has room for, on as many buses, each with an
 * iommufd and a session of its own. What counts is that each of them comes back
 * as itself and stays a bus master in between; they do no DMA.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "counts.h"
#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "reap.h"
#include "report.h"
#include "scenario.h"

#define RNG_ID 0x1af41044u
#define NATIVE "virtio-pci"
#define SCALE_MAX 64
/* Their number is known beforehand: a machine that lost some is a failure. */
#define SCALE_LEAST 40
#define NOTE "devices-note"

static struct bench bench[SCALE_MAX];

static unsigned int find_all(char bdf[SCALE_MAX][BDF_BYTES])
{
	unsigned int count = 0;

	while (count < SCALE_MAX && !pci_find(RNG_ID, count, bdf[count]))
		count++;
	value("devices", count);
	return count;
}

static const char *bus_of(const char *bdf)
{
	static char bus[BDF_BYTES];

	snprintf(bus, sizeof(bus), "%.7s", bdf);
	return bus;
}

static unsigned int count_buses(char bdf[SCALE_MAX][BDF_BYTES],
				unsigned int count)
{
	char last[BDF_BYTES] = "";
	unsigned int buses = 0;

	for (unsigned int i = 0; i < count; i++) {
		buses += !!strcmp(last, bus_of(bdf[i]));
		snprintf(last, sizeof(last), "%s", bus_of(bdf[i]));
	}
	return buses;
}

static int take(struct bench *b, const char *bdf)
{
	int rc = pci_bind(bdf, "vfio-pci");

	if (!rc)
		rc = bench_open_as(b, bdf, bdf);
	if (!rc)
		rc = vfio_enable(&b->vfio);
	return rc ? rc : bench_preserve(b);
}

static int scale_old(unsigned int stage)
{
	char bdf[SCALE_MAX][BDF_BYTES];
	unsigned int count = find_all(bdf), i;
	struct counts was, now;
	int rc = 0;

	if (!check("devices", count >= SCALE_LEAST, "%u devices on %u buses",
		   count, count_buses(bdf, count)) ||
	    lost("counts", counts_read(&was)))
		return -1;
	for (i = 0; i < count && !rc; i++)
		rc = take(&bench[i], bdf[i]);
	if (!check("devices-preserved", !rc, "%u of %u: %s", i, count,
		   errno_name(rc)) ||
	    lost("counts", counts_read(&now)))
		return -1;
	check("devices-records",
	      now.n[COUNT_OUT_DEVICES] == count &&
		      now.n[COUNT_OUT_DOMAINS] == count &&
		      now.n[COUNT_OUT_UNITS] == 1,
	      "%lld devices, %lld domains, %lld units",
	      (long long)now.n[COUNT_OUT_DEVICES],
	      (long long)now.n[COUNT_OUT_DOMAINS],
	      (long long)now.n[COUNT_OUT_UNITS]);
	if (lost("note", note_leave(NOTE, was.n[COUNT_TABLE_PAGES])) ||
	    lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	return owner_jump();
}

/* The checks are made for all devices together; a bad one is named. */
static bool all_kept(char bdf[SCALE_MAX][BDF_BYTES], unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint16_t cmd = 0;
		int rc = pci_offer(bdf[i], NATIVE);

		pci_read16(bdf[i], PCI_COMMAND, &cmd);
		if (rc != -EBUSY || !(cmd & PCI_COMMAND_MASTER))
			return check("devices-kept", false,
				     "%s: %s, command %#x", bdf[i],
				     errno_name(rc), cmd);
	}
	return check("devices-kept", true, "%u of %u", count, count);
}

static int scale_new(unsigned int stage)
{
	const struct remains whole = { .iommufd = true, .devices = 1 };
	char bdf[SCALE_MAX][BDF_BYTES];
	unsigned int count = find_all(bdf), i;
	int64_t was;
	int rc = 0;

	(void)stage;
	if (lost("note", note_read(NOTE, &was)) || !all_kept(bdf, count))
		return -1;
	for (i = 0; i < count && !rc; i++) {
		/* Not in the order in which they were preserved. */
		const char *at = bdf[count - 1 - i];

		if (lost("vfio-pci", pci_bind(at, "vfio-pci")) ||
		    !reap_session(at, at, &whole))
			return -1;
		rc = pci_unbind(at);
		if (!rc)
			rc = pci_offer(at, NATIVE);
		if (!rc)
			rc = pci_unbind(at);
	}
	check("devices-free", !rc, "%u of %u: %s", i, count, errno_name(rc));
	owner_count(was);
	return 0;
}

static const struct scenario scale_devices = {
	.name = "scale-devices",
	.description = "as many devices as there is room for, on many buses",
	.stages = { scale_old, scale_new },
};
SCENARIO(scale_devices);
