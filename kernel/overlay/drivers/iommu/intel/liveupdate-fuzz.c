// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feed broken handovers to VT-d: a unit in legacy and one in scalable mode
 */
#include <kunit/test.h>
#include <linux/dmar.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/pci.h>
#include <linux/xarray.h>

#include "../liveupdate/test/fuzz.h"
#include "iommu.h"
#include "liveupdate.h"

#define VTD_UNITS	2
#define VTD_DOMAINS	7
#define VTD_DEVICES	9
#define VTD_ATTACHMENTS	12

/* The unit in scalable mode; the other one is in legacy mode */
#define VTD_SCALABLE	1

enum {
	VTD_ROOT = FUZZ_TABLE,
	VTD_CONTEXT,
	VTD_PASID_DIR,
	VTD_PASID_TABLE,
};

/* Slots that are used: two blocks of all but units, with gaps */
static const u32 unit_slot[VTD_UNITS] = { 0, 2 };
static const u32 domain_slot[VTD_DOMAINS] = { 0, 1, 7, 29, 33, 34, 60 };
static const u32 device_slot[VTD_DEVICES] = { 0, 1, 2, 5, 62, 65, 70, 71, 90 };

static const u32 attachment_slot[VTD_ATTACHMENTS] = {
	0, 3, 4, 61, 63, 64, 71, 72, 80, 81, 100, 125,
};

/* One of them is on two units, so it is of the second stage */
static const struct {
	u8 top_level;
	bool first_stage;
	bool snoop;
	bool incoherent;
} domain_is[VTD_DOMAINS] = {
	{ 2 }, { 3, .snoop = true }, { 2 },
	{ 3, .snoop = true, .incoherent = true }, { 2 },
	{ 3, .first_stage = true },
	{ 4, .first_stage = true, .snoop = true, .incoherent = true },
};

/* In both halves of a bus */
static const struct fuzz_device device_is[VTD_DEVICES] = {
	{ 0, 0x0108 }, { 0, 0x0109 }, { 0, 0x0300 }, { 0, 0x03ff },
	{ 1, 0x0008 }, { 1, 0x4100 }, { 1, 0xfff8 }, { 1, 0x4180 },
	{ 1, 0x0009 },
};

/* With a PASID directory of one page, and of two */
static const struct {
	u8 dir_order;
	u32 flags;
} extra_of[VTD_DEVICES] = {
	{}, {}, {}, { 0, IOMMU_LU_VTD_ATS },
	{}, { 0, IOMMU_LU_VTD_ATS }, { 1, IOMMU_LU_VTD_PASID },
	{ 0, IOMMU_LU_VTD_ATS | IOMMU_LU_VTD_PASID },
	{ 0, IOMMU_LU_VTD_PASID },
};

/*
 * Two on one domain in each unit. Then one PASID in a table of its own, one of which
 * the entry of the directory is in the second page, and one in the table that is
 * there anyway.
 */
static const struct fuzz_attachment attachment_is[VTD_ATTACHMENTS] = {
	{ 0, 0, 2, IOMMU_LU_NO_PASID }, { 1, 0, 2, IOMMU_LU_NO_PASID },
	{ 2, 1, 3, IOMMU_LU_NO_PASID }, { 3, 2, 4, IOMMU_LU_NO_PASID },
	{ 4, 2, 2, IOMMU_LU_NO_PASID }, { 5, 3, 3, IOMMU_LU_NO_PASID },
	{ 6, 4, 200, IOMMU_LU_NO_PASID }, { 7, 5, 5, IOMMU_LU_NO_PASID },
	{ 8, 5, 5, IOMMU_LU_NO_PASID },
	{ 7, 6, 6, 65 }, { 6, 2, 2, 0x8041 }, { 8, 6, 6, 1 },
};

static const struct fuzz_type vtd_type;

struct vtd_fuzz {
	struct fuzz fuzz;
	u64 *root[VTD_UNITS];
	u64 *dir[VTD_DEVICES];
	struct intel_iommu *iommu[VTD_UNITS];
	bool sm_forced;
};

static struct vtd_fuzz *to_vtd(struct fuzz *fuzz)
{
	return container_of(fuzz, struct vtd_fuzz, fuzz);
}

/* ---- What the hardware finds ---------------------------------------------- */

/* Tables and their entries in words, all of which the test has written */
#define WORDS		(PAGE_SIZE / sizeof(u64))
#define PASID_SIZE	64
#define VTD_AGAW	2

static size_t context_size(unsigned int unit)
{
	return unit == VTD_SCALABLE ? 32 : 16;
}

static u32 pasid_index(unsigned int i)
{
	u32 pasid = attachment_is[i].pasid;

	return pasid == IOMMU_LU_NO_PASID ? 0 : pasid;
}

/* Where an entry leads that may have been changed to anything */
static u64 *follow(struct vtd_fuzz *fuzz, u64 entry)
{
	struct fuzz_page *page = xa_load(&fuzz->fuzz.pages, PHYS_PFN(entry));

	return page && entry & 1 ? page->virt : NULL;
}

static u64 *root_word(struct vtd_fuzz *fuzz, unsigned int device)
{
	unsigned int unit = device_is[device].unit, rid = device_is[device].rid;
	unsigned int half = unit == VTD_SCALABLE && rid & 0x80;

	return &fuzz->root[unit][(rid >> 8) * 2 + half];
}

static u64 *context_of(struct vtd_fuzz *fuzz, unsigned int device)
{
	unsigned int unit = device_is[device].unit;
	u64 *table = follow(fuzz, *root_word(fuzz, device));
	size_t at = device_is[device].rid & 0xff;

	if (unit == VTD_SCALABLE)
		at &= 0x7f;
	return table ? table + at * context_size(unit) / sizeof(u64) : NULL;
}

static u64 *dir_word(struct vtd_fuzz *fuzz, unsigned int i)
{
	return &fuzz->dir[attachment_is[i].device][pasid_index(i) / 64];
}

static u64 *pasid_of(struct vtd_fuzz *fuzz, unsigned int i)
{
	u64 *table = follow(fuzz, *dir_word(fuzz, i));

	return table ? table + pasid_index(i) % 64 * 8 : NULL;
}

/* Bits as in the specification, and not by what the driver has for them */
static void fill_context(struct vtd_fuzz *fuzz, unsigned int device, u64 *entry)
{
	u32 flags = extra_of[device].flags;
	unsigned int domain = attachment_is[device].domain;

	/* DTE; in legacy mode TT is 1 and not 0 */
	entry[0] = flags & IOMMU_LU_VTD_ATS ? BIT_ULL(2) : 0;
	entry[0] |= 1;
	if (device_is[device].unit == VTD_SCALABLE) {
		/* PASIDPTR, PDTS, of which 0 is 1 KiB, PASIDE */
		entry[0] |= virt_to_phys(fuzz->dir[device]) |
			    (extra_of[device].dir_order + 2) << 9;
		if (flags & IOMMU_LU_VTD_PASID)
			entry[0] |= BIT_ULL(3);
		return;
	}
	/* SLPTPTR, DID, AW */
	entry[0] |= virt_to_phys(fuzz->fuzz.top[domain]);
	entry[1] = attachment_is[device].hw_id << 8 |
		   (domain_is[domain].top_level - 1);
}

static void fill_pasid(struct vtd_fuzz *fuzz, unsigned int i, u64 *entry)
{
	unsigned int domain = attachment_is[i].domain;
	u64 top = virt_to_phys(fuzz->fuzz.top[domain]);

	/* DID, PWSNP */
	entry[1] = attachment_is[i].hw_id;
	if (!domain_is[domain].incoherent)
		entry[1] |= BIT_ULL(23);
	/* PGTT, AW */
	if (!domain_is[domain].first_stage) {
		entry[0] = top | 2 << 6 |
			   (domain_is[domain].top_level - 1) << 2 | 1;
		return;
	}
	entry[0] = 1 << 6 | VTD_AGAW << 2 | 1;
	/* PGSNP */
	if (domain_is[domain].snoop)
		entry[1] |= BIT_ULL(24);
	/* FSPTPTR, and in FSPM 1 for five levels */
	entry[2] = top;
	if (domain_is[domain].top_level == 4)
		entry[2] |= BIT_ULL(2);
}

static bool is_context(struct vtd_fuzz *fuzz, unsigned int device, const u64 *entry)
{
	u64 want[4] = {};

	fill_context(fuzz, device, want);
	return !memcmp(entry, want, context_size(device_is[device].unit));
}

static bool is_pasid(struct vtd_fuzz *fuzz, unsigned int i, const u64 *entry)
{
	u64 want[8] = {};

	fill_pasid(fuzz, i, want);
	return !memcmp(entry, want, sizeof(want));
}

/* All its entries are what they were at the start */
static bool vtd_there(struct fuzz *base, unsigned int i)
{
	struct vtd_fuzz *fuzz = to_vtd(base);
	unsigned int device = attachment_is[i].device;
	u64 *entry = context_of(fuzz, device);

	if (!entry || !is_context(fuzz, device, entry))
		return false;
	if (fuzz_unit_of(&vtd_type, i) != VTD_SCALABLE)
		return true;
	entry = pasid_of(fuzz, i);
	return entry && is_pasid(fuzz, i, entry);
}

static void *walk(struct vtd_fuzz *fuzz, u64 entry, unsigned int nr)
{
	struct fuzz_page *page = xa_load(&fuzz->fuzz.pages, PHYS_PFN(entry));

	if ((entry & ~PAGE_MASK) != 1 || !page || !page->gone || page->walked) {
		fuzz_complain(&fuzz->fuzz, "an entry leads to what is not its own", nr);
		return NULL;
	}
	page->walked = true;
	return page->virt;
}

static void check_pasid_table(struct vtd_fuzz *fuzz, unsigned int device,
			      const u64 *table, u32 first)
{
	for (u32 n = 0; n < 64; n++) {
		const u64 *entry = table + n * PASID_SIZE / sizeof(u64);
		int i;

		if (!memchr_inv(entry, 0, PASID_SIZE))
			continue;
		i = fuzz_attachment_at(&vtd_type, device, first + n ?: IOMMU_LU_NO_PASID);
		if (i < 0 || !is_pasid(fuzz, i, entry))
			fuzz_complain(&fuzz->fuzz, "a PASID's entry is something third",
				      device);
	}
}

static void check_dir(struct vtd_fuzz *fuzz, unsigned int device)
{
	u64 *dir = walk(fuzz, virt_to_phys(fuzz->dir[device]) | 1, device);
	u64 *table;

	for (u32 n = 0; dir && n < WORDS << extra_of[device].dir_order; n++) {
		table = dir[n] ? walk(fuzz, dir[n], device) : NULL;
		if (table)
			check_pasid_table(fuzz, device, table, n * 64);
	}
}

static void check_context_table(struct vtd_fuzz *fuzz, unsigned int unit,
				const u64 *table, u16 first)
{
	size_t size = context_size(unit);

	for (u16 n = 0; n < PAGE_SIZE / size; n++) {
		const u64 *entry = table + n * size / sizeof(u64);
		int i;

		if (!memchr_inv(entry, 0, size))
			continue;
		i = fuzz_device_at(&vtd_type, unit, first + n);
		if (i < 0 || !is_context(fuzz, i, entry))
			fuzz_complain(&fuzz->fuzz, "an entry is something third", unit);
		else if (unit == VTD_SCALABLE)
			check_dir(fuzz, i);
	}
}

/* Tables without entries in places where none were do no harm */
static void vtd_check_tables(struct fuzz *base, unsigned int unit)
{
	struct vtd_fuzz *fuzz = to_vtd(base);
	u64 *table;

	if (!base->adopted[unit])
		return;
	for (unsigned int n = 0; n < WORDS; n++) {
		u64 word = fuzz->root[unit][n];

		if (!word)
			continue;
		if (n & 1 && unit != VTD_SCALABLE)
			fuzz_complain(&fuzz->fuzz, "a reserved word is used", unit);
		table = walk(fuzz, word, unit);
		if (table)
			check_context_table(fuzz, unit, table, n / 2 << 8 |
					    (n & 1) << 7);
	}
}

/* ---- The handover ---------------------------------------------------------- */

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
	if (i == VTD_SCALABLE)
		iommu->ecap |= BIT_ULL(43) | BIT_ULL(46) | BIT_ULL(47) |
			       BIT_ULL(48);
	iommu->agaw = VTD_AGAW;
	iommu->max_domain_id = 256;
	ida_init(&iommu->domain_ida);
	return iommu;
}

static void vtd_fill_unit(struct kunit *test, unsigned int i,
			  struct iommu_lu_unit_ser *ser)
{
	struct vtd_fuzz *fuzz = test->priv;
	struct intel_iommu *iommu = new_iommu(test, i);
	struct iommu_lu_vtd_unit_ser *vtd =
		iommu_lu_payload(ser, struct iommu_lu_vtd_unit_ser);

	fuzz->iommu[i] = iommu;
	fuzz->root[i] = fuzz_new_table(test, i, 0);
	fuzz_add_region(test, VTD_ROOT, i, fuzz->root[i], PAGE_SIZE);
	ser->base = iommu->reg_phys;
	ser->root = virt_to_phys(fuzz->root[i]);
	vtd->mode = i == VTD_SCALABLE ? IOMMU_LU_VTD_SCALABLE :
					IOMMU_LU_VTD_LEGACY;
	vtd->cap = iommu->cap;
	vtd->ecap = iommu->ecap;
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

static u32 vtd_fill_domain(struct fuzz *fuzz, unsigned int i,
			   struct iommu_lu_domain_ser *ser)
{
	struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(ser, struct iommu_lu_vtd_domain_ser);

	vtd->flags = domain_is[i].snoop ? IOMMU_LU_VTD_FORCE_SNOOP : 0;
	fill_pt(&vtd->pt, i);
	return domain_is[i].snoop ? IOMMUFD_LU_HWPT_ENFORCE_CC : 0;
}

static void write_context(struct kunit *test, unsigned int i)
{
	struct vtd_fuzz *fuzz = test->priv;
	unsigned int unit = device_is[i].unit;
	u64 *word = root_word(fuzz, i), *entry;

	if (!*word) {
		entry = fuzz_new_table(test, unit, 0);
		*word = virt_to_phys(entry) | 1;
		fuzz_add_region(test, VTD_ROOT, unit, word, sizeof(*word));
		fuzz_add_region(test, VTD_CONTEXT, i, entry, PAGE_SIZE);
	}
	entry = context_of(fuzz, i);
	fill_context(fuzz, i, entry);
	fuzz_add_region(test, VTD_CONTEXT, i, entry, context_size(unit));
}

/* All of each page, and the entries of it that are in use */
static void write_dir(struct kunit *test, unsigned int i)
{
	struct vtd_fuzz *fuzz = test->priv;

	fuzz->dir[i] = fuzz_new_table(test, device_is[i].unit, extra_of[i].dir_order);
	for (unsigned int n = 0; n < 1U << extra_of[i].dir_order; n++) {
		u64 *dir = fuzz->dir[i] + n * WORDS;

		fuzz_add_region(test, VTD_PASID_DIR, i, dir, PAGE_SIZE);
		fuzz_add_region(test, VTD_PASID_DIR, i, dir, 2 * sizeof(*dir));
	}
}

static void write_pasid(struct kunit *test, unsigned int i)
{
	struct vtd_fuzz *fuzz = test->priv;
	u64 *word = dir_word(fuzz, i), *entry;

	if (!*word) {
		entry = fuzz_new_table(test, fuzz_unit_of(&vtd_type, i), 0);
		*word = virt_to_phys(entry) | 1;
		fuzz_add_region(test, VTD_PASID_TABLE, i, entry, PAGE_SIZE);
	}
	entry = pasid_of(fuzz, i);
	fill_pasid(fuzz, i, entry);
	fuzz_add_region(test, VTD_PASID_TABLE, i, entry, PASID_SIZE);
}

static void vtd_fill_device(struct kunit *test, unsigned int i,
			    struct iommu_lu_device_ser *ser)
{
	struct vtd_fuzz *fuzz = test->priv;
	struct iommu_lu_vtd_device_ser *vtd =
		iommu_lu_payload(ser, struct iommu_lu_vtd_device_ser);

	vtd->flags = extra_of[i].flags;
	if (device_is[i].unit == VTD_SCALABLE) {
		write_dir(test, i);
		vtd->dir = virt_to_phys(fuzz->dir[i]);
		vtd->dir_order = extra_of[i].dir_order;
	}
	write_context(test, i);
}

static void vtd_fill_entry(struct kunit *test, unsigned int i)
{
	if (fuzz_unit_of(&vtd_type, i) == VTD_SCALABLE)
		write_pasid(test, i);
}

/* ---- The new kernel ------------------------------------------------------ */

static void adopt_unit(struct vtd_fuzz *fuzz, unsigned int i)
{
	struct intel_iommu *iommu = fuzz->iommu[i];
	struct iommu_lu_unit *unit;
	u64 rtaddr;

	unit = iommu_lu_in_unit(&fuzz->fuzz.in, &intel_liveupdate_ops,
				iommu->reg_phys, iommu->segment);
	if (IS_ERR_OR_NULL(unit))
		return;
	rtaddr = virt_to_phys(fuzz->root[i]);
	if (i == VTD_SCALABLE)
		rtaddr |= DMA_RTADDR_SMT;
	if (intel_lu_adopt_root(iommu, unit, rtaddr))
		return;
	fuzz->fuzz.adopted[i] = true;
	unit->iommu = &iommu->iommu;
}

static void vtd_adopt(struct fuzz *fuzz)
{
	for (unsigned int i = 0; i < VTD_UNITS; i++)
		adopt_unit(to_vtd(fuzz), i);
}

static bool vtd_same(struct fuzz *fuzz, unsigned int i,
		     const struct iommu_lu_attachment *att)
{
	const struct iommu_lu_domain_ser *domain = att->domain->ser;
	const struct iommu_lu_vtd_domain_ser *vtd =
		iommu_lu_payload(domain, const struct iommu_lu_vtd_domain_ser);
	unsigned int d = attachment_is[i].domain;

	return vtd->pt.top_level == domain_is[d].top_level &&
	       !strcmp(vtd->pt.format, "x86_64") == domain_is[d].first_stage &&
	       !vtd->pt.reserved[0];
}

/* Format, flags that are in an entry of a PASID table */
static bool stage_differs(const u8 *a, const u8 *b, bool first)
{
	u8 flags = first ? IOMMU_LU_VTD_FORCE_SNOOP : 0;

	return (a[96] ^ b[96]) & IOMMU_PT_SER_DMA_INCOHERENT ||
	       (a[72] ^ b[72]) & flags || (first && memcmp(a + 80, b + 80, 7));
}

/* Type, version, size; top; reserved; reserved; level; reserved, and the end */
static bool vtd_domain_differs(unsigned int i, const u8 *a, const u8 *b)
{
	bool first = domain_is[attachment_is[i].domain].first_stage;

	return memcmp(a + 8, b + 8, 8) || memcmp(a + 40, b + 40, 8) ||
	       memcmp(a + 68, b + 68, 4) || memcmp(a + 76, b + 76, 4) ||
	       a[102] != b[102] || memcmp(a + 105, b + 105, 23) ||
	       (fuzz_unit_of(&vtd_type, i) == VTD_SCALABLE && stage_differs(a, b, first));
}

static void vtd_put_back(struct fuzz *fuzz)
{
	struct vtd_fuzz *vtd = to_vtd(fuzz);

	for (unsigned int i = 0; i < VTD_UNITS; i++) {
		ida_destroy(&vtd->iommu[i]->domain_ida);
		vtd->iommu[i]->root_entry = NULL;
	}
}

/* ---- The test ------------------------------------------------------------ */

/* What makes the unit of the test be used in scalable mode, and no other */
static bool can_be_scalable(void)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	guard(rcu)();
	for_each_active_iommu(iommu, drhd)
		if (!intel_iommu_sm && ecap_smts(iommu->ecap))
			return false;
	return true;
}

static const char *vtd_unfit(void)
{
	return can_be_scalable() ? NULL :
				   "a unit could be in scalable mode and is not";
}

static void vtd_start(struct kunit *test)
{
	struct vtd_fuzz *fuzz = test->priv;

	fuzz->sm_forced = !intel_iommu_sm;
	intel_iommu_sm = 1;
}

static void vtd_stop(struct fuzz *fuzz)
{
	if (to_vtd(fuzz)->sm_forced)
		intel_iommu_sm = 0;
}

static const struct fuzz_type vtd_type = {
	.ops			= &intel_liveupdate_ops,
	.size			= sizeof(struct vtd_fuzz),
	.table_name		= { "root table", "context table",
				    "PASID directory", "PASID table" },
	.unit_name		= { "legacy", "scalable" },
	.segment		= { FUZZ_SEGMENT, FUZZ_SEGMENT + 1 },
	.pasid_units		= BIT(VTD_SCALABLE),
	.units			= VTD_UNITS,
	.domains		= VTD_DOMAINS,
	.devices		= VTD_DEVICES,
	.attachments		= VTD_ATTACHMENTS,
	/*
	 * The start, the blocks, and of the units roots, lists, context tables,
	 * PASID directories and PASID tables
	 */
	.frees			= 1 + 7 + 2 + 2 + (2 + 4) + 5 + (5 + 2),
	.unit_slot		= unit_slot,
	.domain_slot		= domain_slot,
	.device_slot		= device_slot,
	.attachment_slot	= attachment_slot,
	.device			= device_is,
	.attachment		= attachment_is,
	.unfit			= vtd_unfit,
	.start			= vtd_start,
	.stop			= vtd_stop,
	.fill_unit		= vtd_fill_unit,
	.fill_domain		= vtd_fill_domain,
	.fill_device		= vtd_fill_device,
	.fill_entry		= vtd_fill_entry,
	.adopt			= vtd_adopt,
	.there			= vtd_there,
	.same			= vtd_same,
	.domain_differs		= vtd_domain_differs,
	.check_tables		= vtd_check_tables,
	.put_back		= vtd_put_back,
};

static int vtd_init(struct kunit *test)
{
	return fuzz_init(test, &vtd_type);
}

FUZZ_CASES(fuzz);

static struct kunit_suite vtd_suite = {
	.name = "iommu_liveupdate_fuzz",
	.init = vtd_init,
	.exit = fuzz_exit,
	.test_cases = fuzz_cases,
};

kunit_test_suite(vtd_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests that feed broken handovers to VT-d");
