/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt of a device, as its owner gets it: an eventfd, through vfio. One
 * vector is all that any device here uses.
 */
#ifndef LU_IRQ_H
#define LU_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "vfio.h"

enum irq_kind { IRQ_NONE, IRQ_INTX, IRQ_MSI, IRQ_MSIX };

struct irq {
	const struct vfio *vfio;
	enum irq_kind kind;
	int fd; /* -1: nobody listens */
	uint64_t count; /* heard so far */
};

/* 0 or -errno. */
int irq_arm(struct irq *irq, const struct vfio *v, enum irq_kind kind);
/* Signals as the device would, for what nobody heard. */
int irq_once(const struct irq *irq);
/* Was there one since the last call? Does not wait. */
bool irq_taken(struct irq *irq);
/* All that was due is taken: one that is level triggered may come again. */
void irq_next(const struct irq *irq);
void irq_close(struct irq *irq);

/* The registers say that the device has none of this kind armed; sysfs. */
bool irq_off(const char *bdf, enum irq_kind kind);

#endif
