/* SPDX-License-Identifier: GPL-2.0-only */
/* /sys/kernel/liveupdate/iommu: what is kept for the next kernel, and what came. */
#ifndef LU_INSPECT_H
#define LU_INSPECT_H

#include <stdint.h>

#define INSPECT_PATH "/sys/kernel/liveupdate/iommu"
#define INSPECT_MAX 16

/* What is not known is "-" where it is text, and 0 where it is a number. */
struct inspect_unit {
	unsigned int id;
	char driver[32];
	char name[32];
	uint64_t tables;
};

struct inspect_domain {
	unsigned int id;
	char unit[16];
	char kind[20];
	uint64_t tables;
	char levels[64];
	char owner[24];
	char token[24];
};

struct inspect_device {
	char bdf[16];
	char state[16];
};

struct inspect_attachment {
	char bdf[16];
	char pasid[16];
	unsigned int domain;
	unsigned int did;
};

struct inspect {
	unsigned int units, domains, devices, attachments;
	struct inspect_unit unit[INSPECT_MAX];
	struct inspect_domain domain[INSPECT_MAX];
	struct inspect_device device[INSPECT_MAX];
	struct inspect_attachment attachment[INSPECT_MAX];
};

/*
 * One side of it, "out" or "in". 0 or -errno: -EPROTO when a line is not as it is
 * documented.
 */
int inspect_read(struct inspect *what, const char *side);
/* NULL when there is none of it. */
const struct inspect_device *inspect_device(const struct inspect *what,
					    const char *bdf);
const struct inspect_attachment *inspect_attachment(const struct inspect *what,
						    const char *bdf);

#endif
