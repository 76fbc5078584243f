/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handlers in modules that are loaded late: a part of luo_file.c
 *
 * What came is read when /dev/liveupdate is opened for the first time. The handler
 * of a file may be in a module that is loaded after that, so it is looked for again
 * when the file is retrieved, or its session is asked to finish. A handler that was
 * found is held until the file is finished.
 *
 * Locks: who asks holds the mutex of the session; the list of handlers is read
 * under luo_register_rwlock.
 */
#ifndef __LUO_LATE_H
#define __LUO_LATE_H

#ifdef CONFIG_LIVEUPDATE_DEVICES

/* A module that is still on its way in may yet fail to come up */
static inline bool luo_handler_is_up(const struct liveupdate_file_handler *fh)
{
	struct module *owner = fh->ops->owner;

	return !owner || !module_is_coming(owner);
}

static inline void luo_note_handler(struct luo_file *luo_file,
				    const char *compatible)
{
	strscpy(luo_file->compatible, compatible,
		sizeof(luo_file->compatible));
}

static inline bool luo_may_be_late(const char *compatible)
{
	pr_info("No handler for '%.*s' yet\n", LIVEUPDATE_HNDL_COMPAT_LENGTH,
		compatible);
	return true;
}

static bool luo_find_handler(struct luo_file *luo_file)
{
	struct liveupdate_file_handler *fh;

	if (luo_file->fh)
		return true;

	guard(rwsem_read)(&luo_register_rwlock);
	list_private_for_each_entry(fh, &luo_file_handler_list, list) {
		if (strcmp(fh->compatible, luo_file->compatible))
			continue;
		if (luo_handler_is_up(fh) && try_module_get(fh->ops->owner))
			luo_file->fh = fh;
		break;
	}

	return luo_file->fh;
}

static inline void luo_put_handler(const struct luo_file *luo_file)
{
	if (luo_file->fh)
		module_put(luo_file->fh->ops->owner);
}

#else

static inline bool luo_handler_is_up(const struct liveupdate_file_handler *fh)
{
	return true;
}

static inline void luo_note_handler(struct luo_file *luo_file,
				    const char *compatible)
{
}

static inline bool luo_may_be_late(const char *compatible)
{
	return false;
}

static inline bool luo_find_handler(struct luo_file *luo_file)
{
	return true;
}

static inline void luo_put_handler(const struct luo_file *luo_file)
{
	module_put(luo_file->fh->ops->owner);
}

#endif
#endif /* __LUO_LATE_H */
