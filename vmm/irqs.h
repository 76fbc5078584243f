/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts of a vfio-pci device, as QEMU has them: each vector an eventfd with a
 * name in QEMU's state. QEMU does not arm them when it takes a device over, as they
 * still are; behind a kexec they are not.
 */
#ifndef LU_QEMU_IRQS_H
#define LU_QEMU_IRQS_H

#include <stdbool.h>

#include "cpr.h"
#include "lu-qemu.h"

/* What a file of a device is for, by its name */
enum irq_role {
	IRQ_NONE, /* no eventfd of a device that is known */
	IRQ_VECTOR, /* MSI or MSI-X, to QEMU */
	IRQ_VECTOR_KVM, /* the same past QEMU, into the guest */
	IRQ_INTX,
	IRQ_INTX_UNMASK,
	IRQ_ERROR,
	IRQ_REQUEST,
};

/* Of the file @name if it is one of @device, or of any device for NULL. */
enum irq_role irq_role(const char *name, const char *device);

/*
 * How the device at @address delivers interrupts: the VFIO_PCI_*_IRQ_INDEX, or -1
 * for none. @intx is what it is if it is neither MSI nor MSI-X.
 */
int irq_mode(const char *address, bool intx);

/*
 * Arms all of a device with the eventfds that @cpr names, and signals each vector
 * once, as its interrupt may have come in between. 0 or -errno with @why
 */
int irqs_arm(int device, const char *name, int mode, const struct cpr *cpr,
	     struct why *why);

#endif
