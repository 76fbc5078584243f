/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of the files of a session: a part of luo_file.c
 */
#ifndef __LUO_FILE_INFO_H
#define __LUO_FILE_INFO_H

#ifdef CONFIG_LIVEUPDATE_DEVICES

#include <linux/kho/abi/block.h>

#include "luo_info.h"

static_assert(LIVEUPDATE_COMPATIBLE_LENGTH == LIVEUPDATE_HNDL_COMPAT_LENGTH);

/* What no kernel has ever handed over; it only has to end */
#define LUO_INFO_MAX_FILES	SZ_1M

/* Other than luo_find_handler() this holds nothing */
static u32 luo_file_waits(const char *compatible)
{
	struct liveupdate_file_handler *fh;

	guard(rwsem_read)(&luo_register_rwlock);
	list_private_for_each_entry(fh, &luo_file_handler_list, list)
		if (!strcmp(fh->compatible, compatible))
			return LIVEUPDATE_FILE_WAITING;
	return LIVEUPDATE_FILE_UNCLAIMED;
}

static u32 luo_file_state(const struct luo_file *luo_file, bool incoming)
{
	if (!incoming)
		return LIVEUPDATE_FILE_PRESERVED;
	if (luo_file->retrieve_status > 0)
		return LIVEUPDATE_FILE_RETRIEVED;
	if (luo_file->retrieve_status < 0)
		return LIVEUPDATE_FILE_FAILED;
	return luo_file_waits(luo_file->compatible);
}

/**
 * luo_file_set_info - Tell of all files of a session
 * @file_set: The files
 * @incoming: They came from the previous kernel
 * @fn:       Told of one after the other, in the order of preservation
 * @arg:      For @fn
 *
 * Context: With the mutex of the session held; may sleep.
 */
void luo_file_set_info(struct luo_file_set *file_set, bool incoming,
		       luo_file_info_fn fn, void *arg)
{
	struct luo_file *luo_file;

	list_for_each_entry(luo_file, &file_set->files_list, list) {
		struct liveupdate_file_info info = {
			.token = luo_file->token,
			.state = luo_file_state(luo_file, incoming),
		};

		strscpy(info.compatible, luo_file->compatible);
		fn(arg, &info);
	}
}

static void luo_file_ser_info(const struct luo_file_ser *ser,
			      luo_file_info_fn fn, void *arg)
{
	struct liveupdate_file_info info = { .token = ser->token };

	strscpy(info.compatible, ser->compatible);
	info.state = luo_file_waits(info.compatible);
	fn(arg, &info);
}

/**
 * luo_file_set_ser_info - Tell of files whose session nobody has looked at yet
 * @ser: The record of the files
 * @fn:  As for luo_file_set_info(), NULL to count only
 * @arg: For @fn
 *
 * The record is read where it is, and stays as it is. It is the previous kernel's,
 * so it is told of as far as it makes sense.
 *
 * Context: While nobody makes files of the record; may sleep.
 * Return: how many files there are.
 */
u64 luo_file_set_ser_info(const struct luo_file_set_ser *ser,
			  luo_file_info_fn fn, void *arg)
{
	const u64 per_block = (KHO_BLOCK_SIZE -
			       sizeof(struct kho_block_header_ser)) /
			      sizeof(struct luo_file_ser);
	const u64 max = min_t(u64, ser->count, LUO_INFO_MAX_FILES);
	const struct kho_block_header_ser *block;
	u64 nr = 0;

	for (u64 phys = ser->files; phys && nr < max; phys = block->next) {
		const struct luo_file_ser *file;

		if (kho_preserved_size(phys) < KHO_BLOCK_SIZE)
			break;
		block = phys_to_virt(phys);
		if (!block->count || block->count > per_block)
			break;
		file = (const struct luo_file_ser *)(block + 1);
		for (u64 i = 0; i < block->count && nr < max; i++, nr++)
			if (fn)
				luo_file_ser_info(&file[i], fn, arg);
	}
	return nr;
}

#endif
#endif /* __LUO_FILE_INFO_H */
