// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the entries of VT-d that lead to a domain have to be
 *
 * This is the one place that says so, for what is expected of the previous kernel
 * and for what replaces it. The driver writes the same bits when it attaches.
 */
#include <linux/iommu.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/string.h>

#include "iommu.h"
#include "liveupdate.h"
#include "liveupdate-entry.h"
#include "pasid.h"

/**
 * intel_lu_next_word - Find what is in a table, of which most is empty
 * @table: A table of words of 64 bits
 * @at:    The first word to look at
 * @end:   One more than the last one, a multiple of 8
 *
 * Tables are gone through while nothing else in the machine runs: eight words in
 * one look.
 *
 * Return: the first word from @at on that is not zero, @end when there is none.
 */
unsigned int intel_lu_next_word(const void *table, unsigned int at,
				unsigned int end)
{
	const u64 *word = table;

	for (; at % 8 && at < end; at++)
		if (word[at])
			return at;
	while (at < end && !(word[at] | word[at + 1] | word[at + 2] |
			     word[at + 3] | word[at + 4] | word[at + 5] |
			     word[at + 6] | word[at + 7]))
		at += 8;
	while (at < end && !word[at])
		at++;
	return at;
}

/**
 * intel_lu_next_pasid - Find an entry of a PASID table
 * @table: The table
 * @at:    The first entry to look at
 *
 * Return: the first one from @at on that is not clear, %PASID_TBL_ENTRIES when there
 * is none.
 */
unsigned int intel_lu_next_pasid(const struct pasid_entry *table,
				 unsigned int at)
{
	const unsigned int words = sizeof(*table) / sizeof(u64);

	return intel_lu_next_word(table, at * words,
				  PASID_TBL_ENTRIES * words) / words;
}

/**
 * intel_lu_target_of_domain - Describe a domain of this kernel
 * @target: Filled in
 * @domain: A paging domain
 * @did:    Its ID in the unit
 */
void intel_lu_target_of_domain(struct intel_lu_target *target,
			       struct dmar_domain *domain, u16 did)
{
	struct pt_iommu_x86_64_hw_info fs;
	struct pt_iommu_vtdss_hw_info ss;
	const struct pt_common *common;

	*target = (struct intel_lu_target){
		.did = did,
		.first = intel_domain_is_fs_paging(domain),
		.snoop = domain->force_snooping,
		.dirty = domain->dirty_tracking,
	};
	if (target->first) {
		pt_iommu_x86_64_hw_info(&domain->fspt, &fs);
		target->top = fs.gcr3_pt;
		target->levels = fs.levels;
		common = &domain->fspt.x86_64_pt.common;
	} else {
		pt_iommu_vtdss_hw_info(&domain->sspt, &ss);
		target->top = ss.ssptptr;
		target->levels = ss.aw + 2;
		common = &domain->sspt.vtdss_pt.common;
	}
	target->coherent = !(common->features & BIT(PT_FEAT_DMA_INCOHERENT));
}

/**
 * intel_lu_target_of_record - Describe a domain of the previous kernel
 * @target: Filled in
 * @ser:    Its record, for which intel_lu_domain_error() has nothing to say
 * @did:    Its ID in the unit
 */
void intel_lu_target_of_record(struct intel_lu_target *target,
			       const struct iommu_lu_domain_ser *ser, u16 did)
{
	const struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(ser, const struct iommu_lu_vtd_domain_ser);

	*target = (struct intel_lu_target){
		.top = ser->top,
		.did = did,
		.levels = vtd->pt.top_level + 1,
		.first = intel_lu_first_stage(ser),
		.snoop = vtd->flags & IOMMU_LU_VTD_FORCE_SNOOP,
		.coherent = !(vtd->pt.flags & IOMMU_PT_SER_DMA_INCOHERENT),
	};
}

/**
 * intel_lu_fill_context - The context entry of a device in legacy mode
 * @entry:  Filled in
 * @target: A domain of the second stage
 * @ats:    The device may ask for translations
 */
void intel_lu_fill_context(struct context_entry *entry,
			   const struct intel_lu_target *target, bool ats)
{
	context_clear_entry(entry);
	context_set_domain_id(entry, target->did);
	context_set_address_root(entry, target->top);
	context_set_address_width(entry, target->levels - 2);
	context_set_translation_type(entry, ats ? CONTEXT_TT_DEV_IOTLB :
						  CONTEXT_TT_MULTI_LEVEL);
	context_set_fault_enable(entry);
	context_set_present(entry);
}

/**
 * intel_lu_device_flags - What a device may ask for, as this kernel sees it
 * @info: The device
 *
 * Return: IOMMU_LU_VTD_ATS and IOMMU_LU_VTD_PASID, as in its record.
 */
u32 intel_lu_device_flags(const struct device_domain_info *info)
{
	u32 flags = 0;

	if (info->ats_supported)
		flags |= IOMMU_LU_VTD_ATS;
	if (sm_supported(info->iommu) && info->pasid_supported)
		flags |= IOMMU_LU_VTD_PASID;
	return flags;
}

/* In PDTS, 0 stands for 1 KiB */
#define SM_PDTS_OF_ORDER(order)	((order) + 2)

/**
 * intel_lu_fill_sm_context - The context entry of a device in scalable mode
 * @entry: Filled in, page requests off
 * @dir:   Physical address of its PASID directory
 * @order: log2 of the size of that in pages
 * @flags: From its record, or intel_lu_device_flags()
 */
void intel_lu_fill_sm_context(struct context_entry *entry, u64 dir,
			      unsigned int order, u32 flags)
{
	context_clear_entry(entry);
	entry->lo = dir | context_pdts(SM_PDTS_OF_ORDER(order));
	context_set_sm_rid2pasid(entry, IOMMU_NO_PASID);
	if (flags & IOMMU_LU_VTD_ATS)
		context_set_sm_dte(entry);
	if (flags & IOMMU_LU_VTD_PASID)
		context_set_pasid(entry);
	context_set_fault_enable(entry);
	context_set_present(entry);
}

/**
 * intel_lu_fill_pasid - The entry of a PASID table
 * @iommu:  The unit
 * @entry:  Filled in; not one that the hardware walks
 * @target: The domain
 */
void intel_lu_fill_pasid(struct intel_iommu *iommu, struct pasid_entry *entry,
			 const struct intel_lu_target *target)
{
	memset(entry, 0, sizeof(*entry));
	pasid_set_domain_id(entry, target->did);
	pasid_set_page_snoop(entry, target->coherent);
	if (target->first) {
		pasid_set_flptr(entry, target->top);
		if (target->levels == 5)
			pasid_set_flpm(entry, 1);
		if (target->snoop)
			pasid_set_pgsnp(entry);
		pasid_set_address_width(entry, iommu->agaw);
		pasid_set_translation_type(entry, PASID_ENTRY_PGTT_FL_ONLY);
	} else {
		pasid_set_slptr(entry, target->top);
		pasid_set_address_width(entry, target->levels - 2);
		pasid_set_translation_type(entry, PASID_ENTRY_PGTT_SL_ONLY);
		pasid_set_fault_enable(entry);
		if (target->dirty)
			pasid_set_ssade(entry);
	}
	pasid_set_present(entry);
}
