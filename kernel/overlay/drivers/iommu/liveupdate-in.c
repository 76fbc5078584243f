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
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "liveupdate-in.h"
#include "liveupdate-records.h"

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
	pr_err("device %04x:%02x:%02x.%d (record %u) is blocked: %s\n",
	       lu->ser->segment, PCI_BUS_NUM(lu->ser->rid),
	       PCI_SLOT(lu->ser->rid), PCI_FUNC(lu->ser->rid), lu->index, why);
}

static int parse_units(struct iommu_lu_in *in)
{
	struct iommu_lu_unit_ser *ser;
	struct iommu_lu_unit *unit;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&in->units); i++) {
		ser = iommu_lu_record(&in->units, i);
		if (ser->state != IOMMU_LU_IN_USE)
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
		/* If there are two, no IOMMU will find itself in the second */
		ret = xa_insert(&in->unit_bases, PHYS_PFN(ser->base), unit,
				GFP_KERNEL);
		if (ret == -EBUSY)
			pr_err("unit %u: a second record for %#llx\n", i,
			       ser->base);
		else if (ret)
			return ret;
	}
	return 0;
}

static int parse_domains(struct iommu_lu_in *in)
{
	struct iommu_lu_domain_ser *ser;
	struct iommu_lu_domain *lu;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&in->domains); i++) {
		ser = iommu_lu_record(&in->domains, i);
		if (ser->state != IOMMU_LU_IN_USE)
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
	}
	return 0;
}

static const char *device_record_error(struct iommu_lu_in *in,
				       const struct iommu_lu_device_ser *ser,
				       struct iommu_lu_device *lu)
{
	lu->unit = xa_load(&in->unit_slots, ser->unit);
	if (!lu->unit)
		return "its unit has no record";
	lu->domain = xa_load(&in->domain_slots, ser->domain);
	if (!lu->domain)
		return "its domain has no record";
	if (ser->reserved || ser->reserved2)
		return "its record has bits that are not known";
	lu->domain->devices++;
	return NULL;
}

static int parse_devices(struct iommu_lu_in *in)
{
	struct iommu_lu_device_ser *ser;
	struct iommu_lu_device *lu;
	const char *why;
	int ret;

	for (u32 i = 0; i < iommu_lu_records_end(&in->devices); i++) {
		ser = iommu_lu_record(&in->devices, i);
		if (ser->state != IOMMU_LU_IN_USE)
			continue;

		lu = kzalloc_obj(*lu);
		if (!lu)
			return -ENOMEM;
		lu->index = i;
		lu->ser = ser;
		lu->state = IOMMU_LU_INCOMING;
		ret = xa_insert(&in->device_rids,
				device_key(ser->segment, ser->rid), lu,
				GFP_KERNEL);
		if (ret) {
			kfree(lu);
			if (ret != -EBUSY)
				return ret;
			/* Which of the two is true? Neither is believed. */
			lu = iommu_lu_in_device(in, ser->segment, ser->rid);
			iommu_lu_reject_device(lu, "it has two records");
			continue;
		}
		why = device_record_error(in, ser, lu);
		if (why)
			iommu_lu_reject_device(lu, why);
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
}

static int incoming_parse(struct iommu_lu_in *in)
{
	struct iommu_lu_ser *ser = in->ser;
	int ret;

	if (ser->version != IOMMU_LU_VERSION || ser->flags) {
		pr_err("version %u with flags %#x is not version %u\n",
		       ser->version, ser->flags, IOMMU_LU_VERSION);
		return -EPROTO;
	}

	ret = iommu_lu_records_parse(&in->units,
				     sizeof(struct iommu_lu_unit_ser),
				     ser->units);
	if (ret)
		return ret;
	ret = iommu_lu_records_parse(&in->domains,
				     sizeof(struct iommu_lu_domain_ser),
				     ser->domains);
	if (ret)
		return ret;
	ret = iommu_lu_records_parse(&in->devices,
				     sizeof(struct iommu_lu_device_ser),
				     ser->devices);
	if (ret)
		return ret;

	ret = parse_units(in);
	if (!ret)
		ret = parse_domains(in);
	if (!ret)
		ret = parse_devices(in);
	return ret;
}

/**
 * iommu_lu_in_read - Read the records of the previous kernel
 * @in:   All zero, but for its lock and empty xarrays
 * @phys: Where they start, not trusted
 *
 * Context: May sleep.
 * Return: 0, or an error with @in as it was: -EPROTO for a version that is not
 * known, -EINVAL for what makes no sense, -ENOMEM.
 */
int iommu_lu_in_read(struct iommu_lu_in *in, u64 phys)
{
	int ret;

	if (kho_preserved_size(phys) < PAGE_SIZE) {
		pr_err("nothing was preserved at %#llx\n", phys);
		return -EINVAL;
	}

	in->ser = phys_to_virt(phys);
	ret = incoming_parse(in);
	if (!ret)
		return 0;
	pr_err("cannot read the handover: %pe\n", ERR_PTR(ret));
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
	kho_restore_free(in->ser);
	in->ser = NULL;
}
