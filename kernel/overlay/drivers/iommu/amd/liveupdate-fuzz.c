// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feed broken handovers to AMD-Vi: two units that share a device table, and one with
 * a table of its own
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu_amd.h>
#include <linux/pci.h>
#include <linux/xarray.h>

#include "../iommu-pages.h"
#include "../liveupdate/test/fuzz.h"
#include "amd_iommu.h"
#include "liveupdate.h"
#include "liveupdate-fake.h"

#define AMD_DOMAINS	5
#define AMD_DEVICES	7
#define AMD_TABLE_ORDER	2

enum {
	AMD_TABLE = FUZZ_TABLE,
	AMD_ENTRY,
};

/* Slots that are used: two blocks of all but units, with gaps */
static const u32 unit_slot[FAKE_UNITS] = { 0, 1, 4 };
static const u32 domain_slot[AMD_DOMAINS] = { 0, 3, 29, 33, 60 };
static const u32 device_slot[AMD_DEVICES] = { 0, 1, 5, 62, 65, 70, 90 };
static const u32 attachment_slot[AMD_DEVICES] = { 0, 3, 61, 63, 71, 80, 125 };

/* As many levels as there can be, and as few */
static const u8 level_of[AMD_DOMAINS] = { 2, 3, 1, 5, 4 };

/* The first and the last ones there can be */
static const struct fuzz_device device_is[AMD_DEVICES] = {
	{ 0, 0x0008 }, { 0, 0x0100 }, { 1, 0x0109 }, { 1, 0x01ff },
	{ 2, 0x0008 }, { 2, 0x0010 }, { 2, 0x01ff },
};

/*
 * One domain is behind all units: its ID is the same there. Others have IDs of which
 * the lower byte is the same, and the largest there is.
 */
static const struct fuzz_attachment attachment_is[AMD_DEVICES] = {
	{ 0, 0, 44, IOMMU_LU_NO_PASID }, { 1, 1, 300, IOMMU_LU_NO_PASID },
	{ 2, 0, 44, IOMMU_LU_NO_PASID }, { 3, 2, 65535, IOMMU_LU_NO_PASID },
	{ 4, 0, 44, IOMMU_LU_NO_PASID }, { 5, 3, 255, IOMMU_LU_NO_PASID },
	{ 6, 4, 1, IOMMU_LU_NO_PASID },
};

/**
 * struct amd_fuzz - The handover, and what the driver would have found
 * @fuzz:    The handover
 * @fake:    Units and segments
 * @table:   What the units walk, by segment
 * @flushed: By requester ID, of which an entry that led somewhere was flushed with
 *           the domain ID that was in it
 * @was:     What the tables were when the driver first looked
 */
struct amd_fuzz {
	struct fuzz fuzz;
	struct amd_fake fake;
	struct dev_table_entry *table[FAKE_SEGMENTS];
	bool flushed[FAKE_SEGMENTS][FAKE_ENTRIES];
	struct dev_table_entry was[FAKE_SEGMENTS][FAKE_ENTRIES];
};

static struct fuzz_type amd_type;

static struct amd_fuzz *to_amd(struct fuzz *fuzz)
{
	return container_of(fuzz, struct amd_fuzz, fuzz);
}

static unsigned int seg_of(unsigned int unit)
{
	return amd_type.segment[unit] - FAKE_SEGMENT;
}

/* ---- What the hardware finds ---------------------------------------------- */

/* Every other device asks for translations */
static bool has_ats(unsigned int device)
{
	return device % 2;
}

/* Bits as in the specification, and not by what the driver has for them */
static void fill_entry(struct amd_fuzz *fuzz, unsigned int i,
		       struct dev_table_entry *entry)
{
	unsigned int domain = attachment_is[i].domain;

	/* V, TV, mode, IR, IW; the domain ID and I; IV */
	entry->data[0] = 0x3 | (level_of[domain] + 1) << 9 | BIT_ULL(61) |
			 BIT_ULL(62) | virt_to_phys(fuzz->fuzz.top[domain]);
	entry->data[1] = attachment_is[i].hw_id;
	if (has_ats(attachment_is[i].device))
		entry->data[1] |= BIT_ULL(32);
	entry->data[2] = 1;
	entry->data[3] = 0;
}

static bool is_entry(struct amd_fuzz *fuzz, unsigned int i,
		     const struct dev_table_entry *entry)
{
	struct dev_table_entry want;

	fill_entry(fuzz, i, &want);
	return !memcmp(entry, &want, sizeof(want));
}

/* Where the register of a unit says that its table is, which nobody has changed */
static struct dev_table_entry *walked(struct amd_fuzz *fuzz, unsigned int unit)
{
	u64 base = amd_fake_read(&fuzz->fake.iommu[unit],
				 MMIO_DEV_TABLE_OFFSET);

	return phys_to_virt(base & PM_ADDR_MASK);
}

static bool amd_there(struct fuzz *base, unsigned int i)
{
	unsigned int device = attachment_is[i].device;
	struct amd_fuzz *fuzz = to_amd(base);
	const struct dev_table_entry *table;

	table = walked(fuzz, device_is[device].unit);
	return is_entry(fuzz, i, &table[device_is[device].rid]);
}

/* V without TV, and nothing else that is about DMA */
static bool blocks(const struct dev_table_entry *entry)
{
	return entry->data[0] == 1 && !entry->data[1];
}

static int device_of(unsigned int seg, u16 rid)
{
	for (unsigned int unit = 0; unit < FAKE_UNITS; unit++) {
		int i = seg_of(unit) == seg ?
			fuzz_device_at(&amd_type, unit, rid) : -1;

		if (i >= 0)
			return i;
	}
	return -1;
}

static void check_entry(struct amd_fuzz *fuzz, unsigned int seg, u16 rid,
			const struct dev_table_entry *entry)
{
	const struct dev_table_entry *was = &fuzz->was[seg][rid];
	int i = device_of(seg, rid);

	if (i >= 0 && is_entry(fuzz, i, entry))
		return;
	if (!blocks(entry))
		fuzz_complain(&fuzz->fuzz, "an entry is something third", rid);
	/* Mode, GV */
	if (was->data[0] & (7 << 9 | BIT_ULL(55)) && !fuzz->flushed[seg][rid])
		fuzz_complain(&fuzz->fuzz, "an entry was blocked and not flushed",
			      rid);
}

/* Also where no record is believed: no unit is ever turned off */
static void amd_check_tables(struct fuzz *base, unsigned int unit)
{
	struct amd_fuzz *fuzz = to_amd(base);
	struct amd_iommu *iommu = &fuzz->fake.iommu[unit];
	const struct dev_table_entry *table = walked(fuzz, unit);

	if (table != iommu->pci_seg->dev_table)
		fuzz_complain(base, "another table is walked", unit);
	/* Once for all units that share it */
	for (unsigned int rid = 0; unit != 1 && rid < FAKE_ENTRIES; rid++)
		check_entry(fuzz, seg_of(unit), rid, &table[rid]);
	if (base->adopted[unit] && table != fuzz->table[seg_of(unit)])
		fuzz_complain(base, "a table was not gone on with", unit);
	/* Nobody else gets the ID of a domain that goes on */
	for (unsigned int i = 0; i < AMD_DEVICES; i++)
		if (fuzz_unit_of(&amd_type, i) == unit && amd_there(base, i) &&
		    !ida_exists(&pdom_ids, attachment_is[i].hw_id))
			fuzz_complain(base, "a domain ID is not reserved", i);
}

/* ---- The handover ---------------------------------------------------------- */

static void write_table(struct kunit *test, unsigned int unit)
{
	struct amd_fuzz *fuzz = test->priv;
	unsigned int seg = seg_of(unit);
	struct dev_table_entry *table;

	table = fuzz_new_table(test, unit, AMD_TABLE_ORDER);
	fuzz->table[seg] = table;
	for (unsigned int rid = 0; rid < FAKE_ENTRIES; rid++) {
		table[rid].data[0] = 1;
		table[rid].data[2] = 1;
	}
	for (unsigned int at = 0; at < FAKE_TABLE_SIZE; at += PAGE_SIZE)
		fuzz_add_region(test, AMD_TABLE, seg, (u8 *)table + at,
				PAGE_SIZE);
}

static void amd_fill_unit(struct kunit *test, unsigned int i,
			  struct iommu_lu_unit_ser *ser)
{
	struct amd_fuzz *fuzz = test->priv;
	struct amd_iommu *iommu = &fuzz->fake.iommu[i];
	struct iommu_lu_amd_unit_ser *amd =
		iommu_lu_payload(ser, struct iommu_lu_amd_unit_ser);

	/* The first one of a segment has the table in its list */
	if (!fuzz->table[seg_of(i)])
		write_table(test, i);
	else
		ser->root_unit = unit_slot[0];
	amd_fake_set_base(iommu, fuzz->table[seg_of(i)]);
	ser->base = iommu->mmio_phys;
	ser->root = virt_to_phys(fuzz->table[seg_of(i)]);
	ser->root_order = AMD_TABLE_ORDER;
	amd->efr = amd_lu_efr(iommu);
	amd->efr2 = amd_lu_efr2(iommu);
}

static u32 amd_fill_domain(struct fuzz *fuzz, unsigned int i,
			   struct iommu_lu_domain_ser *ser)
{
	struct iommu_lu_amd_domain_ser *amd =
		iommu_lu_payload(ser, struct iommu_lu_amd_domain_ser);

	for (unsigned int a = 0; a < AMD_DEVICES; a++)
		if (attachment_is[a].domain == i)
			amd->id = attachment_is[a].hw_id;
	strscpy_pad(amd->pt.format, "amdv1");
	amd->pt.flags = IOMMU_PT_SER_DYNAMIC_TOP;
	amd->pt.fmt_features = 3;
	amd->pt.top_level = level_of[i];
	amd->pt.max_vasz_lg2 = 64;
	amd->pt.max_oasz_lg2 = 52;
	return 0;
}

static void amd_fill_device(struct kunit *test, unsigned int i,
			    struct iommu_lu_device_ser *ser)
{
	struct iommu_lu_amd_device_ser *amd =
		iommu_lu_payload(ser, struct iommu_lu_amd_device_ser);

	amd->flags = has_ats(i) ? IOMMU_LU_AMD_ATS : 0;
}

static void amd_fill_entry(struct kunit *test, unsigned int i)
{
	const struct fuzz_device *device = &device_is[attachment_is[i].device];
	struct amd_fuzz *fuzz = test->priv;
	struct dev_table_entry *entry;

	entry = &fuzz->table[seg_of(device->unit)][device->rid];
	fill_entry(fuzz, i, entry);
	fuzz_add_region(test, AMD_ENTRY, i, entry, sizeof(*entry));
}

/* ---- The new kernel ------------------------------------------------------ */

static void stub_flush(struct amd_iommu_pci_seg *seg, u16 devid, u32 domid)
{
	struct amd_fuzz *fuzz = to_amd(this_fuzz());
	unsigned int s = seg - fuzz->fake.seg;

	if (domid == (fuzz->was[s][devid].data[1] & 0xffff))
		fuzz->flushed[s][devid] = true;
}

/* As the units are found: on, with the tables of the old kernel */
static void amd_prepare(struct fuzz *base)
{
	struct amd_fuzz *fuzz = to_amd(base);

	memset(fuzz->flushed, 0, sizeof(fuzz->flushed));
	for (unsigned int s = 0; s < FAKE_SEGMENTS; s++)
		memcpy(fuzz->was[s], fuzz->table[s], FAKE_TABLE_SIZE);
}

static void __init adopt_unit(struct amd_fuzz *fuzz, unsigned int i)
{
	struct amd_iommu *iommu = &fuzz->fake.iommu[i];
	struct iommu_lu_unit *unit;

	unit = iommu_lu_in_unit(&fuzz->fuzz.in, &amd_liveupdate_ops,
				iommu->mmio_phys, iommu->pci_seg->id);
	if (IS_ERR_OR_NULL(unit))
		return;
	unit->iommu = &iommu->iommu;
	if (amd_lu_take_unit(iommu, unit))
		unit->iommu = NULL;
	else
		fuzz->fuzz.adopted[i] = true;
}

static void __init take_tables(struct amd_fuzz *fuzz)
{
	for (unsigned int s = 0; s < FAKE_SEGMENTS; s++) {
		struct amd_iommu_pci_seg *seg = &fuzz->fake.seg[s];

		seg->dev_table = iommu_alloc_pages_sz(GFP_KERNEL,
						      FAKE_TABLE_SIZE);
		if (!seg->dev_table)
			fuzz_complain(&fuzz->fuzz, "out of memory", s);
	}
	amd_lu_take_tables();
}

/* Both phases of the boot */
static void __init amd_adopt(struct fuzz *base)
{
	struct amd_fuzz *fuzz = to_amd(base);

	take_tables(fuzz);
	for (unsigned int i = 0; i < FAKE_UNITS; i++)
		adopt_unit(fuzz, i);
	amd_lu_adopt_tables();
}

static bool amd_same(struct fuzz *fuzz, unsigned int i,
		     const struct iommu_lu_attachment *att)
{
	const struct iommu_lu_domain_ser *domain = att->domain->ser;
	const struct iommu_lu_amd_domain_ser *amd =
		iommu_lu_payload(domain, const struct iommu_lu_amd_domain_ser);

	return amd->id == attachment_is[i].hw_id && !amd->reserved &&
	       amd->pt.top_level == level_of[attachment_is[i].domain] &&
	       !strcmp(amd->pt.format, "amdv1") && !amd->pt.reserved[0];
}

/* Type, version, size; top; its order, reserved, ID, reserved, format; the rest */
static bool amd_domain_differs(unsigned int i, const u8 *a, const u8 *b)
{
	return memcmp(a + 8, b + 8, 8) || memcmp(a + 40, b + 40, 8) ||
	       memcmp(a + 64, b + 64, 22) || memcmp(a + 102, b + 102, 26);
}

static void amd_put_back(struct fuzz *base)
{
	struct amd_fuzz *fuzz = to_amd(base);

	for (unsigned int s = 0; s < FAKE_SEGMENTS; s++) {
		struct amd_iommu_pci_seg *seg = &fuzz->fake.seg[s];

		if (seg->dev_table != fuzz->table[s])
			iommu_free_pages(seg->dev_table);
		seg->dev_table = NULL;
	}
	for (unsigned int i = 0; i < FAKE_UNITS; i++) {
		amd_fake_drain(&fuzz->fake.iommu[i]);
		amd_fake_set_base(&fuzz->fake.iommu[i],
				  fuzz->table[seg_of(i)]);
	}
	xa_destroy(&amd_lu_units);
	amd_iommu_pdom_id_destroy();
}

/* ---- The test ------------------------------------------------------------ */

static const char *amd_unfit(void)
{
	return list_empty(&amd_iommu_list) ? NULL : "the machine has AMD-Vi";
}

static void __init amd_start(struct kunit *test)
{
	struct amd_fuzz *fuzz = test->priv;

	amd_fake_start(test, &fuzz->fake);
	for (unsigned int i = 0; i < FAKE_UNITS; i++) {
		struct amd_iommu *iommu = &fuzz->fake.iommu[i];

		iommu->flags |= AMD_IOMMU_FLAG_LU_LIVE;
		for (unsigned int d = 0; d < AMD_DEVICES; d++)
			if (device_is[d].unit == i)
				iommu->pci_seg->rlookup_table[device_is[d].rid] =
					iommu;
	}
	for (unsigned int s = 0; s < FAKE_SEGMENTS; s++) {
		iommu_free_pages(fuzz->fake.seg[s].dev_table);
		fuzz->fake.seg[s].dev_table = NULL;
	}
	kunit_activate_static_stub(test, amd_lu_flush_entry, stub_flush);
}

static void amd_stop(struct fuzz *fuzz)
{
	amd_fake_stop(&to_amd(fuzz)->fake);
}

static struct fuzz_type amd_type __refdata = {
	.ops			= &amd_liveupdate_ops,
	.size			= sizeof(struct amd_fuzz),
	.table_name		= { "device table", "entry" },
	.unit_name		= { "first of two", "second of two", "alone" },
	.segment		= { FAKE_SEGMENT, FAKE_SEGMENT, FAKE_SEGMENT + 1 },
	.units			= FAKE_UNITS,
	.domains		= AMD_DOMAINS,
	.devices		= AMD_DEVICES,
	.attachments		= AMD_DEVICES,
	/* The start, the blocks, the tables and the lists that they are in */
	.frees			= 1 + 7 + 2 + 2,
	.unit_slot		= unit_slot,
	.domain_slot		= domain_slot,
	.device_slot		= device_slot,
	.attachment_slot	= attachment_slot,
	.device			= device_is,
	.attachment		= attachment_is,
	.unfit			= amd_unfit,
	.start			= amd_start,
	.stop			= amd_stop,
	.fill_unit		= amd_fill_unit,
	.fill_domain		= amd_fill_domain,
	.fill_device		= amd_fill_device,
	.fill_entry		= amd_fill_entry,
	.prepare		= amd_prepare,
	.adopt			= amd_adopt,
	.there			= amd_there,
	.same			= amd_same,
	.domain_differs		= amd_domain_differs,
	.check_tables		= amd_check_tables,
	.put_back		= amd_put_back,
};

static int amd_init(struct kunit *test)
{
	return fuzz_init(test, &amd_type);
}

FUZZ_CASES(fuzz);

static struct kunit_suite amd_suite = {
	.name = "iommu_liveupdate_fuzz_amd",
	.init = amd_init,
	.exit = fuzz_exit,
	.test_cases = fuzz_cases,
};

/* What adopts is there at boot only */
kunit_test_init_section_suite(amd_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests that feed broken handovers to AMD-Vi");
