/* SPDX-License-Identifier: GPL-2.0-only */
/* A PCI device owned through its vfio character device. */
#ifndef LU_VFIO_H
#define LU_VFIO_H

#include <stddef.h>
#include <stdint.h>

#include "pci.h"

struct vfio {
	char bdf[BDF_BYTES];
	int fd;
	uint32_t devid;
	uint64_t config_at;
	volatile void *bar;
	size_t bar_bytes;
};

/* Opens the node of a device bound to vfio-pci; an fd or -errno. */
int vfio_cdev_open(const char *bdf);
/* The older way, with the iommufd as the group's container. */
int vfio_group_open(const char *bdf, int iommufd);
/* The same for a device of another bus, by its folder in sysfs. */
int vfio_cdev_open_at(const char *sysfs);
/* Starts from an fd, opened or retrieved: the next two. */
int vfio_start(struct vfio *v, const char *bdf, int fd, int iommufd);
int vfio_bind(int fd, int iommufd, uint32_t *ret_devid);
int vfio_find_config(struct vfio *v);
int vfio_attach(const struct vfio *v, uint32_t pt_id);
/* What it is attached to in the end: for an IOAS, a HWPT made for it. */
int vfio_attach_to(const struct vfio *v, uint32_t pt_id, uint32_t *ret_id);
int vfio_detach(const struct vfio *v);
/* The device alone, and with all others that a reset of its bus would hit. */
int vfio_reset(const struct vfio *v);
int vfio_hot_reset(const struct vfio *v);
/* One BAR, where vfio_read32() and vfio_write32() then are. */
int vfio_map_bar(struct vfio *v, unsigned int index);
/* A BAR as a dma-buf, to be mapped for devices with IOMMU_IOAS_MAP_FILE. */
int vfio_dmabuf(const struct vfio *v, unsigned int index, uint64_t bytes);
/* An eventfd that one of VFIO_PCI_..._IRQ_INDEX signals, or -errno. */
int vfio_event(const struct vfio *v, unsigned int index);
/* Signals it as the device would; and, for INTx, lets it be signalled again. */
int vfio_event_once(const struct vfio *v, unsigned int index);
int vfio_event_unmask(const struct vfio *v, unsigned int index);
int vfio_read16(const struct vfio *v, unsigned int at, uint16_t *ret);
int vfio_write16(const struct vfio *v, unsigned int at, uint16_t val);
/* Memory decoding and bus mastering on, written only where they are not. */
int vfio_enable(const struct vfio *v);
void vfio_close(struct vfio *v);

static inline uint32_t vfio_read32(const struct vfio *v, unsigned int at)
{
	return *(volatile uint32_t *)((volatile char *)v->bar + at);
}

static inline void vfio_write32(const struct vfio *v, unsigned int at,
				uint32_t val)
{
	*(volatile uint32_t *)((volatile char *)v->bar + at) = val;
}

#endif
