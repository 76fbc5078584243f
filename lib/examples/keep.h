/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KEEP_H
#define KEEP_H

#include <stddef.h>
#include <stdint.h>

/* A virtual machine with one device, as its VMM has it */
struct machine {
	int ram; /* a memfd */
	uint64_t start; /* its guest address */
	size_t bytes;
	int iommufd;
	uint32_t hwpt;
	int nic; /* vfio-pci */
	const char *address; /* "0000:00:05.0" */
	const void *vcpu; /* what the VMM has to know */
	size_t length;
};

int keep(struct machine *vm);
int back(struct machine *vm);

#endif
