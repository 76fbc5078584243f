// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMUs that have kept devices, in the old kernel
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/error-injection.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "internal.h"
#include "page-list.h"

/**
 * iommu_lu_unit_seal - The record of a unit is as the next kernel will read it
 * @out:  What goes to the next kernel
 * @unit: The unit, whose list of pages grows and shrinks with its devices
 *
 * Context: With the lock of @out held.
 */
void iommu_lu_unit_seal(struct iommu_lu_out *out, struct iommu_lu_unit *unit)
{
	iommu_lu_pages_seal(&unit->pages);
	unit->ser->pages = iommu_lu_pages_phys(&unit->pages);
	unit->ser->nr_pages = unit->pages.nr;
	iommu_lu_record_seal(&out->units, unit->index);
}

/* Does another unit have the root table of this one in its list? */
static u32 root_owner(struct iommu_lu_out *out, struct iommu_lu_unit *unit)
{
	struct iommu_lu_unit *other;

	list_for_each_entry(other, &out->unit_list, link)
		if (other->ser->root == unit->ser->root)
			return other->ser->root_unit;
	return unit->index;
}

static int unit_fill(struct iommu_lu_out *out, struct iommu_lu_unit *unit)
{
	const struct iommu_liveupdate_ops *ops = iommu_lu_unit_ops(unit);
	struct iommu_lu_unit_ser *ser = unit->ser;
	int ret;

	ser->env.type = ops->type;
	ser->env.version = ops->version;
	ser->env.payload_size = ops->unit_size;
	ser->root_unit = unit->index;
	iommu_lu_pages_init(&unit->pages, IOMMU_LU_MAGIC_UNITS, unit->index);
	ret = ops->preserve_unit(unit);
	if (ret) {
		iommu_lu_pages_drop(&unit->pages);
		return ret;
	}
	ser->root_unit = root_owner(out, unit);
	return 0;
}

/**
 * iommu_lu_unit_get - An IOMMU is needed by something that is kept
 * @out:   What goes to the next kernel
 * @iommu: The IOMMU
 *
 * Context: With the lock of @out held; may sleep.
 * Return: the unit, to be put; -EOPNOTSUPP when its driver cannot hand it over
 * as it is; -ENOMEM.
 */
struct iommu_lu_unit *iommu_lu_unit_get(struct iommu_lu_out *out,
					struct iommu_device *iommu)
{
	struct iommu_lu_unit *unit = iommu->lu;
	int ret;

	lockdep_assert_held(&out->lock);

	if (unit) {
		unit->users++;
		return unit;
	}

	unit = kzalloc_obj(*unit);
	if (!unit)
		return ERR_PTR(-ENOMEM);
	unit->iommu = iommu;
	unit->users = 1;
	unit->ser = iommu_lu_record_alloc(&out->units, &unit->index);
	if (IS_ERR(unit->ser)) {
		ret = PTR_ERR(unit->ser);
		goto err_free;
	}
	ret = unit_fill(out, unit);
	if (ret)
		goto err_record;

	list_add_tail(&unit->link, &out->unit_list);
	iommu->lu = unit;
	iommu_lu_unit_seal(out, unit);
	return unit;

err_record:
	iommu_lu_record_free(&out->units, unit->index);
err_free:
	kfree(unit);
	return ERR_PTR(ret);
}

/*
 * The root table that others share stays with the unit that has it in its list,
 * which is not put before them.
 */
static bool root_is_shared(struct iommu_lu_out *out, struct iommu_lu_unit *unit)
{
	struct iommu_lu_unit *other;

	list_for_each_entry(other, &out->unit_list, link)
		if (other != unit && other->ser->root_unit == unit->index)
			return true;
	return false;
}

static void unit_drop(struct iommu_lu_out *out, struct iommu_lu_unit *unit)
{
	list_del(&unit->link);
	unit->iommu->lu = NULL;
	iommu_lu_unit_ops(unit)->unpreserve_unit(unit);
	iommu_lu_pages_drop(&unit->pages);
	iommu_lu_record_free(&out->units, unit->index);
	kfree(unit);
}

static struct iommu_lu_unit *unit_at(struct iommu_lu_out *out, u32 index)
{
	struct iommu_lu_unit *unit;

	list_for_each_entry(unit, &out->unit_list, link)
		if (unit->index == index)
			return unit;
	return NULL;
}

/**
 * iommu_lu_unit_put - Undo iommu_lu_unit_get()
 * @out:  What goes to the next kernel
 * @unit: The unit
 *
 * Context: With the lock of @out held; may sleep.
 */
void iommu_lu_unit_put(struct iommu_lu_out *out, struct iommu_lu_unit *unit)
{
	struct iommu_lu_unit *owner;

	lockdep_assert_held(&out->lock);

	if (--unit->users) {
		iommu_lu_unit_seal(out, unit);
		return;
	}
	if (root_is_shared(out, unit))
		return;
	owner = unit_at(out, unit->ser->root_unit);
	unit_drop(out, unit);
	/* It may have stayed for the root table alone */
	if (owner != unit && !owner->users && !root_is_shared(out, owner))
		unit_drop(out, owner);
}

/**
 * iommu_lu_unit_add_page - A page that a unit's hardware walks is kept
 * @unit:  The unit
 * @virt:  The page, preserved
 * @order: log2 of its size in pages
 *
 * The root table has to be the first.
 *
 * Context: From preserve_unit(), preserve_device() and preserve_attachment(); may
 * sleep.
 * Return: 0 or -ENOMEM.
 */
int iommu_lu_unit_add_page(struct iommu_lu_unit *unit, void *virt,
			   unsigned int order)
{
	return iommu_lu_pages_add(&unit->pages, virt_to_phys(virt), order);
}

/**
 * iommu_lu_unit_del_page - Undo iommu_lu_unit_add_page()
 * @unit: The unit
 * @virt: The page, not the root table
 *
 * Context: May sleep.
 */
void iommu_lu_unit_del_page(struct iommu_lu_unit *unit, void *virt)
{
	WARN_ON(iommu_lu_pages_del(&unit->pages, virt_to_phys(virt)));
}
