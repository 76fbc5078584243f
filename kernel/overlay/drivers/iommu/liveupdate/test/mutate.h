/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be broken in a handover
 */
#ifndef __IOMMU_LIVEUPDATE_MUTATE_H
#define __IOMMU_LIVEUPDATE_MUTATE_H

#include <linux/types.h>

struct iommu_lu_device_ser;
struct iommu_lu_unit_ser;

/* Of what a field is: the first one of this kind that is handed over */
enum mutate_kind {
	START, UNITS, DOMAINS, DEVICES, ATTACHMENTS, UNIT, DOMAIN, DEVICE,
	ATTACHMENT, UNIT_PAGES, DOMAIN_PAGES, IOMMUFD, VFIO,
	/* What the hardware has about the first device */
	ENTRY,
	KINDS
};

struct mutate_field {
	const char *name;
	u8 kind;
	u8 offset;
	u8 len;
};

/**
 * struct mutate_type - What there is to break of IOMMUs of one type
 * @fields:    In payloads, and in entries
 * @nr_fields: How many
 * @entry:     Where is the entry of a device?
 */
struct mutate_type {
	const struct mutate_field *fields;
	unsigned int nr_fields;
	void *(*entry)(const struct iommu_lu_unit_ser *unit,
		       const struct iommu_lu_device_ser *device);
};

extern const struct mutate_field mutate_fields[];
extern const unsigned int mutate_nr_fields;
extern const struct mutate_type mutate_vtd;
extern const struct mutate_type mutate_amd;

#endif /* __IOMMU_LIVEUPDATE_MUTATE_H */
