/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test where a range of IOVAs is said to lead, and to let it lead nowhere, for every
 * format that is built
 */
#ifndef __GENERIC_PT_KUNIT_IOMMU_PT_RUNS_H
#define __GENERIC_PT_KUNIT_IOMMU_PT_RUNS_H

#define pt_iommu_clear CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), clear)
#define pt_iommu_runs CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), runs)

/* What is asked for, and what was told so far */
struct lu_runs {
	struct iommu_domain *domain;
	pt_vaddr_t step;
	u64 next;
	unsigned int calls;
	unsigned int stop_at;
	unsigned int wrong;
};

static int lu_take_run(void *arg, u64 iova, phys_addr_t phys, u64 len)
{
	struct lu_runs *runs = arg;

	if (++runs->calls == runs->stop_at)
		return LU_ERROR;
	runs->wrong += iova != runs->next || !len;
	for (u64 at = 0; at < len; at += runs->step)
		runs->wrong += iommu_iova_to_phys(runs->domain, iova + at) !=
			       phys + at;
	runs->next = iova + len;
	return 0;
}

static int lu_ask(struct lu_priv *lu, struct lu_runs *runs, u64 iova, u64 len)
{
	runs->domain = &lu->old.domain;
	runs->step = lu->old.smallest_pgsz;
	runs->next = iova;
	return pt_iommu_runs(&lu->old.fmt_table, iova, len, lu_take_run, runs);
}

/* Every map, all of it and a part of it that starts and ends in between */
static void test_lu_runs(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	pt_vaddr_t step = lu->old.smallest_pgsz;

	lu_fill(test, LU_MAPS);
	for (unsigned int i = 0; i < lu->nr_maps; i++) {
		struct lu_map *map = &lu->maps[i];
		pt_vaddr_t len = min(map->len, SZ_4M);
		struct lu_runs all = {}, part = {};

		KUNIT_EXPECT_EQ(test, lu_ask(lu, &all, map->va, len), 0);
		KUNIT_EXPECT_EQ(test, all.next, map->va + len);
		KUNIT_EXPECT_EQ(test, all.wrong, 0);
		if (len < 3 * step)
			continue;
		KUNIT_EXPECT_EQ(test, lu_ask(lu, &part, map->va + step,
					     len - 2 * step), 0);
		KUNIT_EXPECT_EQ(test, part.next, map->va + len - step);
		KUNIT_EXPECT_EQ(test, part.wrong, 0);
	}
}

/* Two tables full of pages, of which one lies elsewhere, and one is not there */
static void test_lu_runs_end(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	pt_vaddr_t step = lu->old.smallest_pgsz, len = 1024 * step;
	pt_vaddr_t va = lu_random_va(lu, 2 * len), odd = va + 700 * step;
	pt_oaddr_t oa = lu_random_oa(lu, 2 * len);
	struct lu_runs all = {}, stopped = { .stop_at = 2 }, hole = {};

	for (pt_vaddr_t at = va; at < va + len; at += step)
		KUNIT_ASSERT_EQ(test, iommu_map(&lu->old.domain, at,
						oa + (at - va) +
						(at == odd ? len : 0),
						step, IOMMU_READ, GFP_KERNEL),
				0);

	KUNIT_EXPECT_EQ(test, lu_ask(lu, &all, va, len), 0);
	KUNIT_EXPECT_EQ(test, all.next, va + len);
	KUNIT_EXPECT_EQ(test, all.wrong, 0);
	KUNIT_EXPECT_GE(test, all.calls, 3);
	KUNIT_EXPECT_LE(test, all.calls, 3 + len / PT_IOMMU_RUN_MAX);

	KUNIT_EXPECT_EQ(test, lu_ask(lu, &stopped, va, len), LU_ERROR);
	KUNIT_EXPECT_EQ(test, stopped.calls, 2);

	KUNIT_ASSERT_EQ(test, iommu_unmap(&lu->old.domain, odd, step), step);
	KUNIT_EXPECT_EQ(test, lu_ask(lu, &hole, va, len), -ENOENT);
	KUNIT_EXPECT_EQ(test, hole.wrong, 0);
	KUNIT_ASSERT_EQ(test, iommu_unmap(&lu->old.domain, va, odd - va),
			odd - va);
	KUNIT_ASSERT_EQ(test, iommu_unmap(&lu->old.domain, odd + step,
					  va + len - odd - step),
			va + len - odd - step);
}

static void lu_expect_cleared(struct kunit *test, pt_vaddr_t va, pt_vaddr_t len)
{
	struct lu_priv *lu = test->priv;
	pt_vaddr_t step = max(lu->old.smallest_pgsz, len / 1024);
	unsigned int left = 0;

	KUNIT_ASSERT_EQ(test, pt_iommu_clear(&lu->old.fmt_table, va, len), 0);
	for (pt_vaddr_t at = va; at < va + len; at += step)
		left += !!iommu_iova_to_phys(&lu->old.domain, at);
	KUNIT_EXPECT_EQ(test, left, 0);
}

/* Two tables full of pages, and every second map, are taken out of what is kept */
static void test_lu_clear(struct kunit *test)
{
	struct lu_priv *lu = test->priv;
	pt_vaddr_t step = lu->old.smallest_pgsz, len = 1024 * step;
	pt_vaddr_t va = lu_random_va(lu, 2 * len);
	pt_oaddr_t oa = lu_random_oa(lu, 2 * len);
	unsigned long nr;

	for (pt_vaddr_t at = 0; at < len; at += step)
		KUNIT_ASSERT_EQ(test, iommu_map(&lu->old.domain, va + at,
						oa + at, step, IOMMU_READ,
						GFP_KERNEL), 0);
	lu_fill(test, LU_MAPS / 2);
	lu_preserve(test);
	nr = lu->nr_pages;

	lu_expect_cleared(test, va, len);
	for (unsigned int i = 0; i < lu->nr_maps; i += 2)
		lu_expect_cleared(test, lu->maps[i].va, lu->maps[i].len);
	for (unsigned int i = 1; i < lu->nr_maps; i += 2)
		check_iova(test, lu->maps[i].va, lu->maps[i].oa, step);

	/* None of its pages is free, nor lost */
	iommu_lu_kunit_expect(test, &lu->start, nr);
	lu_unpreserve(lu);
	KUNIT_EXPECT_EQ(test, lu->unpreserved, nr);
	KUNIT_EXPECT_EQ(test, lu->stray, 0);
	KUNIT_EXPECT_TRUE(test, xa_empty(&lu->pages));
}

#endif /* __GENERIC_PT_KUNIT_IOMMU_PT_RUNS_H */
