/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __MM_MEMFD_LUO_HOLD_H
#define __MM_MEMFD_LUO_HOLD_H

#include <linux/mm.h>

struct address_space;
struct file;
struct liveupdate_file_op_args;

/*
 * Between retrieve and finish a device may write to a memfd's memory through a
 * table of the previous kernel, which no pin in this kernel tells of. So the
 * file stays frozen, as it was from preserve on, and the reference to each
 * folio that came from KHO is kept, which stops migration and reclaim.
 */
#ifdef CONFIG_IOMMU_LIVEUPDATE

static inline void memfd_luo_hold_folio(struct folio *folio)
{
}

void memfd_luo_hold(struct file *file);
void memfd_luo_unhold(struct liveupdate_file_op_args *args);
void memfd_luo_unhold_folios(struct address_space *mapping);

#else

static inline void memfd_luo_hold_folio(struct folio *folio)
{
	folio_put(folio);
}

static inline void memfd_luo_hold(struct file *file)
{
}

static inline void memfd_luo_unhold(struct liveupdate_file_op_args *args)
{
}

static inline void memfd_luo_unhold_folios(struct address_space *mapping)
{
}

#endif
#endif
