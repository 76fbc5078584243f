// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of the hardware, and the records that say what they have to be
 *
 * The driver of a unit goes through the tables it has adopted. It tells of each
 * entry that it sees (iommu_lu_entry_seen()), and reserves the ID by which the
 * hardware knows the domain there (iommu_lu_take_id()). With all entries seen it
 * asks of each whether it is kept (iommu_lu_keep_entry()). What is in the entry
 * only the driver knows; whose it is, and in which state that is, only the core.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "internal.h"

/* Value in struct iommu_lu_unit::ids: two domains have this ID */
#define ID_CONTESTED	xa_mk_value(U32_MAX)

static bool any_settled(const struct iommu_lu_in *in)
{
	for (unsigned int type = 0; type < IOMMU_LU_TYPES; type++)
		if (in->all_settled[type])
			return true;
	return false;
}

/**
 * iommu_lu_in_hand - Does a driver of this kernel know what a unit does?
 * @unit: The unit
 *
 * A record that is not believed may have the wrong type, so any driver will do
 * that has been through all its units, and has seen to those without a record.
 *
 * Return: true when nothing goes on behind it that is not known.
 */
bool iommu_lu_in_hand(const struct iommu_lu_unit *unit)
{
	if (unit->settled)
		return true;
	if (unit->rejected)
		return any_settled(unit->in);
	return unit->in->all_settled[unit->ser->env.type];
}

/**
 * iommu_lu_any_pending - Is there a unit that no driver knows of?
 * @in: The handover
 *
 * Context: With the lock of the handover held.
 * Return: true when a unit may go on with what the previous kernel has left.
 */
bool iommu_lu_any_pending(struct iommu_lu_in *in)
{
	struct iommu_lu_unit *unit;
	unsigned long i;

	xa_for_each(&in->unit_slots, i, unit)
		if (!iommu_lu_in_hand(unit))
			return true;
	return xa_empty(&in->unit_slots) && !any_settled(in);
}

static struct iommu_lu_device *device_of(struct iommu_lu_unit *unit, u32 id)
{
	struct iommu_lu_device *lu = NULL;

	/* Few units have a device whose ID is another one */
	if (!xa_empty(&unit->sources))
		lu = xa_load(&unit->sources, id);
	if (lu || id > U16_MAX)
		return lu;
	lu = iommu_lu_in_device(unit->in, unit->ser->segment, id);
	return lu && lu->ser->source_id == id ? lu : NULL;
}

static struct iommu_lu_attachment *attachment_of(struct iommu_lu_device *lu,
						 u32 pasid)
{
	struct iommu_lu_attachment *att;

	list_for_each_entry(att, &lu->attachments, link)
		if (att->ser->pasid == pasid)
			return att;
	return NULL;
}

/**
 * iommu_lu_payload_known - Can the payload of a record be read?
 * @ops:  Its driver's, NULL when that is not there
 * @env:  The record
 * @size: How long the driver's payload of this kind is, in bytes
 *
 * Return: true when the driver knows it.
 */
bool iommu_lu_payload_known(const struct iommu_liveupdate_ops *ops,
			    const struct iommu_lu_record_ser *env, u32 size)
{
	return ops && env->version == ops->version && env->payload_size == size;
}

/**
 * iommu_lu_domain_error - What is wrong with a domain, for its driver?
 * @in: The handover
 * @lu: The domain
 *
 * Many devices can be on one domain: the driver is asked until it once has nothing
 * to say.
 *
 * Context: With the lock of the handover held.
 * Return: what is wrong with it, or NULL.
 */
const char *iommu_lu_domain_error(struct iommu_lu_in *in,
				  struct iommu_lu_domain *lu)
{
	const struct iommu_liveupdate_ops *ops = in->ops[lu->ser->env.type];
	const char *why;

	lockdep_assert_held(&in->lock);

	if (lu->checked)
		return NULL;
	if (!ops)
		return "its driver is not there";
	if (!iommu_lu_payload_known(ops, &lu->ser->env, ops->domain_size))
		return "the driver does not know its payload";
	why = ops->domain_error(lu);
	lu->checked = !why;
	return why;
}

/* The driver is going to read their payloads */
static const char *entry_error(struct iommu_lu_in *in,
			       const struct iommu_lu_device *lu,
			       const struct iommu_lu_attachment *att)
{
	const struct iommu_liveupdate_ops *ops = in->ops[lu->ser->env.type];
	const char *why;

	if (!iommu_lu_payload_known(ops, &lu->ser->env, ops->device_size) ||
	    !iommu_lu_payload_known(ops, &att->ser->env, ops->attachment_size))
		return "the driver does not know its payload";
	if (att->domain->state != IOMMU_LU_INCOMING)
		return "its domain has no good record";
	why = iommu_lu_domain_error(in, att->domain);
	if (why)
		iommu_lu_reject_domain(att->domain, why);
	return why;
}

/**
 * iommu_lu_entry_seen - A unit's tables have an entry
 * @unit:      The unit
 * @source_id: Which device it is for, as the hardware says it
 * @pasid:     Which PASID of it, %IOMMU_LU_NO_PASID for none
 *
 * Context: Boot, after iommu_lu_adopt_unit(); may sleep.
 * Return: what it has to be, or NULL when it is to be cleared.
 */
struct iommu_lu_attachment *iommu_lu_entry_seen(struct iommu_lu_unit *unit,
						u32 source_id, u32 pasid)
{
	struct iommu_lu_attachment *att;
	struct iommu_lu_device *lu;
	const char *why;

	guard(mutex)(&unit->in->lock);
	lu = device_of(unit, source_id);
	if (!lu)
		return NULL;
	lu->found = true;
	if (lu->unit != unit || lu->state != IOMMU_LU_INCOMING)
		return NULL;
	att = attachment_of(lu, pasid);
	if (!att)
		return NULL;
	why = entry_error(unit->in, lu, att);
	if (!why)
		return att;
	iommu_lu_reject_device(lu, why);
	return NULL;
}

/**
 * iommu_lu_take_id - An ID of the hardware is taken
 * @unit: The unit
 * @att:  The attachment, whose entry is as recorded
 *
 * Several devices on one domain have one ID in a unit. Two domains never have:
 * what the hardware has cached of one would serve the other.
 *
 * Context: Boot; may sleep.
 * Return: 0 when it has to be reserved; -EEXIST when it is, for this domain;
 * -EBUSY when it is that of another domain, and so neither is kept; -ENOMEM.
 */
int iommu_lu_take_id(struct iommu_lu_unit *unit,
		     struct iommu_lu_attachment *att)
{
	void *own = xa_mk_value(att->domain->index), *seen;

	guard(mutex)(&unit->in->lock);
	seen = xa_cmpxchg(&unit->ids, att->ser->hw_id, NULL, own, GFP_KERNEL);
	if (!seen)
		return 0;
	if (xa_is_err(seen))
		return xa_err(seen);
	if (seen == own)
		return -EEXIST;
	xa_store(&unit->ids, att->ser->hw_id, ID_CONTESTED, GFP_KERNEL);
	return -EBUSY;
}

/**
 * iommu_lu_keep_entry - Is an entry, with all of them seen, to stay?
 * @unit: The unit
 * @att:  The attachment, whose entry is as recorded, its ID taken
 *
 * Context: Boot; may sleep.
 * Return: true when it stays; false when it is to be cleared, the device is
 * rejected then.
 */
bool iommu_lu_keep_entry(struct iommu_lu_unit *unit,
			 struct iommu_lu_attachment *att)
{
	guard(mutex)(&unit->in->lock);
	if (xa_load(&unit->ids, att->ser->hw_id) == ID_CONTESTED)
		iommu_lu_reject_device(att->device,
				       "its domain ID belongs to another domain");
	if (att->device->state != IOMMU_LU_INCOMING)
		return false;
	att->kept = true;
	att->domain->proven = true;
	return true;
}

/**
 * iommu_lu_entry_left - A live entry is as it would be written, and so is not
 * @att: The attachment
 *
 * Context: From the restore_attachment op.
 */
void iommu_lu_entry_left(struct iommu_lu_attachment *att)
{
	att->device->entries_left++;
}

/**
 * iommu_lu_entry_written - A live entry was written
 * @dev: Its device, of which nothing is counted unless it came over
 *
 * Context: With group->mutex held; may sleep.
 */
void iommu_lu_entry_written(struct device *dev)
{
	if (!iommu_lu_device_incoming(dev))
		return;
	guard(mutex)(&iommu_lu_in.lock);
	/* The session may have been finished meanwhile */
	if (iommu_lu_device_incoming(dev))
		dev->iommu->lu->entries_written++;
}

/**
 * iommu_lu_block_device - Clear all entries of a device
 * @in: The handover
 * @lu: The device
 *
 * With its entries cleared the device can do no harm, wherever it is.
 *
 * Context: With the lock of the handover held; may sleep.
 */
void iommu_lu_block_device(struct iommu_lu_in *in, struct iommu_lu_device *lu)
{
	struct iommu_lu_unit *unit = lu->unit;
	struct iommu_lu_attachment *att;

	lockdep_assert_held(&in->lock);

	if (!unit || !unit->iommu || !iommu_lu_in_hand(unit))
		return;
	list_for_each_entry(att, &lu->attachments, link)
		iommu_lu_unit_ops(unit)->block_attachment(unit, att);
}

static bool is_on(const struct iommu_lu_device *lu,
		  const struct iommu_lu_domain *domain)
{
	const struct iommu_lu_attachment *att;

	list_for_each_entry(att, &lu->attachments, link)
		if (att->domain == domain)
			return true;
	return false;
}

/**
 * iommu_lu_block_unseen - Block devices that nobody has found
 * @in:     The handover
 * @domain: What they are attached to, which goes away; NULL for any
 *
 * Context: With the lock of the handover held.
 */
void iommu_lu_block_unseen(struct iommu_lu_in *in,
			   struct iommu_lu_domain *domain)
{
	struct iommu_lu_device *lu;
	unsigned long i;

	if (domain && !domain->devices)
		return;
	xa_for_each(&in->device_slots, i, lu) {
		if (!iommu_lu_device_unseen(lu) ||
		    (domain && !is_on(lu, domain)))
			continue;
		iommu_lu_reject_device(lu, "it was not found");
		iommu_lu_block_device(in, lu);
	}
}
