// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASID tables of the previous kernel
 *
 * In scalable mode the context entry of a device leads to its PASID directory,
 * which no other device has. The new kernel goes on with that: a device that turns
 * up and has a live context entry gets the directory which that leads to, and never
 * a second one behind it. It is freed with the device, like one of this kernel.
 */
#define pr_fmt(fmt) "DMAR: liveupdate: " fmt

#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "../liveupdate/pages.h"
#include "iommu.h"
#include "liveupdate.h"
#include "liveupdate-entry.h"
#include "pasid.h"

/* ---- The unit is adopted ------------------------------------------------- */

static const struct iommu_lu_vtd_device_ser *
vtd_device(const struct iommu_lu_device *lu)
{
	return iommu_lu_payload(lu->ser, const struct iommu_lu_vtd_device_ser);
}

static unsigned int dir_entries(const struct iommu_lu_device *lu)
{
	return (PAGE_SIZE << vtd_device(lu)->dir_order) /
	       sizeof(struct pasid_dir_entry);
}

/* A page that is in the list of the unit, and that the hardware walks */
static void *take_page(struct iommu_lu_unit *unit, u64 phys, unsigned int order)
{
	if (phys == unit->ser->root || !iommu_lu_unit_owns(unit, phys, order))
		return NULL;
	return iommu_page_restore(phys);
}

static const char *entry_error(struct intel_iommu *iommu,
			       const struct pasid_entry *entry,
			       const struct iommu_lu_attachment *att)
{
	struct intel_lu_target target;
	struct pasid_entry want;

	intel_lu_target_of_record(&target, att->domain->ser, att->ser->hw_id);
	intel_lu_fill_pasid(iommu, &want, &target);
	if (memcmp(entry, &want, sizeof(want)))
		return "an entry of its PASID table is not as recorded";
	return NULL;
}

static const char *adopt_table(struct intel_iommu *iommu,
			       struct iommu_lu_unit *unit,
			       struct iommu_lu_device *lu,
			       struct pasid_entry *table, u32 first)
{
	struct iommu_lu_attachment *att;
	const char *why = NULL;

	for (u32 i = intel_lu_next_pasid(table, 0); i < PASID_TBL_ENTRIES;
	     i = intel_lu_next_pasid(table, i + 1)) {
		u32 pasid = first + i ?: IOMMU_LU_NO_PASID;

		att = iommu_lu_entry_seen(unit, lu->ser->source_id, pasid);
		if (!att) {
			pasid_clear_entry(&table[i]);
			continue;
		}
		why = entry_error(iommu, &table[i], att);
		if (!why)
			why = intel_lu_adopt_attachment(iommu, unit, att);
		if (why)
			break;
	}
	__iommu_flush_cache(iommu, table, VTD_PAGE_SIZE);
	return why;
}

/**
 * intel_lu_adopt_pasids - Go on with the PASID directory of a device
 * @iommu: The unit
 * @unit:  Its record
 * @lu:    The device, whose context entry is as recorded
 *
 * Context: Boot; may sleep.
 * Return: NULL, or why the device cannot go on. What was taken over by then is
 * lost, the hardware may walk it until it is told better.
 */
const char *intel_lu_adopt_pasids(struct intel_iommu *iommu,
				  struct iommu_lu_unit *unit,
				  struct iommu_lu_device *lu)
{
	const struct iommu_lu_vtd_device_ser *vtd = vtd_device(lu);
	unsigned int end = dir_entries(lu);
	struct pasid_dir_entry *dir;
	struct pasid_entry *table;
	const char *why = NULL;

	dir = take_page(unit, vtd->dir, vtd->dir_order);
	if (!dir)
		return "its PASID directory is not its own";
	for (unsigned int i = intel_lu_next_word(dir, 0, end); !why && i < end;
	     i = intel_lu_next_word(dir, i + 1, end)) {
		u64 phys = dir[i].val & VTD_PAGE_MASK;

		table = dir[i].val == (phys | PASID_PTE_PRESENT) ?
			take_page(unit, phys, 0) : NULL;
		if (table)
			why = adopt_table(iommu, unit, lu, table,
					  i << PASID_PDE_SHIFT);
		else
			dir[i].val = 0;
	}
	__iommu_flush_cache(iommu, dir, PAGE_SIZE << vtd->dir_order);
	return why;
}

static bool entry_present(const struct iommu_lu_attachment *att)
{
	const struct iommu_lu_device *lu = att->device;
	struct pasid_dir_entry *dir = phys_to_virt(vtd_device(lu)->dir);
	u32 pasid = intel_lu_pasid_index(att->ser->pasid);
	struct pasid_entry *table;

	/* That entry is the one of IOMMU_LU_NO_PASID */
	if (att->ser->pasid == IOMMU_NO_PASID ||
	    pasid >> PASID_PDE_SHIFT >= dir_entries(lu))
		return false;
	table = get_pasid_table_from_pde(&dir[pasid >> PASID_PDE_SHIFT]);
	return table && pasid_pte_is_present(&table[pasid & PASID_PTE_MASK]);
}

/**
 * intel_lu_settle_pasids - Do all entries of a device stay?
 * @unit: The unit
 * @lu:   The device, adopted, with the entries of all others seen
 *
 * Context: Boot; may sleep.
 * Return: false when its context entry is to be cleared, the device is rejected
 * then.
 */
bool intel_lu_settle_pasids(struct iommu_lu_unit *unit,
			    struct iommu_lu_device *lu)
{
	struct iommu_lu_attachment *att;

	list_for_each_entry(att, &lu->attachments, link) {
		if (entry_present(att))
			continue;
		iommu_lu_reject_device(lu, "an entry of its PASID tables is missing");
		return false;
	}
	list_for_each_entry(att, &lu->attachments, link)
		if (!iommu_lu_keep_entry(unit, att))
			return false;
	return true;
}

/* ---- A device is probed -------------------------------------------------- */

/* By segment and requester ID, context entries that nobody has taken over yet */
static DEFINE_XARRAY(adopted);

static unsigned long adopted_key(struct intel_iommu *iommu, u16 rid)
{
	return (unsigned long)iommu->segment << 16 | rid;
}

/**
 * intel_lu_adopted - A context entry of scalable mode stays
 * @iommu: The unit
 * @rid:   The device it is for
 *
 * An alias of another device can have an entry too, which is not its own: only what
 * came over is taken for that.
 *
 * Context: Boot; may sleep.
 * Return: 0 or -ENOMEM.
 */
int intel_lu_adopted(struct intel_iommu *iommu, u16 rid)
{
	return xa_err(xa_store(&adopted, adopted_key(iommu, rid),
			       xa_mk_value(1), GFP_KERNEL));
}

static bool live_entry(struct device_domain_info *info,
		       struct context_entry *seen)
{
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *entry;

	if (!(iommu->flags & VTD_FLAG_LU_LIVE) ||
	    !xa_erase(&adopted, adopted_key(iommu, PCI_DEVID(info->bus,
							     info->devfn))))
		return false;
	guard(spinlock)(&iommu->lock);
	entry = iommu_context_addr(iommu, info->bus, info->devfn, 0);
	if (!entry || !context_present(entry))
		return false;
	*seen = *entry;
	return true;
}

/* Would this kernel say the same of the device, but for page requests? */
static bool entry_fits(struct device_domain_info *info,
		       const struct context_entry *entry)
{
	unsigned int size = get_pasid_dir_size(entry) *
			    sizeof(struct pasid_dir_entry);
	struct context_entry want;

	intel_lu_fill_sm_context(&want, entry->lo & VTD_PAGE_MASK,
				 get_order(size), intel_lu_device_flags(info));
	return entry->lo == want.lo && entry->hi == want.hi;
}

/* The previous kernel has switched them off, this one can answer them */
static void allow_page_requests(struct device_domain_info *info)
{
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *entry;

	if (!info->pri_supported)
		return;
	scoped_guard(spinlock, &iommu->lock) {
		entry = iommu_context_addr(iommu, info->bus, info->devfn, 0);
		context_set_sm_pre(entry);
		__iommu_flush_cache(iommu, entry, sizeof(*entry));
	}
	iommu->flush.flush_context(iommu, 0, PCI_DEVID(info->bus, info->devfn),
				   DMA_CCMD_MASK_NOBIT, DMA_CCMD_DEVICE_INVL);
}

/**
 * intel_lu_alloc_pasid_table - Give a device its PASID table
 * @dev: The device, which is being probed
 *
 * When its context entry is live it has one already. If this kernel would give it
 * other rights than the entry does, that is cleared: then the device stops here.
 *
 * Context: May sleep.
 * Return: 0 or an error of intel_pasid_alloc_table().
 */
int intel_lu_alloc_pasid_table(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct pasid_table *table;
	struct context_entry entry;

	if (!live_entry(info, &entry))
		return intel_pasid_alloc_table(dev);
	if (!entry_fits(info, &entry)) {
		dev_err(dev, "live update: the context entry of the previous kernel does not fit, it is cleared\n");
		intel_lu_block_pasid(info->iommu,
				     PCI_DEVID(info->bus, info->devfn),
				     IOMMU_LU_NO_PASID);
		intel_pasid_teardown_sm_context(dev);
		return intel_pasid_alloc_table(dev);
	}

	table = kzalloc_obj(*table);
	if (!table)
		return -ENOMEM;
	table->table = phys_to_virt(entry.lo & VTD_PAGE_MASK);
	table->max_pasid = get_pasid_dir_size(&entry) << PASID_PDE_SHIFT;
	info->pasid_table = table;
	allow_page_requests(info);
	return 0;
}

/* An alias of another device leads to the directory of that */
static bool leads_to_own(struct device_domain_info *info)
{
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *entry;

	guard(spinlock)(&iommu->lock);
	entry = iommu_context_addr(iommu, info->bus, info->devfn, 0);
	return entry && context_present(entry) &&
	       (entry->lo & VTD_PAGE_MASK) ==
		       virt_to_phys(info->pasid_table->table);
}

/**
 * intel_lu_before_release - A device is about to lose its PASID tables
 * @info: The device
 *
 * One that came over and could not be probed was never attached, so nobody has
 * blocked it: then these tables may be in use, and cached.
 *
 * Context: May sleep.
 */
void intel_lu_before_release(struct device_domain_info *info)
{
	if (info->pasid_table && info->iommu->flags & VTD_FLAG_LU_LIVE &&
	    !info->domain_attached && leads_to_own(info))
		intel_lu_block_pasid(info->iommu,
				     PCI_DEVID(info->bus, info->devfn),
				     IOMMU_LU_NO_PASID);
}

/* ---- Entries ------------------------------------------------------------- */

/**
 * intel_lu_pasid_entry - Find the entry of a PASID by what the hardware walks
 * @iommu: The unit, whose tables are this kernel's
 * @rid:   The device, of which there may be none
 * @pasid: The PASID or %IOMMU_LU_NO_PASID
 *
 * Context: With iommu->lock held.
 * Return: the entry or NULL.
 */
struct pasid_entry *intel_lu_pasid_entry(struct intel_iommu *iommu, u16 rid,
					 u32 pasid)
{
	u32 index = intel_lu_pasid_index(pasid);
	struct context_entry *context;
	struct pasid_dir_entry *dir;
	struct pasid_entry *table;

	context = iommu_context_addr(iommu, PCI_BUS_NUM(rid), rid & 0xff, 0);
	if (!context || !context_present(context) ||
	    index >> PASID_PDE_SHIFT >= get_pasid_dir_size(context))
		return NULL;
	dir = phys_to_virt(context->lo & VTD_PAGE_MASK);
	table = get_pasid_table_from_pde(&dir[index >> PASID_PDE_SHIFT]);
	return table ? &table[index & PASID_PTE_MASK] : NULL;
}

/* Translations that a device has cached are served as long as this is there */
static void clear_context(struct intel_iommu *iommu, u16 rid)
{
	struct context_entry *entry = intel_lu_stop_context(iommu, rid);

	if (!entry)
		return;
	context_clear_entry(entry);
	__iommu_flush_cache(iommu, entry, sizeof(*entry));
}

/**
 * intel_lu_block_pasid - Block the DMA of a PASID
 * @iommu: The unit
 * @rid:   The device, of which there may be none
 * @pasid: The PASID or %IOMMU_LU_NO_PASID
 *
 * Context: May sleep; with the entry changed by nobody else.
 */
void intel_lu_block_pasid(struct intel_iommu *iommu, u16 rid, u32 pasid)
{
	u32 index = intel_lu_pasid_index(pasid);
	struct pasid_entry *entry;
	u16 did = 0, pgtt = 0;

	scoped_guard(spinlock, &iommu->lock) {
		entry = intel_lu_pasid_entry(iommu, rid, pasid);
		if (entry && pasid_pte_is_present(entry)) {
			did = pasid_get_domain_id(entry);
			pgtt = pasid_pte_get_pgtt(entry);
			pasid_clear_present(entry);
			__iommu_flush_cache(iommu, entry, sizeof(*entry));
		}
	}
	if (!did)
		return;

	iommu_flush_write_buffer(iommu);
	qi_flush_pasid_cache(iommu, did, QI_PC_PASID_SEL, index);
	if (pgtt == PASID_ENTRY_PGTT_FL_ONLY)
		qi_flush_piotlb_all(iommu, did, index);
	else
		iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
	if (!intel_lu_flush_device(iommu, rid))
		clear_context(iommu, rid);
	pasid_clear_entry(entry);
	__iommu_flush_cache(iommu, entry, sizeof(*entry));
}
