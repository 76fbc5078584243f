// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test the pages and the records that cross a live update
 *
 * What one kernel gives to KHO is compared with what KHO says it has. What the
 * next one takes from KHO is set up here the way KHO sets it up at boot.
 */
#include <kunit/static_stub.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho_radix_tree.h>
#include <linux/libfdt.h>
#include <linux/page_ref.h>
#include <linux/random.h>

#include "../../../../kernel/kexec_internal.h"
#include "../../iommu-pages.h"
#include "../pages.h"
#include "kunit.h"
#include "../records.h"

#define LU_BLOCKS	4
#define LU_MAGIC	IOMMU_LU_MAGIC_DOMAINS
#define LU_SLOT		sizeof(struct iommu_lu_domain_ser)
#define LU_PER_BLOCK	((PAGE_SIZE - sizeof(struct iommu_lu_block_ser)) / LU_SLOT)
#define LU_SLOTS	(LU_BLOCKS * LU_PER_BLOCK)

/* How KHO marks the first of the pages it has for us */
#define LU_KHO_MAGIC	0x4b484f50UL

/* What KHO would hand over, and whether one page is in it */
struct lu_kho {
	unsigned long nr;
	u64 sum;
	phys_addr_t phys;
	unsigned int order;
	bool found;
};

struct lu_test {
	struct kho_radix_tree kho_tree;
	struct lu_kho kho;
	struct iommu_lu_kunit_count start;
	struct iommu_lu_records records;
	struct iommu_lu_records in;
	struct iommu_lu_array_ser array;
	struct xarray pages;
	u32 *slots[LU_SLOTS + 1];
	unsigned int looks;
};

static int lu_kho_leaf(unsigned long key, void *data)
{
	unsigned int order = 64 - PAGE_SHIFT - (fls64(key) - 1);
	struct lu_kho *kho = data;

	kho->nr++;
	/* Of the keys, as the order in which they come says nothing */
	kho->sum += key * GOLDEN_RATIO_64;
	if (order == kho->order && key << (PAGE_SHIFT + order) == kho->phys)
		kho->found = true;
	return 0;
}

static void lu_kho_walk(struct kunit *test, struct lu_kho *kho)
{
	const struct kho_radix_walk_cb cb = { .leaf = lu_kho_leaf };
	struct lu_test *lu = test->priv;

	kho->nr = 0;
	kho->sum = 0;
	kho->found = false;
	KUNIT_ASSERT_EQ(test, kho_radix_walk_tree(&lu->kho_tree, &cb, kho),
			0);
}

/**
 * iommu_lu_kunit_kho - Find KHO's tree of what goes to the next kernel
 * @test: The test
 * @tree: Set to it
 *
 * KHO shows its tree to nobody but the image of the next kernel. This image
 * goes no further: nothing can be added to it.
 */
void iommu_lu_kunit_kho(struct kunit *test, struct kho_radix_tree *tree)
{
	struct kimage *image;
	const u64 *root;
	int len;

	image = kunit_kzalloc(test, sizeof(*image), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, image);
	KUNIT_ASSERT_EQ(test, kho_fill_kimage(image), -EINVAL);
	KUNIT_ASSERT_NE(test, image->kho.fdt, 0);
	root = fdt_getprop(phys_to_virt(image->kho.fdt), 0,
			   KHO_FDT_MEMORY_MAP_PROP_NAME, &len);
	KUNIT_ASSERT_NOT_NULL(test, root);
	KUNIT_ASSERT_EQ(test, len, sizeof(*root));
	KUNIT_ASSERT_EQ(test, kho_radix_init_tree(tree, phys_to_virt(*root)), 0);
}

static void lu_kho_init(struct kunit *test)
{
	struct lu_test *lu = test->priv;

	iommu_lu_kunit_kho(test, &lu->kho_tree);
	lu_kho_walk(test, &lu->kho);
}

/* KHO has @more entries than at the start, or the very same ones for 0 */
static void lu_expect_kho(struct kunit *test, unsigned long more)
{
	struct lu_test *lu = test->priv;
	struct lu_kho now = {};

	lu_kho_walk(test, &now);
	KUNIT_EXPECT_EQ(test, now.nr, lu->kho.nr + more);
	if (!more)
		KUNIT_EXPECT_EQ(test, now.sum, lu->kho.sum);
}

static bool lu_kho_has(struct kunit *test, void *virt, unsigned int order)
{
	struct lu_kho now = { .phys = virt_to_phys(virt), .order = order };

	lu_kho_walk(test, &now);
	return now.found;
}

/*
 * A page as the next kernel finds it: no part of its memory, with nothing right
 * in its struct page but the mark. Ends when it is restored and freed.
 */
static void *lu_handed_over(struct kunit *test, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	folio_ioptdesc((struct folio *)page)->incoherent = true;
	set_page_count(page, 0);
	set_page_private(page, LU_KHO_MAGIC << 32 | order);
	adjust_managed_page_count(page, -(1L << order));
	return page_address(page);
}

static void lu_page_preserve_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;

	for (unsigned int order = 0; order < 4; order++) {
		void *virt = iommu_alloc_pages_sz(GFP_KERNEL,
						  PAGE_SIZE << order);

		KUNIT_ASSERT_NOT_NULL(test, virt);
		KUNIT_EXPECT_EQ(test, iommu_page_preserve(virt), 0);
		KUNIT_EXPECT_TRUE(test, lu_kho_has(test, virt, order));
		lu_expect_kho(test, 1);
		iommu_lu_kunit_expect(test, &lu->start, 1L << order);

		iommu_page_unpreserve(virt);
		lu_expect_kho(test, 0);
		iommu_free_pages(virt);
	}
}

static void lu_page_restore_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	unsigned long ram = totalram_pages();

	for (unsigned int order = 0; order < 4; order++) {
		void *virt = lu_handed_over(test, order);
		struct folio *folio;

		iommu_lu_kunit_expect(test, &lu->start, 0);
		memset(virt, 0x5a, PAGE_SIZE << order);
		KUNIT_ASSERT_PTR_EQ(test, iommu_page_restore(virt_to_phys(virt)),
				    virt);
		KUNIT_EXPECT_NULL(test, memchr_inv(virt, 0x5a,
						   PAGE_SIZE << order));
		iommu_lu_kunit_expect(test, &lu->start, 1L << order);

		folio = virt_to_folio(virt);
		KUNIT_EXPECT_EQ(test, folio_order(folio), order);
		KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
		KUNIT_EXPECT_FALSE(test, folio_ioptdesc(folio)->incoherent);
		/* What is restored can be handed over again */
		KUNIT_EXPECT_EQ(test, iommu_page_preserve(virt), 0);
		KUNIT_EXPECT_TRUE(test, lu_kho_has(test, virt, order));
		iommu_page_unpreserve(virt);

		iommu_free_pages(virt);
		iommu_lu_kunit_expect(test, &lu->start, 0);
		KUNIT_EXPECT_EQ(test, totalram_pages(), ram);
	}
}

/* A page is there once, and only if it was preserved */
static void lu_page_refuse_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	void *virt = lu_handed_over(test, 0);
	phys_addr_t phys = virt_to_phys(virt);
	void *mine;

	KUNIT_ASSERT_PTR_EQ(test, iommu_page_restore(phys), virt);
	mine = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, mine);
	iommu_lu_kunit_expect(test, &lu->start, 2);

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_NULL(test, iommu_page_restore(phys));
		KUNIT_EXPECT_NULL(test,
				  iommu_page_restore(virt_to_phys(mine)));
	}
	KUNIT_EXPECT_NULL(test, iommu_page_restore(BIT_ULL(51)));
	KUNIT_EXPECT_NULL(test, iommu_page_restore(U64_MAX));

	iommu_lu_kunit_expect(test, &lu->start, 2);
	KUNIT_EXPECT_EQ(test, folio_ref_count(virt_to_folio(virt)), 1);
	KUNIT_EXPECT_EQ(test, folio_ref_count(virt_to_folio(mine)), 1);
	iommu_free_pages(mine);
	iommu_free_pages(virt);
}

static void lu_records_fill(struct kunit *test, u32 nr)
{
	struct lu_test *lu = test->priv;
	u32 index;

	for (u32 i = 0; i < nr; i++) {
		u32 *slot = iommu_lu_record_alloc(&lu->records, &index);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slot);
		KUNIT_ASSERT_EQ(test, index, i);
		lu->slots[i] = slot;
	}
}

static void lu_records_drain(struct lu_test *lu, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		iommu_lu_record_free(&lu->records, i);
}

/* In use, zero but for that, and where it is looked for */
static void lu_expect_slot(struct kunit *test, u32 index, u32 *slot)
{
	struct lu_test *lu = test->priv;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slot);
	KUNIT_EXPECT_EQ(test, *slot, IOMMU_LU_IN_USE);
	KUNIT_EXPECT_NULL(test, memchr_inv(slot + 1, 0, LU_SLOT - sizeof(u32)));
	KUNIT_EXPECT_PTR_EQ(test, iommu_lu_record(&lu->records, index), slot);
}

static void lu_records_grow_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	u64 phys;

	KUNIT_EXPECT_EQ(test, lu->array.first, 0);
	KUNIT_EXPECT_EQ(test, iommu_lu_records_end(&lu->records), 0);
	KUNIT_EXPECT_NULL(test, iommu_lu_record(&lu->records, 0));
	lu_expect_kho(test, 0);

	for (u32 i = 0, index; i < LU_SLOTS; i++) {
		u32 *slot = iommu_lu_record_alloc(&lu->records, &index);
		u32 blocks = i / LU_PER_BLOCK + 1;

		KUNIT_ASSERT_EQ(test, index, i);
		lu_expect_slot(test, i, slot);
		memset(slot + 1, 0xff, LU_SLOT - sizeof(u32));
		KUNIT_EXPECT_EQ(test, iommu_lu_records_end(&lu->records),
				blocks * LU_PER_BLOCK);
		if (i % LU_PER_BLOCK == 0)
			lu_expect_kho(test, blocks);
	}
	KUNIT_EXPECT_NULL(test, iommu_lu_record(&lu->records, LU_SLOTS));
	KUNIT_EXPECT_NULL(test, iommu_lu_record(&lu->records, U32_MAX));

	phys = lu->array.first;
	KUNIT_EXPECT_EQ(test, lu->array.nr_blocks, LU_BLOCKS);
	for (u32 i = 0; i < LU_BLOCKS; i++) {
		struct iommu_lu_block_ser *block = phys_to_virt(phys);

		KUNIT_ASSERT_NE(test, phys, 0);
		KUNIT_EXPECT_TRUE(test, lu_kho_has(test, block, 0));
		KUNIT_EXPECT_EQ(test, block->magic, LU_MAGIC);
		KUNIT_EXPECT_EQ(test, block->index, i);
		KUNIT_EXPECT_EQ(test, block->slot_size, LU_SLOT);
		KUNIT_EXPECT_EQ(test, block->nr_slots, LU_PER_BLOCK);
		KUNIT_EXPECT_PTR_EQ(test, (void *)block->slots,
				    iommu_lu_record(&lu->records,
						    i * LU_PER_BLOCK));
		phys = block->next;
	}
	KUNIT_EXPECT_EQ(test, phys, 0);
	lu_records_drain(lu, LU_SLOTS);
}

/* Freed slots come back clean, the lowest first, before the array grows */
static void lu_records_reuse_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	unsigned int nr = 0;
	u32 index, last = 0;

	lu_records_fill(test, LU_SLOTS);
	for (u32 i = LU_SLOTS; i--;) {
		if (i % 5 && i != LU_SLOTS - 1)
			continue;
		memset(lu->slots[i], 0xff, LU_SLOT);
		iommu_lu_record_free(&lu->records, i);
		KUNIT_EXPECT_NULL(test, memchr_inv(lu->slots[i], 0, LU_SLOT));
		memset(lu->slots[i], 0xff, LU_SLOT);
		nr++;
	}

	for (unsigned int i = 0; i < nr; i++) {
		u32 *slot = iommu_lu_record_alloc(&lu->records, &index);

		lu_expect_slot(test, index, slot);
		KUNIT_EXPECT_PTR_EQ(test, slot, lu->slots[index]);
		KUNIT_EXPECT_TRUE(test, !i || index > last);
		last = index;
	}
	KUNIT_EXPECT_EQ(test, iommu_lu_records_end(&lu->records), LU_SLOTS);
	lu_expect_kho(test, LU_BLOCKS);

	lu->slots[LU_SLOTS] = iommu_lu_record_alloc(&lu->records, &index);
	KUNIT_EXPECT_EQ(test, index, LU_SLOTS);
	lu_expect_slot(test, index, lu->slots[LU_SLOTS]);
	lu_expect_kho(test, LU_BLOCKS + 1);
	lu_records_drain(lu, LU_SLOTS + 1);
}

static int lu_stub_grow(struct iommu_lu_records *records)
{
	return -EDQUOT;
}

static void lu_records_grow_fails_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	u32 index = 4711;

	for (u32 nr = 0; nr <= 2 * LU_PER_BLOCK; nr += LU_PER_BLOCK) {
		kunit_activate_static_stub(test, iommu_lu_records_grow,
					   lu_stub_grow);
		for (unsigned int i = 0; i < 3; i++)
			KUNIT_EXPECT_PTR_EQ(test,
					    iommu_lu_record_alloc(&lu->records,
								  &index),
					    ERR_PTR(-EDQUOT));
		kunit_deactivate_static_stub(test, iommu_lu_records_grow);
		lu_expect_kho(test, nr / LU_PER_BLOCK);

		/* No number was lost */
		for (u32 i = nr; i < nr + LU_PER_BLOCK; i++) {
			lu_expect_slot(test, i,
				       iommu_lu_record_alloc(&lu->records,
							     &index));
			KUNIT_EXPECT_EQ(test, index, i);
		}
	}
	lu_records_drain(lu, 3 * LU_PER_BLOCK);
}

static int lu_parse(struct kunit *test, u32 slot_size,
		    const struct iommu_lu_array_ser *array)
{
	struct lu_test *lu = test->priv;
	int ret;

	/* It starts from garbage */
	memset(&lu->in, 0xff, sizeof(lu->in));
	ret = iommu_lu_records_parse(&lu->in, LU_MAGIC, slot_size, array,
				     &lu->pages);
	xa_destroy(&lu->pages);
	return ret;
}

static void lu_records_parse_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;

	for (u32 blocks = 0; blocks <= LU_BLOCKS; blocks++) {
		KUNIT_ASSERT_EQ(test, lu_parse(test, LU_SLOT, &lu->array), 0);
		KUNIT_EXPECT_EQ(test, iommu_lu_records_end(&lu->in),
				blocks * LU_PER_BLOCK);
		for (u32 i = 0; i < blocks * LU_PER_BLOCK; i++)
			KUNIT_EXPECT_PTR_EQ(test, iommu_lu_record(&lu->in, i),
					    iommu_lu_record(&lu->records, i));
		KUNIT_EXPECT_NULL(test, iommu_lu_record(&lu->in, blocks *
							LU_PER_BLOCK));
		xa_destroy(&lu->in.blocks);
		KUNIT_ASSERT_EQ(test, iommu_lu_records_grow(&lu->records), 0);
	}
}

static void lu_expect_refused(struct kunit *test, u32 slot_size)
{
	struct lu_test *lu = test->priv;

	KUNIT_EXPECT_EQ(test, lu_parse(test, slot_size, &lu->array), -EINVAL);
	KUNIT_EXPECT_EQ(test, lu->in.nr_blocks, 0);
	KUNIT_EXPECT_TRUE(test, xa_empty(&lu->in.blocks));
	KUNIT_EXPECT_NULL(test, iommu_lu_record(&lu->in, 0));
}

static void lu_expect_all_refused(struct kunit *test, u64 *next)
{
	u64 good = *next;
	struct iommu_lu_block_ser *block = phys_to_virt(good);
	struct iommu_lu_block_ser last = {
		.magic = LU_MAGIC,
		.slot_size = LU_SLOT,
		.nr_slots = LU_PER_BLOCK,
	};

	for (unsigned int bit = 0; bit < PAGE_SHIFT; bit += 3) {
		*next = good | BIT_ULL(bit);
		lu_expect_refused(test, LU_SLOT);
	}
	/* Not even when all looks right there */
	*next = good + PAGE_SIZE / 2;
	memcpy(phys_to_virt(*next), &last, sizeof(last));
	lu_expect_refused(test, LU_SLOT);
	/* Beyond any memory, and the hole that every PC has */
	for (unsigned int bit = 48; bit < 64; bit += 5) {
		*next = good | BIT_ULL(bit);
		lu_expect_refused(test, LU_SLOT);
	}
	*next = 0xa0000;
	lu_expect_refused(test, LU_SLOT);
	*next = good;

	block->slot_size++;
	lu_expect_refused(test, LU_SLOT);
	block->slot_size = 0;
	lu_expect_refused(test, LU_SLOT);
	block->slot_size = LU_SLOT;
	block->nr_slots++;
	lu_expect_refused(test, LU_SLOT);
	block->nr_slots = 0;
	lu_expect_refused(test, LU_SLOT);
	block->nr_slots = LU_PER_BLOCK;
	block->magic = IOMMU_LU_MAGIC_UNITS;
	lu_expect_refused(test, LU_SLOT);
	block->magic = LU_MAGIC;
	block->index++;
	lu_expect_refused(test, LU_SLOT);
	block->index--;
}

static void lu_records_bad_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	u64 *next = &lu->array.first;

	for (u32 i = 0; i < LU_BLOCKS; i++)
		KUNIT_ASSERT_EQ(test, iommu_lu_records_grow(&lu->records), 0);

	for (u32 i = 0; i < LU_BLOCKS; i++) {
		struct iommu_lu_block_ser *block = phys_to_virt(*next);

		lu_expect_all_refused(test, next);
		next = &block->next;
	}
	lu->array.nr_blocks++;
	lu_expect_refused(test, LU_SLOT);
	lu->array.nr_blocks -= 2;
	lu_expect_refused(test, LU_SLOT);
	lu->array.nr_blocks++;
	lu->array.reserved = 1;
	lu_expect_refused(test, LU_SLOT);
	lu->array.reserved = 0;
	lu_expect_refused(test, LU_SLOT + 8);
	lu_expect_refused(test, LU_SLOT - 8);

	KUNIT_EXPECT_EQ(test, lu_parse(test, LU_SLOT, &lu->array), 0);
	xa_destroy(&lu->in.blocks);
}

/* From every block back to every one before it: refused after a few steps */
static void lu_records_loop_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	struct iommu_lu_block_ser *block;

	for (u32 nr = 1; nr <= 9; nr++) {
		KUNIT_ASSERT_EQ(test, iommu_lu_records_grow(&lu->records), 0);
		block = xa_load(&lu->records.blocks, nr - 1);
		for (u32 to = 0; to < nr; to++) {
			block->next = virt_to_phys(xa_load(&lu->records.blocks,
							   to));
			/* However many blocks it promises */
			lu->array.nr_blocks = U32_MAX >> 13;
			lu->looks = 0;
			lu_expect_refused(test, LU_SLOT);
			KUNIT_ASSERT_LE(test, lu->looks, 4 * nr + 4);
			block->next = 0;
			lu->array.nr_blocks = nr;
		}
		KUNIT_EXPECT_EQ(test, lu_parse(test, LU_SLOT, &lu->array), 0);
		xa_destroy(&lu->in.blocks);
	}
}

/* A record is believed where it was sealed, as it was sealed */
static void lu_records_seal_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	u8 *slot, *other;

	lu_records_fill(test, 2);
	slot = (u8 *)lu->slots[0];
	other = (u8 *)lu->slots[1];
	get_random_bytes(slot + offsetof(struct iommu_lu_record_ser, type),
			 LU_SLOT - offsetof(struct iommu_lu_record_ser, type));
	iommu_lu_record_seal(&lu->records, 0);
	KUNIT_ASSERT_EQ(test, lu_parse(test, LU_SLOT, &lu->array), 0);
	KUNIT_EXPECT_NULL(test, iommu_lu_record_error(&lu->in, 0));
	/* Never sealed; never used */
	KUNIT_EXPECT_NOT_NULL(test, iommu_lu_record_error(&lu->in, 1));
	KUNIT_EXPECT_NULL(test, iommu_lu_record_error(&lu->in, 2));

	for (unsigned int bit = 0; bit < 8 * LU_SLOT; bit++) {
		slot[bit / 8] ^= BIT(bit % 8);
		KUNIT_EXPECT_NOT_NULL(test, iommu_lu_record_error(&lu->in, 0));
		slot[bit / 8] ^= BIT(bit % 8);
	}
	memcpy(other, slot, LU_SLOT);
	KUNIT_EXPECT_NOT_NULL(test, iommu_lu_record_error(&lu->in, 1));
	iommu_lu_record_seal(&lu->records, 1);
	KUNIT_EXPECT_NULL(test, iommu_lu_record_error(&lu->in, 1));
	KUNIT_EXPECT_NULL(test, iommu_lu_record_error(&lu->in, 0));
	xa_destroy(&lu->in.blocks);
	lu_records_drain(lu, 2);
}

static void lu_records_release_test(struct kunit *test)
{
	struct lu_test *lu = test->priv;
	unsigned long ram = totalram_pages();
	struct iommu_lu_array_ser array = { .nr_blocks = LU_BLOCKS };

	for (unsigned int i = LU_BLOCKS; i--;) {
		struct iommu_lu_block_ser *block = lu_handed_over(test, 0);

		block->magic = LU_MAGIC;
		block->index = i;
		block->slot_size = LU_SLOT;
		block->nr_slots = LU_PER_BLOCK;
		block->next = array.first;
		array.first = virt_to_phys(block);
	}
	KUNIT_EXPECT_EQ(test, totalram_pages(), ram - LU_BLOCKS);

	KUNIT_ASSERT_EQ(test, lu_parse(test, LU_SLOT, &array), 0);
	KUNIT_EXPECT_EQ(test, lu->in.nr_blocks, LU_BLOCKS);
	KUNIT_EXPECT_EQ(test, totalram_pages(), ram - LU_BLOCKS);
	iommu_lu_records_release(&lu->in);
	KUNIT_EXPECT_EQ(test, totalram_pages(), ram);
	KUNIT_EXPECT_EQ(test, iommu_lu_records_end(&lu->in), 0);
	KUNIT_EXPECT_NULL(test, iommu_lu_record(&lu->in, 0));
}

static int lu_pages_init(struct kunit *test)
{
	struct lu_test *lu;

	if (!kho_is_enabled())
		kunit_skip(test, "KHO is off");

	lu = kunit_kzalloc(test, sizeof(*lu), GFP_KERNEL);
	if (!lu)
		return -ENOMEM;
	test->priv = lu;
	lu_kho_init(test);
	iommu_lu_kunit_count(&lu->start);
	return 0;
}

static void lu_pages_exit(struct kunit *test)
{
	struct lu_test *lu = test->priv;

	if (!lu)
		return;
	lu_expect_kho(test, 0);
	iommu_lu_kunit_expect(test, &lu->start, 0);
}

/* The blocks are of this kernel, which is not what KHO is asked about */
static size_t lu_stub_preserved(phys_addr_t phys)
{
	struct lu_test *lu = kunit_get_current_test()->priv;

	lu->looks++;
	if (!phys || !PAGE_ALIGNED(phys) || !page_is_ram(PHYS_PFN(phys)))
		return 0;
	return PAGE_SIZE;
}

static int lu_records_init(struct kunit *test)
{
	struct lu_test *lu;
	int ret;

	ret = lu_pages_init(test);
	if (ret)
		return ret;
	lu = test->priv;
	kunit_activate_static_stub(test, iommu_preserved_size,
				   lu_stub_preserved);
	xa_init(&lu->pages);
	iommu_lu_records_init(&lu->records, LU_MAGIC, LU_SLOT, &lu->array);
	return 0;
}

/* A node of a tree of 64 branches for each level, then the block */
static unsigned int lu_steps(const struct iommu_lu_records *records)
{
	void *head = rcu_dereference_raw(records->blocks.xa_head);

	if (!xa_is_node(head))
		return 1;
	return xa_to_node(head)->shift / XA_CHUNK_SHIFT + 2;
}

/*
 * How far it is to a record follows from the largest number there is, not from
 * the way that got the array there, and not from what is free in it.
 */
static void lu_records_steps_test(struct kunit *test)
{
	static const struct {
		u32 records;
		unsigned int steps;
	} want[] = { { 1, 1 }, { 64, 2 }, { 4096, 3 }, { 65536, 3 } };
	struct lu_test *lu = test->priv;
	u32 index, have = 0;
	u32 *slot;

	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		for (; have < want[i].records; have++) {
			slot = iommu_lu_record_alloc(&lu->records, &index);
			KUNIT_ASSERT_FALSE(test, IS_ERR(slot));
			KUNIT_ASSERT_EQ(test, index, have);
		}
		kunit_info(test, "%u records: %u steps to any of them\n", have,
			   lu_steps(&lu->records));
		KUNIT_EXPECT_EQ(test, lu_steps(&lu->records), want[i].steps);
		/* The other kernel builds its own tree of the same blocks */
		KUNIT_ASSERT_EQ(test, lu_parse(test, LU_SLOT, &lu->array), 0);
		KUNIT_EXPECT_EQ(test, lu_steps(&lu->in), want[i].steps);
		KUNIT_EXPECT_PTR_EQ(test, iommu_lu_record(&lu->in, have - 1),
				    (void *)slot);
		xa_destroy(&lu->in.blocks);
	}
	lu_records_drain(lu, have);
}

static void lu_records_exit(struct kunit *test)
{
	struct lu_test *lu = test->priv;

	if (!lu || !lu->records.array)
		return;
	iommu_lu_records_destroy(&lu->records);
	KUNIT_EXPECT_EQ(test, lu->array.first, 0);
	KUNIT_EXPECT_EQ(test, lu->array.nr_blocks, 0);
	lu_pages_exit(test);
}

static struct kunit_case lu_pages_cases[] = {
	KUNIT_CASE(lu_page_preserve_test),
	KUNIT_CASE(lu_page_restore_test),
	KUNIT_CASE(lu_page_refuse_test),
	{},
};

static struct kunit_suite lu_pages_suite = {
	.name = "iommu_liveupdate_pages",
	.init = lu_pages_init,
	.exit = lu_pages_exit,
	.test_cases = lu_pages_cases,
};

static struct kunit_case lu_records_cases[] = {
	KUNIT_CASE(lu_records_grow_test),
	KUNIT_CASE(lu_records_reuse_test),
	KUNIT_CASE(lu_records_grow_fails_test),
	KUNIT_CASE(lu_records_parse_test),
	KUNIT_CASE(lu_records_bad_test),
	KUNIT_CASE(lu_records_loop_test),
	KUNIT_CASE(lu_records_seal_test),
	KUNIT_CASE(lu_records_release_test),
	KUNIT_CASE(lu_records_steps_test),
	{},
};

static struct kunit_suite lu_records_suite = {
	.name = "iommu_liveupdate_records",
	.init = lu_records_init,
	.exit = lu_records_exit,
	.test_cases = lu_records_cases,
};

kunit_test_suites(&lu_pages_suite, &lu_records_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of the IOMMU live update code");
