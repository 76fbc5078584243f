/* SPDX-License-Identifier: GPL-2.0-only */
/* What of the IOMMUs is preserved for the next kernel, or came from the last. */
#ifndef LUCTL_IOMMU_H
#define LUCTL_IOMMU_H

#include <stdbool.h>
#include <stdint.h>

#define IOMMU_FILE "/sys/kernel/liveupdate/iommu"
#define LEVELS_MAX 8

/* Numbers that are not known are -1; names "-". */
struct lu_unit {
	bool in;
	int64_t id;
	char driver[32];
	char name[32];
	int64_t tables;
};

struct lu_domain {
	bool in;
	int64_t id;
	int64_t unit;
	char kind[32];
	int64_t tables;
	int64_t level[LEVELS_MAX]; /* pages, from the top */
	unsigned int levels; /* 0 for unknown */
	char owner[24]; /* token of the iommufd */
	char token[24]; /* of the HWPT */
};

struct lu_device {
	bool in;
	char bdf[24];
	char state[16];
};

struct lu_attachment {
	bool in;
	char bdf[24];
	int64_t pasid;
	int64_t domain;
	int64_t did;
};

struct iommu {
	struct lu_unit *unit;
	struct lu_domain *domain;
	struct lu_device *device;
	struct lu_attachment *attachment;
	unsigned int units, domains, devices, attachments;
	int error; /* 0, or why the kernel's list could not be had */
};

void iommu_read(struct iommu *ret);
void iommu_free(struct iommu *i);

const struct lu_device *iommu_device(const struct iommu *i, const char *bdf,
				     bool in);
/* Came over, and its old tables are still there: its owner has not destroyed them. */
bool iommu_on_old_tables(const struct iommu *i, const struct lu_device *d);
unsigned int iommu_devices(const struct iommu *i, bool in);

#endif
