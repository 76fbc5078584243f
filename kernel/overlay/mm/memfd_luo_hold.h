/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __MM_MEMFD_LUO_HOLD_H
#define __MM_MEMFD_LUO_HOLD_H

#include <linux/iommu-liveupdate.h>
#include <linux/mm.h>

struct file;
struct liveupdate_file_op_args;

/*
 * If IOMMU state came over, a device may write to a memfd's memory through a
 * table of the previous kernel, which no pin in this kernel tells of. So until
 * finish the file stays frozen, as it was from preserve on, and the reference
 * to each folio that came from KHO is kept, which stops migration and reclaim.
 * When retrieve fails, the folios are lost until the next kexec.
 */
static inline void memfd_luo_hold_folio(struct folio *folio)
{
	if (!iommu_lu_came())
		folio_put(folio);
}

static inline u64 memfd_luo_nr_discard(u64 nr_folios)
{
	return iommu_lu_came() ? 0 : nr_folios;
}

#ifdef CONFIG_IOMMU_LIVEUPDATE

void memfd_luo_hold(struct file *file);
void memfd_luo_unhold(struct liveupdate_file_op_args *args);

#else

static inline void memfd_luo_hold(struct file *file)
{
}

static inline void memfd_luo_unhold(struct liveupdate_file_op_args *args)
{
}

#endif
#endif
