// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be broken in a handover of VT-d
 */
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kernel.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/pci.h>

#include "mutate.h"

static const struct mutate_field vtd_fields[] = {
	{ "unit.mode", UNIT,
	  offsetof(struct iommu_lu_unit_ser, payload) +
	  offsetof(struct iommu_lu_vtd_unit_ser, mode), 4 },
	{ "unit.cap", UNIT,
	  offsetof(struct iommu_lu_unit_ser, payload) +
	  offsetof(struct iommu_lu_vtd_unit_ser, cap), 8 },
	{ "unit.ecap", UNIT,
	  offsetof(struct iommu_lu_unit_ser, payload) +
	  offsetof(struct iommu_lu_vtd_unit_ser, ecap), 8 },
	{ "domain.flags", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, flags), 4 },
	{ "domain.pt.format", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.format), 8 },
	{ "domain.pt.flags", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.flags), 4 },
	{ "domain.pt.top_level", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.top_level), 1 },
	{ "domain.pt.max_vasz_lg2", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.max_vasz_lg2), 1 },
	{ "domain.pt.max_oasz_lg2", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_vtd_domain_ser, pt.max_oasz_lg2), 1 },
	{ "device.dir", DEVICE,
	  offsetof(struct iommu_lu_device_ser, payload) +
	  offsetof(struct iommu_lu_vtd_device_ser, dir), 8 },
	{ "device.dir_order", DEVICE,
	  offsetof(struct iommu_lu_device_ser, payload) +
	  offsetof(struct iommu_lu_vtd_device_ser, dir_order), 4 },
	{ "device.flags", DEVICE,
	  offsetof(struct iommu_lu_device_ser, payload) +
	  offsetof(struct iommu_lu_vtd_device_ser, flags), 4 },
	{ "entry.lo", ENTRY, 0, 8 },
	{ "entry.hi", ENTRY, 8, 8 },
};

/* Of the context table. A root table has two words for each bus, see there. */
static void *vtd_entry(const struct iommu_lu_unit_ser *unit,
		       const struct iommu_lu_device_ser *device)
{
	const struct iommu_lu_vtd_unit_ser *vtd =
		iommu_lu_payload(unit, const struct iommu_lu_vtd_unit_ser);
	u8 devfn = device->source_id & 0xff;
	u64 *root = phys_to_virt(unit->root);

	root += PCI_BUS_NUM(device->source_id) * 2;
	if (vtd->mode == IOMMU_LU_VTD_LEGACY)
		return phys_to_virt(root[0] & PAGE_MASK) + devfn * 16;
	return phys_to_virt(root[devfn >> 7] & PAGE_MASK) + (devfn & 0x7f) * 32;
}

const struct mutate_type mutate_vtd = {
	.fields = vtd_fields,
	.nr_fields = ARRAY_SIZE(vtd_fields),
	.entry = vtd_entry,
};
