/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of a session that depend on each other: a part of luo_file.c
 *
 * A handler that has found out that its file needs another one of the session
 * says so in its preserve callback. The other file's handler is told when it is
 * frozen, and may write it into its record for the next kernel: a memfd that a
 * device writes to is more than memory that nobody looks at before finish.
 *
 * LUO takes a session apart from its end and only as a whole, so the first file
 * that needs another one needs it for as long as it is preserved.
 *
 * Locks: all is under the mutex of the session.
 */
#ifndef __LUO_DEPEND_H
#define __LUO_DEPEND_H

#include <linux/liveupdate-devices.h>

#ifdef CONFIG_LIVEUPDATE_DEVICES

/**
 * liveupdate_depend - Say that the file at hand depends on another one
 * @args: What a preserve callback was given
 * @file: The other file
 *
 * A file counts as preserved when its handler says that it is the same thing as
 * one that is, which for a memfd is the same memory. If preserve fails after
 * this it is forgotten.
 *
 * Context: Called from a preserve callback.
 * Return: true if @file was preserved before, in the same session, so that it
 * can be depended on.
 */
bool liveupdate_depend(const struct liveupdate_file_op_args *args,
		       struct file *file)
{
	struct luo_file *iter;

	list_for_each_entry(iter, &args->file_set->files_list, list) {
		if (!iter->fh->ops->can_preserve(iter->fh, file) ||
		    luo_get_id(iter->fh, iter->file) != luo_get_id(iter->fh, file))
			continue;
		if (!iter->needed_by)
			iter->needed_by = args->file;
		return true;
	}

	return false;
}
EXPORT_SYMBOL_GPL(liveupdate_depend);

static inline int luo_preserve_one(struct luo_file_set *file_set,
				   struct liveupdate_file_op_args *args)
{
	struct luo_file *iter;
	int err;

	args->file_set = file_set;
	err = args->handler->ops->preserve(args);
	if (!err)
		return 0;

	list_for_each_entry(iter, &file_set->files_list, list)
		if (iter->needed_by == args->file)
			iter->needed_by = NULL;
	return err;
}

static inline void luo_say_needed(struct liveupdate_file_op_args *args,
				  const struct luo_file *luo_file)
{
	args->needed = luo_file->needed_by;
}

static inline bool luo_retrieve_again(const struct liveupdate_file_op_args *args)
{
	return args->again;
}

#else

static inline int luo_preserve_one(struct luo_file_set *file_set,
				   struct liveupdate_file_op_args *args)
{
	return args->handler->ops->preserve(args);
}

static inline void luo_say_needed(struct liveupdate_file_op_args *args,
				  const struct luo_file *luo_file)
{
}

static inline bool luo_retrieve_again(const struct liveupdate_file_op_args *args)
{
	return false;
}

#endif
#endif /* __LUO_DEPEND_H */
