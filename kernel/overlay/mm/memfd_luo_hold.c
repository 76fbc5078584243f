// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keep a retrieved memfd where it is until its session is finished
 */
#define pr_fmt(fmt) "memfd: liveupdate: " fmt

#include <linux/file.h>
#include <linux/folio_batch.h>
#include <linux/kho/abi/memfd.h>
#include <linux/liveupdate.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "memfd_luo_hold.h"

/**
 * memfd_luo_mark - Tell the next kernel whether a memfd is to be held
 * @ser:  Its record
 * @args: What LUO gave to the freeze callback
 */
void memfd_luo_mark(struct memfd_luo_ser *ser,
		    const struct liveupdate_file_op_args *args)
{
	ser->flags &= ~MEMFD_LUO_NEEDED;
	if (args->needed)
		ser->flags |= MEMFD_LUO_NEEDED;
}

/**
 * memfd_luo_hold - Freeze a memfd that is being retrieved
 * @ser:  Its record
 * @file: The memfd, still empty
 *
 * Nothing is done if no other file depended on it.
 */
void memfd_luo_hold(const struct memfd_luo_ser *ser, struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!(ser->flags & MEMFD_LUO_NEEDED))
		return;

	inode_lock(inode);
	shmem_freeze(inode, true);
	inode_unlock(inode);
}

/**
 * memfd_luo_hold_whole - Check a retrieved memfd that is held
 * @file: The memfd
 *
 * A page that is missing would be added when it is touched, without the
 * reference that memfd_luo_unhold() drops. The old kernel leaves none out.
 *
 * Return: 0, or -EINVAL when there is a hole.
 */
int memfd_luo_hold_whole(struct file *file)
{
	pgoff_t end = DIV_ROUND_UP_ULL(i_size_read(file_inode(file)), PAGE_SIZE);
	struct folio_batch fbatch;
	pgoff_t index = 0;

	if (!memfd_luo_held(file_inode(file)))
		return 0;

	folio_batch_init(&fbatch);
	while (index < end && filemap_get_folios_contig(file->f_mapping, &index,
							end - 1, &fbatch)) {
		folio_batch_release(&fbatch);
		cond_resched();
	}
	if (index >= end)
		return 0;

	pr_err("page %lu of a memfd did not come over\n", index);
	return -EINVAL;
}

/* Nobody could add to the page cache or remove from it */
static void unhold_folios(struct address_space *mapping)
{
	struct folio_batch fbatch;
	pgoff_t index = 0;

	folio_batch_init(&fbatch);
	while (filemap_get_folios(mapping, &index, -1, &fbatch)) {
		for (unsigned int i = 0; i < folio_batch_count(&fbatch); i++)
			folio_put(fbatch.folios[i]);
		folio_batch_release(&fbatch);
		cond_resched();
	}
}

/**
 * memfd_luo_unhold - Let go of a memfd when its session is finished
 * @args: What LUO gave to the finish callback, with the file if there is one, also
 *        one that retrieve has left half way
 */
void memfd_luo_unhold(struct liveupdate_file_op_args *args)
{
	struct inode *inode;

	if (!args->file)
		return;
	inode = file_inode(args->file);
	if (!memfd_luo_held(inode))
		return;

	inode_lock(inode);
	unhold_folios(inode->i_mapping);
	shmem_freeze(inode, false);
	inode_unlock(inode);
}
