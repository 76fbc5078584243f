// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test AMD-Vi's part of a live update where no hardware is needed
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu_amd.h>

#include "../iommu-pages.h"
#include "../liveupdate/page-list.h"
#include "../liveupdate/pages.h"
#include "../liveupdate/records.h"
#include "amd_iommu.h"
#include "liveupdate.h"
#include "liveupdate-fake.h"
#include "liveupdate-watch.h"

#define RID		0x108
#define OTHER_RID	0x110
/* More than a byte has room for, and what is left of it there */
#define LARGE_ID	300
#define SMALL_ID	(LARGE_ID & 0xff)

struct amd_test {
	struct amd_fake fake;
	struct amd_fake_device dev;
	struct amd_watch watch;
	/* The old kernel's record of a unit and of a device */
	struct iommu_lu_unit unit[FAKE_UNITS];
	struct iommu_lu_unit_ser unit_ser[FAKE_UNITS];
	struct iommu_lu_device lu;
	struct iommu_lu_device_ser ser;
	/* What KHO says of any table */
	size_t size;
	unsigned int preserved;
};

static struct amd_test *this_test(void)
{
	return kunit_get_current_test()->priv;
}

static struct dev_table_entry *entry_of(struct amd_test *at, u16 rid)
{
	return &at->fake.seg[0].dev_table[rid];
}

/* Each state leads as before or as now, and is the same about interrupts */
static void expect_hitless(struct kunit *test, struct dev_table_entry before)
{
	struct amd_test *at = test->priv;
	const struct amd_watch *watch = &at->watch;
	const struct dev_table_entry *now = watch->entry;

	KUNIT_ASSERT_GE(test, watch->nr, 1);
	KUNIT_ASSERT_LE(test, watch->nr, AMD_WATCH_STATES);
	for (unsigned int i = 0; i < watch->nr; i++) {
		const struct dev_table_entry *state = &watch->seen[i];

		KUNIT_EXPECT_TRUE(test,
				  state->data128[0] == before.data128[0] ||
				  state->data128[0] == now->data128[0]);
		KUNIT_EXPECT_TRUE(test, state->data128[1] == before.data128[1]);
	}
	KUNIT_EXPECT_FALSE(test, amd_watch_saw(watch, DTE_FLAG_V, 0));
	KUNIT_EXPECT_FALSE(test, amd_watch_saw(watch, DTE_FLAG_TV, 0));
	KUNIT_EXPECT_TRUE(test, now->data128[0] != before.data128[0]);
}

/* ---- Domains ------------------------------------------------------------- */

static struct protection_domain *new_domain(struct kunit *test, int id)
{
	struct amd_test *at = test->priv;
	struct device *dev = &at->dev.pdev.dev;
	struct iommu_domain *domain;

	domain = amd_iommu_ops.domain_alloc_paging_flags(dev, 0, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(domain));
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->owner = &amd_iommu_ops;
	if (id) {
		amd_iommu_pdom_id_free(to_pdomain(domain)->id);
		to_pdomain(domain)->id = id;
		KUNIT_ASSERT_EQ(test, amd_iommu_pdom_id_reserve(id, GFP_KERNEL),
				id);
	}
	return to_pdomain(domain);
}

static int attach(struct amd_test *at, struct protection_domain *domain)
{
	return domain->domain.ops->attach_dev(&domain->domain,
					      &at->dev.pdev.dev, NULL);
}

static void block(struct amd_test *at)
{
	struct iommu_domain *blocked = amd_iommu_ops.blocked_domain;

	blocked->ops->attach_dev(blocked, &at->dev.pdev.dev, NULL);
}

static bool leads_to(struct amd_test *at, u16 rid,
		     struct protection_domain *domain)
{
	const struct dev_table_entry *entry = entry_of(at, rid);
	struct pt_iommu_amdv1_hw_info info;

	pt_iommu_amdv1_hw_info(&domain->amdv1, &info);
	return FIELD_GET(DTE_HOST_TRP, entry->data[0]) ==
		       info.host_pt_root >> 12 &&
	       FIELD_GET(DTE_MODE_MASK, entry->data[0]) == info.mode &&
	       FIELD_GET(DTE_DOMID_MASK, entry->data[1]) == domain->id;
}

/* ---- Replacing a domain -------------------------------------------------- */

static void expect_replaced(struct kunit *test, bool ats)
{
	struct amd_test *at = test->priv;
	struct amd_iommu *iommu = get_amd_iommu_from_dev(&at->dev.pdev.dev);
	struct protection_domain *from = new_domain(test, LARGE_ID);
	struct protection_domain *to = new_domain(test, SMALL_ID);
	struct dev_table_entry before;
	int entry, device, pages;

	if (ats)
		amd_fake_ats(&at->dev);
	KUNIT_ASSERT_EQ(test, attach(at, from), 0);
	/* As a device with interrupts has it */
	entry_of(at, RID)->data[2] |= DTE_IRQ_REMAP_ENABLE | DTE_INTTABLEN_512 |
				      DTE_IRQ_REMAP_INTCTL;
	before = *entry_of(at, RID);
	KUNIT_EXPECT_TRUE(test, leads_to(at, RID, from));
	amd_fake_drain(iommu);

	amd_watch_start(test, &at->watch, entry_of(at, RID));
	KUNIT_EXPECT_EQ(test, attach(at, to), 0);
	amd_watch_end(&at->watch);
	expect_hitless(test, before);
	KUNIT_EXPECT_TRUE(test, leads_to(at, RID, to));

	KUNIT_EXPECT_EQ(test, !!(entry_of(at, RID)->data[1] & DTE_FLAG_IOTLB),
			ats);

	/*
	 * First the entry is forgotten, then what the device has cached, then what it
	 * has led to, and all waited for
	 */
	entry = amd_fake_command(iommu, 0, CMD_INV_DEV_ENTRY, RID);
	KUNIT_EXPECT_GE(test, entry, 0);
	device = amd_fake_command(iommu, max(entry, 0), CMD_INV_IOTLB_PAGES,
				  RID);
	KUNIT_EXPECT_EQ(test, device >= 0, ats);
	pages = amd_fake_command(iommu, max3(entry, device, 0),
				 CMD_INV_IOMMU_PAGES, LARGE_ID);
	KUNIT_EXPECT_GE(test, pages, 0);
	KUNIT_EXPECT_GE(test, amd_fake_command(iommu, max(pages, 0),
					       CMD_COMPL_WAIT, 0), 0);
	/* Nobody else had to lose what is cached */
	KUNIT_EXPECT_LT(test, amd_fake_command(iommu, 0, CMD_INV_IOMMU_PAGES,
					       SMALL_ID), 0);
	KUNIT_EXPECT_TRUE(test, xa_empty(&from->iommu_array));
	KUNIT_EXPECT_TRUE(test, list_empty(&from->dev_list));

	block(at);
	amd_iommu_domain_free(&from->domain);
	amd_iommu_domain_free(&to->domain);
}

static void amd_replace_test(struct kunit *test)
{
	expect_replaced(test, false);
}

static void amd_replace_ats_test(struct kunit *test)
{
	expect_replaced(test, true);
}

/* The control: a gap is seen where there is one, and even then V stays set */
static void amd_gap_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct protection_domain *from = new_domain(test, 0);
	struct protection_domain *to = new_domain(test, 0);

	KUNIT_ASSERT_EQ(test, attach(at, from), 0);
	amd_watch_start(test, &at->watch, entry_of(at, RID));
	block(at);
	KUNIT_EXPECT_EQ(test, attach(at, to), 0);
	amd_watch_end(&at->watch);
	KUNIT_EXPECT_LE(test, at->watch.nr, AMD_WATCH_STATES);
	KUNIT_EXPECT_TRUE(test, amd_watch_saw(&at->watch, DTE_FLAG_V | DTE_FLAG_TV,
					      DTE_FLAG_V));
	KUNIT_EXPECT_FALSE(test, amd_watch_saw(&at->watch, DTE_FLAG_V, 0));
	KUNIT_EXPECT_TRUE(test, leads_to(at, RID, to));

	block(at);
	amd_iommu_domain_free(&from->domain);
	amd_iommu_domain_free(&to->domain);
}

/* What came over is not stopped for a table of another format */
static void amd_format_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct protection_domain *from = new_domain(test, 0);
	struct protection_domain *to = new_domain(test, 0);
	struct iommu_lu_domain lu = { .state = IOMMU_LU_INCOMING };
	struct dev_table_entry before;

	KUNIT_ASSERT_EQ(test, attach(at, from), 0);
	before = *entry_of(at, RID);
	from->domain.lu = &lu;
	to->pd_mode = PD_MODE_V2;
	amd_watch_start(test, &at->watch, entry_of(at, RID));
	KUNIT_EXPECT_EQ(test, attach(at, to), -EBUSY);
	amd_watch_end(&at->watch);
	KUNIT_EXPECT_EQ(test, at->watch.nr, 0);
	KUNIT_EXPECT_MEMEQ(test, entry_of(at, RID), &before, sizeof(before));
	KUNIT_EXPECT_TRUE(test, xa_empty(&to->iommu_array));

	to->pd_mode = PD_MODE_V1;
	from->domain.lu = NULL;
	block(at);
	amd_iommu_domain_free(&from->domain);
	amd_iommu_domain_free(&to->domain);
}

static int map_page(struct protection_domain *domain, u64 iova)
{
	return iommu_map(&domain->domain, iova, SZ_1M, SZ_4K,
			 IOMMU_READ | IOMMU_WRITE, GFP_KERNEL);
}

/* The table that is led to grows a level, before it is replaced and after */
static void amd_grow_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct protection_domain *from = new_domain(test, 0);
	struct protection_domain *to = new_domain(test, 0);
	struct dev_table_entry before;
	unsigned int mode;

	KUNIT_ASSERT_EQ(test, attach(at, from), 0);
	KUNIT_ASSERT_EQ(test, map_page(from, BIT_ULL(40)), 0);
	before = *entry_of(at, RID);
	mode = FIELD_GET(DTE_MODE_MASK, before.data[0]);
	KUNIT_EXPECT_TRUE(test, leads_to(at, RID, from));

	amd_watch_start(test, &at->watch, entry_of(at, RID));
	KUNIT_EXPECT_EQ(test, attach(at, to), 0);
	amd_watch_end(&at->watch);
	expect_hitless(test, before);
	KUNIT_EXPECT_TRUE(test, leads_to(at, RID, to));
	KUNIT_EXPECT_LT(test, FIELD_GET(DTE_MODE_MASK,
					entry_of(at, RID)->data[0]), mode);

	before = *entry_of(at, RID);
	amd_watch_start(test, &at->watch, entry_of(at, RID));
	KUNIT_EXPECT_EQ(test, map_page(to, BIT_ULL(50)), 0);
	amd_watch_end(&at->watch);
	KUNIT_EXPECT_FALSE(test, amd_watch_saw(&at->watch, DTE_FLAG_V, 0));
	KUNIT_EXPECT_FALSE(test, amd_watch_saw(&at->watch, DTE_FLAG_TV, 0));
	KUNIT_EXPECT_TRUE(test, leads_to(at, RID, to));
	KUNIT_EXPECT_GT(test, FIELD_GET(DTE_MODE_MASK,
					entry_of(at, RID)->data[0]), mode);

	/* One that left does not get what the table becomes later */
	before = *entry_of(at, RID);
	KUNIT_EXPECT_EQ(test, map_page(from, BIT_ULL(50)), 0);
	KUNIT_EXPECT_TRUE(test, entry_of(at, RID)->data128[0] ==
				before.data128[0]);
	block(at);
	amd_iommu_domain_free(&from->domain);
	amd_iommu_domain_free(&to->domain);
}

/* ---- Entries ------------------------------------------------------------- */

/* From where an entry leads, with a guest table too, to nowhere */
static void amd_block_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct amd_iommu_pci_seg *seg = &at->fake.seg[0];
	struct dev_table_entry *entry = &seg->dev_table[RID];

	entry->data[0] = DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_GV | DTE_FLAG_IR |
			 DTE_FLAG_IW | FIELD_PREP(DTE_MODE_MASK, 4) | SZ_1M;
	entry->data[1] = LARGE_ID | DTE_FLAG_IOTLB;
	entry->data[2] = DTE_IRQ_REMAP_ENABLE |
			 FIELD_PREP(DTE_GPT_LEVEL_MASK, GUEST_PGTABLE_5_LEVEL);
	amd_watch_start(test, &at->watch, entry);
	amd_lu_block_entry(seg, RID);
	amd_watch_end(&at->watch);
	KUNIT_EXPECT_GE(test, at->watch.nr, 2);
	KUNIT_EXPECT_FALSE(test, amd_watch_saw(&at->watch, DTE_FLAG_V, 0));
	/* The first write already */
	KUNIT_EXPECT_EQ(test, at->watch.seen[0].data[0], DTE_FLAG_V);
	KUNIT_EXPECT_EQ(test, entry->data[0], DTE_FLAG_V);
	KUNIT_EXPECT_EQ(test, entry->data[1], 0);
	KUNIT_EXPECT_EQ(test, entry->data[2], DTE_IRQ_REMAP_ENABLE);
	KUNIT_EXPECT_EQ(test, entry->data[3], 0);
}

/* A device that could not be probed: where one may be at work it is blocked */
static void amd_ignore_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct amd_iommu *iommu = &at->fake.iommu[1];
	struct dev_table_entry *entry = entry_of(at, RID);

	/* The segment is live when the other unit of it is */
	at->fake.iommu[0].flags |= AMD_IOMMU_FLAG_LU_LIVE;
	entry->data[0] |= DTE_FLAG_TV | FIELD_PREP(DTE_MODE_MASK, 3);
	entry->data[1] = LARGE_ID;
	amd_watch_start(test, &at->watch, entry);
	KUNIT_EXPECT_TRUE(test, amd_lu_ignore_entry(iommu, RID));
	amd_watch_end(&at->watch);
	KUNIT_EXPECT_GE(test, at->watch.nr, 1);
	KUNIT_EXPECT_FALSE(test, amd_watch_saw(&at->watch, DTE_FLAG_V, 0));
	KUNIT_EXPECT_EQ(test, entry->data[0], DTE_FLAG_V);
	KUNIT_EXPECT_EQ(test, entry->data[1], 0);
	KUNIT_EXPECT_GE(test, amd_fake_command(iommu, 0, CMD_INV_DEV_ENTRY,
					       RID), 0);
	KUNIT_EXPECT_GE(test, amd_fake_command(iommu, 0, CMD_INV_IOMMU_PAGES,
					       LARGE_ID), 0);

	/* In an ordinary boot nothing is done here: the driver lets it pass */
	at->fake.iommu[0].flags = 0;
	KUNIT_EXPECT_FALSE(test, amd_lu_ignore_entry(iommu, RID));
	KUNIT_EXPECT_EQ(test, entry->data[0], DTE_FLAG_V);
}

/* ---- Boot ---------------------------------------------------------------- */

static size_t stub_size(phys_addr_t phys)
{
	return this_test()->size;
}

static int stub_preserve(void *virt)
{
	this_test()->preserved++;
	return 0;
}

static void stub_unpreserve(void *virt)
{
	this_test()->preserved--;
}

/* A table of the old kernel's: one leads somewhere, one was passed through */
static struct dev_table_entry *old_table(struct kunit *test)
{
	struct dev_table_entry *old;

	old = iommu_alloc_pages_sz(GFP_KERNEL, FAKE_TABLE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, old);
	for (unsigned int rid = 0; rid < FAKE_ENTRIES; rid++)
		old[rid].data[2] = DTE_IRQ_REMAP_ENABLE;
	old[RID].data[0] = DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR | DTE_FLAG_IW |
			   FIELD_PREP(DTE_MODE_MASK, 4) | SZ_1M;
	old[RID].data[1] = LARGE_ID;
	old[OTHER_RID].data[0] = DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR |
				 DTE_FLAG_IW;
	return old;
}

static void make_live(struct amd_fake *fake, unsigned int units, void *table)
{
	for (unsigned int i = 0; i < FAKE_UNITS; i++) {
		if (!(units & BIT(i)))
			continue;
		fake->iommu[i].flags |= AMD_IOMMU_FLAG_LU_LIVE;
		amd_fake_set_base(&fake->iommu[i], table);
	}
}

/* What is fresh has an entry that the firmware is strict about, and interrupts */
static void fill_fresh(struct amd_iommu_pci_seg *seg)
{
	for (unsigned int rid = 0; rid < FAKE_ENTRIES; rid++) {
		seg->dev_table[rid].data[0] = 0;
		seg->dev_table[rid].data[2] = DTE_IRQ_REMAP_ENABLE |
					      DTE_INTTABLEN_512;
	}
}

static void expect_blocked(struct kunit *test, unsigned int s, u16 but)
{
	struct amd_test *at = test->priv;
	unsigned int open = 0;

	for (unsigned int rid = 0; rid < FAKE_ENTRIES; rid++)
		if (rid != but &&
		    (at->fake.seg[s].dev_table[rid].data[0] &
		     (DTE_FLAG_V | DTE_FLAG_TV)) != DTE_FLAG_V)
			open++;
	KUNIT_EXPECT_EQ(test, open, 0);
}

/* Two units share a table, the unit of another segment has none to go on with */
static void __init amd_take_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct amd_iommu_pci_seg *seg = &at->fake.seg[0];
	struct dev_table_entry *old = old_table(test), kept = old[RID];
	struct dev_table_entry *neighbour = at->fake.seg[1].dev_table;

	fill_fresh(seg);
	make_live(&at->fake, BIT(0) | BIT(1), old);
	at->size = FAKE_TABLE_SIZE;
	amd_lu_take_tables();
	KUNIT_EXPECT_PTR_EQ(test, seg->dev_table, old);
	KUNIT_EXPECT_MEMEQ(test, &old[RID], &kept, sizeof(kept));
	expect_blocked(test, 0, RID);
	/* What this kernel wants of interrupts, for those that it has in hand */
	KUNIT_EXPECT_EQ(test, old[OTHER_RID].data[2],
			DTE_IRQ_REMAP_ENABLE | DTE_INTTABLEN_512);
	KUNIT_EXPECT_PTR_EQ(test, at->fake.seg[1].dev_table, neighbour);
	KUNIT_EXPECT_TRUE(test, amd_lu_live(seg));
	KUNIT_EXPECT_FALSE(test, amd_lu_live(&at->fake.seg[1]));
}

/* One unit of the segment was off: the other one's table is that of both */
static void __init amd_take_one_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct dev_table_entry *old = old_table(test);

	make_live(&at->fake, BIT(1), old);
	at->size = FAKE_TABLE_SIZE;
	amd_lu_take_tables();
	KUNIT_EXPECT_PTR_EQ(test, at->fake.seg[0].dev_table, old);
	expect_blocked(test, 0, RID);
}

/* Each segment has its own */
static void __init amd_take_both_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct dev_table_entry *old[FAKE_SEGMENTS];

	for (unsigned int s = 0; s < FAKE_SEGMENTS; s++)
		old[s] = old_table(test);
	make_live(&at->fake, BIT(0) | BIT(1), old[0]);
	make_live(&at->fake, BIT(2), old[1]);
	at->size = FAKE_TABLE_SIZE;
	amd_lu_take_tables();
	for (unsigned int s = 0; s < FAKE_SEGMENTS; s++) {
		KUNIT_EXPECT_PTR_EQ(test, at->fake.seg[s].dev_table, old[s]);
		expect_blocked(test, s, RID);
	}
}

/* What cannot be gone on with: everything is blocked, in a table of this kernel */
static void __init expect_not_taken(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct amd_iommu_pci_seg *seg = &at->fake.seg[0];
	struct dev_table_entry *fresh = seg->dev_table;

	fill_fresh(seg);
	amd_lu_take_tables();
	KUNIT_EXPECT_PTR_EQ(test, seg->dev_table, fresh);
	expect_blocked(test, 0, FAKE_ENTRIES);
}

static void __init amd_take_none_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct dev_table_entry *old = old_table(test), *third = old_table(test);
	u64 base;

	iommu_lu_quiet = true;
	/* It was not kept; its size is another one; two units have two tables */
	make_live(&at->fake, BIT(0) | BIT(1), old);
	at->size = 0;
	expect_not_taken(test);
	at->size = FAKE_TABLE_SIZE / 2;
	expect_not_taken(test);
	at->size = FAKE_TABLE_SIZE;
	make_live(&at->fake, BIT(1), third);
	expect_not_taken(test);
	/* The register says that it is larger */
	make_live(&at->fake, BIT(1), old);
	for (unsigned int i = 0; i < 2; i++) {
		base = amd_fake_read(&at->fake.iommu[i], MMIO_DEV_TABLE_OFFSET);
		writeq(base + 1, at->fake.iommu[i].mmio_base +
				 MMIO_DEV_TABLE_OFFSET);
	}
	expect_not_taken(test);
	iommu_lu_quiet = false;
	iommu_free_pages(old);
	iommu_free_pages(third);
}

/* Only where a unit goes on nothing is freed, and nothing turned off */
static void __init amd_gives_up_test(struct kunit *test)
{
	struct amd_test *at = test->priv;

	KUNIT_EXPECT_FALSE(test, amd_lu_gives_up());
	at->fake.iommu[2].flags |= AMD_IOMMU_FLAG_LU_LIVE;
	KUNIT_EXPECT_TRUE(test, amd_lu_gives_up());
}

/* ---- The end of the old kernel ------------------------------------------- */

static void preserve_unit(struct kunit *test, unsigned int i)
{
	struct amd_test *at = test->priv;
	struct iommu_lu_unit *unit = &at->unit[i];

	unit->iommu = &at->fake.iommu[i].iommu;
	unit->index = i;
	unit->ser = &at->unit_ser[i];
	iommu_lu_pages_init(&unit->pages, IOMMU_LU_MAGIC_UNITS, i);
	KUNIT_ASSERT_EQ(test, amd_lu_preserve_unit(unit), 0);
	unit->iommu->lu = unit;
}

static void unpreserve_unit(struct amd_test *at, unsigned int i)
{
	struct iommu_lu_unit *unit = &at->unit[i];

	unit->iommu->lu = NULL;
	amd_lu_unpreserve_unit(unit);
	iommu_lu_pages_drop(&unit->pages);
}

static void preserve_device(struct kunit *test)
{
	struct amd_test *at = test->priv;

	at->lu.ser = &at->ser;
	at->ser.source_id = RID;
	KUNIT_ASSERT_EQ(test, amd_lu_preserve_device(&at->unit[1], &at->lu,
						     &at->dev.pdev.dev), 0);
}

/* A table that two units share is kept once, and given back with the last one */
static void amd_share_test(struct kunit *test)
{
	struct amd_test *at = test->priv;

	for (unsigned int i = 0; i < FAKE_UNITS; i++)
		preserve_unit(test, i);
	KUNIT_EXPECT_EQ(test, at->preserved, FAKE_SEGMENTS);
	KUNIT_EXPECT_EQ(test, at->unit[0].pages.nr, 1);
	KUNIT_EXPECT_EQ(test, at->unit[1].pages.nr, 0);
	KUNIT_EXPECT_EQ(test, at->unit[2].pages.nr, 1);
	KUNIT_EXPECT_EQ(test, at->unit_ser[0].root, at->unit_ser[1].root);
	KUNIT_EXPECT_NE(test, at->unit_ser[0].root, at->unit_ser[2].root);
	for (unsigned int i = FAKE_UNITS; i--;)
		unpreserve_unit(at, i);
	KUNIT_EXPECT_EQ(test, at->preserved, 0);
}

/* Nothing is written any more, and no interrupt raised; translation stays on */
static void expect_quiet(struct kunit *test, struct amd_iommu *iommu)
{
	u64 all = MMIO_STATUS_EVT_INT_MASK | MMIO_STATUS_EVT_OVERFLOW_MASK |
		  MMIO_STATUS_COM_WAIT_INT_MASK | MMIO_STATUS_PPR_INT_MASK |
		  MMIO_STATUS_GALOG_INT_MASK;

	KUNIT_EXPECT_EQ(test, amd_fake_read(iommu, MMIO_CONTROL_OFFSET),
			BIT_ULL(CONTROL_IOMMU_EN) | BIT_ULL(CONTROL_COHERENT_EN));
	/* Written with ones to be cleared */
	KUNIT_EXPECT_EQ(test, amd_fake_read(iommu, MMIO_STATUS_OFFSET) & all,
			all);
}

static void amd_jump_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct protection_domain *domain = new_domain(test, LARGE_ID);
	struct dev_table_entry *table = at->fake.seg[0].dev_table;
	u128 lower;

	KUNIT_ASSERT_EQ(test, attach(at, domain), 0);
	for (unsigned int rid = 0; rid < FAKE_ENTRIES; rid++)
		table[rid].data[2] = DTE_IRQ_REMAP_ENABLE | DTE_INTTABLEN_512 |
				     DTE_IRQ_REMAP_INTCTL | SZ_1M;
	/* Attached meanwhile, passed through */
	table[OTHER_RID].data[0] = DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR |
				   DTE_FLAG_IW;
	table[OTHER_RID + 1].data[0] = 0;
	lower = table[RID].data128[0];
	for (unsigned int i = 0; i < FAKE_UNITS; i++)
		preserve_unit(test, i);
	preserve_device(test);
	amd_fake_drain(&at->fake.iommu[0]);

	amd_watch_start(test, &at->watch, &table[RID]);
	for (unsigned int i = 0; i < FAKE_UNITS; i++)
		amd_lu_jump(&at->unit[i]);
	amd_watch_end(&at->watch);

	KUNIT_EXPECT_TRUE(test, table[RID].data128[0] == lower);
	KUNIT_EXPECT_FALSE(test, amd_watch_saw(&at->watch, DTE_FLAG_TV, 0));
	expect_blocked(test, 0, RID);
	expect_blocked(test, 1, FAKE_ENTRIES);
	for (unsigned int rid = 0; rid < FAKE_ENTRIES; rid++)
		KUNIT_EXPECT_EQ(test, table[rid].data[2],
				rid == FAKE_IOAPIC ? 0 : DTE_IRQ_REMAP_ENABLE);
	for (unsigned int i = 0; i < FAKE_UNITS; i++) {
		int all = amd_fake_command(&at->fake.iommu[i], 0, CMD_INV_ALL, 0);

		KUNIT_EXPECT_GE(test, all, 0);
		KUNIT_EXPECT_GE(test, amd_fake_command(&at->fake.iommu[i],
						       max(all, 0),
						       CMD_COMPL_WAIT, 0), 0);
		expect_quiet(test, &at->fake.iommu[i]);
	}

	amd_lu_unpreserve_device(&at->unit[1], &at->lu);
	for (unsigned int i = FAKE_UNITS; i--;)
		unpreserve_unit(at, i);
	block(at);
	amd_iommu_domain_free(&domain->domain);
}

/* The same in the new kernel, before it has a buffer of its own */
static void amd_stay_test(struct kunit *test)
{
	struct amd_test *at = test->priv;
	struct amd_iommu *iommu = &at->fake.iommu[0];

	KUNIT_EXPECT_FALSE(test, amd_lu_stays_on(iommu));
	KUNIT_EXPECT_EQ(test, amd_fake_read(iommu, MMIO_CONTROL_OFFSET),
			FAKE_CONTROL);
	iommu->flags |= AMD_IOMMU_FLAG_LU_LIVE;
	KUNIT_EXPECT_TRUE(test, amd_lu_stays_on(iommu));
	expect_quiet(test, iommu);
}

static int amd_test_init(struct kunit *test)
{
	struct amd_test *at;

	if (!kho_is_enabled())
		kunit_skip(test, "KHO is off");
	at = kunit_kzalloc(test, sizeof(*at), GFP_KERNEL);
	if (!at)
		return -ENOMEM;
	test->priv = at;
	amd_fake_start(test, &at->fake);
	amd_fake_device(&at->dev, &at->fake.iommu[1], RID);
	kunit_activate_static_stub(test, iommu_preserved_size, stub_size);
	kunit_activate_static_stub(test, iommu_page_preserve, stub_preserve);
	kunit_activate_static_stub(test, iommu_page_unpreserve, stub_unpreserve);
	return 0;
}

static void amd_test_exit(struct kunit *test)
{
	struct amd_test *at = test->priv;

	if (!at)
		return;
	iommu_lu_quiet = false;
	amd_watch_end(&at->watch);
	amd_fake_stop(&at->fake);
}

static struct kunit_case __refdata amd_cases[] = {
	KUNIT_CASE(amd_replace_test),
	KUNIT_CASE(amd_replace_ats_test),
	KUNIT_CASE(amd_gap_test),
	KUNIT_CASE(amd_format_test),
	KUNIT_CASE(amd_grow_test),
	KUNIT_CASE(amd_block_test),
	KUNIT_CASE(amd_ignore_test),
	KUNIT_CASE(amd_take_test),
	KUNIT_CASE(amd_take_one_test),
	KUNIT_CASE(amd_take_both_test),
	KUNIT_CASE(amd_take_none_test),
	KUNIT_CASE(amd_gives_up_test),
	KUNIT_CASE(amd_share_test),
	KUNIT_CASE(amd_jump_test),
	KUNIT_CASE(amd_stay_test),
	{},
};

static struct kunit_suite amd_suite = {
	.name = "iommu_liveupdate_amd",
	.init = amd_test_init,
	.exit = amd_test_exit,
	.test_cases = amd_cases,
};

kunit_test_init_section_suite(amd_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of AMD-Vi across a live update");
