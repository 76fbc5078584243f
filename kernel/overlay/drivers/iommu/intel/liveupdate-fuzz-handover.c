// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handover that is broken by liveupdate-fuzz.c, whole
 */
#include <kunit/test.h>
#include <linux/crc32.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "iommu.h"
#include "liveupdate-fuzz.h"

/* Slots that are used: two blocks, with gaps */
static const u32 device_slot[FUZZ_DEVICES] = { 0, 1, 2, 5, 62, 65, 70 };
static const u32 attachment_slot[FUZZ_DEVICES] = { 0, 3, 4, 61, 63, 64, 71 };

static void add_page(struct kunit *test, void *virt, size_t size)
{
	struct fuzz *fuzz = test->priv;
	struct fuzz_page *page = &fuzz->page[fuzz->nr_pages++];

	KUNIT_ASSERT_LE(test, fuzz->nr_pages, FUZZ_PAGES);
	page->virt = virt;
	page->size = size;
	KUNIT_ASSERT_EQ(test, xa_err(xa_store(&fuzz->pages,
					      PHYS_PFN(virt_to_phys(virt)),
					      page, GFP_KERNEL)), 0);
}

static void *new_page(struct kunit *test)
{
	/* Aligned, as it is no smaller; poisoned beyond its end by KASAN */
	void *virt = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, virt);
	add_page(test, virt, PAGE_SIZE);
	return virt;
}

static void add_region(struct kunit *test, enum fuzz_kind kind, unsigned int nr,
		       void *at, size_t len)
{
	struct fuzz *fuzz = test->priv;

	KUNIT_ASSERT_LT(test, fuzz->nr_regions, FUZZ_REGIONS);
	fuzz->region[fuzz->nr_regions++] = (struct fuzz_region){
		.kind = kind,
		.nr = nr,
		.at = at,
		.len = len,
	};
}

/* All slots up to the last one that is used, then those between are freed */
static void fill_slots(struct kunit *test, struct iommu_lu_records *records,
		       const u32 *used, unsigned int nr)
{
	unsigned int next = 0;
	u32 index;

	for (u32 i = 0; i <= used[nr - 1]; i++)
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test,
					     iommu_lu_record_alloc(records,
								   &index));
	for (u32 i = 0; i <= used[nr - 1]; i++) {
		if (i == used[next])
			next++;
		else
			iommu_lu_record_free(records, i);
	}
}

static void add_blocks(struct kunit *test, struct iommu_lu_records *records)
{
	struct iommu_lu_block_ser *block;
	unsigned long i;

	xa_for_each(&records->blocks, i, block) {
		add_page(test, block, PAGE_SIZE);
		add_region(test, FUZZ_BLOCK, i, block, sizeof(*block));
	}
}

static void write_start(struct kunit *test)
{
	struct fuzz *fuzz = test->priv;
	struct iommu_lu_ser *ser = new_page(test);

	fuzz->ser = ser;
	ser->magic = IOMMU_LU_MAGIC;
	ser->version = IOMMU_LU_VERSION;
	iommu_lu_records_init(&fuzz->units, IOMMU_LU_MAGIC_UNITS,
			      sizeof(struct iommu_lu_unit_ser), &ser->units);
	iommu_lu_records_init(&fuzz->domains, IOMMU_LU_MAGIC_DOMAINS,
			      sizeof(struct iommu_lu_domain_ser),
			      &ser->domains);
	iommu_lu_records_init(&fuzz->devices, IOMMU_LU_MAGIC_DEVICES,
			      sizeof(struct iommu_lu_device_ser),
			      &ser->devices);
	iommu_lu_records_init(&fuzz->attachments, IOMMU_LU_MAGIC_ATTACHMENTS,
			      sizeof(struct iommu_lu_attachment_ser),
			      &ser->attachments);
	fill_slots(test, &fuzz->units, unit_slot, FUZZ_UNITS);
	fill_slots(test, &fuzz->domains, domain_slot, FUZZ_DOMAINS);
	fill_slots(test, &fuzz->devices, device_slot, FUZZ_DEVICES);
	fill_slots(test, &fuzz->attachments, attachment_slot, FUZZ_DEVICES);
	add_region(test, FUZZ_START, 0, ser, sizeof(*ser) + 16);
	add_blocks(test, &fuzz->units);
	add_blocks(test, &fuzz->domains);
	add_blocks(test, &fuzz->devices);
	add_blocks(test, &fuzz->attachments);
}

static u32 list_crc(const struct iommu_lu_pages_ser *list)
{
	return crc32c(list->index, &list->next,
		      struct_size(list, entry, list->nr) -
			      offsetof(struct iommu_lu_pages_ser, next));
}

static struct iommu_lu_pages_ser *new_list(struct kunit *test, u32 kind,
					   u32 owner)
{
	struct iommu_lu_pages_ser *list = new_page(test);

	list->magic = IOMMU_LU_MAGIC_PAGES;
	list->kind = kind;
	list->owner = owner;
	return list;
}

static void list_add_page(struct iommu_lu_pages_ser *list, void *virt)
{
	list->entry[list->nr++] = virt_to_phys(virt);
}

static void write_unit(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommu_lu_vtd_unit_ser *vtd;
	struct iommu_lu_unit_ser *ser;
	struct intel_iommu *iommu;

	iommu = kunit_kzalloc(test, sizeof(*iommu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu);
	strscpy((char *)iommu->name, "fuzz", sizeof(iommu->name));
	iommu->reg_phys = FUZZ_BASE + i * PAGE_SIZE;
	iommu->segment = FUZZ_SEGMENT + i;
	iommu->cap = 0x8d2008c222f0206ULL;
	/* Coherent: there is no cache to flush */
	iommu->ecap = 0xf00f5bULL;
	iommu->max_domain_id = 256;
	ida_init(&iommu->domain_ida);
	fuzz->iommu[i] = iommu;
	fuzz->root[i] = new_page(test);
	fuzz->tables[i] = new_list(test, IOMMU_LU_MAGIC_UNITS, unit_slot[i]);
	list_add_page(fuzz->tables[i], fuzz->root[i]);

	ser = iommu_lu_record(&fuzz->units, unit_slot[i]);
	ser->env.type = IOMMU_LU_TYPE_VTD;
	ser->env.version = IOMMU_LU_VTD_VERSION;
	ser->env.payload_size = sizeof(*vtd);
	ser->base = iommu->reg_phys;
	ser->segment = iommu->segment;
	ser->root_unit = unit_slot[i];
	ser->root = virt_to_phys(fuzz->root[i]);
	ser->pages = virt_to_phys(fuzz->tables[i]);
	vtd = iommu_lu_payload(ser, struct iommu_lu_vtd_unit_ser);
	vtd->mode = IOMMU_LU_VTD_LEGACY;
	vtd->cap = iommu->cap;
	vtd->ecap = iommu->ecap;
	add_region(test, FUZZ_UNIT, i, ser, sizeof(*ser));
}

/* With all devices written, which context tables there are is known */
static void finish_unit(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommu_lu_unit_ser *ser;

	ser = iommu_lu_record(&fuzz->units, unit_slot[i]);
	ser->nr_pages = fuzz->tables[i]->nr;
	iommu_lu_record_seal(&fuzz->units, unit_slot[i]);
	fuzz->tables[i]->crc = list_crc(fuzz->tables[i]);
	add_region(test, FUZZ_UNIT_PAGES, i, fuzz->tables[i],
		   struct_size(fuzz->tables[i], entry, ser->nr_pages));
}

static void write_domain(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommufd_lu_ser *iommufd = fuzz->iommufd[i % FUZZ_IOMMUFDS];
	struct iommufd_lu_hwpt_ser *hwpt = &iommufd->hwpts[iommufd->nr_hwpts++];
	struct iommu_lu_vtd_domain_ser *vtd;
	struct iommu_lu_domain_ser *ser;

	fuzz->top[i] = new_page(test);
	ser = iommu_lu_record(&fuzz->domains, domain_slot[i]);
	fuzz->list[i] = new_list(test, IOMMU_LU_MAGIC_DOMAINS, domain_slot[i]);
	list_add_page(fuzz->list[i], fuzz->top[i]);
	fuzz->list[i]->crc = list_crc(fuzz->list[i]);
	add_region(test, FUZZ_DOMAIN_PAGES, i, fuzz->list[i],
		   struct_size(fuzz->list[i], entry, 1));

	ser->env.type = IOMMU_LU_TYPE_VTD;
	ser->env.version = IOMMU_LU_VTD_VERSION;
	ser->env.payload_size = sizeof(*vtd);
	ser->unit = IOMMU_LU_NO_SLOT;
	ser->code = IOMMU_LU_CODE_GENERIC_PT;
	ser->pgsizes = SZ_4K | SZ_2M | SZ_1G;
	ser->user = virt_to_phys(hwpt);
	ser->top = virt_to_phys(fuzz->top[i]);
	ser->pages = virt_to_phys(fuzz->list[i]);
	ser->nr_pages = 1;
	vtd = iommu_lu_payload(ser, struct iommu_lu_vtd_domain_ser);
	vtd->flags = i & 1 ? IOMMU_LU_VTD_FORCE_SNOOP : 0;
	strscpy_pad(vtd->pt.format, "vtdss");
	vtd->pt.flags = IOMMU_PT_SER_DYNAMIC_TOP;
	vtd->pt.top_level = 2 + i % 2;
	vtd->pt.max_vasz_lg2 = 39 + 9 * (i % 2);
	vtd->pt.max_oasz_lg2 = 52;
	iommu_lu_record_seal(&fuzz->domains, domain_slot[i]);
	add_region(test, FUZZ_DOMAIN, i, ser, sizeof(*ser));

	hwpt->token = 4711 + i;
	hwpt->domain = domain_slot[i];
	hwpt->flags = i & 1 ? IOMMUFD_LU_HWPT_ENFORCE_CC : 0;
}

/**
 * fuzz_fill_entry - What the hardware has for a device
 * @entry:     Zero, filled in
 * @did:       The domain ID
 * @top:       Physical address of the top table
 * @top_level: Its level
 */
void fuzz_fill_entry(struct context_entry *entry, u32 did, phys_addr_t top,
		     u8 top_level)
{
	context_set_domain_id(entry, did);
	context_set_address_root(entry, top);
	context_set_address_width(entry, top_level - 1);
	context_set_translation_type(entry, CONTEXT_TT_MULTI_LEVEL);
	context_set_fault_enable(entry);
	context_set_present(entry);
}

static void write_attachment(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommu_lu_attachment_ser *ser;

	ser = iommu_lu_record(&fuzz->attachments, attachment_slot[i]);
	ser->env.type = IOMMU_LU_TYPE_VTD;
	ser->env.version = IOMMU_LU_VTD_VERSION;
	ser->device = device_slot[i];
	ser->domain = domain_slot[device_is[i].domain];
	ser->pasid = IOMMU_LU_NO_PASID;
	ser->hw_id = device_is[i].did;
	iommu_lu_record_seal(&fuzz->attachments, attachment_slot[i]);
	add_region(test, FUZZ_ATTACHMENT, i, ser, sizeof(*ser));
}

static void write_entry(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	unsigned int unit = device_is[i].unit, d = device_is[i].domain;
	u8 bus = PCI_BUS_NUM(device_is[i].rid);
	struct context_entry *table = fuzz->context[unit][bus];

	if (!table) {
		table = new_page(test);
		fuzz->context[unit][bus] = table;
		list_add_page(fuzz->tables[unit], table);
		fuzz->root[unit][bus].lo = virt_to_phys(table) | 1;
	}
	fuzz_fill_entry(&table[device_is[i].rid & 0xff], device_is[i].did,
			virt_to_phys(fuzz->top[d]), 2 + d % 2);
}

static void write_device(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	unsigned int unit = device_is[i].unit;
	struct iommu_lu_device_ser *ser;
	struct vfio_pci_lu_ser *vfio;

	vfio = new_page(test);
	fuzz->vfio[i] = vfio;
	ser = iommu_lu_record(&fuzz->devices, device_slot[i]);
	ser->env.type = IOMMU_LU_TYPE_VTD;
	ser->env.version = IOMMU_LU_VTD_VERSION;
	ser->env.payload_size = sizeof(struct iommu_lu_vtd_device_ser);
	ser->bus = IOMMU_LU_BUS_PCI;
	ser->segment = FUZZ_SEGMENT + unit;
	ser->source_id = device_is[i].rid;
	ser->rid = device_is[i].rid;
	ser->vendor = 0x8086;
	ser->device = 0x10d3 + i;
	ser->unit = unit_slot[unit];
	ser->user = virt_to_phys(vfio);
	iommu_lu_record_seal(&fuzz->devices, device_slot[i]);
	add_region(test, FUZZ_DEVICE, i, ser, sizeof(*ser));

	vfio->magic = VFIO_PCI_LU_MAGIC;
	vfio->segment = ser->segment;
	vfio->rid = ser->rid;
	vfio->vendor = ser->vendor;
	vfio->device = ser->device;
	vfio->crc = crc32c(PHYS_PFN(virt_to_phys(vfio)), &vfio->segment,
			   sizeof(*vfio) - 8);
	add_region(test, FUZZ_VFIO, i, vfio, sizeof(*vfio));

	write_attachment(test, i);
	write_entry(test, i);
}

static bool is_table(struct fuzz *fuzz, const void *virt)
{
	for (unsigned int i = 0; i < FUZZ_UNITS; i++) {
		if (virt == fuzz->root[i])
			return true;
		for (unsigned int bus = 0; bus < 256; bus++)
			if (virt == fuzz->context[i][bus])
				return true;
	}
	return false;
}

static void copy_page_of(struct kunit *test, struct fuzz_page *page)
{
	struct fuzz *fuzz = test->priv;

	page->table = is_table(fuzz, page->virt);
	page->copy = kunit_kmalloc(test, page->size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page->copy);
	memcpy(page->copy, page->virt, page->size);
	for (unsigned int i = 0; i < fuzz->nr_regions; i++) {
		struct fuzz_region *region = &fuzz->region[i];

		if ((void *)region->at >= page->virt &&
		    (void *)region->at < page->virt + page->size)
			region->copy = page->copy +
				       ((void *)region->at - page->virt);
	}
}

/**
 * fuzz_write - Write a handover, as the old kernel does
 * @test: The test
 */
void fuzz_write(struct kunit *test)
{
	struct fuzz *fuzz = test->priv;

	write_start(test);
	for (unsigned int i = 0; i < FUZZ_IOMMUFDS; i++)
		fuzz->iommufd[i] = new_page(test);
	for (unsigned int i = 0; i < FUZZ_UNITS; i++)
		write_unit(test, i);
	for (unsigned int i = 0; i < FUZZ_DOMAINS; i++)
		write_domain(test, i);
	for (unsigned int i = 0; i < FUZZ_DEVICES; i++)
		write_device(test, i);
	for (unsigned int i = 0; i < FUZZ_UNITS; i++)
		finish_unit(test, i);
	for (unsigned int i = 0; i < FUZZ_IOMMUFDS; i++) {
		struct iommufd_lu_ser *ser = fuzz->iommufd[i];

		ser->magic = IOMMUFD_LU_MAGIC;
		ser->size = struct_size(ser, hwpts, ser->nr_hwpts);
		ser->crc = crc32c(PHYS_PFN(virt_to_phys(ser)), &ser->size,
				  ser->size - 8);
		add_region(test, FUZZ_IOMMUFD, i, ser, ser->size);
	}
	for (unsigned int i = 0; i < fuzz->nr_pages; i++)
		copy_page_of(test, &fuzz->page[i]);
}

/**
 * fuzz_seal - Make the CRC right, as a kernel would that means what it writes
 * @fuzz:   The test
 * @region: What was changed
 */
void fuzz_seal(struct fuzz *fuzz, const struct fuzz_region *region)
{
	struct iommufd_lu_ser *iommufd;
	struct iommu_lu_pages_ser *list;
	struct vfio_pci_lu_ser *vfio;
	u32 pfn = PHYS_PFN(virt_to_phys(region->at));

	switch (region->kind) {
	case FUZZ_UNIT:
		iommu_lu_record_seal(&fuzz->units, unit_slot[region->nr]);
		break;
	case FUZZ_DOMAIN:
		iommu_lu_record_seal(&fuzz->domains, domain_slot[region->nr]);
		break;
	case FUZZ_DEVICE:
		iommu_lu_record_seal(&fuzz->devices, device_slot[region->nr]);
		break;
	case FUZZ_ATTACHMENT:
		iommu_lu_record_seal(&fuzz->attachments,
				     attachment_slot[region->nr]);
		break;
	case FUZZ_UNIT_PAGES:
	case FUZZ_DOMAIN_PAGES:
		list = (struct iommu_lu_pages_ser *)region->at;
		if (struct_size(list, entry, list->nr) <= PAGE_SIZE)
			list->crc = list_crc(list);
		break;
	case FUZZ_IOMMUFD:
		iommufd = fuzz->iommufd[region->nr];
		if (iommufd->size >= 8 && iommufd->size <= PAGE_SIZE)
			iommufd->crc = crc32c(pfn, &iommufd->size,
					      iommufd->size - 8);
		break;
	case FUZZ_VFIO:
		vfio = fuzz->vfio[region->nr];
		vfio->crc = crc32c(pfn, &vfio->segment, sizeof(*vfio) - 8);
		break;
	default:
		break;
	}
}

static void free_slots(struct iommu_lu_records *records, const u32 *used,
		       unsigned int nr)
{
	while (nr--)
		iommu_lu_record_free(records, used[nr]);
	iommu_lu_records_destroy(records);
}

/**
 * fuzz_forget - Undo fuzz_write()
 * @fuzz: The test
 */
void fuzz_forget(struct fuzz *fuzz)
{
	free_slots(&fuzz->attachments, attachment_slot, FUZZ_DEVICES);
	free_slots(&fuzz->devices, device_slot, FUZZ_DEVICES);
	free_slots(&fuzz->domains, domain_slot, FUZZ_DOMAINS);
	free_slots(&fuzz->units, unit_slot, FUZZ_UNITS);
	xa_destroy(&fuzz->pages);
}
