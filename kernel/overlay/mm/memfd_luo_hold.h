/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __MM_MEMFD_LUO_HOLD_H
#define __MM_MEMFD_LUO_HOLD_H

#include <linux/kconfig.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>

struct file;
struct liveupdate_file_op_args;
struct memfd_luo_ser;

/*
 * When a device depends on a memfd it may write to its memory through a table of
 * the previous kernel, which no pin in this kernel tells of. So until
 * finish the file stays frozen, as it was from preserve on, and the reference
 * to each folio that came from KHO is kept, which stops migration and reclaim.
 * When retrieve fails for good, the folios are lost until the next kexec.
 *
 * A memfd that LUO holds in this kernel is frozen for this reason and no other:
 * it cannot be preserved anew before it is finished.
 */
static inline bool memfd_luo_held(struct inode *inode)
{
	return IS_ENABLED(CONFIG_LIVEUPDATE_DEVICES) &&
	       SHMEM_I(inode)->flags & SHMEM_F_MAPPING_FROZEN;
}

static inline void memfd_luo_put_folio(struct inode *inode, struct folio *folio)
{
	if (!memfd_luo_held(inode))
		folio_put(folio);
}

static inline u64 memfd_luo_nr_discard(struct inode *inode, u64 nr_folios)
{
	return memfd_luo_held(inode) ? 0 : nr_folios;
}

#ifdef CONFIG_LIVEUPDATE_DEVICES

void memfd_luo_mark(struct memfd_luo_ser *ser,
		    const struct liveupdate_file_op_args *args);
void memfd_luo_hold(const struct memfd_luo_ser *ser, struct file *file);
int memfd_luo_hold_whole(struct file *file);
void memfd_luo_unhold(struct liveupdate_file_op_args *args);

#else

static inline void memfd_luo_mark(struct memfd_luo_ser *ser,
				  const struct liveupdate_file_op_args *args)
{
}

static inline void memfd_luo_hold(const struct memfd_luo_ser *ser,
				  struct file *file)
{
}

static inline int memfd_luo_hold_whole(struct file *file)
{
	return 0;
}

static inline void memfd_luo_unhold(struct liveupdate_file_op_args *args)
{
}

#endif
#endif
