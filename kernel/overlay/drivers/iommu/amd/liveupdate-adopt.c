// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-Vi goes on with the device table of the previous kernel
 */
#define pr_fmt(fmt) "AMD-Vi: liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/bitfield.h>
#include <linux/cleanup.h>
#include <linux/crash_dump.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu_amd.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/xarray.h>

#include <asm/iommu.h>

#include "../iommu-pages.h"
#include "../liveupdate/pages.h"
#include "../liveupdate/records.h"
#include "amd_iommu.h"
#include "liveupdate.h"

/**
 * DOC: AMD-Vi at boot
 *
 * The driver is needed for interrupts long before LUO is up. So there are two
 * phases. In the first one (amd_lu_take_tables()) a unit that translates has its
 * device table taken over where it is, if KHO says that it is one block of that
 * size: entries that lead to a page table are left as they are, all others block.
 * Nothing is believed there that the hardware does not use already. In the second
 * one (amd_lu_adopt()), with the records read and before the first device is
 * probed, each entry that leads somewhere is compared with its record, and blocked
 * if it is not as that says.
 *
 * Translation is never turned off. A table that cannot be taken over is exchanged
 * for one of which all entries block, while the unit goes on.
 */

/* By index of the IOMMU, the units that came over and are believed */
VISIBLE_IF_KUNIT DEFINE_XARRAY(amd_lu_units);

/**
 * amd_lu_stays_on - Is a unit to go on translating while it is set up or left?
 * @iommu: The unit, which is about to be turned off
 *
 * At boot it goes on if the previous kernel has left it so, at the end if the next
 * one is to take it over.
 *
 * Context: Any, with nobody else using the unit.
 * Return: true when it must not be turned off; at boot, it is quiet then.
 */
bool amd_lu_stays_on(struct amd_iommu *iommu)
{
	if (system_state >= SYSTEM_RUNNING)
		return iommu_lu_jumping() && iommu->iommu.lu;
	/* Said of a unit before it is first asked to be turned off, then no more */
	if (translation_pre_enabled(iommu) && is_kho_boot() &&
	    !is_kdump_kernel())
		iommu->flags |= AMD_IOMMU_FLAG_LU_LIVE;
	if (!(iommu->flags & AMD_IOMMU_FLAG_LU_LIVE))
		return false;
	amd_lu_quiet(iommu);
	return true;
}

/**
 * amd_lu_live - Was translation never off in a segment since the previous kernel?
 * @seg: The segment
 *
 * Context: Any.
 * Return: true when a unit of it was left on. All entries of the device table block
 * then, if they do not lead somewhere.
 */
bool amd_lu_live(const struct amd_iommu_pci_seg *seg)
{
	struct amd_iommu *iommu;

	for_each_iommu(iommu)
		if (iommu->pci_seg == seg &&
		    iommu->flags & AMD_IOMMU_FLAG_LU_LIVE)
			return true;
	return false;
}

/* ---- The first phase ----------------------------------------------------- */

/* Where all units of a segment that translate have their table, 0 for nowhere */
static phys_addr_t __init live_table(struct amd_iommu_pci_seg *seg)
{
	struct amd_iommu *iommu;
	u64 found = 0, base;

	for_each_iommu(iommu) {
		if (iommu->pci_seg != seg ||
		    !(iommu->flags & AMD_IOMMU_FLAG_LU_LIVE))
			continue;
		base = readq(iommu->mmio_base + MMIO_DEV_TABLE_OFFSET);
		if (found && base != found)
			return 0;
		found = base;
	}
	if ((found & ~PAGE_MASK) + 1 != seg->dev_table_size >> PAGE_SHIFT)
		return 0;
	return found & PM_ADDR_MASK;
}

/* What is blocked in both, with what this kernel wants of interrupts */
static void __init take_entries(struct amd_iommu_pci_seg *seg,
				struct dev_table_entry *old)
{
	for (unsigned int devid = 0; devid < amd_lu_entries(seg); devid++) {
		const struct dev_table_entry *fresh = &seg->dev_table[devid];

		if (amd_lu_leads(&old[devid]))
			continue;
		amd_lu_write_lower(&old[devid],
				   fresh->data128[0] | DTE_FLAG_V);
		amd_lu_write_upper(&old[devid], fresh->data128[1]);
	}
}

static void __init block_entries(struct amd_iommu_pci_seg *seg)
{
	for (unsigned int devid = 0; devid < amd_lu_entries(seg); devid++)
		seg->dev_table[devid].data[0] |= DTE_FLAG_V;
}

static void __init take_table(struct amd_iommu_pci_seg *seg)
{
	phys_addr_t phys = live_table(seg);
	struct dev_table_entry *old;

	if (!phys || !iommu_lu_early_kept(phys, seg->dev_table_size)) {
		iommu_lu_err("segment %04x: its device table is not one that was kept, all DMA is blocked\n",
			     seg->id);
		block_entries(seg);
		return;
	}
	old = phys_to_virt(phys);
	take_entries(seg, old);
	iommu_free_pages(seg->dev_table);
	seg->dev_table = old;
}

/**
 * amd_lu_take_tables - Go on with the tables that live units use
 *
 * Context: Boot, before anything is enabled.
 */
void __init amd_lu_take_tables(void)
{
	struct amd_iommu_pci_seg *seg;

	for_each_pci_segment(seg)
		if (amd_lu_live(seg))
			take_table(seg);
}

/* ---- The second phase: units --------------------------------------------- */

/**
 * amd_lu_unit_error - What is wrong with the payload of a unit?
 * @unit: The unit
 *
 * Return: what is wrong with it, or NULL.
 */
const char *amd_lu_unit_error(const struct iommu_lu_unit *unit)
{
	if (unit->ser->root_order > AMD_LU_TABLE_ORDER)
		return "it has no device table of this kind";
	return NULL;
}

/* What the previous kernel says of the unit, against what the unit says */
static const char *__init unit_mismatch(struct amd_iommu *iommu,
					struct iommu_lu_unit *unit)
{
	const struct iommu_lu_amd_unit_ser *amd =
		iommu_lu_payload(unit->ser, const struct iommu_lu_amd_unit_ser);
	const struct amd_iommu_pci_seg *seg = iommu->pci_seg;
	phys_addr_t phys = virt_to_phys(seg->dev_table);

	if (amd_iommu_snp_en)
		return "SNP is on";
	if (amd->efr != amd_lu_efr(iommu) || amd->efr2 != amd_lu_efr2(iommu))
		return "the capabilities are not as recorded";
	if (unit->ser->root != phys ||
	    PAGE_SIZE << unit->ser->root_order != seg->dev_table_size ||
	    !iommu_lu_unit_owns(unit, phys, unit->ser->root_order))
		return "the device table is not as recorded";
	return NULL;
}

static const char *__init refusal(int err)
{
	switch (err) {
	case -EOPNOTSUPP:
		return "live update is off in this kernel";
	case -ENOENT:
		return "nothing came over that this kernel reads";
	case -ENOMEM:
		return "out of memory";
	default:
		return "its records are not as they should be";
	}
}

/**
 * amd_lu_take_unit - Go on with a unit as its record says
 * @iommu: The unit
 * @unit:  Its record, read
 *
 * Return: why not, or NULL.
 */
VISIBLE_IF_KUNIT const char *__init amd_lu_take_unit(struct amd_iommu *iommu,
						     struct iommu_lu_unit *unit)
{
	const char *why = unit_mismatch(iommu, unit);

	if (!why && xa_is_err(xa_store(&amd_lu_units, iommu->index, unit,
				       GFP_KERNEL)))
		why = "out of memory";
	return why;
}

/* Why a unit does not go on with what came over; NULL also when nothing did */
static const char *__init adopt_unit(struct amd_iommu *iommu)
{
	bool live = iommu->flags & AMD_IOMMU_FLAG_LU_LIVE;
	struct iommu_lu_unit *unit;
	const char *why;

	unit = iommu_lu_adopt_unit(&iommu->iommu, &amd_liveupdate_ops,
				   iommu->mmio_phys, iommu->pci_seg->id);
	/* The previous kernel leaves it on for kept devices and nothing else */
	if (!unit && live)
		unit = ERR_PTR(-ENOENT);
	if (IS_ERR(unit))
		return live ? refusal(PTR_ERR(unit)) : NULL;
	if (!unit)
		return NULL;
	why = live ? amd_lu_take_unit(iommu, unit) : "translation is off";
	if (why)
		iommu_lu_abandon_unit(unit);
	return why;
}

static struct iommu_lu_unit *__init unit_of(struct amd_iommu_pci_seg *seg,
					    u16 devid)
{
	struct amd_iommu *iommu = devid <= seg->last_bdf ?
				  seg->rlookup_table[devid] : NULL;

	return iommu ? xa_load(&amd_lu_units, iommu->index) : NULL;
}

/* Domain IDs are those of all units: one of them has the book */
static struct iommu_lu_unit *__init book_of_ids(void)
{
	unsigned long index = 0;

	return xa_find(&amd_lu_units, &index, ULONG_MAX, XA_PRESENT);
}

/* ---- The second phase: entries ------------------------------------------- */

/* It may have been told to write to memory that is somebody else's now */
static void __init stop_master(struct pci_dev *pdev)
{
	u16 cmd;

	pci_read_config_word(pdev, PCI_COMMAND, &cmd);
	if (cmd & PCI_COMMAND_MASTER)
		pci_liveupdate_rejected(pdev);
}

/* Nothing may go on that is not known to be translated as before */
static void __init stop_masters(struct amd_iommu *iommu)
{
	struct amd_iommu_pci_seg *seg = iommu->pci_seg;
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev) {
		u16 devid = pci_dev_id(pdev);

		if (pci_domain_nr(pdev->bus) == seg->id && !pdev->driver &&
		    !pci_is_bridge(pdev) && devid <= seg->last_bdf &&
		    seg->rlookup_table[devid] == iommu)
			stop_master(pdev);
	}
}

/**
 * amd_lu_flush_entry - No unit of a segment may have an entry, or what it led to
 * @seg:   The segment
 * @devid: The entry, changed
 * @domid: The domain ID that was in it
 */
VISIBLE_IF_KUNIT void amd_lu_flush_entry(struct amd_iommu_pci_seg *seg,
					 u16 devid, u32 domid)
{
	struct amd_iommu *iommu;

	KUNIT_STATIC_STUB_REDIRECT(amd_lu_flush_entry, seg, devid, domid);
	for_each_iommu(iommu) {
		if (iommu->pci_seg != seg)
			continue;
		iommu_flush_dte_sync(iommu, devid);
		amd_iommu_flush_tlb_domid(iommu, domid);
	}
}

/* What goes on without its translations must not go on */
static void __init drop_entry(struct amd_iommu_pci_seg *seg, u16 devid)
{
	u32 domid = seg->dev_table[devid].data[1] & DTE_DOMID_MASK;
	struct pci_dev *pdev;

	amd_lu_block_entry(seg, devid);
	amd_lu_flush_entry(seg, devid, domid);
	pdev = pci_get_domain_bus_and_slot(seg->id, PCI_BUS_NUM(devid),
					   devid & 0xff);
	if (pdev && !pci_is_bridge(pdev))
		stop_master(pdev);
	pci_dev_put(pdev);
}

static const char *__init reserve_id(struct iommu_lu_attachment *att)
{
	const struct iommu_lu_amd_domain_ser *amd =
		iommu_lu_payload(att->domain->ser,
				 const struct iommu_lu_amd_domain_ser);
	u32 id = att->ser->hw_id;

	if (!id || id >= MAX_DOMAIN_ID || id != amd->id)
		return "its domain ID is out of range, or not that of its domain";
	switch (iommu_lu_take_id(book_of_ids(), att)) {
	case 0:
		return amd_iommu_pdom_id_reserve(id, GFP_KERNEL) < 0 ?
		       "its domain ID cannot be reserved" : NULL;
	case -EEXIST:
		return NULL;
	case -EBUSY:
		return "its domain ID belongs to another domain";
	default:
		return "out of memory";
	}
}

static const char *__init adopt_entry(struct amd_iommu_pci_seg *seg,
				      struct dev_table_entry *dte,
				      struct iommu_lu_attachment *att)
{
	const struct iommu_lu_device_ser *ser = att->device->ser;
	const struct iommu_lu_amd_device_ser *amd =
		iommu_lu_payload(ser, const struct iommu_lu_amd_device_ser);
	struct dev_table_entry want;

	if (amd->flags & ~IOMMU_LU_AMD_DEVICE_FLAGS || amd->reserved)
		return "it has bits that are not known";
	if (ser->rid != ser->source_id)
		return "its requester ID is not the one of its entry";
	if (amd_lu_shared_rid(seg, ser->rid))
		return "its requester ID is that of something else too";
	amd_lu_fill_entry(&want, seg, att);
	if (dte->data128[0] != want.data128[0] ||
	    dte->data[2] != DTE_IRQ_REMAP_ENABLE || dte->data[3])
		return "its device table entry is not as recorded";
	return reserve_id(att);
}

static bool __init entry_fits(struct amd_iommu_pci_seg *seg, u16 devid)
{
	struct iommu_lu_unit *unit = unit_of(seg, devid);
	struct iommu_lu_attachment *att;
	const char *why;

	att = unit ? iommu_lu_entry_seen(unit, devid, IOMMU_LU_NO_PASID) : NULL;
	if (!att)
		return false;
	why = adopt_entry(seg, &seg->dev_table[devid], att);
	if (!why)
		return true;
	iommu_lu_reject_device(att->device, why);
	return false;
}

/* With all entries seen: a domain ID may have turned out to be of two domains */
static bool __init entry_stays(struct amd_iommu_pci_seg *seg, u16 devid)
{
	struct iommu_lu_attachment *att;

	att = iommu_lu_entry_seen(unit_of(seg, devid), devid, IOMMU_LU_NO_PASID);
	return att && iommu_lu_keep_entry(book_of_ids(), att);
}

static void __init see_entries(struct amd_iommu_pci_seg *seg,
			       bool (*stays)(struct amd_iommu_pci_seg *, u16))
{
	for (unsigned int devid = 0; devid < amd_lu_entries(seg); devid++)
		if (amd_lu_leads(&seg->dev_table[devid]) && !stays(seg, devid))
			drop_entry(seg, devid);
}

/* Without interrupt remapping they pass, as those of all other devices do */
static void __init pass_irqs(struct amd_iommu_pci_seg *seg)
{
	for (unsigned int devid = 0; devid < amd_lu_entries(seg); devid++)
		if (amd_lu_leads(&seg->dev_table[devid]))
			amd_lu_write_upper(&seg->dev_table[devid], 0);
}

/* ---- The second phase: the table ----------------------------------------- */

static bool __init any_unit(struct amd_iommu_pci_seg *seg)
{
	struct amd_iommu *iommu;

	for_each_iommu(iommu)
		if (iommu->pci_seg == seg && xa_load(&amd_lu_units, iommu->index))
			return true;
	return false;
}

/*
 * Nobody has vouched for the table, and nothing in it leads anywhere any more. It
 * is lost with the memory that it is in. Without memory for another one it stays in
 * use, and is not handed on.
 */
static void __init renew_table(struct amd_iommu_pci_seg *seg)
{
	struct dev_table_entry *old = seg->dev_table, *fresh;
	struct amd_iommu *iommu;
	u64 base;

	fresh = iommu_alloc_pages_sz(GFP_KERNEL | GFP_DMA32,
				     seg->dev_table_size);
	if (!fresh)
		return;
	memcpy(fresh, old, seg->dev_table_size);
	base = iommu_virt_to_phys(fresh) |
	       ((seg->dev_table_size >> PAGE_SHIFT) - 1);
	seg->dev_table = fresh;
	for_each_iommu(iommu) {
		if (iommu->pci_seg != seg)
			continue;
		writeq(base, iommu->mmio_base + MMIO_DEV_TABLE_OFFSET);
		amd_iommu_flush_all_caches(iommu);
	}
}

static void __init adopt_table(struct amd_iommu_pci_seg *seg)
{
	phys_addr_t phys = virt_to_phys(seg->dev_table);
	bool kept = iommu_preserved_size(phys);

	see_entries(seg, entry_fits);
	if (!kept)
		return;
	if (!any_unit(seg) || !iommu_page_restore(phys)) {
		renew_table(seg);
		return;
	}
	if (!iommu_lu_quiet)
		pr_info("segment %04x: goes on with the device table of the previous kernel\n",
			seg->id);
}

/**
 * amd_lu_adopt_tables - Go on with all entries that are as recorded
 *
 * All units that are believed were taken before, with amd_lu_take_unit().
 */
VISIBLE_IF_KUNIT void __init amd_lu_adopt_tables(void)
{
	struct amd_iommu_pci_seg *seg;

	for_each_pci_segment(seg)
		if (amd_lu_live(seg))
			adopt_table(seg);
	for_each_pci_segment(seg) {
		if (!amd_lu_live(seg))
			continue;
		see_entries(seg, entry_stays);
		if (!amd_iommu_irq_remap)
			pass_irqs(seg);
	}
}

/**
 * amd_lu_adopt - Go on with what is as recorded
 *
 * Context: Boot, with LUO and PCI up and before a domain ID is taken or a device is
 * probed; may sleep.
 */
void __init amd_lu_adopt(void)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_ADOPT);
	struct amd_iommu *iommu;
	const char *why;

	if (is_kdump_kernel())
		return;
	for_each_iommu(iommu) {
		why = adopt_unit(iommu);
		if (!why)
			continue;
		pr_err("IOMMU%d: cannot go on with what the previous kernel has left, all DMA is blocked: %s\n",
		       iommu->index, why);
		stop_masters(iommu);
	}
	amd_lu_adopt_tables();
	iommu_lu_type_settled(IOMMU_LU_TYPE_AMD);
}

/* ---- When something goes wrong ------------------------------------------- */

/**
 * amd_lu_gives_up - Does the hardware go on walking tables of a driver that gives up?
 *
 * With translation on since the previous kernel, it stays on: kept devices go on,
 * all others are blocked. The memory of the tables is lost until the next kexec.
 *
 * Context: Boot.
 * Return: true when nothing is to be freed or turned off.
 */
bool __init amd_lu_gives_up(void)
{
	struct amd_iommu_pci_seg *seg;
	struct iommu_lu_unit *unit;
	unsigned long index;
	bool live = false;

	for_each_pci_segment(seg)
		live |= amd_lu_live(seg);
	if (!live)
		return false;
	xa_for_each(&amd_lu_units, index, unit)
		iommu_lu_unit_unsettled(unit);
	pr_err("all units are given up, their tables stay as they are\n");
	return true;
}

/**
 * amd_lu_ignore_entry - Block a device that cannot be probed
 * @iommu: Its unit
 * @devid: The device
 *
 * The driver lets such a device pass, which must not be where it may be at work
 * since the previous kernel: then it is blocked, and what it has led to is
 * forgotten.
 *
 * Context: Any that may wait for a unit.
 * Return: true when it is blocked, false when it may pass.
 */
bool amd_lu_ignore_entry(struct amd_iommu *iommu, u16 devid)
{
	struct amd_iommu_pci_seg *seg = iommu->pci_seg;
	u32 domid = seg->dev_table[devid].data[1] & DTE_DOMID_MASK;

	if (!amd_lu_live(seg))
		return false;
	amd_lu_block_entry(seg, devid);
	amd_lu_flush_entry(seg, devid, domid);
	return true;
}
