// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be broken in a handover of AMD-Vi
 */
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kernel.h>
#include <linux/kho/abi/iommu_amd.h>

#include "mutate.h"

static const struct mutate_field amd_fields[] = {
	{ "unit.efr", UNIT,
	  offsetof(struct iommu_lu_unit_ser, payload) +
	  offsetof(struct iommu_lu_amd_unit_ser, efr), 8 },
	{ "unit.efr2", UNIT,
	  offsetof(struct iommu_lu_unit_ser, payload) +
	  offsetof(struct iommu_lu_amd_unit_ser, efr2), 8 },
	{ "domain.id", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_amd_domain_ser, id), 4 },
	{ "domain.payload.reserved", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_amd_domain_ser, reserved), 4 },
	{ "domain.pt.format", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_amd_domain_ser, pt.format), 8 },
	{ "domain.pt.flags", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_amd_domain_ser, pt.flags), 4 },
	{ "domain.pt.top_level", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_amd_domain_ser, pt.top_level), 1 },
	{ "domain.pt.max_vasz_lg2", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_amd_domain_ser, pt.max_vasz_lg2), 1 },
	{ "domain.pt.max_oasz_lg2", DOMAIN,
	  offsetof(struct iommu_lu_domain_ser, payload) +
	  offsetof(struct iommu_lu_amd_domain_ser, pt.max_oasz_lg2), 1 },
	{ "device.flags", DEVICE,
	  offsetof(struct iommu_lu_device_ser, payload) +
	  offsetof(struct iommu_lu_amd_device_ser, flags), 4 },
	{ "device.payload.reserved", DEVICE,
	  offsetof(struct iommu_lu_device_ser, payload) +
	  offsetof(struct iommu_lu_amd_device_ser, reserved), 4 },
	{ "entry.data[0]", ENTRY, 0, 8 },
	{ "entry.data[1]", ENTRY, 8, 8 },
	{ "entry.data[2]", ENTRY, 16, 8 },
	{ "entry.data[3]", ENTRY, 24, 8 },
};

/* Of the device table, which has one of 32 bytes for each requester ID */
static void *amd_entry(const struct iommu_lu_unit_ser *unit,
		       const struct iommu_lu_device_ser *device)
{
	return phys_to_virt(unit->root) + device->source_id * 32;
}

const struct mutate_type mutate_amd = {
	.fields = amd_fields,
	.nr_fields = ARRAY_SIZE(amd_fields),
	.entry = amd_entry,
};
