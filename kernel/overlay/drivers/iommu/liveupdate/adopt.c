// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU drivers take over their units
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "internal.h"
#include "pages.h"

/**
 * iommu_lu_early_kept - Did the previous kernel keep what a unit points to?
 * @phys: Where the hardware says that its table is
 * @size: How large it is
 *
 * The first of two phases, for a driver that has to decide before LUO is up
 * whether a unit may go on: KHO knows the block and its size. Whether it is that
 * table, and what is in it, nobody knows before iommu_lu_adopt_unit(); until then
 * the driver changes nothing in it that may be live.
 *
 * Context: Any, in a boot for which is_kho_boot() is true, from the start of the page
 * allocator on; also with interrupts off.
 * Return: true when there is one block of just that size.
 */
bool iommu_lu_early_kept(phys_addr_t phys, size_t size)
{
	return iommu_preserved_size(phys) == size;
}

/**
 * iommu_lu_adopt_unit - Ask for the record of an IOMMU
 * @iommu:   The IOMMU
 * @ops:     Its driver's
 * @base:    Physical address of its registers
 * @segment: Its PCI segment
 *
 * The second phase, with LUO up. To be called for each IOMMU, before anything is
 * changed in it that may be live.
 *
 * Context: Boot; may sleep.
 * Return: the unit; NULL when no kept device is behind this IOMMU; an error
 * pointer when there may be one but its record cannot be used.
 */
struct iommu_lu_unit *
iommu_lu_adopt_unit(struct iommu_device *iommu,
		    const struct iommu_liveupdate_ops *ops, phys_addr_t base,
		    u32 segment)
{
	struct iommu_lu_unit *unit;
	int ret;

	ret = iommu_lu_in_get();
	if (ret == -ENOENT || ret == -ENODATA)
		return NULL;
	if (ret)
		return is_kho_boot() ? ERR_PTR(ret) : NULL;

	guard(mutex)(&iommu_lu_in.lock);
	iommu_lu_in.ops[ops->type] = ops;
	unit = iommu_lu_in_unit(&iommu_lu_in, ops, base, segment);
	if (IS_ERR_OR_NULL(unit))
		return unit;
	unit->iommu = iommu;
	return unit;
}

/**
 * iommu_lu_abandon_unit - A unit does not go on with what came over
 * @unit: The unit; its driver has another table for it, or none
 *
 * Its kept devices are not attached any more when they turn up.
 *
 * Context: Boot; may sleep.
 */
void iommu_lu_abandon_unit(struct iommu_lu_unit *unit)
{
	guard(mutex)(&unit->in->lock);
	unit->iommu = NULL;
}

/**
 * iommu_lu_unit_settled - A driver has a unit in hand
 * @unit: The unit
 *
 * To be called when it goes on as before or with tables of this kernel, and
 * before the first device behind it is probed. Until then it may go on unseen:
 * nothing that it may lead to is given back, so that the memory stays what it is
 * until the next kexec.
 *
 * Context: May sleep.
 */
void iommu_lu_unit_settled(struct iommu_lu_unit *unit)
{
	guard(mutex)(&unit->in->lock);
	unit->settled = true;
}

/**
 * iommu_lu_unit_unsettled - A driver gives up a unit that it had in hand
 * @unit: The unit, which may go on
 *
 * Context: May sleep.
 */
void iommu_lu_unit_unsettled(struct iommu_lu_unit *unit)
{
	guard(mutex)(&unit->in->lock);
	unit->settled = false;
	unit->in->all_settled[unit->ser->env.type] = false;
}

/**
 * iommu_lu_type_settled - A driver has been through all its units
 * @type: IOMMU_LU_TYPE_*
 *
 * Also those units are in hand then of which there is no record that could be
 * used, or of which there is a record and which are not there.
 *
 * Context: Boot, before the first device is probed; may sleep.
 */
void iommu_lu_type_settled(u16 type)
{
	guard(mutex)(&iommu_lu_in.lock);
	iommu_lu_in.all_settled[type] = true;
}

/**
 * iommu_lu_unit_owns - Is a page one of a unit's tables?
 * @unit:  The unit, adopted
 * @phys:  The page, from a table of the unit, not trusted
 * @order: log2 of its size in pages
 *
 * Context: Boot; may sleep.
 * Return: true when it is in the list of the unit, or of that with which it shares
 * its root table.
 */
bool iommu_lu_unit_owns(struct iommu_lu_unit *unit, phys_addr_t phys,
			unsigned int order)
{
	guard(mutex)(&unit->in->lock);
	return iommu_preserved_size(phys) == PAGE_SIZE << order &&
	       iommu_lu_owned_by_unit(unit, phys);
}
