/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handing an IOMMU page table to the next kernel
 */
#ifndef __GENERIC_PT_IOMMU_PT_LIVEUPDATE_H
#define __GENERIC_PT_IOMMU_PT_LIVEUPDATE_H

#ifdef CONFIG_IOMMU_LIVEUPDATE

#include <linux/generic_pt/liveupdate.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "../liveupdate/pages.h"

/**
 * DOC: Page tables across a live update
 *
 * preserve() walks the table and gives each of its pages to KHO; the pages stay
 * where they are and the hardware goes on walking them. From then until
 * unpreserve() the caller keeps the table unchanged, otherwise a page that was
 * added later would be lost, and a page that was freed would be kept. What has to
 * be taken out of it all the same is taken out by clear(), which frees no page.
 *
 * In the next kernel restore() makes a table around the page that was the top.
 * It looks at no other page, so its cost does not depend on what is mapped.
 * The result is immutable: it can be attached, asked for translations and
 * freed. Its pages are not freed with it: visit() tells whoever owns them of
 * each, before it is read, and the owner decides whether all is as it should be.
 */

#define pt_iommu_preserve CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), preserve)
#define pt_iommu_unpreserve \
	CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), unpreserve)
#define pt_iommu_restore CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), restore)
#define pt_iommu_visit CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), visit)
#define pt_iommu_levels CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), levels)
#define pt_iommu_clear CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), clear)
#define pt_iommu_runs CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), runs)

/* A walk over all tables: nr visited, max limit; where they are written down */
struct lu_table_walk {
	unsigned long nr;
	unsigned long max;
	struct iommu_lu_pages *pages;
};

struct lu_table_visit {
	iommu_lu_table_fn fn;
	void *arg;
};

/* Nobody needs to know the address of what is not descended into */
static __always_inline void NS(next_table)(struct pt_state *pts,
					   unsigned int level)
{
	if (level == 1)
		pts->index++;
	else
		pt_next_entry(pts);
}

static __always_inline int NS(keep_table)(struct lu_table_walk *tables,
					  void *table)
{
	int ret;

	ret = iommu_page_preserve(table);
	if (ret)
		return ret;
	tables->nr++;
	return iommu_lu_pages_add(tables->pages, virt_to_phys(table), 0);
}

static __always_inline int NS(do_preserve)(struct pt_range *range, void *arg,
					   unsigned int level,
					   struct pt_table_p *table,
					   pt_level_fn_t descend_fn)
{
	struct pt_state pts = pt_init(range, level, table);
	struct lu_table_walk *tables = arg;
	int ret;

	for (_pt_iter_first(&pts); _pt_iter_load(&pts);
	     NS(next_table)(&pts, level)) {
		if (pts.type != PT_ENTRY_TABLE)
			continue;
		ret = NS(keep_table)(tables, pts.table_lower);
		if (ret)
			return ret;
		/* Most tables are of the last level, and have none below */
		if (level == 1)
			continue;
		ret = pt_descend(&pts, arg, descend_fn);
		if (ret)
			return ret;
	}
	return 0;
}

PT_MAKE_LEVELS(NS(preserve_tables), NS(do_preserve));

static int NS(unpreserve_tables)(struct pt_range *range, void *arg,
				 unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct lu_table_walk *tables = arg;
	int ret;

	for_each_pt_level_entry(&pts) {
		if (pts.type != PT_ENTRY_TABLE)
			continue;
		if (tables->nr == tables->max)
			return -ENOENT;
		iommu_page_unpreserve(pts.table_lower);
		tables->nr++;
		if (level == 1)
			continue;
		ret = pt_descend(&pts, arg, NS(unpreserve_tables));
		if (ret)
			return ret;
	}
	return 0;
}

/* The first so many, in the order in which they were preserved */
static void NS(unpreserve_some)(struct pt_common *common, unsigned long max)
{
	struct lu_table_walk tables = { .max = max };
	struct pt_range range = pt_all_range(common);

	if (!max)
		return;
	iommu_page_unpreserve(range.top_table);
	tables.nr++;
	if (range.top_level)
		pt_walk_range(&range, NS(unpreserve_tables), &tables);
}

static int NS(preserve_all)(struct pt_common *common,
			    struct iommu_lu_pages *pages)
{
	struct pt_range range = pt_all_range(common);
	struct lu_table_walk tables = { .pages = pages };
	int ret;

	ret = NS(keep_table)(&tables, range.top_table);
	if (!ret && range.top_level)
		ret = pt_walk_range(&range, NS(preserve_tables), &tables);
	if (ret)
		NS(unpreserve_some)(common, tables.nr);
	return ret;
}

static u32 NS(ser_flags)(struct pt_common *common)
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

int pt_iommu_preserve(struct pt_iommu_table *fmt_table,
		      struct iommu_lu_domain *lu, struct iommu_pt_ser *ser)
{
	struct pt_common *common = common_from_iommu(&fmt_table->iommu);
	struct pt_range range = pt_top_range(common);
	int ret;

	/* No format of today has a top that is larger than a page */
	if (pt_top_memsize_lg2(common, common->top_of_table) > PAGE_SHIFT)
		return -EOPNOTSUPP;
	ret = NS(preserve_all)(common, &lu->pages);
	if (ret)
		return ret;

	lu->ser->code = IOMMU_LU_CODE_GENERIC_PT;
	lu->ser->top = virt_to_phys(range.top_table);
	memset(ser, 0, sizeof(*ser));
	strscpy_pad(ser->format, __stringify(PTPFX_RAW));
	ser->flags = NS(ser_flags)(common);
	ser->fmt_features = common->features >> PT_FEAT_FMT_START;
	ser->top_level = range.top_level;
	ser->max_vasz_lg2 = common->max_vasz_lg2;
	ser->max_oasz_lg2 = common->max_oasz_lg2;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_preserve, "GENERIC_PT_IOMMU");

void pt_iommu_unpreserve(struct pt_iommu_table *fmt_table)
{
	NS(unpreserve_some)(common_from_iommu(&fmt_table->iommu), ULONG_MAX);
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_unpreserve, "GENERIC_PT_IOMMU");

static int NS(give_run)(struct pt_run_walk *run)
{
	u64 start = max(run->va, run->first);
	u64 last = min(run->va + run->len - 1, run->last);

	if (!run->len)
		return 0;
	return run->fn(run->arg, start, run->oa + (start - run->va),
		       last - start + 1);
}

/*
 * Most entries go on where the one before ends: then each item is larger than
 * the one before it by the same number, which takes a glance to see. It holds
 * for all between two items for which it was looked up what they say, because
 * an output address that overflows its field comes out too small. Entries that
 * take several items are left to the walk.
 */
static __always_inline void NS(extend_run)(struct pt_state *pts,
					   struct pt_run_walk *run,
					   unsigned int lg2sz)
{
	const u64 *items = pt_cur_table(pts, u64);
	pt_oaddr_t end = run->oa + run->len;
	struct pt_state next = *pts;
	unsigned int index;
	u64 item, step;

	if (sizeof(u64) != PT_ITEM_WORD_SIZE || pt_entry_num_contig_lg2(pts))
		return;

	next.index++;
	if (next.index >= next.end_index ||
	    pt_load_entry_raw(&next) != PT_ENTRY_OA ||
	    pt_entry_oa(&next) != end || pt_entry_oa_lg2sz(&next) != lg2sz)
		return;

	item = next.entry;
	step = item - pts->entry;
	for (index = next.index + 1; index < next.end_index; index++) {
		item += step;
		if (READ_ONCE(items[index]) != item)
			break;
	}

	next.index = index - 1;
	end += oalog2_mul(next.index - pts->index - 1, lg2sz);
	if (pt_load_entry_raw(&next) != PT_ENTRY_OA ||
	    pt_entry_oa(&next) != end || pt_entry_oa_lg2sz(&next) != lg2sz)
		return;
	run->len = end + log2_to_int(lg2sz) - run->oa;
	pts->index = next.index;
}

static __always_inline int NS(do_runs)(struct pt_range *range, void *arg,
				       unsigned int level,
				       struct pt_table_p *table,
				       pt_level_fn_t descend_fn)
{
	struct pt_state pts = pt_init(range, level, table);
	struct pt_run_walk *run = arg;
	unsigned int lg2sz;
	int ret;

	for_each_pt_level_entry(&pts) {
		if (pts.type == PT_ENTRY_EMPTY)
			return -ENOENT;
		if (pts.type == PT_ENTRY_TABLE) {
			ret = pt_descend(&pts, arg, descend_fn);
			if (ret)
				return ret;
			continue;
		}

		lg2sz = pt_entry_oa_lg2sz(&pts);
		if (!run->len || pt_entry_oa(&pts) != run->oa + run->len ||
		    run->len >= PT_IOMMU_RUN_MAX) {
			ret = NS(give_run)(run);
			if (ret)
				return ret;
			run->va = log2_set_mod(range->va, 0, lg2sz);
			run->oa = pt_entry_oa(&pts);
			run->len = 0;
		}
		run->len += log2_to_int(lg2sz);
		NS(extend_run)(&pts, run, lg2sz);
	}
	return 0;
}

PT_MAKE_LEVELS(NS(walk_runs), NS(do_runs));

int pt_iommu_runs(struct pt_iommu_table *fmt_table, u64 iova, u64 len,
		  pt_iommu_run_fn fn, void *arg)
{
	struct pt_common *common = common_from_iommu(&fmt_table->iommu);
	struct pt_run_walk run = {
		.fn = fn,
		.arg = arg,
		.first = iova,
		.last = iova + len - 1,
	};
	struct pt_range range;
	int ret;

	ret = make_range(common, &range, iova, len);
	if (!ret)
		ret = pt_walk_range(&range, NS(walk_runs), &run);
	return ret ?: NS(give_run)(&run);
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_runs, "GENERIC_PT_IOMMU");

static __always_inline int NS(do_clear)(struct pt_range *range, void *arg,
					unsigned int level,
					struct pt_table_p *table,
					pt_level_fn_t descend_fn)
{
	struct pt_state pts = pt_init(range, level, table);
	unsigned int num_lg2;
	int ret;

	for_each_pt_level_entry(&pts) {
		if (pts.type == PT_ENTRY_TABLE) {
			ret = pt_descend(&pts, arg, descend_fn);
			if (ret)
				return ret;
		}
		if (pts.type != PT_ENTRY_OA)
			continue;
		num_lg2 = pt_entry_num_contig_lg2(&pts);
		pt_clear_entries(&pts, num_lg2);
		flush_writes_range(&pts, pts.index,
				   pts.index + log2_to_int(num_lg2));
	}
	return 0;
}

PT_MAKE_LEVELS(NS(walk_clear), NS(do_clear));

int pt_iommu_clear(struct pt_iommu_table *fmt_table, u64 iova, u64 len)
{
	struct pt_range range;
	int ret;

	ret = make_range(common_from_iommu(&fmt_table->iommu), &range, iova,
			 len);
	return ret ?: pt_walk_range(&range, NS(walk_clear), NULL);
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_clear, "GENERIC_PT_IOMMU");

static int NS(visit_tables)(struct pt_range *range, void *arg,
			    unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct lu_table_visit *visit = arg;
	int ret;

	if (!pt_can_have_table(&pts))
		return 0;

	for_each_pt_level_entry(&pts) {
		if (pts.type != PT_ENTRY_TABLE)
			continue;
		/* Nothing of the lower table is read before it is vouched for */
		ret = visit->fn(visit->arg, pt_table_pa(&pts));
		if (ret)
			return ret;
		ret = pt_descend(&pts, arg, NS(visit_tables));
		if (ret)
			return ret;
	}
	return 0;
}

int pt_iommu_visit(struct pt_iommu_table *fmt_table, iommu_lu_table_fn fn,
		   void *arg)
{
	struct pt_common *common = common_from_iommu(&fmt_table->iommu);
	struct lu_table_visit visit = { .fn = fn, .arg = arg };
	struct pt_range range = pt_all_range(common);
	int ret;

	ret = fn(arg, virt_to_phys(range.top_table));
	if (ret)
		return ret;
	return pt_walk_range(&range, NS(visit_tables), &visit);
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_visit, "GENERIC_PT_IOMMU");

/* Those of level 0, which are most of them, are what is left of all */
static int NS(count_tables)(struct pt_range *range, void *arg,
			    unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	u64 *nr = arg;
	int ret;

	for_each_pt_level_entry(&pts) {
		if (pts.type != PT_ENTRY_TABLE)
			continue;
		nr[level - 1]++;
		if (level == 2)
			continue;
		ret = pt_descend(&pts, arg, NS(count_tables));
		if (ret)
			return ret;
	}
	return 0;
}

unsigned int pt_iommu_levels(struct pt_iommu_table *fmt_table, u64 *nr)
{
	struct pt_range range =
		pt_all_range(common_from_iommu(&fmt_table->iommu));

	static_assert(PT_MAX_TOP_LEVEL < IOMMU_LU_LEVELS);
	nr[range.top_level] = 1;
	if (range.top_level > 1)
		pt_walk_range(&range, NS(count_tables), nr);
	return range.top_level;
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_levels, "GENERIC_PT_IOMMU");

/* The pages belong to the core, which has freed them, or lost them on purpose */
static void NS(deinit_restored)(struct pt_iommu *iommu_table)
{
}

static int NS(map_restored)(struct pt_iommu *iommu_table, dma_addr_t iova,
			    phys_addr_t paddr, dma_addr_t len,
			    unsigned int prot, gfp_t gfp, size_t *mapped)
{
	return -EBUSY;
}

static size_t NS(unmap_restored)(struct pt_iommu *iommu_table, dma_addr_t iova,
				 dma_addr_t len,
				 struct iommu_iotlb_gather *iotlb_gather)
{
	return 0;
}

static const struct pt_iommu_ops NS(restored_ops) = {
	.map_range = NS(map_restored),
	.unmap_range = NS(unmap_restored),
	.get_info = NS(get_info),
	.deinit = NS(deinit_restored),
};

/* What init has made: nothing is in it, so it need not be walked */
static void NS(drop_empty)(struct pt_iommu *iommu_table)
{
	struct pt_common *common = common_from_iommu(iommu_table);
	struct iommu_pages_list list = IOMMU_PAGES_LIST_INIT(list);
	struct pt_range range = pt_all_range(common);

	iommu_pages_list_add(&list, range.top_table);
	if (pt_feature(common, PT_FEAT_DMA_INCOHERENT))
		iommu_pages_stop_incoherent_list(&list,
						 iommu_table->iommu_device);
	iommu_put_pages_list(&list);
}

int pt_iommu_restore(struct pt_iommu_table *fmt_table,
		     const struct pt_iommu_table_cfg *cfg,
		     const struct iommu_lu_domain *lu,
		     const struct iommu_pt_ser *ser, gfp_t gfp)
{
	struct pt_iommu *iommu_table = &fmt_table->iommu;
	struct pt_common *common = common_from_iommu(iommu_table);
	u64 top = lu->ser->top;
	int ret;

	if (strncmp(ser->format, __stringify(PTPFX_RAW), sizeof(ser->format)))
		return -EINVAL;
	if (!iommu_page_preserved(top))
		return -EINVAL;

	ret = pt_iommu_init(fmt_table, cfg, gfp);
	if (ret)
		return ret;

	if (ser->top_level != pt_top_get_level(common) ||
	    !IS_ALIGNED(top,
			log2_to_int(pt_top_memsize_lg2(common,
						       common->top_of_table))) ||
	    ser->max_vasz_lg2 != common->max_vasz_lg2 ||
	    ser->max_oasz_lg2 != common->max_oasz_lg2 ||
	    ser->flags != NS(ser_flags)(common) ||
	    ser->fmt_features != (u16)(common->features >> PT_FEAT_FMT_START)) {
		NS(drop_empty)(iommu_table);
		iommu_table->ops = NULL;
		return -EINVAL;
	}

	/* Trade the empty table for the one the hardware walks */
	NS(drop_empty)(iommu_table);
	pt_top_set(common, phys_to_virt(top), ser->top_level);
	iommu_table->ops = &NS(restored_ops);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_restore, "GENERIC_PT_IOMMU");

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __GENERIC_PT_IOMMU_PT_LIVEUPDATE_H */
