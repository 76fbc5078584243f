// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi.h"
#include "vfio.h"

static int cdev_name(const char *sysfs, char *name, size_t size)
{
	char path[128];
	struct dirent *d;
	int rc = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/vfio-dev", sysfs);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (rc && (d = readdir(dir))) {
		if (strncmp(d->d_name, "vfio", 4))
			continue;
		snprintf(name, size, "/dev/vfio/devices/%.40s", d->d_name);
		rc = 0;
	}
	closedir(dir);
	return rc;
}

int vfio_cdev_open(const char *bdf)
{
	char sysfs[80];

	snprintf(sysfs, sizeof(sysfs), "/sys/bus/pci/devices/%s", bdf);
	return vfio_cdev_open_at(sysfs);
}

int vfio_cdev_open_at(const char *sysfs)
{
	char name[80];
	int fd, rc;

	rc = cdev_name(sysfs, name, sizeof(name));
	if (rc)
		return rc;
	fd = open(name, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int vfio_group_open(const char *bdf, int iommufd)
{
	char path[128], target[128], *base;
	int group, fd, rc = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 bdf);
	got = readlink(path, target, sizeof(target) - 1);
	if (got < 0)
		return -errno;
	target[got] = 0;
	base = strrchr(target, '/');
	snprintf(path, sizeof(path), "/dev/vfio%.20s", base ? base : "/none");
	group = open(path, O_RDWR | O_CLOEXEC);
	if (group < 0)
		return -errno;
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &iommufd))
		rc = -errno;
	if (!rc) {
		fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
		rc = fd < 0 ? -errno : fd;
	}
	close(group);
	return rc;
}

int vfio_bind(int fd, int iommufd, uint32_t *ret_devid)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.iommufd = iommufd,
	};

	if (ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &cmd))
		return -errno;
	*ret_devid = cmd.out_devid;
	return 0;
}

static int region(int fd, unsigned int index, struct vfio_region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	return ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

int vfio_find_config(struct vfio *v)
{
	struct vfio_region_info info;
	int rc;

	rc = region(v->fd, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	if (rc)
		return rc;
	v->config_at = info.offset;
	return 0;
}

int vfio_start(struct vfio *v, const char *bdf, int fd, int iommufd)
{
	int rc;

	memset(v, 0, sizeof(*v));
	snprintf(v->bdf, sizeof(v->bdf), "%s", bdf);
	v->fd = fd;
	rc = vfio_bind(fd, iommufd, &v->devid);
	return rc ? rc : vfio_find_config(v);
}

int vfio_map_bar(struct vfio *v, unsigned int index)
{
	struct vfio_region_info info;
	void *bar;
	int rc;

	rc = region(v->fd, VFIO_PCI_BAR0_REGION_INDEX + index, &info);
	if (rc)
		return rc;
	bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
		   info.offset);
	if (bar == MAP_FAILED)
		return -errno;
	v->bar = bar;
	v->bar_bytes = info.size;
	return 0;
}

int vfio_dmabuf(const struct vfio *v, unsigned int index, uint64_t bytes)
{
	union {
		struct vfio_device_feature feature;
		char room[sizeof(struct vfio_device_feature) +
			  sizeof(struct vfio_device_feature_dma_buf) +
			  sizeof(struct vfio_region_dma_range)];
	} cmd = {
		.feature = {
			.argsz = sizeof(cmd.room),
			.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_DMA_BUF,
		},
	};
	struct vfio_device_feature_dma_buf *buf = (void *)cmd.feature.data;
	int fd;

	buf->region_index = VFIO_PCI_BAR0_REGION_INDEX + index;
	buf->open_flags = O_RDWR | O_CLOEXEC;
	buf->nr_ranges = 1;
	buf->dma_ranges[0].length = bytes;
	fd = ioctl(v->fd, VFIO_DEVICE_FEATURE, &cmd);
	return fd < 0 ? -errno : fd;
}

static int pt_call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

int vfio_attach_to(const struct vfio *v, uint32_t pt_id, uint32_t *ret_id)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = pt_id,
	};
	int rc = pt_call(v->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);

	if (!rc)
		*ret_id = cmd.pt_id;
	return rc;
}

int vfio_attach(const struct vfio *v, uint32_t pt_id)
{
	uint32_t unused;

	return vfio_attach_to(v, pt_id, &unused);
}

int vfio_detach(const struct vfio *v)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return pt_call(v->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

int vfio_reset(const struct vfio *v)
{
	return ioctl(v->fd, VFIO_DEVICE_RESET) ? -errno : 0;
}

int vfio_hot_reset(const struct vfio *v)
{
	/* No group: with an iommufd, owning the devices is proof enough */
	struct vfio_pci_hot_reset cmd = { .argsz = sizeof(cmd) };

	return pt_call(v->fd, VFIO_DEVICE_PCI_HOT_RESET, &cmd);
}

int vfio_event(const struct vfio *v, unsigned int index)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} cmd = {
		.set = {
			.argsz = sizeof(cmd),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = index,
			.count = 1,
		},
		.fd = eventfd(0, EFD_CLOEXEC),
	};

	if (cmd.fd < 0 || ioctl(v->fd, VFIO_DEVICE_SET_IRQS, &cmd))
		return -errno;
	return cmd.fd;
}

static int irq_action(const struct vfio *v, unsigned int index, uint32_t action)
{
	struct vfio_irq_set cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_IRQ_SET_DATA_NONE | action,
		.index = index,
		.count = 1,
	};

	return pt_call(v->fd, VFIO_DEVICE_SET_IRQS, &cmd);
}

int vfio_event_once(const struct vfio *v, unsigned int index)
{
	return irq_action(v, index, VFIO_IRQ_SET_ACTION_TRIGGER);
}

int vfio_event_unmask(const struct vfio *v, unsigned int index)
{
	return irq_action(v, index, VFIO_IRQ_SET_ACTION_UNMASK);
}

int vfio_read16(const struct vfio *v, unsigned int at, uint16_t *ret)
{
	ssize_t got = pread(v->fd, ret, sizeof(*ret), v->config_at + at);

	return got == sizeof(*ret) ? 0 : -EIO;
}

int vfio_write16(const struct vfio *v, unsigned int at, uint16_t val)
{
	ssize_t done = pwrite(v->fd, &val, sizeof(val), v->config_at + at);

	return done == sizeof(val) ? 0 : -EIO;
}

int vfio_enable(const struct vfio *v)
{
	const uint16_t want = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	uint16_t cmd;
	int rc;

	rc = vfio_read16(v, PCI_COMMAND, &cmd);
	if (rc || (cmd & want) == want)
		return rc;
	return vfio_write16(v, PCI_COMMAND, cmd | want);
}

void vfio_close(struct vfio *v)
{
	if (v->bar)
		munmap((void *)v->bar, v->bar_bytes);
	v->bar = NULL;
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}
