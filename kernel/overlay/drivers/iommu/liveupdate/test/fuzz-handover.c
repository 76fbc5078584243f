// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handover that is broken by fuzz.c, whole
 */
#include <kunit/test.h>
#include <linux/crc32.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "fuzz.h"

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

static void *new_pages(struct kunit *test, unsigned int order)
{
	/* Aligned, as it is no smaller; poisoned beyond its end by KASAN */
	void *virt = kunit_kzalloc(test, PAGE_SIZE << order, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, virt);
	add_page(test, virt, PAGE_SIZE << order);
	return virt;
}

static void *new_page(struct kunit *test)
{
	return new_pages(test, 0);
}

/**
 * fuzz_add_region - There is something that may be changed
 * @test: The test
 * @kind: What it is
 * @nr:   Which one of its kind
 * @at:   Where it is
 * @len:  How long it is, a page at most
 */
void fuzz_add_region(struct kunit *test, unsigned int kind, unsigned int nr,
		     void *at, size_t len)
{
	struct fuzz *fuzz = test->priv;

	KUNIT_ASSERT_LT(test, fuzz->nr_regions, FUZZ_REGIONS);
	KUNIT_ASSERT_LE(test, len, sizeof(fuzz->change[0].was));
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
		fuzz_add_region(test, FUZZ_BLOCK, i, block, sizeof(*block));
	}
}

static void write_start(struct kunit *test)
{
	struct fuzz *fuzz = test->priv;
	const struct fuzz_type *type = fuzz->type;
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
	fill_slots(test, &fuzz->units, type->unit_slot, type->units);
	fill_slots(test, &fuzz->domains, type->domain_slot, type->domains);
	fill_slots(test, &fuzz->devices, type->device_slot, type->devices);
	fill_slots(test, &fuzz->attachments, type->attachment_slot,
		   type->attachments);
	fuzz_add_region(test, FUZZ_START, 0, ser, sizeof(*ser) + 16);
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

static void list_add_page(struct iommu_lu_pages_ser *list, void *virt,
			  unsigned int order)
{
	list->entry[list->nr++] = virt_to_phys(virt) | order;
}

/**
 * fuzz_new_table - Make a table that the hardware of a unit walks
 * @test:  The test
 * @unit:  The unit, in whose list it is
 * @order: log2 of its size in pages
 *
 * Return: the table, zeroed.
 */
void *fuzz_new_table(struct kunit *test, unsigned int unit, unsigned int order)
{
	struct fuzz *fuzz = test->priv;
	void *virt = new_pages(test, order);

	fuzz->page[fuzz->nr_pages - 1].table = true;
	list_add_page(fuzz->tables[unit], virt, order);
	return virt;
}

static void fill_env(struct fuzz *fuzz, struct iommu_lu_record_ser *env,
		     u32 payload_size)
{
	env->type = fuzz->type->ops->type;
	env->version = fuzz->type->ops->version;
	env->payload_size = payload_size;
}

static void write_unit(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	u32 slot = fuzz->type->unit_slot[i];
	struct iommu_lu_unit_ser *ser = iommu_lu_record(&fuzz->units, slot);

	fuzz->tables[i] = new_list(test, IOMMU_LU_MAGIC_UNITS, slot);
	fill_env(fuzz, &ser->env, fuzz->type->ops->unit_size);
	ser->segment = fuzz->type->segment[i];
	ser->root_unit = slot;
	fuzz->type->fill_unit(test, i, ser);
	fuzz_add_region(test, FUZZ_UNIT, i, ser, sizeof(*ser));
}

/* With all attachments written, which tables there are is known */
static void finish_unit(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommu_lu_pages_ser *list = fuzz->tables[i];
	struct iommu_lu_unit_ser *ser;

	ser = iommu_lu_record(&fuzz->units, fuzz->type->unit_slot[i]);
	ser->nr_pages = list->nr;
	/* One whose tables are all in the list of another one has none */
	if (list->nr) {
		ser->pages = virt_to_phys(list);
		list->crc = list_crc(list);
		fuzz_add_region(test, FUZZ_UNIT_PAGES, i, list,
				struct_size(list, entry, list->nr));
	}
	iommu_lu_record_seal(&fuzz->units, fuzz->type->unit_slot[i]);
}

static void write_domain(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommufd_lu_ser *iommufd = fuzz->iommufd[i % FUZZ_IOMMUFDS];
	struct iommufd_lu_hwpt_ser *hwpt = &iommufd->hwpts[iommufd->nr_hwpts++];
	u32 slot = fuzz->type->domain_slot[i];
	struct iommu_lu_domain_ser *ser;

	fuzz->top[i] = new_page(test);
	ser = iommu_lu_record(&fuzz->domains, slot);
	fuzz->list[i] = new_list(test, IOMMU_LU_MAGIC_DOMAINS, slot);
	list_add_page(fuzz->list[i], fuzz->top[i], 0);
	fuzz->list[i]->crc = list_crc(fuzz->list[i]);
	fuzz_add_region(test, FUZZ_DOMAIN_PAGES, i, fuzz->list[i],
			struct_size(fuzz->list[i], entry, 1));

	fill_env(fuzz, &ser->env, fuzz->type->ops->domain_size);
	ser->unit = IOMMU_LU_NO_SLOT;
	ser->code = IOMMU_LU_CODE_GENERIC_PT;
	ser->pgsizes = SZ_4K | SZ_2M | SZ_1G;
	ser->user = virt_to_phys(hwpt);
	ser->top = virt_to_phys(fuzz->top[i]);
	ser->pages = virt_to_phys(fuzz->list[i]);
	ser->nr_pages = 1;
	hwpt->token = 4711 + i;
	hwpt->domain = slot;
	hwpt->flags = fuzz->type->fill_domain(fuzz, i, ser);
	iommu_lu_record_seal(&fuzz->domains, slot);
	fuzz_add_region(test, FUZZ_DOMAIN, i, ser, sizeof(*ser));
}

static void write_attachment(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	const struct fuzz_type *type = fuzz->type;
	const struct fuzz_attachment *is = &type->attachment[i];
	u32 slot = type->attachment_slot[i];
	struct iommu_lu_attachment_ser *ser;

	ser = iommu_lu_record(&fuzz->attachments, slot);
	fill_env(fuzz, &ser->env, type->ops->attachment_size);
	ser->device = type->device_slot[is->device];
	ser->domain = type->domain_slot[is->domain];
	ser->pasid = is->pasid;
	ser->hw_id = is->hw_id;
	iommu_lu_record_seal(&fuzz->attachments, slot);
	fuzz_add_region(test, FUZZ_ATTACHMENT, i, ser, sizeof(*ser));
	type->fill_entry(test, i);
}

static void write_vfio(struct kunit *test, unsigned int i,
		       const struct iommu_lu_device_ser *ser)
{
	struct fuzz *fuzz = test->priv;
	struct vfio_pci_lu_ser *vfio = fuzz->vfio[i];

	vfio->magic = VFIO_PCI_LU_MAGIC;
	vfio->segment = ser->segment;
	vfio->rid = ser->rid;
	vfio->vendor = ser->vendor;
	vfio->device = ser->device;
	vfio->crc = crc32c(PHYS_PFN(virt_to_phys(vfio)), &vfio->segment,
			   sizeof(*vfio) - 8);
	fuzz_add_region(test, FUZZ_VFIO, i, vfio, sizeof(*vfio));
}

static void write_device(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	const struct fuzz_type *type = fuzz->type;
	const struct fuzz_device *is = &type->device[i];
	struct iommu_lu_device_ser *ser;

	fuzz->vfio[i] = new_page(test);
	ser = iommu_lu_record(&fuzz->devices, type->device_slot[i]);
	fill_env(fuzz, &ser->env, type->ops->device_size);
	ser->bus = IOMMU_LU_BUS_PCI;
	ser->segment = type->segment[is->unit];
	ser->source_id = is->rid;
	ser->rid = is->rid;
	ser->vendor = 0x8086;
	ser->device = 0x10d3 + i;
	ser->unit = type->unit_slot[is->unit];
	ser->user = virt_to_phys(fuzz->vfio[i]);
	if (type->fill_device)
		type->fill_device(test, i, ser);
	iommu_lu_record_seal(&fuzz->devices, type->device_slot[i]);
	fuzz_add_region(test, FUZZ_DEVICE, i, ser, sizeof(*ser));
	write_vfio(test, i, ser);
}

static void copy_page_of(struct kunit *test, struct fuzz_page *page)
{
	struct fuzz *fuzz = test->priv;

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

static void write_iommufd(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommufd_lu_ser *ser = fuzz->iommufd[i];

	ser->magic = IOMMUFD_LU_MAGIC;
	ser->size = struct_size(ser, hwpts, ser->nr_hwpts);
	ser->crc = crc32c(PHYS_PFN(virt_to_phys(ser)), &ser->size,
			  ser->size - 8);
	fuzz_add_region(test, FUZZ_IOMMUFD, i, ser, ser->size);
}

/**
 * fuzz_write - Write a handover, as the old kernel does
 * @test: The test
 */
void fuzz_write(struct kunit *test)
{
	struct fuzz *fuzz = test->priv;
	const struct fuzz_type *type = fuzz->type;

	write_start(test);
	for (unsigned int i = 0; i < FUZZ_IOMMUFDS; i++)
		fuzz->iommufd[i] = new_page(test);
	for (unsigned int i = 0; i < type->units; i++)
		write_unit(test, i);
	for (unsigned int i = 0; i < type->domains; i++)
		write_domain(test, i);
	for (unsigned int i = 0; i < type->devices; i++)
		write_device(test, i);
	for (unsigned int i = 0; i < type->attachments; i++)
		write_attachment(test, i);
	for (unsigned int i = 0; i < type->units; i++)
		finish_unit(test, i);
	for (unsigned int i = 0; i < FUZZ_IOMMUFDS; i++)
		write_iommufd(test, i);
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
	const struct fuzz_type *type = fuzz->type;
	struct iommufd_lu_ser *iommufd;
	struct iommu_lu_pages_ser *list;
	struct vfio_pci_lu_ser *vfio;
	u32 pfn = PHYS_PFN(virt_to_phys(region->at));

	switch (region->kind) {
	case FUZZ_UNIT:
		iommu_lu_record_seal(&fuzz->units, type->unit_slot[region->nr]);
		break;
	case FUZZ_DOMAIN:
		iommu_lu_record_seal(&fuzz->domains, type->domain_slot[region->nr]);
		break;
	case FUZZ_DEVICE:
		iommu_lu_record_seal(&fuzz->devices, type->device_slot[region->nr]);
		break;
	case FUZZ_ATTACHMENT:
		iommu_lu_record_seal(&fuzz->attachments,
				     type->attachment_slot[region->nr]);
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
	const struct fuzz_type *type = fuzz->type;

	free_slots(&fuzz->attachments, type->attachment_slot,
		   type->attachments);
	free_slots(&fuzz->devices, type->device_slot, type->devices);
	free_slots(&fuzz->domains, type->domain_slot, type->domains);
	free_slots(&fuzz->units, type->unit_slot, type->units);
	xa_destroy(&fuzz->pages);
}
