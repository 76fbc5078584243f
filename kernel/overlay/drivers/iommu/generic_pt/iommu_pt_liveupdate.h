/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handing an IOMMU page table to the next kernel
 */
#ifndef __GENERIC_PT_IOMMU_PT_LIVEUPDATE_H
#define __GENERIC_PT_IOMMU_PT_LIVEUPDATE_H

#ifdef CONFIG_IOMMU_LIVEUPDATE

#include <linux/generic_pt/liveupdate.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "../iommu-pages-liveupdate.h"

/**
 * DOC: Page tables across a live update
 *
 * preserve() walks the table and gives each of its pages to KHO; the pages stay
 * where they are and the hardware goes on walking them. From then until
 * unpreserve() the caller keeps the table unchanged, otherwise a page that was
 * added later would be lost, and a page that was freed would be kept.
 *
 * In the next kernel restore() makes a table around the page that was the top.
 * It looks at no other page, so its cost does not depend on what is mapped.
 * The result is immutable: it can be attached, asked for translations and
 * freed. The pages come back from KHO one by one when it is freed. A page that
 * does not, because nobody had preserved it or because it is in the table
 * twice, ends the walk below it: whatever lies there stays reserved until the
 * next kexec, which loses memory but never frees a page somebody else has.
 */

#define pt_iommu_preserve CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), preserve)
#define pt_iommu_unpreserve \
	CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), unpreserve)
#define pt_iommu_restore CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), restore)

static void NS(collect_all)(struct pt_common *common,
			    struct pt_iommu_collect_args *collect)
{
	struct pt_range range = pt_all_range(common);

	INIT_LIST_HEAD(&collect->pending.free_list.pages);
	iommu_pages_list_add(&collect->pending.free_list, range.top_table);
	pt_walk_range(&range, __collect_tables, collect);
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
		      struct iommu_pt_ser *ser)
{
	struct pt_common *common = common_from_iommu(&fmt_table->iommu);
	struct pt_range range = pt_top_range(common);
	struct pt_iommu_collect_args collect = {};
	unsigned long nr_tables;
	int ret;

	NS(collect_all)(common, &collect);
	ret = iommu_pages_list_preserve(&collect.pending.free_list, &nr_tables);
	if (ret)
		return ret;

	memset(ser, 0, sizeof(*ser));
	strscpy_pad(ser->format, __stringify(PTPFX_RAW));
	ser->top = virt_to_phys(range.top_table);
	ser->nr_tables = nr_tables;
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
	struct pt_iommu_collect_args collect = {};

	NS(collect_all)(common_from_iommu(&fmt_table->iommu), &collect);
	iommu_pages_list_unpreserve(&collect.pending.free_list);
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_unpreserve, "GENERIC_PT_IOMMU");

static int NS(restore_tables)(struct pt_range *range, void *arg,
			      unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct iommu_pages_list *list = arg;

	if (!pt_can_have_table(&pts))
		return 0;

	for_each_pt_level_entry(&pts) {
		void *lower;

		if (pts.type != PT_ENTRY_TABLE)
			continue;
		/* Nothing of the lower table is read before KHO vouches for it */
		lower = iommu_page_restore(pt_table_pa(&pts));
		if (!lower)
			continue;
		iommu_pages_list_add(list, lower);
		pt_descend(&pts, arg, NS(restore_tables));
	}
	return 0;
}

static void NS(deinit_restored)(struct pt_iommu *iommu_table)
{
	struct pt_common *common = common_from_iommu(iommu_table);
	struct pt_range range = pt_all_range(common);
	struct iommu_pages_list list = IOMMU_PAGES_LIST_INIT(list);
	void *top;

	top = iommu_page_restore(virt_to_phys(range.top_table));
	if (!top)
		return;

	iommu_pages_list_add(&list, top);
	pt_walk_range(&range, NS(restore_tables), &list);
	iommu_put_pages_list(&list);
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

int pt_iommu_restore(struct pt_iommu_table *fmt_table,
		     const struct pt_iommu_table_cfg *cfg,
		     const struct iommu_pt_ser *ser, gfp_t gfp)
{
	struct pt_iommu *iommu_table = &fmt_table->iommu;
	struct pt_common *common = common_from_iommu(iommu_table);
	int ret;

	if (strncmp(ser->format, __stringify(PTPFX_RAW), sizeof(ser->format)))
		return -EINVAL;
	if (!iommu_page_preserved(ser->top))
		return -EINVAL;

	ret = pt_iommu_init(fmt_table, cfg, gfp);
	if (ret)
		return ret;

	if (ser->top_level != pt_top_get_level(common) ||
	    !IS_ALIGNED(ser->top,
			log2_to_int(pt_top_memsize_lg2(common,
						       common->top_of_table))) ||
	    ser->max_vasz_lg2 != common->max_vasz_lg2 ||
	    ser->max_oasz_lg2 != common->max_oasz_lg2 ||
	    ser->flags != NS(ser_flags)(common) ||
	    ser->fmt_features != (u16)(common->features >> PT_FEAT_FMT_START)) {
		iommu_table->ops->deinit(iommu_table);
		iommu_table->ops = NULL;
		return -EINVAL;
	}

	/* Trade the empty table for the one the hardware walks */
	iommu_table->ops->deinit(iommu_table);
	pt_top_set(common, phys_to_virt(ser->top), ser->top_level);
	iommu_table->ops = &NS(restored_ops);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_restore, "GENERIC_PT_IOMMU");

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __GENERIC_PT_IOMMU_PT_LIVEUPDATE_H */
