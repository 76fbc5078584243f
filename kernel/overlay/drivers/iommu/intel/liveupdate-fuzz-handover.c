// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handover that is broken by liveupdate-fuzz.c, whole, and what the hardware
 * finds in its tables
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
static const u32 device_slot[FUZZ_DEVICES] = {
	0, 1, 2, 5, 62, 65, 70, 71, 90,
};

static const u32 attachment_slot[FUZZ_ATTACHMENTS] = {
	0, 3, 4, 61, 63, 64, 71, 72, 80, 81, 100, 125,
};

/* ---- What the hardware finds ---------------------------------------------- */

/* Tables and their entries in words, all of which the test has written */
#define WORDS		(PAGE_SIZE / sizeof(u64))
#define PASID_SIZE	64
#define FUZZ_AGAW	2

static size_t context_size(unsigned int unit)
{
	return unit == FUZZ_SCALABLE ? 32 : 16;
}

static u32 pasid_index(unsigned int i)
{
	u32 pasid = attachment_is[i].pasid;

	return pasid == IOMMU_LU_NO_PASID ? 0 : pasid;
}

/* Where an entry leads that may have been changed to anything */
static u64 *follow(struct fuzz *fuzz, u64 entry)
{
	struct fuzz_page *page = xa_load(&fuzz->pages, PHYS_PFN(entry));

	return page && entry & 1 ? page->virt : NULL;
}

static u64 *root_word(struct fuzz *fuzz, unsigned int device)
{
	unsigned int unit = device_is[device].unit, rid = device_is[device].rid;
	unsigned int half = unit == FUZZ_SCALABLE && rid & 0x80;

	return &fuzz->root[unit][(rid >> 8) * 2 + half];
}

static u64 *context_of(struct fuzz *fuzz, unsigned int device)
{
	unsigned int unit = device_is[device].unit;
	u64 *table = follow(fuzz, *root_word(fuzz, device));
	size_t at = device_is[device].rid & 0xff;

	if (unit == FUZZ_SCALABLE)
		at &= 0x7f;
	return table ? table + at * context_size(unit) / sizeof(u64) : NULL;
}

static u64 *dir_word(struct fuzz *fuzz, unsigned int i)
{
	return &fuzz->dir[attachment_is[i].device][pasid_index(i) / 64];
}

static u64 *pasid_of(struct fuzz *fuzz, unsigned int i)
{
	u64 *table = follow(fuzz, *dir_word(fuzz, i));

	return table ? table + pasid_index(i) % 64 * 8 : NULL;
}

/* Bits as in the specification, and not by what the driver has for them */
static void fill_context(struct fuzz *fuzz, unsigned int device, u64 *entry)
{
	u32 flags = device_is[device].flags;
	unsigned int domain = attachment_is[device].domain;

	/* DTE; in legacy mode TT is 1 and not 0 */
	entry[0] = flags & IOMMU_LU_VTD_ATS ? BIT_ULL(2) : 0;
	entry[0] |= 1;
	if (device_is[device].unit == FUZZ_SCALABLE) {
		/* PASIDPTR, PDTS, of which 0 is 1 KiB, PASIDE */
		entry[0] |= virt_to_phys(fuzz->dir[device]) |
			    (device_is[device].dir_order + 2) << 9;
		if (flags & IOMMU_LU_VTD_PASID)
			entry[0] |= BIT_ULL(3);
		return;
	}
	/* SLPTPTR, DID, AW */
	entry[0] |= virt_to_phys(fuzz->top[domain]);
	entry[1] = attachment_is[device].did << 8 |
		   (domain_is[domain].top_level - 1);
}

static void fill_pasid(struct fuzz *fuzz, unsigned int i, u64 *entry)
{
	unsigned int domain = attachment_is[i].domain;
	u64 top = virt_to_phys(fuzz->top[domain]);

	/* DID, PWSNP */
	entry[1] = attachment_is[i].did;
	if (!domain_is[domain].incoherent)
		entry[1] |= BIT_ULL(23);
	/* PGTT, AW */
	if (!domain_is[domain].first_stage) {
		entry[0] = top | 2 << 6 |
			   (domain_is[domain].top_level - 1) << 2 | 1;
		return;
	}
	entry[0] = 1 << 6 | FUZZ_AGAW << 2 | 1;
	/* PGSNP */
	if (domain_is[domain].snoop)
		entry[1] |= BIT_ULL(24);
	/* FSPTPTR, and in FSPM 1 for five levels */
	entry[2] = top;
	if (domain_is[domain].top_level == 4)
		entry[2] |= BIT_ULL(2);
}

static bool is_context(struct fuzz *fuzz, unsigned int device, const u64 *entry)
{
	u64 want[4] = {};

	fill_context(fuzz, device, want);
	return !memcmp(entry, want, context_size(device_is[device].unit));
}

static bool is_pasid(struct fuzz *fuzz, unsigned int i, const u64 *entry)
{
	u64 want[8] = {};

	fill_pasid(fuzz, i, want);
	return !memcmp(entry, want, sizeof(want));
}

/**
 * fuzz_there - Does the hardware find all that is of an attachment?
 * @fuzz: The test
 * @i:    The attachment
 *
 * Return: true when its entries are what they were at the start.
 */
bool fuzz_there(struct fuzz *fuzz, unsigned int i)
{
	unsigned int device = attachment_is[i].device;
	u64 *entry = context_of(fuzz, device);

	if (!entry || !is_context(fuzz, device, entry))
		return false;
	if (unit_of(i) != FUZZ_SCALABLE)
		return true;
	entry = pasid_of(fuzz, i);
	return entry && is_pasid(fuzz, i, entry);
}

static void *walk(struct fuzz *fuzz, u64 entry, unsigned int nr)
{
	struct fuzz_page *page = xa_load(&fuzz->pages, PHYS_PFN(entry));

	if ((entry & ~PAGE_MASK) != 1 || !page || !page->gone || page->walked) {
		fuzz_complain(fuzz, "an entry leads to what is not its own", nr);
		return NULL;
	}
	page->walked = true;
	return page->virt;
}

static void check_pasid_table(struct fuzz *fuzz, unsigned int device,
			      const u64 *table, u32 first)
{
	for (u32 n = 0; n < 64; n++) {
		const u64 *entry = table + n * PASID_SIZE / sizeof(u64);
		int i;

		if (!memchr_inv(entry, 0, PASID_SIZE))
			continue;
		i = attachment_at(device, first + n ?: IOMMU_LU_NO_PASID);
		if (i < 0 || !is_pasid(fuzz, i, entry))
			fuzz_complain(fuzz, "a PASID's entry is something third",
				      device);
	}
}

static void check_dir(struct fuzz *fuzz, unsigned int device)
{
	u64 *dir = walk(fuzz, virt_to_phys(fuzz->dir[device]) | 1, device);
	u64 *table;

	for (u32 n = 0; dir && n < WORDS << device_is[device].dir_order; n++) {
		table = dir[n] ? walk(fuzz, dir[n], device) : NULL;
		if (table)
			check_pasid_table(fuzz, device, table, n * 64);
	}
}

static int device_at(unsigned int unit, u16 rid)
{
	for (unsigned int i = 0; i < FUZZ_DEVICES; i++)
		if (device_is[i].unit == unit && device_is[i].rid == rid)
			return i;
	return -1;
}

static void check_context_table(struct fuzz *fuzz, unsigned int unit,
				const u64 *table, u16 first)
{
	size_t size = context_size(unit);

	for (u16 n = 0; n < PAGE_SIZE / size; n++) {
		const u64 *entry = table + n * size / sizeof(u64);
		int i;

		if (!memchr_inv(entry, 0, size))
			continue;
		i = device_at(unit, first + n);
		if (i < 0 || !is_context(fuzz, i, entry))
			fuzz_complain(fuzz, "an entry is something third", unit);
		else if (unit == FUZZ_SCALABLE)
			check_dir(fuzz, i);
	}
}

/**
 * fuzz_check_tables - Is all that the hardware can walk as it was, or nothing?
 * @fuzz: The test
 * @unit: The unit, adopted
 *
 * Tables without entries in places where none were do no harm.
 */
void fuzz_check_tables(struct fuzz *fuzz, unsigned int unit)
{
	u64 *table;

	for (unsigned int n = 0; n < WORDS; n++) {
		u64 word = fuzz->root[unit][n];

		if (!word)
			continue;
		if (n & 1 && unit != FUZZ_SCALABLE)
			fuzz_complain(fuzz, "a reserved word is used", unit);
		table = walk(fuzz, word, unit);
		if (table)
			check_context_table(fuzz, unit, table, n / 2 << 8 |
					    (n & 1) << 7);
	}
}

/* ---- The handover ---------------------------------------------------------- */

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

static void add_region(struct kunit *test, enum fuzz_kind kind, unsigned int nr,
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
	fill_slots(test, &fuzz->attachments, attachment_slot, FUZZ_ATTACHMENTS);
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

static void list_add_page(struct iommu_lu_pages_ser *list, void *virt,
			  unsigned int order)
{
	list->entry[list->nr++] = virt_to_phys(virt) | order;
}

/* Which the hardware of a unit walks */
static void *new_table(struct kunit *test, unsigned int unit,
		       unsigned int order)
{
	struct fuzz *fuzz = test->priv;
	void *virt = new_pages(test, order);

	fuzz->page[fuzz->nr_pages - 1].table = true;
	list_add_page(fuzz->tables[unit], virt, order);
	return virt;
}

static struct intel_iommu *new_iommu(struct kunit *test, unsigned int i)
{
	struct intel_iommu *iommu;

	iommu = kunit_kzalloc(test, sizeof(*iommu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu);
	strscpy((char *)iommu->name, "fuzz", sizeof(iommu->name));
	iommu->reg_phys = FUZZ_BASE + i * PAGE_SIZE;
	iommu->segment = FUZZ_SEGMENT + i;
	iommu->cap = 0x8d2008c222f0206ULL;
	/* Coherent: there is no cache to flush */
	iommu->ecap = 0xf00f5bULL;
	/* SMTS, SLTS, FLTS, SMPWCS */
	if (i == FUZZ_SCALABLE)
		iommu->ecap |= BIT_ULL(43) | BIT_ULL(46) | BIT_ULL(47) |
			       BIT_ULL(48);
	iommu->agaw = FUZZ_AGAW;
	iommu->max_domain_id = 256;
	ida_init(&iommu->domain_ida);
	return iommu;
}

static void write_unit(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommu_lu_vtd_unit_ser *vtd;
	struct iommu_lu_unit_ser *ser;
	struct intel_iommu *iommu = new_iommu(test, i);

	fuzz->iommu[i] = iommu;
	fuzz->tables[i] = new_list(test, IOMMU_LU_MAGIC_UNITS, unit_slot[i]);
	fuzz->root[i] = new_table(test, i, 0);
	add_region(test, FUZZ_ROOT, i, fuzz->root[i], PAGE_SIZE);

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
	vtd->mode = i == FUZZ_SCALABLE ? IOMMU_LU_VTD_SCALABLE :
					 IOMMU_LU_VTD_LEGACY;
	vtd->cap = iommu->cap;
	vtd->ecap = iommu->ecap;
	add_region(test, FUZZ_UNIT, i, ser, sizeof(*ser));
}

/* With all attachments written, which tables there are is known */
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

static void fill_pt(struct iommu_pt_ser *pt, unsigned int i)
{
	if (domain_is[i].first_stage) {
		strscpy_pad(pt->format, "x86_64");
		pt->flags = IOMMU_PT_SER_SIGN_EXTEND;
	} else {
		strscpy_pad(pt->format, "vtdss");
		pt->flags = IOMMU_PT_SER_DYNAMIC_TOP;
	}
	if (domain_is[i].incoherent)
		pt->flags |= IOMMU_PT_SER_DMA_INCOHERENT;
	pt->top_level = domain_is[i].top_level;
	pt->max_vasz_lg2 = 12 + 9 * (pt->top_level + 1);
	pt->max_oasz_lg2 = 52;
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
	list_add_page(fuzz->list[i], fuzz->top[i], 0);
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
	vtd->flags = domain_is[i].snoop ? IOMMU_LU_VTD_FORCE_SNOOP : 0;
	fill_pt(&vtd->pt, i);
	iommu_lu_record_seal(&fuzz->domains, domain_slot[i]);
	add_region(test, FUZZ_DOMAIN, i, ser, sizeof(*ser));

	hwpt->token = 4711 + i;
	hwpt->domain = domain_slot[i];
	hwpt->flags = domain_is[i].snoop ? IOMMUFD_LU_HWPT_ENFORCE_CC : 0;
}

static void write_attachment(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	struct iommu_lu_attachment_ser *ser;

	ser = iommu_lu_record(&fuzz->attachments, attachment_slot[i]);
	ser->env.type = IOMMU_LU_TYPE_VTD;
	ser->env.version = IOMMU_LU_VTD_VERSION;
	ser->device = device_slot[attachment_is[i].device];
	ser->domain = domain_slot[attachment_is[i].domain];
	ser->pasid = attachment_is[i].pasid;
	ser->hw_id = attachment_is[i].did;
	iommu_lu_record_seal(&fuzz->attachments, attachment_slot[i]);
	add_region(test, FUZZ_ATTACHMENT, i, ser, sizeof(*ser));
}

static void write_context(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	unsigned int unit = device_is[i].unit;
	u64 *word = root_word(fuzz, i), *entry;

	if (!*word) {
		entry = new_table(test, unit, 0);
		*word = virt_to_phys(entry) | 1;
		add_region(test, FUZZ_ROOT, unit, word, sizeof(*word));
		add_region(test, FUZZ_CONTEXT, i, entry, PAGE_SIZE);
	}
	entry = context_of(fuzz, i);
	fill_context(fuzz, i, entry);
	add_region(test, FUZZ_CONTEXT, i, entry, context_size(unit));
}

/* All of each page, and the entries of it that are in use */
static void write_dir(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;

	fuzz->dir[i] = new_table(test, device_is[i].unit, device_is[i].dir_order);
	for (unsigned int n = 0; n < 1U << device_is[i].dir_order; n++) {
		u64 *dir = fuzz->dir[i] + n * WORDS;

		add_region(test, FUZZ_PASID_DIR, i, dir, PAGE_SIZE);
		add_region(test, FUZZ_PASID_DIR, i, dir, 2 * sizeof(*dir));
	}
}

static void write_pasid(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	u64 *word = dir_word(fuzz, i), *entry;

	if (!*word) {
		entry = new_table(test, unit_of(i), 0);
		*word = virt_to_phys(entry) | 1;
		add_region(test, FUZZ_PASID_TABLE, i, entry, PAGE_SIZE);
	}
	entry = pasid_of(fuzz, i);
	fill_pasid(fuzz, i, entry);
	add_region(test, FUZZ_PASID_TABLE, i, entry, PASID_SIZE);
}

static void write_device(struct kunit *test, unsigned int i)
{
	struct fuzz *fuzz = test->priv;
	unsigned int unit = device_is[i].unit;
	struct iommu_lu_vtd_device_ser *vtd;
	struct iommu_lu_device_ser *ser;
	struct vfio_pci_lu_ser *vfio;

	vfio = new_page(test);
	fuzz->vfio[i] = vfio;
	ser = iommu_lu_record(&fuzz->devices, device_slot[i]);
	ser->env.type = IOMMU_LU_TYPE_VTD;
	ser->env.version = IOMMU_LU_VTD_VERSION;
	ser->env.payload_size = sizeof(*vtd);
	ser->bus = IOMMU_LU_BUS_PCI;
	ser->segment = FUZZ_SEGMENT + unit;
	ser->source_id = device_is[i].rid;
	ser->rid = device_is[i].rid;
	ser->vendor = 0x8086;
	ser->device = 0x10d3 + i;
	ser->unit = unit_slot[unit];
	ser->user = virt_to_phys(vfio);
	vtd = iommu_lu_payload(ser, struct iommu_lu_vtd_device_ser);
	vtd->flags = device_is[i].flags;
	if (unit == FUZZ_SCALABLE) {
		write_dir(test, i);
		vtd->dir = virt_to_phys(fuzz->dir[i]);
		vtd->dir_order = device_is[i].dir_order;
	}
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

	write_context(test, i);
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
	for (unsigned int i = 0; i < FUZZ_ATTACHMENTS; i++) {
		write_attachment(test, i);
		if (unit_of(i) == FUZZ_SCALABLE)
			write_pasid(test, i);
	}
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
	free_slots(&fuzz->attachments, attachment_slot, FUZZ_ATTACHMENTS);
	free_slots(&fuzz->devices, device_slot, FUZZ_DEVICES);
	free_slots(&fuzz->domains, domain_slot, FUZZ_DOMAINS);
	free_slots(&fuzz->units, unit_slot, FUZZ_UNITS);
	xa_destroy(&fuzz->pages);
}
