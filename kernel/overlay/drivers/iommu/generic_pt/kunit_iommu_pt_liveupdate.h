/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test the handover of a page table, for every format that is built
 *
 * Both kernels are played by this one. KHO really preserves the pages, but only
 * gives back those of a kernel before this one: stubs keep the books of what is
 * preserved, and give the pages back after the jump, see lu_jump().
 */
#ifndef __GENERIC_PT_KUNIT_IOMMU_PT_LIVEUPDATE_H
#define __GENERIC_PT_KUNIT_IOMMU_PT_LIVEUPDATE_H

#ifdef CONFIG_IOMMU_LIVEUPDATE

#include <kunit/static_stub.h>
#include <linux/generic_pt/liveupdate.h>
#include <linux/jhash.h>
#include <linux/kexec_handover.h>
#include <linux/random.h>
#include <linux/xarray.h>
#include "../liveupdate/page-list.h"
#include "../liveupdate/pages.h"
#include "../liveupdate/test/kunit.h"

#define pt_iommu_preserve CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), preserve)
#define pt_iommu_unpreserve \
	CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), unpreserve)
#define pt_iommu_restore CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), restore)

#define pt_iommu_levels CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), levels)
#define pt_iommu_visit CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), visit)

#define LU_MAPS		256
#define LU_PROBES	4096

/* What is known about a table page that is, or was, preserved */
struct lu_page {
	void *virt;
	/* The table that points to this one, and the level of this one */
	struct lu_page *parent;
	unsigned int level;
	/* Where its content is while it is hidden */
	void *hidden;
	bool lost;
	bool seen;
	bool restored;
};

struct lu_map {
	pt_vaddr_t va;
	pt_oaddr_t oa;
	pt_vaddr_t len;
};

struct lu_probe {
	pt_vaddr_t va;
	phys_addr_t phys;
};

struct lu_priv {
	/* First, so that the helpers of the other tests work on it */
	struct kunit_iommu_priv old;
	struct kunit_iommu_priv new;
	struct iommu_pt_ser ser;
	struct iommu_lu_domain_ser dom_ser;
	struct iommu_lu_domain dom;
	struct iommu_lu_kunit_count start;

	/* By page frame number */
	struct xarray pages;
	unsigned long nr_pages;
	bool jumped;

	/* What the stubs were asked for, in all */
	unsigned long preserved;
	unsigned long unpreserved;
	unsigned long restored;
	/* Preserved twice, unpreserved without need, not given back */
	unsigned long twice;
	unsigned long stray;
	unsigned long refused;
	/* Number of the preserve that is to fail, 0 for none */
	unsigned long fail_at;

	unsigned int nr_maps;
	struct lu_map maps[LU_MAPS];
	struct lu_probe probes[LU_PROBES];
};

static struct lu_page *lu_find(struct lu_priv *lu, void *virt)
{
	return xa_load(&lu->pages, PHYS_PFN(virt_to_phys(virt)));
}

/* Not the error that any real one would give */
#define LU_ERROR (-EDQUOT)

static int lu_stub_preserve(void *virt)
{
	struct lu_priv *lu = kunit_get_current_test()->priv;
	struct lu_page *page;
	int ret;

	if (++lu->preserved == lu->fail_at)
		return LU_ERROR;

	page = kzalloc_obj(*page, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	page->virt = virt;
	ret = xa_insert(&lu->pages, PHYS_PFN(virt_to_phys(virt)), page,
			GFP_KERNEL);
	if (ret) {
		lu->twice += ret == -EBUSY;
		kfree(page);
		return ret;
	}

	ret = kho_preserve_folio(virt_to_folio(virt));
	if (ret) {
		xa_erase(&lu->pages, PHYS_PFN(virt_to_phys(virt)));
		kfree(page);
		return ret;
	}
	lu->nr_pages++;
	return 0;
}

static void lu_stub_unpreserve(void *virt)
{
	struct lu_priv *lu = kunit_get_current_test()->priv;
	struct lu_page *page;

	lu->unpreserved++;
	page = xa_erase(&lu->pages, PHYS_PFN(virt_to_phys(virt)));
	if (!page) {
		lu->stray++;
		return;
	}
	lu->nr_pages--;
	kho_unpreserve_folio(virt_to_folio(virt));
	kfree(page);
}

static void lu_show(struct lu_page *page)
{
	if (!page->hidden)
		return;
	memcpy(page->virt, page->hidden, PAGE_SIZE);
	kfree(page->hidden);
	page->hidden = NULL;
}

/* Who owns the pages restores them, not the table */
static void *lu_stub_restore(phys_addr_t phys)
{
	struct lu_priv *lu = kunit_get_current_test()->priv;

	lu->refused++;
	return NULL;
}

/*
 * From here on it is the new kernel: the table of the old one is gone, its
 * pages are what KHO would give. One more reference on each shows, later on,
 * whether the page was freed.
 */
static void lu_jump(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	struct lu_page *page;
	unsigned long pfn;

	KUNIT_ASSERT_FALSE(test, lu->jumped);
	lu->jumped = true;
	lu->old.iommu->ops = NULL;
	pt_top_set(lu->old.common, NULL, 0);

	xa_for_each(&lu->pages, pfn, page) {
		struct folio *folio = virt_to_folio(page->virt);

		kho_unpreserve_folio(folio);
		iommu_lu_kunit_account(folio, -1);
		folio_get(folio);
	}
	iommu_lu_kunit_expect(test, &lu->start, 0);
}

/* The restored table was freed, and its pages with it, or none of them at all */
static void lu_expect_freed(struct kunit *test, bool whole)
{
	struct lu_priv *lu = test->priv;
	unsigned long pfn, wrong = 0;
	struct lu_page *page;

	xa_for_each(&lu->pages, pfn, page) {
		wrong += page->restored != whole;
		wrong += folio_ref_count(virt_to_folio(page->virt)) !=
			 (whole ? 1 : 2);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, lu->restored, whole ? lu->nr_pages : 0);
	iommu_lu_kunit_expect(test, &lu->start, 0);
}

/* Whatever state the test ended in, leave nothing behind */
static void lu_forget_pages(struct lu_priv *lu)
{
	struct lu_page *page;
	unsigned long pfn;

	xa_for_each(&lu->pages, pfn, page) {
		struct folio *folio = virt_to_folio(page->virt);

		if (!lu->jumped) {
			kho_unpreserve_folio(folio);
		} else {
			if (!page->restored)
				folio_put(folio);
			folio_put(folio);
		}
		kfree(page->hidden);
		kfree(page);
	}
	xa_destroy(&lu->pages);
	lu->nr_pages = 0;
}

static void lu_reset(struct lu_priv *lu)
{
	pt_iommu_deinit(&lu->new.fmt_table.iommu);
	lu->new.fmt_table.iommu.ops = NULL;
	pt_iommu_deinit(lu->old.iommu);
	lu->old.iommu->ops = NULL;
	lu_forget_pages(lu);
	iommu_lu_pages_drop(&lu->dom.pages);

	lu->jumped = false;
	lu->preserved = 0;
	lu->unpreserved = 0;
	lu->restored = 0;
	lu->twice = 0;
	lu->stray = 0;
	lu->refused = 0;
	lu->fail_at = 0;
	lu->nr_maps = 0;
}

/* Back to an empty table in the old kernel */
static void lu_again(struct kunit *test)
{
	struct lu_priv *lu = test->priv;

	lu_reset(lu);
	iommu_lu_kunit_expect(test, &lu->start, 0);
	KUNIT_ASSERT_NO_ERRNO(test, pt_iommu_init(&lu->old.fmt_table,
						  &lu->old.cfg, GFP_KERNEL));
}

/* Any address, in the upper half where a format has one */
static pt_vaddr_t lu_random_va(struct lu_priv *lu, pt_vaddr_t len)
{
	struct pt_common *common = lu->old.common;
	unsigned int bits = common->max_vasz_lg2;
	pt_vaddr_t base = pt_top_range(common).va;

	if (pt_feature(common, PT_FEAT_SIGN_EXTEND)) {
		bits--;
		if (get_random_u32_below(2))
			base = pt_upper_range(common).va;
	}
	return base | ALIGN_DOWN(fvalog2_mod(get_random_u64(), bits), len);
}

static pt_oaddr_t lu_random_oa(struct lu_priv *lu, pt_vaddr_t len)
{
	unsigned int bits = lu->old.common->max_oasz_lg2 - 1;

	return ALIGN_DOWN(oalog2_mod(get_random_u64(), bits), len);
}

static void lu_map_one(struct kunit *test, pt_vaddr_t va, pt_vaddr_t len)
{
	struct lu_priv *lu = test->priv;
	pt_oaddr_t oa = lu_random_oa(lu, len);
	int ret;

	ret = iommu_map(&lu->old.domain, va, oa, len, IOMMU_READ | IOMMU_WRITE,
			GFP_KERNEL);
	if (ret == -EADDRINUSE)
		return;
	KUNIT_ASSERT_NO_ERRNO_FN(test, "iommu_map", ret);
	lu->maps[lu->nr_maps++] = (struct lu_map){ va, oa, len };
}

/* Far apart, next to each other, small and large */
static void lu_fill(struct kunit *test, unsigned int nr)
{
	struct lu_priv *lu = test->priv;
	unsigned int max_lg2 = min(31, lu->old.common->max_vasz_lg2 - 8);
	pt_vaddr_t sizes = log2_mod(lu->old.safe_pgsize_bitmap, max_lg2);

	for (unsigned int i = 0; i < nr; i++) {
		pt_vaddr_t len = lu->old.smallest_pgsz, va;
		struct lu_map *last = NULL;

		if (lu->nr_maps)
			last = &lu->maps[lu->nr_maps - 1];
		if (i % 8 == 7) {
			do {
				len = BIT_ULL(get_random_u32_below(max_lg2));
			} while (!(sizes & len));
		}

		va = lu_random_va(lu, len);
		if (last && i % 3 == 0)
			va = ALIGN_DOWN(ALIGN_DOWN(last->va, SZ_2M) |
					va % SZ_2M, len);
		lu_map_one(test, va, len);
	}
	KUNIT_ASSERT_GE(test, lu->nr_maps, nr / 2);
}

/* Half of the probes hit something for certain */
static void lu_choose_probes(struct lu_priv *lu)
{
	for (unsigned int i = 0; i < LU_PROBES; i++) {
		struct lu_probe *probe = &lu->probes[i];
		struct lu_map *map;

		probe->va = lu_random_va(lu, 1);
		if (lu->nr_maps && i % 2) {
			map = &lu->maps[get_random_u32_below(lu->nr_maps)];
			probe->va = map->va | (probe->va & (map->len - 1));
		}
		probe->phys = iommu_iova_to_phys(&lu->old.domain, probe->va);
	}
}

static void lu_expect_same(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	struct iommu_domain *domain = &lu->new.domain;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < lu->nr_maps; i++) {
		struct lu_map *map = &lu->maps[i];

		wrong += iommu_iova_to_phys(domain, map->va) != map->oa;
		wrong += iommu_iova_to_phys(domain, map->va + map->len - 1) !=
			 map->oa + map->len - 1;
	}
	for (unsigned int i = 0; i < LU_PROBES; i++)
		wrong += iommu_iova_to_phys(domain, lu->probes[i].va) !=
			 lu->probes[i].phys;
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static u32 lu_checksum(struct lu_priv *lu)
{
	struct lu_page *page;
	unsigned long pfn;
	u32 sum = 0;

	xa_for_each(&lu->pages, pfn, page)
		sum = jhash(page->virt, PAGE_SIZE, sum);
	return sum;
}

struct lu_walk {
	struct lu_priv *lu;
	unsigned long tables;
	unsigned long unknown;
};

static int __lu_walk(struct pt_range *range, void *arg, unsigned int level,
		     struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct lu_walk *walk = arg;

	for_each_pt_level_entry(&pts) {
		struct lu_page *page;

		if (pts.type != PT_ENTRY_TABLE)
			continue;
		walk->tables++;
		page = lu_find(walk->lu, pts.table_lower);
		if (page) {
			page->level = level - 1;
			page->parent = lu_find(walk->lu, table);
		} else {
			walk->unknown++;
		}
		pt_descend(&pts, arg, __lu_walk);
	}
	return 0;
}

/* Each page is in the list, once, the top first */
static void lu_expect_listed(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	const struct iommu_lu_pages_ser *ser = lu->dom.pages.first;
	unsigned long unknown = 0, nr = 0;
	struct xarray seen;

	KUNIT_ASSERT_NOT_NULL(test, ser);
	xa_init(&seen);
	KUNIT_EXPECT_EQ(test, ser->entry[0], lu->dom_ser.top);
	for (; ser; ser = ser->next ? phys_to_virt(ser->next) : NULL) {
		for (u32 i = 0; i < ser->nr; i++, nr++) {
			unknown += !xa_load(&lu->pages, PHYS_PFN(ser->entry[i]));
			unknown += !!xa_insert(&seen, PHYS_PFN(ser->entry[i]),
					       xa_mk_value(1), GFP_KERNEL);
		}
	}
	xa_destroy(&seen);
	KUNIT_EXPECT_EQ(test, unknown, 0);
	KUNIT_EXPECT_EQ(test, nr, lu->nr_pages);
	KUNIT_EXPECT_EQ(test, nr, lu->dom.pages.nr);
}

/* Each table was preserved, once, and nothing else was */
static void lu_expect_preserved(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	struct pt_range range = pt_top_range(lu->old.common);
	struct lu_walk walk = { .lu = lu, .tables = 1 };
	struct lu_page *top = lu_find(lu, range.top_table);

	KUNIT_ASSERT_NOT_NULL(test, top);
	top->level = range.top_level;
	pt_walk_range(&range, __lu_walk, &walk);
	if (pt_feature(lu->old.common, PT_FEAT_SIGN_EXTEND)) {
		range = pt_upper_range(lu->old.common);
		pt_walk_range(&range, __lu_walk, &walk);
	}

	KUNIT_EXPECT_EQ(test, walk.unknown, 0);
	KUNIT_EXPECT_EQ(test, walk.tables, lu->nr_pages);
	KUNIT_EXPECT_EQ(test, lu->twice, 0);
	lu_expect_listed(test);
	iommu_lu_kunit_expect(test, &lu->start, lu->nr_pages);
}

static u32 lu_ser_flags(struct pt_common *common)
{
	u32 flags = 0;

	if (pt_feature(common, PT_FEAT_DMA_INCOHERENT))
		flags |= IOMMU_PT_SER_DMA_INCOHERENT;
	if (pt_feature(common, PT_FEAT_DYNAMIC_TOP))
		flags |= IOMMU_PT_SER_DYNAMIC_TOP;
	if (pt_feature(common, PT_FEAT_SIGN_EXTEND))
		flags |= IOMMU_PT_SER_SIGN_EXTEND;
	return flags;
}

static void lu_expect_ser(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	struct pt_common *common = lu->old.common;
	struct pt_range range = pt_top_range(common);
	char format[IOMMU_PT_SER_FORMAT_LEN] = __stringify(PTPFX_RAW);
	struct iommu_pt_ser *ser = &lu->ser;

	KUNIT_EXPECT_MEMEQ(test, ser->format, format, sizeof(format));
	KUNIT_EXPECT_EQ(test, lu->dom_ser.top, virt_to_phys(range.top_table));
	KUNIT_EXPECT_EQ(test, lu->dom_ser.code, IOMMU_LU_CODE_GENERIC_PT);
	KUNIT_EXPECT_EQ(test, ser->flags, lu_ser_flags(common));
	KUNIT_EXPECT_EQ(test, ser->fmt_features,
			(u16)(common->features >> PT_FEAT_FMT_START));
	KUNIT_EXPECT_EQ(test, ser->top_level, range.top_level);
	KUNIT_EXPECT_EQ(test, ser->max_vasz_lg2, common->max_vasz_lg2);
	KUNIT_EXPECT_EQ(test, ser->max_oasz_lg2, common->max_oasz_lg2);
	KUNIT_EXPECT_NULL(test, memchr_inv(ser->reserved, 0,
					   sizeof(ser->reserved)));
}

static int lu_try_preserve(struct lu_priv *lu)
{
	memset(&lu->ser, 0xa5, sizeof(lu->ser));
	lu->dom = (struct iommu_lu_domain){ .ser = &lu->dom_ser };
	iommu_lu_pages_init(&lu->dom.pages, IOMMU_LU_MAGIC_DOMAINS, 0);
	return pt_iommu_preserve(&lu->old.fmt_table, &lu->dom, &lu->ser);
}

static void lu_unpreserve(struct lu_priv *lu)
{
	pt_iommu_unpreserve(&lu->old.fmt_table);
	iommu_lu_pages_drop(&lu->dom.pages);
}

static void lu_preserve(struct kunit *test)
{
	struct lu_priv *lu = test->priv;

	KUNIT_ASSERT_NO_ERRNO(test, lu_try_preserve(lu));
	lu_expect_preserved(test);
	lu_expect_ser(test);
}

static int lu_restore(struct lu_priv *lu, const struct iommu_pt_ser *ser)
{
	struct kunit_iommu_priv *new = &lu->new;

	memset(new, 0, sizeof(*new));
	spin_lock_init(&new->top_lock);
	new->cfg = lu->old.cfg;
#ifdef __GENERIC_PT_FMT_AMDV1_H
	/* The top grows with what is mapped */
	new->cfg.starting_level = lu->ser.top_level;
#endif
	new->fmt_table.iommu.nid = NUMA_NO_NODE;
	new->fmt_table.iommu.driver_ops = &pt_kunit_driver_ops;
	new->fmt_table.iommu.iommu_device = lu->old.dummy_dev;
	new->domain.ops = &kunit_pt_ops;
	new->iommu = &new->fmt_table.iommu;
	new->common = common_from_iommu(new->iommu);
	return pt_iommu_restore(&new->fmt_table, &new->cfg, &lu->dom, ser,
				GFP_KERNEL);
}

static void lu_hide(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	struct lu_page *page;
	unsigned long pfn;

	xa_for_each(&lu->pages, pfn, page) {
		page->hidden = kmemdup(page->virt, PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, page->hidden);
		memset(page->virt, 0, PAGE_SIZE);
	}
}

/* As the core does: each page its own, each once; only then it can be read */
static int lu_visit(void *arg, phys_addr_t phys)
{
	struct lu_priv *lu = arg;
	struct lu_page *page = xa_load(&lu->pages, PHYS_PFN(phys));

	if (!page || page->lost || page->seen) {
		lu->refused++;
		return -EINVAL;
	}
	page->seen = true;
	lu_show(page);
	return 0;
}

static void lu_free_pages(struct lu_priv *lu)
{
	struct lu_page *page;
	unsigned long pfn;

	xa_for_each(&lu->pages, pfn, page) {
		page->restored = true;
		lu->restored++;
		virt_to_ioptdesc(page->virt)->incoherent = false;
		iommu_lu_kunit_account(virt_to_folio(page->virt), 1);
		iommu_free_pages(page->virt);
	}
}

/* The table goes, and its pages when all of them were seen */
static void lu_free_restored(struct lu_priv *lu)
{
	if (lu->new.iommu->ops &&
	    !pt_iommu_visit(&lu->new.fmt_table, lu_visit, lu))
		lu_free_pages(lu);
	pt_iommu_deinit(lu->new.iommu);
	lu->new.iommu->ops = NULL;
}

/* To the new kernel, where the pages are only readable once vouched for */
static void lu_cross_and_free(struct kunit *test, bool whole)
{
	struct lu_priv *lu = test->priv;

	KUNIT_ASSERT_NO_ERRNO(test, lu_restore(lu, &lu->ser));
	lu_hide(test);
	lu_free_restored(lu);
	lu_expect_freed(test, whole);
}

/* The tables of all levels are all there are, and each has one above it */
static void lu_expect_levels(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	u64 nr[IOMMU_LU_LEVELS] = {}, rest = lu->nr_pages;
	unsigned int top = pt_iommu_levels(&lu->old.fmt_table, nr);

	KUNIT_ASSERT_LT(test, top, IOMMU_LU_LEVELS);
	KUNIT_EXPECT_EQ(test, nr[top], 1);
	for (unsigned int level = top; level; level--) {
		KUNIT_EXPECT_GT(test, nr[level], 0);
		rest -= nr[level];
	}
	KUNIT_EXPECT_GT(test, rest, 0);
	KUNIT_EXPECT_LE(test, rest, lu->nr_pages);
}

static void test_lu_preserve(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	unsigned long nr;

	lu_fill(test, LU_MAPS / 2);
	lu_preserve(test);
	lu_expect_levels(test);
	nr = lu->nr_pages;
	KUNIT_EXPECT_EQ(test, lu->preserved, nr);

	lu_unpreserve(lu);
	KUNIT_EXPECT_EQ(test, lu->unpreserved, nr);
	KUNIT_EXPECT_EQ(test, lu->stray, 0);
	KUNIT_EXPECT_TRUE(test, xa_empty(&lu->pages));

	/* The table is as good as before */
	lu_fill(test, LU_MAPS / 2);
	for (unsigned int i = 0; i < lu->nr_maps; i++)
		check_iova(test, lu->maps[i].va, lu->maps[i].oa,
			   lu->old.smallest_pgsz);
	lu_preserve(test);
	KUNIT_EXPECT_GT(test, lu->nr_pages, nr);
	lu_unpreserve(lu);
	KUNIT_EXPECT_TRUE(test, xa_empty(&lu->pages));

	for (unsigned int i = 0; i < lu->nr_maps; i++)
		do_unmap(test, lu->maps[i].va, lu->maps[i].len);
}

/* Whichever page fails: all or nothing */
static void test_lu_preserve_fails(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	unsigned long nr;

	lu_fill(test, 8);
	lu_preserve(test);
	nr = lu->nr_pages;
	lu_unpreserve(lu);
	KUNIT_ASSERT_GT(test, nr, 4);

	for (unsigned long n = 1; n <= nr; n++) {
		lu->preserved = 0;
		lu->unpreserved = 0;
		lu->fail_at = n;
		KUNIT_EXPECT_EQ(test, lu_try_preserve(lu), LU_ERROR);
		iommu_lu_pages_drop(&lu->dom.pages);
		KUNIT_EXPECT_EQ(test, lu->preserved, n);
		KUNIT_EXPECT_EQ(test, lu->unpreserved, n - 1);
		KUNIT_EXPECT_EQ(test, lu->stray, 0);
		KUNIT_ASSERT_TRUE(test, xa_empty(&lu->pages));
		KUNIT_EXPECT_NULL(test, memchr_inv(&lu->ser, 0xa5,
						   sizeof(lu->ser)));
	}

	lu->fail_at = 0;
	lu_preserve(test);
	KUNIT_EXPECT_EQ(test, lu->nr_pages, nr);
}

static void test_lu_restore(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	struct pt_iommu_info info;
	struct lu_page *page;
	unsigned long pfn;
	u32 sum;

	lu_fill(test, LU_MAPS);
	lu_choose_probes(lu);
	lu_preserve(test);
	sum = lu_checksum(lu);
	lu_jump(test);

	/* Restoring reads no page and asks for none: it costs the same always */
	lu_hide(test);
	KUNIT_ASSERT_NO_ERRNO(test, lu_restore(lu, &lu->ser));
	xa_for_each(&lu->pages, pfn, page)
		lu_show(page);
	KUNIT_EXPECT_EQ(test, lu->restored + lu->refused, 0);
	iommu_lu_kunit_expect(test, &lu->start, 0);

	lu_expect_same(test);
	lu->new.iommu->ops->get_info(lu->new.iommu, &info);
	KUNIT_EXPECT_EQ(test, (size_t)info.pgsize_bitmap,
			lu->old.info.pgsize_bitmap);
	KUNIT_EXPECT_EQ(test, lu->new.domain.geometry.aperture_end,
			lu->old.domain.geometry.aperture_end);
	KUNIT_EXPECT_EQ(test, lu_checksum(lu), sum);

	lu_hide(test);
	lu_free_restored(lu);
	KUNIT_EXPECT_EQ(test, lu->refused, 0);
	lu_expect_freed(test, true);
	KUNIT_EXPECT_EQ(test, lu->restored, lu->nr_pages);
}

static void test_lu_immutable(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	pt_vaddr_t len = lu->old.smallest_pgsz;
	struct iommu_domain *domain = &lu->new.domain;
	u32 sum;

	lu_fill(test, LU_MAPS / 4);
	lu_choose_probes(lu);
	lu_preserve(test);
	sum = lu_checksum(lu);
	lu_jump(test);
	KUNIT_ASSERT_NO_ERRNO(test, lu_restore(lu, &lu->ser));

	for (unsigned int i = 0; i < 64; i++) {
		struct lu_map *map = &lu->maps[i % lu->nr_maps];
		pt_vaddr_t va = lu_random_va(lu, len);

		KUNIT_EXPECT_EQ(test, iommu_map(domain, va, 0, len, IOMMU_READ,
						GFP_KERNEL), -EBUSY);
		KUNIT_EXPECT_EQ(test, iommu_unmap(domain, map->va, map->len),
				0);
	}
	KUNIT_EXPECT_EQ(test, lu_checksum(lu), sum);
	lu_expect_same(test);
	lu_free_restored(lu);
	lu_expect_freed(test, true);
}

static void test_lu_empty(struct kunit *test)
{
	struct lu_priv *lu = test->priv;

	lu_choose_probes(lu);
	lu_preserve(test);
	KUNIT_EXPECT_EQ(test, lu->dom.pages.nr, 1);
	lu_jump(test);
	KUNIT_ASSERT_NO_ERRNO(test, lu_restore(lu, &lu->ser));
	lu_expect_same(test);
	lu_free_restored(lu);
	lu_expect_freed(test, true);
	KUNIT_EXPECT_EQ(test, lu->restored, 1);
}

/* Refused, and neither memory nor a handed over page is lost over it */
static void lu_expect_bad(struct kunit *test, const struct iommu_pt_ser *ser)
{
	struct lu_priv *lu = test->priv;

	KUNIT_EXPECT_EQ(test, lu_restore(lu, ser), -EINVAL);
	KUNIT_EXPECT_NULL(test, lu->new.iommu->ops);
	KUNIT_EXPECT_EQ(test, lu->restored + lu->refused, 0);
	iommu_lu_kunit_expect(test, &lu->start, 0);
	lu_free_restored(lu);
}

#define LU_EXPECT_BAD(test, lu, change)                  \
	do {                                             \
		struct iommu_pt_ser bad = (lu)->ser;     \
							 \
		bad.change;                              \
		lu_expect_bad(test, &bad);               \
	} while (0)

static void lu_expect_bad_top(struct kunit *test, u64 top)
{
	struct lu_priv *lu = test->priv;
	u64 was = lu->dom_ser.top;

	lu->dom_ser.top = top;
	lu_expect_bad(test, &lu->ser);
	lu->dom_ser.top = was;
}

static void test_lu_refuse(struct kunit *test)
{
	struct lu_priv *lu = test->priv;

	lu_fill(test, 8);
	lu_choose_probes(lu);
	lu_preserve(test);
	lu_jump(test);

	LU_EXPECT_BAD(test, lu, format[0] = 0);
	LU_EXPECT_BAD(test, lu, format[0] ^= 0x20);
	LU_EXPECT_BAD(test, lu, format[strlen(bad.format)] = '2');
	lu_expect_bad_top(test, 0);
	for (unsigned int bit = 0; bit < PAGE_SHIFT; bit++)
		lu_expect_bad_top(test, lu->dom_ser.top | BIT_ULL(bit));
	lu_expect_bad_top(test, BIT_ULL(51));
	lu_expect_bad_top(test, U64_MAX);
	LU_EXPECT_BAD(test, lu, top_level++);
	LU_EXPECT_BAD(test, lu, top_level--);
	LU_EXPECT_BAD(test, lu, top_level = U8_MAX);
	LU_EXPECT_BAD(test, lu, max_vasz_lg2++);
	LU_EXPECT_BAD(test, lu, max_vasz_lg2--);
	LU_EXPECT_BAD(test, lu, max_vasz_lg2 = 0);
	LU_EXPECT_BAD(test, lu, max_oasz_lg2++);
	LU_EXPECT_BAD(test, lu, max_oasz_lg2--);
	for (unsigned int bit = 0; bit < 32; bit++)
		LU_EXPECT_BAD(test, lu, flags ^= BIT(bit));
	for (unsigned int bit = 0; bit < 16; bit++)
		LU_EXPECT_BAD(test, lu, fmt_features ^= BIT(bit));

	/* And none of this did any harm */
	KUNIT_ASSERT_NO_ERRNO(test, lu_restore(lu, &lu->ser));
	lu_expect_same(test);
	lu_free_restored(lu);
	lu_expect_freed(test, true);
}

/* The hardware of the new kernel is not what the table was made for */
static void test_lu_refuse_cfg(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	struct pt_iommu_table_cfg cfg = lu->old.cfg;

	lu_preserve(test);
	lu_jump(test);

	lu->old.cfg.common.hw_max_vasz_lg2 = 0;
	lu_expect_bad(test, &lu->ser);
	lu->old.cfg.common.hw_max_vasz_lg2 = PT_MAX_VA_ADDRESS_LG2 + 1;
	lu_expect_bad(test, &lu->ser);
	lu->old.cfg = cfg;
	lu->old.cfg.common.hw_max_oasz_lg2 = pt_max_oa_lg2(NULL) + 1;
	lu_expect_bad(test, &lu->ser);
	lu->old.cfg = cfg;

	lu_cross_and_free(test, true);
}

/* One page of a level, one level after the other, then any page at all: lost */
static void test_lu_lost_page(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	unsigned int levels = 0;

	for (unsigned int level = 0; level <= PT_MAX_TOP_LEVEL + 1; level++) {
		bool any = level == PT_MAX_TOP_LEVEL + 1;
		unsigned long pfn, lost = 0;
		struct lu_page *page;

		lu_again(test);
		lu_fill(test, LU_MAPS / 4);
		lu_preserve(test);
		lu_jump(test);
		xa_for_each(&lu->pages, pfn, page) {
			if (any ? get_random_u32_below(8) :
				  page->level != level || lost)
				continue;
			page->lost = true;
			lost++;
		}
		lu_cross_and_free(test, !lost);
		if (!lost)
			continue;
		levels++;
		KUNIT_EXPECT_EQ(test, lu->refused, 1);
	}
	KUNIT_EXPECT_GT(test, levels, 2);
}

struct lu_alias {
	void *foreign;
	bool done;
};

/*
 * If there is room: one more entry for a table this one has already, one that
 * leads back to itself, and one for a page that was never handed over.
 */
static int __lu_alias(struct pt_range *range, struct lu_alias *alias,
		      unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct pt_write_attrs attrs = {};
	pt_oaddr_t target[3] = { virt_to_phys(table),
				 virt_to_phys(alias->foreign) };
	unsigned int empty = 0, nr = 0;
	int ret;

	for_each_pt_level_entry(&pts) {
		empty += pts.type == PT_ENTRY_EMPTY;
		if (pts.type == PT_ENTRY_TABLE)
			target[2] = pt_table_pa(&pts);
	}
	if (!target[2] || empty < ARRAY_SIZE(target))
		return 0;

	memcpy(alias->foreign, table, PAGE_SIZE);
	ret = pt_iommu_set_prot(range->common, &attrs, IOMMU_READ | IOMMU_WRITE);
	if (ret)
		return ret;
	for (_pt_iter_first(&pts); nr < ARRAY_SIZE(target); pts.index++) {
		pt_load_entry(&pts);
		if (pts.type == PT_ENTRY_EMPTY &&
		    pt_install_table(&pts, target[nr], &attrs))
			nr++;
	}
	alias->done = true;
	return 1;
}

static int __lu_alias_below(struct pt_range *range, void *arg,
			    unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);

	if (!pt_can_have_table(&pts))
		return 0;
	if (__lu_alias(range, arg, level, table))
		return 1;
	for_each_pt_level_entry(&pts)
		if (pts.type == PT_ENTRY_TABLE &&
		    pt_descend(&pts, arg, __lu_alias_below))
			return 1;
	return 0;
}

/* A page to which two ways lead, or that is nobody's: nothing is freed */
static void test_lu_alias(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	struct lu_alias alias = {};
	struct pt_range range;
	struct folio *folio;

	lu_fill(test, LU_MAPS / 4);
	lu_preserve(test);

	alias.foreign = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, alias.foreign);
	folio = virt_to_folio(alias.foreign);
	iommu_lu_kunit_account(folio, -1);

	range = pt_top_range(lu->old.common);
	pt_walk_range(&range, __lu_alias_below, &alias);
	KUNIT_EXPECT_TRUE(test, alias.done);

	lu_jump(test);
	lu_cross_and_free(test, false);
	KUNIT_EXPECT_EQ(test, lu->refused, 1);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);

	iommu_lu_kunit_account(folio, 1);
	iommu_free_pages(alias.foreign);
}

#include "kunit_iommu_pt_runs.h"

static struct kunit_case iommu_lu_test_cases[] = {
	KUNIT_CASE_FMT(test_lu_preserve),
	KUNIT_CASE_FMT(test_lu_preserve_fails),
	KUNIT_CASE_FMT(test_lu_restore),
	KUNIT_CASE_FMT(test_lu_immutable),
	KUNIT_CASE_FMT(test_lu_empty),
	KUNIT_CASE_FMT(test_lu_refuse),
	KUNIT_CASE_FMT(test_lu_refuse_cfg),
	KUNIT_CASE_FMT(test_lu_lost_page),
	KUNIT_CASE_FMT(test_lu_alias),
	KUNIT_CASE_FMT(test_lu_runs),
	KUNIT_CASE_FMT(test_lu_runs_end),
	KUNIT_CASE_FMT(test_lu_clear),
	{},
};

/* The pages are of this kernel, which is not what KHO is asked about */
static bool lu_stub_preserved(phys_addr_t phys)
{
	return phys && page_is_ram(PHYS_PFN(phys));
}

static int pt_kunit_iommu_lu_init(struct kunit *test)
{
	struct lu_priv *lu;
	int ret;

	if (!kho_is_enabled())
		kunit_skip(test, "KHO is off");

	lu = kvzalloc_obj(*lu, GFP_KERNEL);
	if (!lu)
		return -ENOMEM;
	xa_init(&lu->pages);
	iommu_lu_kunit_count(&lu->start);

	ret = pt_kunit_priv_init(test, &lu->old);
	if (ret) {
		kvfree(lu);
		return ret;
	}
	test->priv = lu;
	kunit_activate_static_stub(test, iommu_page_preserved,
				   lu_stub_preserved);
	kunit_activate_static_stub(test, iommu_page_preserve, lu_stub_preserve);
	kunit_activate_static_stub(test, iommu_page_unpreserve,
				   lu_stub_unpreserve);
	kunit_activate_static_stub(test, iommu_page_restore, lu_stub_restore);
	return 0;
}

static void pt_kunit_iommu_lu_exit(struct kunit *test)
{
	struct lu_priv *lu = test->priv;

	if (!lu)
		return;
	lu_reset(lu);
	iommu_lu_kunit_expect(test, &lu->start, 0);
	test->priv = NULL;
	kvfree(lu);
}

static struct kunit_suite NS(iommu_lu_suite) = {
	.name = __stringify(NS(iommu_liveupdate_test)),
	.init = pt_kunit_iommu_lu_init,
	.exit = pt_kunit_iommu_lu_exit,
	.test_cases = iommu_lu_test_cases,
};

kunit_test_suites(&NS(iommu_lu_suite));

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __GENERIC_PT_KUNIT_IOMMU_PT_LIVEUPDATE_H */
