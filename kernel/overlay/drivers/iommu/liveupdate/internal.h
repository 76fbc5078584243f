/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What came from the previous kernel
 */
#ifndef __IOMMU_LIVEUPDATE_INTERNAL_H
#define __IOMMU_LIVEUPDATE_INTERNAL_H

#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "records.h"

/**
 * struct iommu_lu_in - A handover that is being worked off
 * @lock:         Protects all of this and the states of what came over
 * @active:       True from the first look at the handover until its end
 * @settled:      No unit goes on without a driver that knows of it
 * @ser:          Where it starts
 * @units:        Records of units
 * @domains:      Records of domains
 * @devices:      Records of devices
 * @unit_slots:   Slot to &struct iommu_lu_unit
 * @domain_slots: Slot to &struct iommu_lu_domain
 * @unit_bases:   Page frame of the registers to &struct iommu_lu_unit
 * @pages:        By page frame, what it is used for
 * @device_rids:  Segment and requester ID to &struct iommu_lu_device
 * @ops:          Drivers by IOMMU_LU_UNIT_*
 */
struct iommu_lu_in {
	/* Protects all of this and the states of what came over */
	struct mutex lock;
	bool active;
	bool settled;
	struct iommu_lu_ser *ser;
	struct iommu_lu_records units;
	struct iommu_lu_records domains;
	struct iommu_lu_records devices;
	struct xarray unit_slots;
	struct xarray domain_slots;
	struct xarray unit_bases;
	struct xarray pages;
	struct xarray device_rids;
	const struct iommu_liveupdate_ops *ops[IOMMU_LU_UNIT_TYPES];
};

static inline const struct iommu_liveupdate_ops *
iommu_lu_domain_ops(const struct iommu_domain *domain)
{
	return domain->owner ? domain->owner->lu_ops : NULL;
}

/* core.c */
int iommu_lu_in_get(void);
struct iommu_lu_records *iommu_lu_out_records(u32 magic);

/* parse.c */
int iommu_lu_in_read(struct iommu_lu_in *in, u64 phys);
void iommu_lu_in_release(struct iommu_lu_in *in);
void iommu_lu_in_init(struct iommu_lu_in *in);
int iommu_lu_in_claim(struct iommu_lu_in *in, phys_addr_t phys);
struct iommu_lu_unit *iommu_lu_in_unit(struct iommu_lu_in *in, u32 type,
				       phys_addr_t base, u32 segment);
struct iommu_lu_device *iommu_lu_in_device(struct iommu_lu_in *in, u32 segment,
					   u16 rid);

/* incoming.c */
extern struct iommu_lu_in iommu_lu_in;

void *iommu_lu_in_start(u64 phys);
void iommu_lu_in_end(void);
void iommu_lu_block_unseen(struct iommu_lu_domain *domain);
void iommu_lu_unlink_device(struct device *dev, struct iommu_lu_device *lu);
struct iommu_domain *
iommu_lu_domain_instantiate(struct iommu_lu_domain *lu);

/* Its unit leads it where it led, and nobody has found it */
static inline bool iommu_lu_device_unseen(const struct iommu_lu_device *lu)
{
	return lu->state == IOMMU_LU_INCOMING && !lu->linked;
}

#endif /* __IOMMU_LIVEUPDATE_INTERNAL_H */
