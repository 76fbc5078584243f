/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the IOMMU core's live update part share
 *
 * From bottom to top, each calls only what stands above it:
 *
 *   pages.c         pages that cross, one by one
 *   page-list.c     which pages a record owns
 *   records.c       arrays of records
 *   claims.c        each page has one owner
 *   parse.c         what the previous kernel says, checked
 *   attachment.c    entries of the hardware
 *   unit.c          old kernel: IOMMUs with kept devices
 *   domain.c        page tables, in both kernels
 *   device.c        devices in the old kernel, and their states
 *   probe.c         devices in the new kernel
 *   handover.c      the FLB: start and end of all of it
 *   adopt.c         IOMMU drivers ask for what came over
 *   inspect.c       what there is, for those who ask
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
 * struct iommu_lu_out - What goes to the next kernel
 * @lock:        Protects all of this and the states of what is preserved
 * @units:       Records of units
 * @domains:     Records of domains
 * @devices:     Records of devices
 * @attachments: Records of attachments
 * @unit_list:   &struct iommu_lu_unit
 * @domain_list: &struct iommu_lu_domain
 * @frozen:      Files that are frozen
 */
struct iommu_lu_out {
	/* Protects all of this and the states of what is preserved */
	struct mutex lock;
	struct iommu_lu_records units;
	struct iommu_lu_records domains;
	struct iommu_lu_records devices;
	struct iommu_lu_records attachments;
	struct list_head unit_list;
	struct list_head domain_list;
	unsigned int frozen;
};

/**
 * struct iommu_lu_in - State of the incoming handover
 * @lock:         Protects all of this and the states of what came over
 * @active:       True from the first look at the handover until its end
 * @ser:          Where it starts
 * @units:        Records of units
 * @domains:      Records of domains
 * @devices:      Records of devices
 * @attachments:  Records of attachments
 * @unit_slots:   Slot to &struct iommu_lu_unit
 * @domain_slots: Slot to &struct iommu_lu_domain
 * @device_slots: Slot to &struct iommu_lu_device
 * @unit_bases:   Page frame of the registers to &struct iommu_lu_unit
 * @device_rids:  Segment and requester ID to &struct iommu_lu_device
 * @pages:        By page frame, its owner: see claims.c
 * @all_claimed:  The pages of all page tables are in @pages
 * @ops:          Drivers by IOMMU_LU_TYPE_*
 * @all_settled:  Of these types no unit goes on without a driver that knows it
 */
struct iommu_lu_in {
	/* Protects all of this and the states of what came over */
	struct mutex lock;
	bool active;
	struct iommu_lu_ser *ser;
	struct iommu_lu_records units;
	struct iommu_lu_records domains;
	struct iommu_lu_records devices;
	struct iommu_lu_records attachments;
	struct xarray unit_slots;
	struct xarray domain_slots;
	struct xarray device_slots;
	struct xarray unit_bases;
	struct xarray device_rids;
	struct xarray pages;
	bool all_claimed;
	const struct iommu_liveupdate_ops *ops[IOMMU_LU_TYPES];
	bool all_settled[IOMMU_LU_TYPES];
};

extern struct iommu_lu_out iommu_lu_out;
extern struct iommu_lu_in iommu_lu_in;

static inline const struct iommu_liveupdate_ops *
iommu_lu_domain_ops(const struct iommu_domain *domain)
{
	return domain->owner ? domain->owner->lu_ops : NULL;
}

static inline const struct iommu_liveupdate_ops *
iommu_lu_unit_ops(const struct iommu_lu_unit *unit)
{
	return unit->iommu->ops->lu_ops;
}

/* Its unit leads it where it led, and nobody has found it */
static inline bool iommu_lu_device_unseen(const struct iommu_lu_device *lu)
{
	return lu->state == IOMMU_LU_INCOMING && !lu->linked;
}

/* claims.c */
int iommu_lu_claim(struct iommu_lu_in *in, phys_addr_t phys, unsigned int order,
		   unsigned long claim);
const char *iommu_lu_claim_unit(struct iommu_lu_in *in,
				struct iommu_lu_unit *unit);
bool iommu_lu_owned_by_unit(const struct iommu_lu_unit *unit, phys_addr_t phys);
const char *iommu_lu_claim_top(struct iommu_lu_in *in,
			       struct iommu_lu_domain *lu);
bool iommu_lu_claim_tables(struct iommu_lu_in *in, struct iommu_lu_domain *lu,
			   const struct iommu_liveupdate_ops *ops);
void iommu_lu_reject_unit(struct iommu_lu_unit *unit, const char *why);
void iommu_lu_reject_domain(struct iommu_lu_domain *lu, const char *why);

/* parse.c */
void iommu_lu_in_init(struct iommu_lu_in *in);
int iommu_lu_in_read(struct iommu_lu_in *in, u64 phys);
void iommu_lu_in_release(struct iommu_lu_in *in);
struct iommu_lu_unit *
iommu_lu_in_unit(struct iommu_lu_in *in, const struct iommu_liveupdate_ops *ops,
		 phys_addr_t base, u32 segment);
struct iommu_lu_device *iommu_lu_in_device(struct iommu_lu_in *in, u32 segment,
					   u16 rid);

/* attachment.c */
bool iommu_lu_in_hand(const struct iommu_lu_unit *unit);
bool iommu_lu_any_pending(struct iommu_lu_in *in);
bool iommu_lu_payload_known(const struct iommu_liveupdate_ops *ops,
			    const struct iommu_lu_record_ser *env, u32 size);
const char *iommu_lu_domain_error(struct iommu_lu_in *in,
				  struct iommu_lu_domain *lu);
void iommu_lu_block_device(struct iommu_lu_in *in, struct iommu_lu_device *lu);
void iommu_lu_block_unseen(struct iommu_lu_in *in,
			   struct iommu_lu_domain *domain);

/* unit.c */
struct iommu_lu_unit *iommu_lu_unit_get(struct iommu_lu_out *out,
					struct iommu_device *iommu);
void iommu_lu_unit_seal(struct iommu_lu_out *out, struct iommu_lu_unit *unit);
void iommu_lu_unit_put(struct iommu_lu_out *out, struct iommu_lu_unit *unit);

/* domain.c */
int iommu_lu_out_domain(struct iommu_lu_out *out, struct iommu_domain *domain,
			phys_addr_t user, u32 *index);
void iommu_lu_out_undo_domain(struct iommu_lu_out *out,
			      struct iommu_domain *domain);
struct iommu_domain *
iommu_lu_domain_instantiate(struct iommu_lu_in *in, struct iommu_lu_domain *lu);
void iommu_lu_free_unclaimed(struct iommu_lu_in *in);
int iommu_lu_in_release_domain(struct iommu_lu_in *in,
			       struct iommu_domain *domain);
bool iommu_lu_in_domain_used(struct iommu_lu_in *in,
			     struct iommu_domain *domain);

/* device.c */
struct iommu_lu_device *iommu_lu_out_device(struct iommu_lu_out *out);
int iommu_lu_out_fill_device(struct iommu_lu_out *out,
			     struct iommu_lu_device *lu, struct device *dev,
			     phys_addr_t user);
void iommu_lu_out_undo_device(struct iommu_lu_out *out,
			      struct iommu_lu_device *lu);
int iommu_lu_out_attachment(struct iommu_lu_out *out,
			    struct iommu_lu_device *lu, struct device *dev,
			    struct iommu_domain *domain, u32 pasid);

bool iommu_lu_device_rejected(struct device *dev);

#if IS_ENABLED(CONFIG_KUNIT)
struct iommu_domain *iommu_lu_attached_to(struct device *dev);
#endif

/* probe.c */
const char *iommu_lu_in_attach(struct iommu_lu_in *in,
			       struct iommu_lu_device *lu, struct device *dev);

/* handover.c */
int iommu_lu_in_get(void);
void iommu_lu_out_start(struct iommu_lu_out *out, struct iommu_lu_ser *ser);
void iommu_lu_out_end(struct iommu_lu_out *out);

#endif /* __IOMMU_LIVEUPDATE_INTERNAL_H */
