/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the entries of VT-d that lead to a domain have to be
 */
#ifndef __INTEL_LIVEUPDATE_ENTRY_H
#define __INTEL_LIVEUPDATE_ENTRY_H

#include <linux/types.h>

struct context_entry;
struct device_domain_info;
struct dmar_domain;
struct intel_iommu;
struct iommu_lu_domain_ser;
struct pasid_entry;

/**
 * struct intel_lu_target - A domain, as an entry sees it
 * @top:      Physical address of its top table
 * @did:      Its domain ID in the unit
 * @levels:   How many levels its table has
 * @first:    The table is one of the first stage
 * @snoop:    All its DMA snoops the caches
 * @coherent: Walks of the table snoop the caches
 * @dirty:    The hardware marks what is written to
 */
struct intel_lu_target {
	u64 top;
	u16 did;
	u8 levels;
	bool first;
	bool snoop;
	bool coherent;
	bool dirty;
};

unsigned int intel_lu_next_word(const void *table, unsigned int at,
				unsigned int end);
unsigned int intel_lu_next_pasid(const struct pasid_entry *table,
				 unsigned int at);
void intel_lu_target_of_domain(struct intel_lu_target *target,
			       struct dmar_domain *domain, u16 did);
void intel_lu_target_of_record(struct intel_lu_target *target,
			       const struct iommu_lu_domain_ser *ser, u16 did);
void intel_lu_fill_context(struct context_entry *entry,
			   const struct intel_lu_target *target, bool ats);
u32 intel_lu_device_flags(const struct device_domain_info *info);
void intel_lu_fill_sm_context(struct context_entry *entry, u64 dir,
			      unsigned int order, u32 flags);
void intel_lu_fill_pasid(struct intel_iommu *iommu, struct pasid_entry *entry,
			 const struct intel_lu_target *target);

#endif /* __INTEL_LIVEUPDATE_ENTRY_H */
