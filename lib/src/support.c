// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "error.h"

#define WRITES "/sys/kernel/liveupdate/writes"
#define SESSIONS "/sys/kernel/liveupdate/sessions"
#define LIST_BYTES 4096

/* What this kernel writes: names with versions, one a line. */
static int read_list(char list[LIST_BYTES])
{
	int fd = open(WRITES, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, list, LIST_BYTES - 1);
	close(fd);
	if (got < 0)
		return -errno;
	list[got] = 0;
	return 0;
}

static int lacks(struct lu_error *err, const char *what, const char *next)
{
	return lui_fail(err, -ENOTSUP, LU_WHY_UNSUPPORTED, what,
			"this kernel cannot carry %s over; %s", what, next);
}

int lu_support(uint32_t *ret_can, struct lu_error *err)
{
	char list[LIST_BYTES] = "";
	uint32_t can = 0;

	read_list(list);
	if (!access(LUI_NODE, F_OK))
		can |= LU_CAN_SESSIONS;
	if (strstr(list, "iommufd-") && strstr(list, "vfio-pci-"))
		can |= LU_CAN_IOMMU;
	if (!access(SESSIONS, F_OK))
		can |= LU_CAN_ASK;
	if (ret_can)
		*ret_can = can;
	if (!(can & LU_CAN_SESSIONS))
		return lacks(err, "sessions",
			     "it needs CONFIG_LIVEUPDATE and liveupdate=on");
	if (!(can & LU_CAN_IOMMU))
		return lacks(err, "devices",
			     "it needs CONFIG_IOMMU_LIVEUPDATE, and the modules 'iommufd' and 'vfio-pci' loaded");
	return 0;
}
