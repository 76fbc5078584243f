// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading what the previous kernel says about its IOMMUs
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

#include "pages.h"
#include "internal.h"
#include "records.h"

/* What a page is used for: one thing, by one unit or domain. 0 for the rest. */
#define CLAIM_UNIT	BIT(28)
#define CLAIM_DOMAIN	BIT(29)

static unsigned long device_key(u32 segment, u16 rid)
{
	return (unsigned long)segment << 16 | rid;
}

/**
 * iommu_lu_in_device - Look up the record of a device
 * @in:      The handover
 * @segment: PCI segment
 * @rid:     Requester ID
 *
 * Return: the device, or NULL.
 */
struct iommu_lu_device *iommu_lu_in_device(struct iommu_lu_in *in, u32 segment,
					   u16 rid)
{
	return xa_load(&in->device_rids, device_key(segment, rid));
}

/**
 * iommu_lu_in_unit - Look up the record of a unit
 * @in:      The handover
 * @type:    IOMMU_LU_UNIT_*
 * @base:    Physical address of its registers
 * @segment: Its PCI segment
 *
 * Return: the unit; NULL when there is none; -EINVAL when what the record says
 * is not so, or it is not believed.
 */
struct iommu_lu_unit *iommu_lu_in_unit(struct iommu_lu_in *in, u32 type,
				       phys_addr_t base, u32 segment)
{
	struct iommu_lu_unit *unit;

	unit = xa_load(&in->unit_bases, PHYS_PFN(base));
	if (!unit)
		return NULL;
	if (unit->rejected)
		return ERR_PTR(-EINVAL);
	if (unit->ser->type == type && unit->ser->base == base &&
	    unit->ser->segment == segment)
		return unit;
	iommu_lu_err("unit record %u: type %u at %#llx, segment %u is not what is there\n",
		     unit->index, unit->ser->type, unit->ser->base,
		     unit->ser->segment);
	return ERR_PTR(-EINVAL);
}

/**
 * iommu_lu_reject_device - Do not believe the record of a device
 * @lu:  The device
 * @why: What is wrong, for the log
 *
 * The driver has cleared the device's entry or does so next. When the device
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

static void reject_unit(struct iommu_lu_unit *unit, const char *why)
{
	unit->rejected = true;
	iommu_lu_err("unit record %u is not used: %s\n", unit->index, why);
}

static void reject_domain(struct iommu_lu_domain *lu, const char *why)
{
	lu->state = IOMMU_LU_REJECTED;
	iommu_lu_err("domain record %u is not used: %s\n", lu->index, why);
}

/* Which of the two is true? Neither is believed. */
static void reject_claimant(struct iommu_lu_in *in, unsigned long claim)
{
	static const char why[] = "a page of it is used for something else";
	u32 index = claim & ~(CLAIM_UNIT | CLAIM_DOMAIN);

	if (claim & CLAIM_UNIT)
		reject_unit(xa_load(&in->unit_slots, index), why);
	if (claim & CLAIM_DOMAIN)
		reject_domain(xa_load(&in->domain_slots, index), why);
}

/* A page has one purpose, else one user would free what another one reads */
static int claim_page(struct iommu_lu_in *in, phys_addr_t phys, size_t size,
		      unsigned long claim)
{
	void *old;

	if (iommu_preserved_size(phys) != size)
		return -EINVAL;
	old = xa_cmpxchg(&in->pages, PHYS_PFN(phys), NULL, xa_mk_value(claim),
			 GFP_KERNEL);
	if (!old)
		return 0;
	if (xa_is_err(old))
		return xa_err(old);
	reject_claimant(in, xa_to_value(old));
	return -EBUSY;
}

/**
 * iommu_lu_in_claim - A driver is about to use a page
 * @in:   The handover
 * @phys: The page, not trusted
 *
 * Context: May sleep.
 * Return: 0; -EINVAL when that is no preserved page; -EBUSY when it is used for
 * something else; -ENOMEM.
 */
int iommu_lu_in_claim(struct iommu_lu_in *in, phys_addr_t phys)
{
	return claim_page(in, phys, PAGE_SIZE, 0);
}

/* What to say of a page that cannot be claimed */
static const char *claim_error(struct iommu_lu_in *in, phys_addr_t phys,
			       size_t size, unsigned long claim,
			       const char *why)
{
	int ret = claim_page(in, phys, size, claim);

	if (!ret)
		return NULL;
	return ret == -ENOMEM ? "out of memory" : why;
}

static const char *tables_error(struct iommu_lu_in *in,
				const struct iommu_lu_unit *unit)
{
	size_t size = PAGE_SIZE << get_order(sizeof(struct iommu_lu_tables_ser));
	const struct iommu_lu_tables_ser *tables;
	const char *why;

	why = claim_error(in, unit->ser->tables, size, CLAIM_UNIT | unit->index,
			  "its list of tables is not preserved, or something else");
	if (why)
		return why;
	tables = phys_to_virt(unit->ser->tables);
	if (tables->magic != IOMMU_LU_MAGIC_TABLES || tables->reserved ||
	    tables->unit != unit->index)
		return "its list of tables is something else";
	return NULL;
}

static const char *unit_error(struct iommu_lu_in *in,
			      const struct iommu_lu_unit *unit)
{
	const struct iommu_lu_unit_ser *ser = unit->ser;
	const char *why;

	if (!ser->type || ser->type >= IOMMU_LU_UNIT_TYPES)
		return "its type is not known";
	if (ser->mode > IOMMU_LU_VTD_SCALABLE)
		return "its mode is not known";
	if (!ser->base || !PAGE_ALIGNED(ser->base))
		return "its registers cannot be there";
	if (ser->segment > U16_MAX)
		return "its segment is out of range";
	if (ser->reserved)
		return "it has bits that are not known";
	why = claim_error(in, ser->root, PAGE_SIZE, CLAIM_UNIT | unit->index,
			  "its root table is not preserved, or something else");
	return why ?: tables_error(in, unit);
}

static int parse_unit(struct iommu_lu_in *in, struct iommu_lu_unit *unit)
{
	struct iommu_lu_unit *other;
	const char *why;

	why = unit_error(in, unit);
	if (why) {
		reject_unit(unit, why);
		return 0;
	}
	other = xa_cmpxchg(&in->unit_bases, PHYS_PFN(unit->ser->base), NULL,
			   unit, GFP_KERNEL);
	if (xa_is_err(other))
		return xa_err(other);
	if (other) {
		reject_unit(other, "there is another one for these registers");
		reject_unit(unit, "there is another one for these registers");
	}
	return 0;
}

/* NULL for a slot that is not in use, or not believed */
static void *next_record(struct iommu_lu_records *records, const char *kind,
			 u32 index)
{
	struct iommu_lu_slot_ser *slot = iommu_lu_record(records, index);
	const char *why = iommu_lu_record_error(records, index);

	if (why)
		iommu_lu_err("%s record %u %s\n", kind, index, why);
	return why || !slot->state ? NULL : slot;
}

static int parse_units(struct iommu_lu_in *in)
{
	struct iommu_lu_unit *unit;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&in->units); i++) {
		struct iommu_lu_unit_ser *ser;

		ser = next_record(&in->units, "unit", i);
		if (!ser)
			continue;
		unit = kzalloc_obj(*unit);
		if (!unit)
			return -ENOMEM;
		unit->index = i;
		unit->ser = ser;
		ret = xa_insert(&in->unit_slots, i, unit, GFP_KERNEL);
		if (ret) {
			kfree(unit);
			return ret;
		}
		ret = parse_unit(in, unit);
		if (ret)
			return ret;
	}
	return 0;
}

static const char *table_error(const struct iommu_pt_ser *pt)
{
	size_t len = strnlen(pt->format, sizeof(pt->format));

	if (!len || memchr_inv(pt->format + len, 0, sizeof(pt->format) - len))
		return "the name of its format makes no sense";
	if (pt->flags & ~IOMMU_PT_SER_FLAGS ||
	    memchr_inv(pt->reserved, 0, sizeof(pt->reserved)))
		return "it has bits that are not known";
	if (!pt->nr_tables || pt->nr_tables > U64_MAX / PAGE_SIZE)
		return "it cannot have so many tables";
	if (pt->top_level > 5 || !pt->max_vasz_lg2 || pt->max_vasz_lg2 > 64 ||
	    !pt->max_oasz_lg2 || pt->max_oasz_lg2 > 64)
		return "its size makes no sense";
	return NULL;
}

static const char *domain_error(struct iommu_lu_in *in,
				const struct iommu_lu_domain *lu)
{
	const struct iommu_lu_domain_ser *ser = lu->ser;
	const char *why;

	if (!ser->type || ser->type >= IOMMU_LU_UNIT_TYPES)
		return "its type is not known";
	if (ser->flags & ~IOMMU_LU_DOMAIN_FLAGS)
		return "it has bits that are not known";
	if (!(ser->pgsizes & PAGE_SIZE) || ser->pgsizes & (PAGE_SIZE - 1))
		return "it cannot have such page sizes";
	why = table_error(&ser->pt);
	if (why)
		return why;
	return claim_error(in, ser->pt.top, PAGE_SIZE, CLAIM_DOMAIN | lu->index,
			   "its top page is not preserved, or something else");
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
			reject_domain(lu, why);
	}
	return 0;
}

static const char *device_error(struct iommu_lu_in *in,
				struct iommu_lu_device *lu)
{
	const struct iommu_lu_device_ser *ser = lu->ser;

	if (ser->reserved)
		return "its record has bits that are not known";
	lu->unit = xa_load(&in->unit_slots, ser->unit);
	if (!lu->unit || lu->unit->rejected)
		return "its unit has no good record";
	if (lu->unit->ser->segment != ser->segment)
		return "its unit is in another segment";
	lu->domain = xa_load(&in->domain_slots, ser->domain);
	if (!lu->domain)
		return "its domain has no record";
	lu->domain->used = true;
	if (lu->domain->state == IOMMU_LU_REJECTED)
		return "its domain has no good record";
	if (lu->domain->ser->type != lu->unit->ser->type)
		return "its domain is of another type than its unit";
	lu->domain->devices++;
	return NULL;
}

/* Takes over @lu */
static int parse_device(struct iommu_lu_in *in, struct iommu_lu_device *lu)
{
	struct iommu_lu_device *other;
	const char *why;

	if (lu->ser->segment > U16_MAX) {
		iommu_lu_reject_device(lu, "there is no such segment");
		kfree(lu);
		return 0;
	}
	other = xa_cmpxchg(&in->device_rids,
			   device_key(lu->ser->segment, lu->ser->rid), NULL, lu,
			   GFP_KERNEL);
	if (other) {
		kfree(lu);
		if (xa_is_err(other))
			return xa_err(other);
		/* Which of the two is true? Neither is believed. */
		if (other->state == IOMMU_LU_INCOMING)
			other->domain->devices--;
		iommu_lu_reject_device(other, "it has two records");
		return 0;
	}
	why = device_error(in, lu);
	if (why)
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
		ret = parse_device(in, lu);
		if (ret)
			return ret;
	}
	return 0;
}

static void incoming_free(struct iommu_lu_in *in)
{
	struct iommu_lu_device *dev;
	struct iommu_lu_domain *domain;
	struct iommu_lu_unit *unit;
	unsigned long i;

	xa_for_each(&in->device_rids, i, dev) {
		xa_erase(&in->device_rids, i);
		/* One that was never finished is still at dev->iommu->lu */
		dev->ser = NULL;
		dev->domain = NULL;
		dev->unit = NULL;
		if (dev->state == IOMMU_LU_FINISHED || !dev->linked)
			kfree_rcu(dev, rcu);
	}
	xa_for_each(&in->domain_slots, i, domain) {
		xa_erase(&in->domain_slots, i);
		domain->ser = NULL;
		if (!domain->domain)
			kfree(domain);
	}
	xa_destroy(&in->unit_bases);
	xa_for_each(&in->unit_slots, i, unit) {
		xa_erase(&in->unit_slots, i);
		kfree(unit);
	}
	xa_destroy(&in->pages);
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

static int incoming_parse(struct iommu_lu_in *in)
{
	const struct iommu_lu_ser *ser = in->ser;
	int ret;

	ret = start_error(ser);
	if (!ret)
		ret = iommu_lu_in_claim(in, virt_to_phys(in->ser));
	if (!ret)
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
		ret = parse_units(in);
	if (!ret)
		ret = parse_domains(in);
	if (!ret)
		ret = parse_devices(in);
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
	xa_init(&in->unit_bases);
	xa_init(&in->pages);
	xa_init(&in->device_rids);
	xa_init(&in->units.blocks);
	xa_init(&in->domains.blocks);
	xa_init(&in->devices.blocks);
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
	incoming_free(in);
	iommu_lu_records_release(&in->devices);
	iommu_lu_records_release(&in->domains);
	iommu_lu_records_release(&in->units);
	iommu_preserved_free(in->ser);
	in->ser = NULL;
}
