/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KEEP_H
#define KEEP_H

#include <stddef.h>
#include <stdint.h>

/* A virtual machine with one device, as its VMM has it */
struct vm {
	int ram; /* a memfd, mapped from guest address 0 on */
	size_t bytes;
	int iommufd;
	uint32_t hwpt;
	int nic; /* vfio-pci */
	const void *vcpu; /* what the VMM has to know */
	size_t length;
};

int keep(struct vm *vm);
int back(struct vm *vm);

#endif
