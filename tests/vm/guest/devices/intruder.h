/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of the same owner that take no part in the live update: a network
 * card, and a drive that goes on trying by itself. Their rings lie in the same
 * preserved memory, so the next kernel can see anything they still write, and
 * a thread keeps their bus mastering on until the CPU it runs on is stopped,
 * so that nothing but the IOMMU can hold them back.
 */
#ifndef LU_INTRUDER_H
#define LU_INTRUDER_H

#include "vm.h"

struct intruders {
	struct vm *vm;
	struct device device[INTRUDERS_MAX];
	int iommufd;
	uint64_t rounds; /* of the hammer */
	unsigned int armed; /* had bus mastering on in the next kernel */
};

/* As many as the machine has; -ENODEV when it has none. */
int intruders_start(struct intruders *in, struct vm *vm);
/* Nobody else polls the devices any more when this is called. */
int intruders_hammer(struct intruders *in);
/* In the next kernel: lets them try again there as well. */
void intruders_adopt(struct intruders *in, struct vm *vm);
/*
 * Takes what is in the rings. Returns the number of transfers that nobody had
 * seen before. At the first call that includes some from before the kexec: the
 * hammer may not have had its CPU for the last moments.
 */
uint64_t intruders_scan(struct intruders *in);
/* The card among them, or NULL. */
struct device *intruders_nic(struct intruders *in);

#endif
