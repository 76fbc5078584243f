// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "irq.h"
#include "pci.h"
#include "uapi.h"

#define INTX_DISABLE 0x400
#define CAP_MSI 0x05
#define MSI_ENABLE 0x1
#define CAP_MSIX 0x11
#define MSIX_ENABLE 0x8000
/* Of either capability */
#define CONTROL 2

static const unsigned int vfio_index[] = {
	[IRQ_INTX] = VFIO_PCI_INTX_IRQ_INDEX,
	[IRQ_MSI] = VFIO_PCI_MSI_IRQ_INDEX,
	[IRQ_MSIX] = VFIO_PCI_MSIX_IRQ_INDEX,
};

int irq_arm(struct irq *irq, const struct vfio *v, enum irq_kind kind)
{
	int fd = vfio_event(v, vfio_index[kind]);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		return -errno;
	irq->vfio = v;
	irq->kind = kind;
	/* From here on the thread that serves the device listens */
	__atomic_store_n(&irq->fd, fd, __ATOMIC_RELEASE);
	return 0;
}

int irq_once(const struct irq *irq)
{
	return vfio_event_once(irq->vfio, vfio_index[irq->kind]);
}

bool irq_taken(struct irq *irq)
{
	int fd = __atomic_load_n(&irq->fd, __ATOMIC_ACQUIRE);
	uint64_t more;

	if (fd < 0 || read(fd, &more, sizeof(more)) != sizeof(more))
		return false;
	__atomic_add_fetch(&irq->count, more, __ATOMIC_RELAXED);
	return true;
}

void irq_next(const struct irq *irq)
{
	if (irq->fd >= 0 && irq->kind == IRQ_INTX)
		vfio_event_unmask(irq->vfio, vfio_index[IRQ_INTX]);
}

void irq_close(struct irq *irq)
{
	if (irq->fd >= 0)
		close(irq->fd);
	irq->fd = -1;
}

static bool bit_off(const char *bdf, unsigned int cap, uint16_t bit)
{
	unsigned int at = pci_capability(bdf, cap);
	uint16_t control = 0;

	return !at || (!pci_read16(bdf, at + CONTROL, &control) &&
		       !(control & bit));
}

bool irq_off(const char *bdf, enum irq_kind kind)
{
	uint16_t command = 0;

	if (kind == IRQ_MSIX)
		return bit_off(bdf, CAP_MSIX, MSIX_ENABLE);
	if (kind == IRQ_MSI)
		return bit_off(bdf, CAP_MSI, MSI_ENABLE);
	return !pci_read16(bdf, PCI_COMMAND, &command) &&
	       (command & INTX_DISABLE);
}
