/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handing an IOMMU page table to the next kernel
 */
#ifndef __GENERIC_PT_LIVEUPDATE_H
#define __GENERIC_PT_LIVEUPDATE_H

#include <linux/generic_pt/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/sizes.h>

/*
 * Is told where a range of IOVAs leads, one contiguous piece after the other.
 * An error ends it.
 */
typedef int (*pt_iommu_run_fn)(void *arg, u64 iova, phys_addr_t phys, u64 len);

/* No piece is much longer, so that whoever is told can let others run */
#define PT_IOMMU_RUN_MAX	SZ_2M

/**
 * struct pt_run_walk - While a range is walked
 * @fn:    Who is told
 * @arg:   For @fn
 * @first: The first IOVA of the range
 * @last:  The last one
 * @va:    Where the piece starts that is being looked at
 * @oa:    Where it leads
 * @len:   How long it is so far
 */
struct pt_run_walk {
	pt_iommu_run_fn fn;
	void *arg;
	u64 first;
	u64 last;
	u64 va;
	u64 oa;
	u64 len;
};

/*
 * For each format:
 *
 * pt_iommu_<fmt>_preserve() - Give all pages of the table to KHO, list them in
 *	@lu, the top first, and describe the table in the record of @lu and in
 *	@ser. The caller keeps the table unchanged until unpreserve. On error
 *	nothing is left preserved, and the list is to be dropped. Context: may
 *	sleep.
 *	Return: 0; -EOPNOTSUPP for a top of more than a page; or the error of
 *	kho_preserve_folio().
 *
 * pt_iommu_<fmt>_unpreserve() - The exact undo, but for the list. Context: may
 *	sleep.
 *
 * pt_iommu_<fmt>_restore() - Instead of pt_iommu_<fmt>_init(): make @table out
 *	of what @lu and @ser describe. @cfg has to describe the same table, except
 *	for the FLUSH features, which are the driver's business. deinit frees none
 *	of the pages. Context: may sleep.
 *	Return: 0; -EINVAL when they do not agree or make no sense; or what init
 *	returns. After an error there is nothing to undo and the handed over pages
 *	stay reserved.
 *
 * pt_iommu_<fmt>_visit() - Tell @fn of each page of a restored table, the top
 *	first and each before it is read, until @fn returns an error. Context: may
 *	sleep if @fn does.
 *	Return: 0 or the error of @fn.
 *
 * pt_iommu_<fmt>_levels() - Count tables in @nr, which is zero and has
 *	IOMMU_LU_LEVELS elements, by level; but for level 0, to which all others
 *	belong. So it looks at few of them. The caller keeps the table unchanged.
 *	Return: the level of the top.
 *
 * pt_iommu_<fmt>_runs() - Say where @len bytes from @iova on lead. The caller
 *	keeps the range as it is meanwhile.
 *	Return: 0; -ENOENT when not all of it is mapped; -ERANGE, -EOVERFLOW when
 *	the table cannot map it; or what @fn returns.
 *
 * pt_iommu_<fmt>_clear() - Let @len bytes from @iova on lead nowhere, which is a
 *	whole map or several. No page of the table is freed. The caller flushes
 *	what the hardware has cached, and changes nothing in the range meanwhile.
 *	Return: 0; -ERANGE, -EOVERFLOW when the table cannot map it.
 */
#define IOMMU_PT_LIVEUPDATE(fmt)                                               \
	int pt_iommu_##fmt##_preserve(struct pt_iommu_##fmt *table,            \
				      struct iommu_lu_domain *lu,              \
				      struct iommu_pt_ser *ser);               \
	void pt_iommu_##fmt##_unpreserve(struct pt_iommu_##fmt *table);        \
	int pt_iommu_##fmt##_restore(struct pt_iommu_##fmt *table,             \
				     const struct pt_iommu_##fmt##_cfg *cfg,   \
				     const struct iommu_lu_domain *lu,         \
				     const struct iommu_pt_ser *ser,           \
				     gfp_t gfp);                               \
	int pt_iommu_##fmt##_visit(struct pt_iommu_##fmt *table,               \
				   iommu_lu_table_fn fn, void *arg);           \
	unsigned int pt_iommu_##fmt##_levels(struct pt_iommu_##fmt *table,     \
					     u64 *nr);                         \
	int pt_iommu_##fmt##_runs(struct pt_iommu_##fmt *table, u64 iova,      \
				  u64 len, pt_iommu_run_fn fn, void *arg);     \
	int pt_iommu_##fmt##_clear(struct pt_iommu_##fmt *table, u64 iova,     \
				   u64 len)

IOMMU_PT_LIVEUPDATE(amdv1);
IOMMU_PT_LIVEUPDATE(amdv1_mock);
IOMMU_PT_LIVEUPDATE(vtdss);
IOMMU_PT_LIVEUPDATE(riscv_64);
IOMMU_PT_LIVEUPDATE(x86_64);

#undef IOMMU_PT_LIVEUPDATE

#endif /* __GENERIC_PT_LIVEUPDATE_H */
