// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d goes on with the tables of the previous kernel
 */
#define pr_fmt(fmt) "DMAR: liveupdate: " fmt

#include <kunit/visibility.h>
#include <linux/cleanup.h>
#include <linux/crash_dump.h>
#include <linux/dmar.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/slab.h>

#include "../liveupdate/pages.h"
#include "../liveupdate/records.h"
#include "iommu.h"
#include "liveupdate.h"
#include "liveupdate-entry.h"

static const char *device_error(struct intel_iommu *iommu,
				const struct iommu_lu_device_ser *ser)
{
	const struct iommu_lu_vtd_device_ser *vtd =
		iommu_lu_payload(ser, const struct iommu_lu_vtd_device_ser);

	if (ser->rid != ser->source_id)
		return "its requester ID is not the one of its entry";
	if (vtd->flags & ~IOMMU_LU_VTD_DEVICE_FLAGS)
		return "it has bits that are not known";
	if (sm_supported(iommu) ? vtd->dir_order > INTEL_LU_DIR_ORDER :
				  vtd->dir || vtd->dir_order ||
				  vtd->flags & IOMMU_LU_VTD_PASID)
		return "it has no PASID directory of this kind";
	return NULL;
}

static bool context_is(struct intel_iommu *iommu,
		       const struct context_entry *entry,
		       const struct iommu_lu_attachment *att)
{
	const struct iommu_lu_device_ser *ser = att->device->ser;
	const struct iommu_lu_vtd_device_ser *vtd =
		iommu_lu_payload(ser, const struct iommu_lu_vtd_device_ser);
	struct intel_lu_target target;
	struct context_entry want;

	/* The second half of an entry of scalable mode has nothing in it */
	if (sm_supported(iommu) && (entry[1].lo | entry[1].hi))
		return false;
	intel_lu_target_of_record(&target, att->domain->ser, att->ser->hw_id);
	if (sm_supported(iommu))
		intel_lu_fill_sm_context(&want, vtd->dir, vtd->dir_order,
					 vtd->flags);
	else if (!target.first)
		intel_lu_fill_context(&want, &target,
				      vtd->flags & IOMMU_LU_VTD_ATS);
	else
		return false;
	return entry->lo == want.lo && entry->hi == want.hi;
}

/**
 * intel_lu_adopt_attachment - Go on with the domain of an attachment
 * @iommu: The unit
 * @unit:  Its record
 * @att:   The attachment, whose entry is as recorded
 *
 * Context: Boot; may sleep.
 * Return: NULL with its domain ID reserved, or why that cannot be.
 */
const char *intel_lu_adopt_attachment(struct intel_iommu *iommu,
				      struct iommu_lu_unit *unit,
				      struct iommu_lu_attachment *att)
{
	u32 did = att->ser->hw_id;

	if (did < IDA_START_DID || did >= iommu->max_domain_id)
		return "its domain ID is out of range";
	switch (iommu_lu_take_id(unit, att)) {
	case 0:
		if (ida_alloc_range(&iommu->domain_ida, did, did,
				    GFP_KERNEL) < 0)
			return "its domain ID cannot be reserved";
		return NULL;
	case -EEXIST:
		return NULL;
	case -EBUSY:
		return "its domain ID belongs to another domain";
	default:
		return "out of memory";
	}
}

/* It may have been told to write to memory that is somebody else's now */
static void stop_master(struct pci_dev *pdev)
{
	u16 cmd;

	pci_read_config_word(pdev, PCI_COMMAND, &cmd);
	if (!(cmd & PCI_COMMAND_MASTER))
		return;
	/* Drivers in a crash kernel expect that nobody has reset anything */
	if (is_kdump_kernel())
		pci_clear_master(pdev);
	else
		pci_liveupdate_rejected(pdev);
}

/* What goes on without its translations must not go on */
static void drop_entry(struct iommu_lu_unit *unit, struct context_entry *entry,
		       u16 rid)
{
	struct pci_dev *pdev;

	context_clear_entry(entry);
	pdev = pci_get_domain_bus_and_slot(unit->ser->segment, PCI_BUS_NUM(rid),
					   rid & 0xff);
	if (pdev && !pci_is_bridge(pdev))
		stop_master(pdev);
	pci_dev_put(pdev);
}

static const char *adopt_entry(struct intel_iommu *iommu,
			       struct iommu_lu_unit *unit,
			       const struct context_entry *entry,
			       struct iommu_lu_attachment *att)
{
	const char *why;

	why = device_error(iommu, att->device->ser);
	if (why)
		return why;
	if (!context_is(iommu, entry, att))
		return "its context entry is not as recorded";
	if (sm_supported(iommu))
		return intel_lu_adopt_pasids(iommu, unit, att->device);
	return intel_lu_adopt_attachment(iommu, unit, att);
}

static bool entry_fits(struct intel_iommu *iommu, struct iommu_lu_unit *unit,
		       const struct context_entry *entry, u16 rid)
{
	struct iommu_lu_attachment *att;
	const char *why;

	att = iommu_lu_entry_seen(unit, rid, IOMMU_LU_NO_PASID);
	if (!att)
		return false;
	why = adopt_entry(iommu, unit, entry, att);
	if (!why)
		return true;
	iommu_lu_reject_device(att->device, why);
	return false;
}

static bool entry_stays(struct intel_iommu *iommu, struct iommu_lu_unit *unit,
			u16 rid)
{
	struct iommu_lu_attachment *att;

	att = iommu_lu_entry_seen(unit, rid, IOMMU_LU_NO_PASID);
	if (!att)
		return false;
	if (!sm_supported(iommu))
		return iommu_lu_keep_entry(unit, att);
	if (!intel_lu_settle_pasids(unit, att->device))
		return false;
	if (!intel_lu_adopted(iommu, rid))
		return true;
	iommu_lu_reject_device(att->device, "out of memory");
	return false;
}

/* A context table that is taken over: places outside of first..last are clear */
struct adopted {
	struct context_entry *table;
	u16 first;
	u16 last;
};

/* Nearly all entries are clear: four of them in one look */
static unsigned int next_used(const struct context_entry *table,
			      unsigned int at)
{
	for (; at % 4 && at < INTEL_LU_ENTRIES; at++)
		if (table[at].lo | table[at].hi)
			return at;
	while (at < INTEL_LU_ENTRIES &&
	       !(table[at].lo | table[at].hi |
		 table[at + 1].lo | table[at + 1].hi |
		 table[at + 2].lo | table[at + 2].hi |
		 table[at + 3].lo | table[at + 3].hi))
		at += 4;
	while (at < INTEL_LU_ENTRIES && !(table[at].lo | table[at].hi))
		at++;
	return at;
}

/* The second half of an entry of scalable mode, which is zero */
static bool second_half(struct intel_iommu *iommu, unsigned int at)
{
	return sm_supported(iommu) && at & 1;
}

static void adopt_table(struct intel_iommu *iommu, struct iommu_lu_unit *unit,
			struct adopted *adopted, unsigned int index)
{
	struct context_entry *table = adopted->table;

	adopted->first = INTEL_LU_ENTRIES;
	for (unsigned int at = next_used(table, 0); at < INTEL_LU_ENTRIES;
	     at = next_used(table, at + 1)) {
		u16 rid = intel_lu_rid(iommu, index, at);

		if (second_half(iommu, at)) {
			context_clear_entry(&table[at]);
			continue;
		}
		if (!entry_fits(iommu, unit, &table[at], rid)) {
			drop_entry(unit, &table[at], rid);
			continue;
		}
		adopted->first = min_t(u16, adopted->first, at);
		adopted->last = at;
	}
}

/* With all entries seen: a domain ID may have turned out to be of two domains */
static void settle_table(struct intel_iommu *iommu, struct iommu_lu_unit *unit,
			 const struct adopted *adopted, unsigned int index)
{
	struct context_entry *table = adopted->table;

	for (unsigned int at = adopted->first;
	     at < INTEL_LU_ENTRIES && at <= adopted->last; at++) {
		u16 rid = intel_lu_rid(iommu, index, at);

		if (context_present(&table[at]) &&
		    !entry_stays(iommu, unit, rid))
			drop_entry(unit, &table[at], rid);
	}
	__iommu_flush_cache(iommu, table, VTD_PAGE_SIZE);
}

/* A table that is in the list of the unit, and that the hardware walks */
static struct context_entry *restore_table(struct intel_iommu *iommu,
					   struct iommu_lu_unit *unit,
					   unsigned int index, u64 root)
{
	u64 phys = root & VTD_PAGE_MASK;

	if (root != (phys | 1) || phys == unit->ser->root ||
	    (index & 1 && !sm_supported(iommu)) ||
	    !iommu_lu_unit_owns(unit, phys, 0))
		return NULL;
	return iommu_page_restore(phys);
}

static bool in_table(struct intel_iommu *iommu, struct pci_dev *pdev,
		     unsigned int index)
{
	return intel_lu_table(iommu, pdev->bus->number, pdev->devfn) == index;
}

/* Devices of this table without a driver: at boot, all of them */
static void drop_table(struct intel_iommu *iommu, struct iommu_lu_unit *unit,
		       u64 *root, unsigned int index)
{
	struct pci_dev *pdev = NULL;

	if (!*root)
		return;
	pr_warn("%s: a table of bus %#x is not among those kept, nothing of it is translated\n",
		iommu->name, index / 2);
	*root = 0;
	for_each_pci_dev(pdev)
		if (pci_domain_nr(pdev->bus) == unit->ser->segment &&
		    in_table(iommu, pdev, index) && !pci_is_bridge(pdev))
			stop_master(pdev);
}

static int adopt_tables(struct intel_iommu *iommu, struct iommu_lu_unit *unit,
			struct root_entry *root)
{
	struct adopted *tables __free(kfree) =
		kcalloc(INTEL_LU_TABLES, sizeof(*tables), GFP_KERNEL);

	if (!tables)
		return -ENOMEM;
	for (unsigned int i = 0; i < INTEL_LU_TABLES; i++) {
		u64 *entry = intel_lu_root(root, i);

		tables[i].table = restore_table(iommu, unit, i, *entry);
		if (tables[i].table)
			adopt_table(iommu, unit, &tables[i], i);
		else
			drop_table(iommu, unit, entry, i);
	}
	for (unsigned int i = 0; i < INTEL_LU_TABLES; i++)
		if (tables[i].table)
			settle_table(iommu, unit, &tables[i], i);
	__iommu_flush_cache(iommu, root, VTD_PAGE_SIZE);
	return 0;
}

/**
 * intel_lu_unit_error - What is wrong with the payload of a unit?
 * @unit: The unit
 *
 * Return: what is wrong with it, or NULL.
 */
const char *intel_lu_unit_error(const struct iommu_lu_unit *unit)
{
	const struct iommu_lu_vtd_unit_ser *vtd =
		iommu_lu_payload(unit->ser, const struct iommu_lu_vtd_unit_ser);

	if (vtd->mode > IOMMU_LU_VTD_SCALABLE)
		return "its mode is not known";
	if (vtd->reserved)
		return "it has bits that are not known";
	if (unit->ser->root_order || unit->ser->root_unit != unit->index)
		return "it has no root table of this kind";
	return NULL;
}

/* What the previous kernel says of the unit, against what the unit says */
static const char *unit_mismatch(struct intel_iommu *iommu,
				 const struct iommu_lu_unit_ser *ser, u64 rtaddr)
{
	const struct iommu_lu_vtd_unit_ser *vtd =
		iommu_lu_payload(ser, const struct iommu_lu_vtd_unit_ser);

	if (vtd->mode != (sm_supported(iommu) ? IOMMU_LU_VTD_SCALABLE :
						IOMMU_LU_VTD_LEGACY))
		return "its mode is another one";
	if ((rtaddr & VTD_PAGE_MASK) != ser->root)
		return "the root table is not as recorded";
	if (vtd->cap != iommu->cap || vtd->ecap != iommu->ecap)
		return "the capabilities are not as recorded";
	return NULL;
}

/**
 * intel_lu_adopt_root - Go on with what is as recorded
 * @iommu:  The unit
 * @unit:   Its record, believed
 * @rtaddr: What its register says is its root table
 *
 * Return: 0 with the root_entry of @iommu set, or an error.
 */
VISIBLE_IF_KUNIT int intel_lu_adopt_root(struct intel_iommu *iommu,
					 struct iommu_lu_unit *unit, u64 rtaddr)
{
	const struct iommu_lu_unit_ser *ser = unit->ser;
	struct root_entry *root;
	const char *why;
	int ret;

	why = unit_mismatch(iommu, ser, rtaddr);
	if (why) {
		iommu_lu_err("%s: %s\n", iommu->name, why);
		return -EINVAL;
	}
	root = iommu_page_restore(ser->root);
	if (!root)
		return -EINVAL;
	ret = adopt_tables(iommu, unit, root);
	/* Then it is lost: the hardware reads it until it has another one */
	if (ret)
		return ret;
	iommu->root_entry = root;
	return 0;
}

/* The kind of root table can only be changed with translation off */
static bool mode_changes(struct intel_iommu *iommu)
{
	u64 rtaddr = readq(iommu->reg + DMAR_RTADDR_REG);

	return !!(rtaddr & DMA_RTADDR_SMT) != !!sm_supported(iommu);
}

/* Nothing may go on that is not known to be translated as before */
static void stop_masters(struct intel_iommu *iommu)
{
	struct dmar_drhd_unit *drhd;
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev) {
		if (pci_domain_nr(pdev->bus) != iommu->segment ||
		    pdev->driver || pci_is_bridge(pdev))
			continue;
		/* What another unit translates is that one's business */
		drhd = dmar_find_matched_drhd_unit(pdev);
		if (!drhd || drhd->iommu == iommu)
			stop_master(pdev);
	}
}

/**
 * intel_lu_before_disable - Translation is about to be turned off
 * @iommu: The unit
 *
 * At boot, after a handover that this kernel does not follow, or in a crash
 * kernel, what is still translated would go on as DMA to physical addresses.
 *
 * Context: Any.
 */
void intel_lu_before_disable(struct intel_iommu *iommu)
{
	if (system_state >= SYSTEM_RUNNING ||
	    !(is_kho_boot() || is_kdump_kernel()) ||
	    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES))
		return;

	pr_err("%s: translation was left on by the previous kernel and is turned off, so all its devices are stopped\n",
	       iommu->name);
	stop_masters(iommu);
}

static const char *refusal(int err)
{
	switch (err) {
	case -EOPNOTSUPP:
		return "live update is off in this kernel";
	case -ENOENT:
		return "nothing came over that this kernel reads";
	case -ENOMEM:
		return "out of memory";
	case -EIO:
		return "interrupt remapping was off for a moment";
	default:
		return "its records are not as they should be";
	}
}

/**
 * intel_lu_restore_unit - Go on with the tables of the previous kernel
 * @iommu:        The unit, with QI set up and nothing else changed
 * @skip_disable: This machine has a graphics unit that is never turned off
 *
 * If the unit has kept devices, its root_entry is set on return, or, when the
 * handover cannot be used, left for a fresh table. In both cases translation
 * stays on. Only if this kernel is to use the unit in another mode it is left
 * to init_dmars() to turn it off, after intel_lu_before_disable().
 *
 * Context: init_dmars(), with dmar_global_lock held for writing.
 */
void __init intel_lu_restore_unit(struct intel_iommu *iommu, bool skip_disable)
{
	struct iommu_lu_unit *unit;
	int ret;

	if (is_kdump_kernel())
		return;

	scoped_class(iommu_lu_lap, lap, IOMMU_LU_STEP_ADOPT)
		unit = iommu_lu_adopt_unit(&iommu->iommu, &intel_liveupdate_ops,
					   iommu->reg_phys, iommu->segment);
	if (!(iommu->flags & VTD_FLAG_TRANS_PRE_ENABLED)) {
		if (!IS_ERR_OR_NULL(unit)) {
			pr_err("%s: translation is off, its devices are stopped\n",
			       iommu->name);
			stop_masters(iommu);
			iommu_lu_abandon_unit(unit);
		}
		return;
	}
	/*
	 * The previous kernel leaves it on for kept devices and nothing else,
	 * but for graphics units that cannot be turned off
	 */
	if (!unit && is_kho_boot() &&
	    !(skip_disable && iommu->drhd->gfx_dedicated))
		unit = ERR_PTR(-ENOENT);
	if (!unit)
		return;

	if (mode_changes(iommu)) {
		pr_err("%s: the mode is not the one of the previous kernel\n",
		       iommu->name);
		if (!IS_ERR(unit))
			iommu_lu_abandon_unit(unit);
		return;
	}

	/* Without this mark nobody turns translation off or copies tables */
	iommu->flags &= ~VTD_FLAG_TRANS_PRE_ENABLED;
	iommu->flags |= VTD_FLAG_LU_LIVE;

	ret = PTR_ERR_OR_ZERO(unit);
	if (!ret && intel_lu_irq_was_off())
		ret = -EIO;
	if (!ret) {
		CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_ADOPT);
		ret = intel_lu_adopt_root(iommu, unit,
					  readq(iommu->reg + DMAR_RTADDR_REG));
	}
	if (!ret) {
		pr_info("%s: goes on with the tables of the previous kernel\n",
			iommu->name);
		return;
	}

	pr_err("%s: cannot go on with the tables of the previous kernel, all DMA is blocked: %s (%pe)\n",
	       iommu->name, refusal(ret), ERR_PTR(ret));
	stop_masters(iommu);
	if (!IS_ERR(unit))
		iommu_lu_abandon_unit(unit);
}

/**
 * intel_lu_settled - All units go on as before, or with tables of this kernel
 *
 * Context: init_dmars(), with dmar_global_lock held for writing.
 */
void __init intel_lu_settled(void)
{
	intel_lu_settle_irqs();
	iommu_lu_type_settled(IOMMU_LU_TYPE_VTD);
}

/**
 * intel_lu_keeps_tables - Does the hardware go on walking a unit's tables?
 * @iommu: The unit, which is being given up
 *
 * When the driver gives up with translation on since the previous kernel, it
 * stays on: kept devices go on, all others are blocked. The memory of the tables
 * is lost until the next kexec.
 *
 * Context: init_dmars(), with dmar_global_lock held for writing.
 * Return: true when the tables are not to be freed and translation is not to be
 * turned off.
 */
bool __init intel_lu_keeps_tables(struct intel_iommu *iommu)
{
	if (!(iommu->flags & VTD_FLAG_LU_LIVE))
		return false;

	pr_err("%s: is given up, its tables stay as they are\n", iommu->name);
	return true;
}
