// SPDX-License-Identifier: GPL-2.0-only
/*
 * What luctl sees of a device that the kernel would refuse to preserve: the finding
 * code:NAME, for each that is in use, and nothing against the machine else. That
 * the kernel does refuse it is shown by refuse-device on the same machine.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "iommufd.h"
#include "operator.h"
#include "pci.h"
#include "report.h"
#include "scenario.h"
#include "vfio.h"
#include "vm.h"
#include "words.h"

static int look(const char *bdf, const char *code)
{
	char name[64], want[64];
	uint32_t devid;
	int fd, iommufd = iommufd_open();

	if (lost("vfio-pci", pci_bind(bdf, "vfio-pci")))
		return -1;
	luctl_ends("not-in-use",
		   luctl("check", "--now", "--no-initrd", "/bzImage", NULL), 0);
	fd = vfio_cdev_open(bdf);
	/* Before that it sleeps. */
	if (lost("open", fd) || lost("iommufd", iommufd) ||
	    lost("bind", vfio_bind(fd, iommufd, &devid)))
		return -1;
	luctl_ends("in-use",
		   luctl("check", "--now", "--no-initrd", "/bzImage", NULL), 1);
	snprintf(want, sizeof(want), "[%s]", code);
	snprintf(name, sizeof(name), "says-%s", code);
	luctl_says(name, want);
	luctl_says("says-device", bdf);
	luctl_says("says-one", "refused: 1 thing is in the way");
	close(fd);
	close(iommufd);
	return 0;
}

static int devices_here(unsigned int stage)
{
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int count = machine_kept(bdf);
	const char *code = arg("code");

	(void)stage;
	if (!check("machine", count && code, "%u devices, code:%s", count,
		   code ? code : ""))
		return -1;
	return look(bdf[0], code);
}

static const struct scenario luctl_devices = {
	.name = "luctl-devices",
	.description = "luctl sees which device would be refused, and why",
	.stages = { devices_here },
};
SCENARIO(luctl_devices);
