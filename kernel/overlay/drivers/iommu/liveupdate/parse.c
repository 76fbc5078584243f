// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading what the previous kernel says about its IOMMUs
 *
 * The core reads and checks envelopes, references between records, and whose
 * each page is. Payloads are left to the driver that the envelope names.
 *
 * Nothing here touches a device, and nothing that is read is believed before it
 * is checked. Nothing here locks either; the callers do.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "internal.h"
#include "page-list.h"
#include "pages.h"
#include "records.h"

static unsigned long device_key(u32 segment, u16 rid)
{
	return (unsigned long)segment << 16 | rid;
}

/**
 * iommu_lu_in_device - Look up the record of a device
 * @in:      The handover
 * @segment: PCI segment
 * @rid:     PCI requester ID
 *
 * Return: the device, or NULL.
 */
struct iommu_lu_device *iommu_lu_in_device(struct iommu_lu_in *in, u32 segment,
					   u16 rid)
{
	return xa_load(&in->device_rids, device_key(segment, rid));
}

static bool root_rejected(struct iommu_lu_in *in,
			  const struct iommu_lu_unit *unit)
{
	const struct iommu_lu_unit *owner;

	owner = xa_load(&in->unit_slots, unit->ser->root_unit);
	return !owner || owner->rejected;
}

/**
 * iommu_lu_in_unit - Look up the record of a unit
 * @in:      The handover
 * @ops:     Its driver's
 * @base:    Physical address of its registers
 * @segment: Its PCI segment
 *
 * Return: the unit; NULL when there is none; -EINVAL when what the record says
 * is not so, or it is not believed.
 */
struct iommu_lu_unit *
iommu_lu_in_unit(struct iommu_lu_in *in, const struct iommu_liveupdate_ops *ops,
		 phys_addr_t base, u32 segment)
{
	const struct iommu_lu_unit_ser *ser;
	struct iommu_lu_unit *unit;
	const char *why;

	unit = xa_load(&in->unit_bases, PHYS_PFN(base));
	if (!unit)
		return NULL;
	if (unit->rejected)
		return ERR_PTR(-EINVAL);
	ser = unit->ser;
	if (ser->env.type != ops->type || ser->base != base ||
	    ser->segment != segment)
		why = "what is there is something else";
	else if (root_rejected(in, unit))
		why = "the unit that has its root table has no good record";
	else if (ser->env.version != ops->version ||
		 ser->env.payload_size != ops->unit_size)
		why = "the driver does not know its payload";
	else
		why = ops->unit_error(unit);
	if (!why)
		return unit;
	iommu_lu_reject_unit(unit, why);
	return ERR_PTR(-EINVAL);
}

/**
 * iommu_lu_reject_device - Do not believe the record of a device
 * @lu:  The device
 * @why: What is wrong, for the log
 *
 * The driver has cleared the device's entries or does so next. When the device
 * turns up it is blocked.
 */
void iommu_lu_reject_device(struct iommu_lu_device *lu, const char *why)
{
	if (lu->state == IOMMU_LU_REJECTED)
		return;
	WRITE_ONCE(lu->state, IOMMU_LU_REJECTED);
	iommu_lu_err("device %04x:%02x:%02x.%d (record %u) is blocked: %s\n",
		     lu->ser->segment, PCI_BUS_NUM(lu->ser->rid),
		     PCI_SLOT(lu->ser->rid), PCI_FUNC(lu->ser->rid), lu->index,
		     why);
}

/* What every record has to be, whatever it is about */
static const char *env_error(const struct iommu_lu_record_ser *env,
			     const u8 *payload, size_t size)
{
	if (!env->type || env->type >= IOMMU_LU_TYPES)
		return "its type is not known";
	if (env->payload_size > size ||
	    memchr_inv(payload + env->payload_size, 0, size - env->payload_size))
		return "its payload is too large";
	return NULL;
}

/* NULL for a slot that is not in use, or not believed */
static void *next_record(struct iommu_lu_records *records, const char *kind,
			 u32 index)
{
	struct iommu_lu_record_ser *env = iommu_lu_record(records, index);
	const char *why = iommu_lu_record_error(records, index);

	if (why)
		iommu_lu_err("%s record %u %s\n", kind, index, why);
	return why || !env->state ? NULL : env;
}

/* ---- Units --------------------------------------------------------------- */

static const char *unit_error(struct iommu_lu_in *in,
			      struct iommu_lu_unit *unit)
{
	const struct iommu_lu_unit_ser *ser = unit->ser;
	const char *why;

	why = env_error(&ser->env, ser->payload, sizeof(ser->payload));
	if (why)
		return why;
	if (!ser->base || !PAGE_ALIGNED(ser->base))
		return "its registers cannot be there";
	if (ser->segment > U16_MAX)
		return "its segment is out of range";
	if (ser->root_order > MAX_PAGE_ORDER || !PAGE_ALIGNED(ser->root))
		return "its root table makes no sense";
	if (ser->reserved || ser->reserved2)
		return "it has bits that are not known";
	return iommu_lu_claim_unit(in, unit);
}

static int parse_unit(struct iommu_lu_in *in, struct iommu_lu_unit *unit)
{
	struct iommu_lu_unit *other;
	const char *why;

	why = unit_error(in, unit);
	if (why) {
		iommu_lu_reject_unit(unit, why);
		return 0;
	}
	other = xa_cmpxchg(&in->unit_bases, PHYS_PFN(unit->ser->base), NULL,
			   unit, GFP_KERNEL);
	if (xa_is_err(other))
		return xa_err(other);
	if (other) {
		iommu_lu_reject_unit(other, "there is another one for these registers");
		iommu_lu_reject_unit(unit, "there is another one for these registers");
	}
	return 0;
}

/* With all of them read: is the root table of another one that of this one too? */
static const char *shared_root_error(struct iommu_lu_in *in,
				     const struct iommu_lu_unit *unit)
{
	const struct iommu_lu_unit_ser *ser = unit->ser;
	const struct iommu_lu_unit *owner;

	if (ser->root_unit == unit->index)
		return NULL;
	owner = xa_load(&in->unit_slots, ser->root_unit);
	if (!owner || owner->rejected || owner->ser->root_unit != owner->index)
		return "the unit that has its root table has no good record";
	if (owner->ser->env.type != ser->env.type ||
	    owner->ser->segment != ser->segment ||
	    owner->ser->root != ser->root ||
	    owner->ser->root_order != ser->root_order)
		return "its root table is not that of the other unit";
	return NULL;
}

static struct iommu_lu_unit *unit_new(struct iommu_lu_in *in,
				      struct iommu_lu_unit_ser *ser, u32 index)
{
	struct iommu_lu_unit *unit = kzalloc_obj(*unit);
	int ret;

	if (!unit)
		return ERR_PTR(-ENOMEM);
	unit->in = in;
	unit->index = index;
	unit->ser = ser;
	xa_init(&unit->sources);
	xa_init(&unit->ids);
	ret = xa_insert(&in->unit_slots, index, unit, GFP_KERNEL);
	if (!ret)
		return unit;
	kfree(unit);
	return ERR_PTR(ret);
}

static int parse_units(struct iommu_lu_in *in)
{
	struct iommu_lu_unit *unit;
	const char *why;
	unsigned long i;
	int ret;

	for (u32 slot = 0; slot < iommu_lu_records_end(&in->units); slot++) {
		struct iommu_lu_unit_ser *ser;

		ser = next_record(&in->units, "unit", slot);
		if (!ser)
			continue;
		unit = unit_new(in, ser, slot);
		if (IS_ERR(unit))
			return PTR_ERR(unit);
		ret = parse_unit(in, unit);
		if (ret)
			return ret;
	}
	xa_for_each(&in->unit_slots, i, unit) {
		why = unit->rejected ? NULL : shared_root_error(in, unit);
		if (why)
			iommu_lu_reject_unit(unit, why);
	}
	return 0;
}

/* ---- Domains ------------------------------------------------------------- */

static const char *domain_error(struct iommu_lu_in *in,
				struct iommu_lu_domain *lu)
{
	const struct iommu_lu_domain_ser *ser = lu->ser;
	const char *why;

	why = env_error(&ser->env, ser->payload, sizeof(ser->payload));
	if (why)
		return why;
	if (!ser->code || ser->code >= IOMMU_LU_CODES)
		return "what made its page table is not known";
	if (ser->reserved)
		return "it has bits that are not known";
	if (!ser->pgsizes || ser->pgsizes & (SZ_4K - 1))
		return "it cannot have such page sizes";
	if (!ser->nr_pages)
		return "it cannot have so few tables";
	if (ser->unit != IOMMU_LU_NO_SLOT) {
		lu->unit = xa_load(&in->unit_slots, ser->unit);
		if (!lu->unit || lu->unit->rejected)
			return "its unit has no good record";
		if (lu->unit->ser->env.type != ser->env.type)
			return "it is of another type than its unit";
	}
	return iommu_lu_claim_top(in, lu);
}

static int parse_domains(struct iommu_lu_in *in)
{
	struct iommu_lu_domain *lu;
	const char *why;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&in->domains); i++) {
		struct iommu_lu_domain_ser *ser;

		ser = next_record(&in->domains, "domain", i);
		if (!ser)
			continue;
		lu = kzalloc_obj(*lu);
		if (!lu)
			return -ENOMEM;
		lu->index = i;
		lu->ser = ser;
		lu->state = IOMMU_LU_INCOMING;
		ret = xa_insert(&in->domain_slots, i, lu, GFP_KERNEL);
		if (ret) {
			kfree(lu);
			return ret;
		}
		why = domain_error(in, lu);
		if (why)
			iommu_lu_reject_domain(lu, why);
	}
	return 0;
}

/* ---- Devices ------------------------------------------------------------- */

static const char *device_error(struct iommu_lu_in *in,
				struct iommu_lu_device *lu)
{
	const struct iommu_lu_device_ser *ser = lu->ser;
	const char *why;

	why = env_error(&ser->env, ser->payload, sizeof(ser->payload));
	if (why)
		return why;
	if (ser->reserved)
		return "its record has bits that are not known";
	lu->unit = xa_load(&in->unit_slots, ser->unit);
	if (!lu->unit || lu->unit->rejected)
		return "its unit has no good record";
	if (lu->unit->ser->segment != ser->segment)
		return "its unit is in another segment";
	if (lu->unit->ser->env.type != ser->env.type)
		return "it is of another type than its unit";
	return NULL;
}

/* Which of the two is true? Neither is believed. */
static int reject_twins(struct iommu_lu_device *lu,
			struct iommu_lu_device *other)
{
	iommu_lu_reject_device(other, "it has two records");
	iommu_lu_reject_device(lu, "it has two records");
	return 0;
}

static int add_source(struct iommu_lu_device *lu)
{
	struct iommu_lu_device *other;

	if (lu->ser->source_id == lu->ser->rid)
		return 0;
	other = xa_cmpxchg(&lu->unit->sources, lu->ser->source_id, NULL, lu,
			   GFP_KERNEL);
	if (!other)
		return 0;
	return xa_is_err(other) ? xa_err(other) : reject_twins(lu, other);
}

static int parse_device(struct iommu_lu_in *in, struct iommu_lu_device *lu)
{
	struct iommu_lu_device *other;
	const char *why;

	/* It has no place where it could be looked for */
	if (lu->ser->bus != IOMMU_LU_BUS_PCI || lu->ser->segment > U16_MAX) {
		iommu_lu_reject_device(lu, "it is not a PCI device");
		return 0;
	}
	other = xa_cmpxchg(&in->device_rids,
			   device_key(lu->ser->segment, lu->ser->rid), NULL, lu,
			   GFP_KERNEL);
	if (other)
		return xa_is_err(other) ? xa_err(other) :
					  reject_twins(lu, other);
	why = device_error(in, lu);
	if (!why)
		return add_source(lu);
	iommu_lu_reject_device(lu, why);
	return 0;
}

static int parse_devices(struct iommu_lu_in *in)
{
	struct iommu_lu_device *lu;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&in->devices); i++) {
		struct iommu_lu_device_ser *ser;

		ser = next_record(&in->devices, "device", i);
		if (!ser)
			continue;
		lu = kzalloc_obj(*lu);
		if (!lu)
			return -ENOMEM;
		lu->index = i;
		lu->ser = ser;
		lu->state = IOMMU_LU_INCOMING;
		INIT_LIST_HEAD(&lu->attachments);
		ret = xa_insert(&in->device_slots, i, lu, GFP_KERNEL);
		if (ret) {
			kfree(lu);
			return ret;
		}
		ret = parse_device(in, lu);
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- Attachments --------------------------------------------------------- */

/* With @att->device set: what is wrong with the attachment is so of the device */
static const char *attachment_error(struct iommu_lu_in *in,
				    struct iommu_lu_attachment *att)
{
	const struct iommu_lu_attachment_ser *ser = att->ser;
	struct iommu_lu_attachment *other;
	struct iommu_lu_domain *domain;
	const char *why;

	why = env_error(&ser->env, ser->payload, sizeof(ser->payload));
	if (why)
		return why;
	if (ser->env.type != att->device->ser->env.type)
		return "its attachment is of another type";
	list_for_each_entry(other, &att->device->attachments, link)
		if (other->ser->pasid == ser->pasid)
			return "it has two attachments";

	domain = xa_load(&in->domain_slots, ser->domain);
	if (!domain)
		return "its domain has no record";
	domain->used = true;
	if (domain->state == IOMMU_LU_REJECTED)
		return "its domain has no good record";
	if (domain->ser->env.type != ser->env.type)
		return "its domain is of another type than its unit";
	if (domain->unit && domain->unit != att->device->unit)
		return "its domain belongs to another unit";
	att->domain = domain;
	return NULL;
}

static int parse_attachment(struct iommu_lu_in *in,
			    struct iommu_lu_attachment_ser *ser, u32 index)
{
	struct iommu_lu_device *device = xa_load(&in->device_slots, ser->device);
	struct iommu_lu_attachment *att;
	const char *why;

	if (!device) {
		iommu_lu_err("attachment record %u is of no device\n", index);
		return 0;
	}
	att = kzalloc_obj(*att);
	if (!att)
		return -ENOMEM;
	att->index = index;
	att->ser = ser;
	att->device = device;
	why = attachment_error(in, att);
	list_add_tail(&att->link, &device->attachments);
	if (why)
		iommu_lu_reject_device(device, why);
	return 0;
}

/* A rejected device does not count as one that is to be waited for */
static void count_attachments(struct iommu_lu_device *lu)
{
	struct iommu_lu_attachment *att;

	list_for_each_entry(att, &lu->attachments, link)
		if (att->domain)
			att->domain->devices++;
}

static int parse_attachments(struct iommu_lu_in *in)
{
	struct iommu_lu_device *lu;
	unsigned long slot;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&in->attachments); i++) {
		struct iommu_lu_attachment_ser *ser;

		ser = next_record(&in->attachments, "attachment", i);
		if (!ser)
			continue;
		ret = parse_attachment(in, ser, i);
		if (ret)
			return ret;
	}
	xa_for_each(&in->device_slots, slot, lu) {
		if (lu->state != IOMMU_LU_INCOMING)
			continue;
		if (list_empty(&lu->attachments))
			iommu_lu_reject_device(lu, "it is not attached");
		else
			count_attachments(lu);
	}
	return 0;
}

/* ---- All of it ----------------------------------------------------------- */

static void device_free(struct iommu_lu_device *lu)
{
	struct iommu_lu_attachment *att, *next;

	list_for_each_entry_safe(att, next, &lu->attachments, link)
		kfree(att);
	INIT_LIST_HEAD(&lu->attachments);
	/* One that was never finished is still at dev->iommu->lu */
	lu->ser = NULL;
	lu->unit = NULL;
	if (lu->state == IOMMU_LU_FINISHED || !lu->linked)
		kfree_rcu(lu, rcu);
}

static void unit_free(struct iommu_lu_unit *unit)
{
	xa_destroy(&unit->sources);
	xa_destroy(&unit->ids);
	kfree(unit);
}

static void incoming_free(struct iommu_lu_in *in)
{
	struct iommu_lu_device *dev;
	struct iommu_lu_domain *domain;
	struct iommu_lu_unit *unit;
	unsigned long i;

	xa_destroy(&in->device_rids);
	xa_for_each(&in->device_slots, i, dev) {
		xa_erase(&in->device_slots, i);
		device_free(dev);
	}
	xa_for_each(&in->domain_slots, i, domain) {
		xa_erase(&in->domain_slots, i);
		domain->ser = NULL;
		domain->unit = NULL;
		if (!domain->domain)
			kfree(domain);
	}
	xa_destroy(&in->unit_bases);
	xa_for_each(&in->unit_slots, i, unit) {
		xa_erase(&in->unit_slots, i);
		unit_free(unit);
	}
	xa_destroy(&in->pages);
	in->all_claimed = false;
}

static int start_error(const struct iommu_lu_ser *ser)
{
	if (ser->magic != IOMMU_LU_MAGIC) {
		iommu_lu_err("magic %#x is something else\n", ser->magic);
		return -EINVAL;
	}
	if (ser->version != IOMMU_LU_VERSION || ser->flags) {
		iommu_lu_err("version %u with flags %#x is not version %u\n",
			     ser->version, ser->flags, IOMMU_LU_VERSION);
		return -EPROTO;
	}
	if (ser->reserved ||
	    memchr_inv(ser + 1, 0, PAGE_SIZE - sizeof(*ser))) {
		iommu_lu_err("the first page has bits that are not known\n");
		return -EINVAL;
	}
	return 0;
}

static int parse_arrays(struct iommu_lu_in *in)
{
	const struct iommu_lu_ser *ser = in->ser;
	int ret;

	ret = iommu_lu_records_parse(&in->units, IOMMU_LU_MAGIC_UNITS,
				     sizeof(struct iommu_lu_unit_ser),
				     &ser->units, &in->pages);
	if (!ret)
		ret = iommu_lu_records_parse(&in->domains,
					     IOMMU_LU_MAGIC_DOMAINS,
					     sizeof(struct iommu_lu_domain_ser),
					     &ser->domains, &in->pages);
	if (!ret)
		ret = iommu_lu_records_parse(&in->devices,
					     IOMMU_LU_MAGIC_DEVICES,
					     sizeof(struct iommu_lu_device_ser),
					     &ser->devices, &in->pages);
	if (!ret)
		ret = iommu_lu_records_parse(&in->attachments,
					     IOMMU_LU_MAGIC_ATTACHMENTS,
					     sizeof(struct iommu_lu_attachment_ser),
					     &ser->attachments, &in->pages);
	return ret;
}

static int incoming_parse(struct iommu_lu_in *in)
{
	int ret;

	ret = start_error(in->ser);
	if (!ret)
		ret = iommu_lu_claim(in, virt_to_phys(in->ser), 0, 0);
	if (!ret)
		ret = parse_arrays(in);
	if (!ret)
		ret = parse_units(in);
	if (!ret)
		ret = parse_domains(in);
	if (!ret)
		ret = parse_devices(in);
	if (!ret)
		ret = parse_attachments(in);
	return ret;
}

/**
 * iommu_lu_in_init - Prepare to read a handover
 * @in: All zero, but for its lock
 */
void iommu_lu_in_init(struct iommu_lu_in *in)
{
	xa_init(&in->unit_slots);
	xa_init(&in->domain_slots);
	xa_init(&in->device_slots);
	xa_init(&in->unit_bases);
	xa_init(&in->device_rids);
	xa_init(&in->pages);
	xa_init(&in->units.blocks);
	xa_init(&in->domains.blocks);
	xa_init(&in->devices.blocks);
	xa_init(&in->attachments.blocks);
}

/**
 * iommu_lu_in_read - Read the records of the previous kernel
 * @in:   The handover, from iommu_lu_in_init()
 * @phys: Where they start, not trusted
 *
 * Context: May sleep.
 * Return: 0, or an error with @in as it was: -EPROTO for a version that is not
 * known, -EINVAL for what makes no sense, -ENOMEM.
 */
int iommu_lu_in_read(struct iommu_lu_in *in, u64 phys)
{
	int ret;

	if (iommu_preserved_size(phys) != PAGE_SIZE) {
		iommu_lu_err("nothing was preserved at %#llx\n", phys);
		return -EINVAL;
	}

	in->ser = phys_to_virt(phys);
	ret = incoming_parse(in);
	if (!ret)
		return 0;
	iommu_lu_err("cannot read the handover: %pe\n", ERR_PTR(ret));
	incoming_free(in);
	xa_destroy(&in->units.blocks);
	xa_destroy(&in->domains.blocks);
	xa_destroy(&in->devices.blocks);
	xa_destroy(&in->attachments.blocks);
	in->ser = NULL;
	return ret;
}

/**
 * iommu_lu_in_release - Give the records back
 * @in: The handover, read
 *
 * What somebody still has a pointer to lives on without a record.
 *
 * Context: May sleep.
 */
void iommu_lu_in_release(struct iommu_lu_in *in)
{
	struct iommu_lu_unit *unit;
	unsigned long i;

	/* Their tables were taken over, or are lost, long ago */
	xa_for_each(&in->unit_slots, i, unit)
		if (!unit->rejected)
			iommu_lu_pages_forget(&unit->pages);
	incoming_free(in);
	iommu_lu_records_release(&in->attachments);
	iommu_lu_records_release(&in->devices);
	iommu_lu_records_release(&in->domains);
	iommu_lu_records_release(&in->units);
	iommu_preserved_free(in->ser);
	in->ser = NULL;
}
