// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "calls.h"

#define SYSFS_PCI "/sys/bus/pci"
#define DRIVER "vfio-pci"
#define PATH_BYTES 128

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

int lui_device_check(int fd)
{
	struct lui_device_info cmd = { .argsz = sizeof(cmd) };
	int rc = call(fd, LUI_DEVICE_GET_INFO, &cmd);

	/* vfio lets nobody in before the device is bound to an iommufd. */
	if (rc == -EINVAL)
		return -EPERM;
	if (rc == -ENOTTY || (!rc && !(cmd.flags & LUI_DEVICE_IS_PCI)))
		return -EMEDIUMTYPE;
	return rc;
}

int lui_device_address(int fd, char address[LUI_ADDRESS_BYTES])
{
	char path[PATH_BYTES], *real, *last;
	struct stat st;
	int rc = 0;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENODEV;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	real = realpath(path, NULL);
	if (!real)
		return -errno;
	last = strrchr(real, '/');
	if (last && strlen(last + 1) < LUI_ADDRESS_BYTES)
		strcpy(address, last + 1);
	else
		rc = -ENODEV;
	free(real);
	return rc;
}

int lui_device_bind(int fd, int iommufd, uint32_t *ret_devid)
{
	struct lui_device_bind cmd = {
		.argsz = sizeof(cmd),
		.iommufd = iommufd,
	};
	int rc = call(fd, LUI_DEVICE_BIND, &cmd);

	if (!rc)
		*ret_devid = cmd.out_devid;
	return rc;
}

int lui_device_attach(int fd, uint32_t hwpt)
{
	struct lui_device_attach cmd = {
		.argsz = sizeof(cmd),
		.pt_id = hwpt,
	};

	return call(fd, LUI_DEVICE_ATTACH, &cmd);
}

int lui_device_detach(int fd)
{
	struct lui_device_detach cmd = { .argsz = sizeof(cmd) };

	return call(fd, LUI_DEVICE_DETACH, &cmd);
}

int lui_device_dmabuf(int fd, uint32_t bar, uint64_t offset, uint64_t length)
{
	struct lui_device_dmabuf cmd = {
		.argsz = sizeof(cmd),
		.flags = LUI_FEATURE_GET | LUI_FEATURE_DMA_BUF,
		.region_index = bar,
		.open_flags = O_RDWR | O_CLOEXEC,
		.nr_ranges = 1,
		.offset = offset,
		.length = length,
	};
	int buf = ioctl(fd, LUI_DEVICE_FEATURE, &cmd);

	return buf < 0 ? -errno : buf;
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int lui_driver_bind(const char *address)
{
	char path[PATH_BYTES], driver[PATH_BYTES];
	ssize_t got;
	int rc;

	snprintf(path, sizeof(path), SYSFS_PCI "/devices/%s/driver", address);
	got = readlink(path, driver, sizeof(driver) - 1);
	if (got >= 0) {
		driver[got] = 0;
		return strcmp(basename(driver), DRIVER) ? -EBUSY : 0;
	}
	snprintf(path, sizeof(path), SYSFS_PCI "/devices/%s/driver_override",
		 address);
	rc = put(path, DRIVER);
	/* A probe that finds no driver is not an error to sysfs. */
	return rc ? rc : put(SYSFS_PCI "/drivers_probe", address);
}
