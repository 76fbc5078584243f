/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which sessions there are, and what is in them: a part of luo_session.c
 *
 * Sessions that came over are a record until /dev/liveupdate is opened for the
 * first time, which has consequences: whatever handler they need is held from then
 * on. So those who only ask read the record, and change nothing.
 *
 * Locks: those of luo_session.c; between the first and the second of them
 * luo_incoming_mutex, which is held while records become sessions. Nothing is
 * copied to user space with one of them held: whoever asks must not be able to
 * stop a live update.
 */
#ifndef __LUO_SESSION_INFO_H
#define __LUO_SESSION_INFO_H

#include <linux/cleanup.h>

#include "luo_info.h"

#ifdef CONFIG_LIVEUPDATE_DEVICES

#include <linux/init.h>
#include <linux/liveupdate-text.h>

static DEFINE_MUTEX(luo_incoming_mutex);

static inline void luo_incoming_lock(void)
{
	mutex_lock(&luo_incoming_mutex);
}

static inline void luo_incoming_unlock(void)
{
	mutex_unlock(&luo_incoming_mutex);
}

static inline int luo_session_finished(struct luo_session *session, int err)
{
	if (!err)
		session->finished = true;
	return err;
}

/* ---- For all sessions: /sys/kernel/liveupdate/sessions ------------------- */

static void luo_sessions_file(void *arg, const struct liveupdate_file_info *info)
{
	static const char *const states[] = {
		[LIVEUPDATE_FILE_PRESERVED] = "preserved",
		[LIVEUPDATE_FILE_WAITING] = "waiting",
		[LIVEUPDATE_FILE_RETRIEVED] = "retrieved",
		[LIVEUPDATE_FILE_FAILED] = "failed",
		[LIVEUPDATE_FILE_UNCLAIMED] = "unclaimed",
	};
	struct seq_buf *text = arg;

	seq_buf_printf(text, "file %#llx ", info->token);
	liveupdate_text_escape(text, info->compatible[0] ? info->compatible : "-",
			       sizeof(info->compatible), " ");
	seq_buf_printf(text, " %s\n", states[info->state]);
}

static void luo_sessions_head(struct seq_buf *text, const char *state, u64 nr,
			      const char *name)
{
	seq_buf_printf(text, "session %s %llu ", state, nr);
	liveupdate_text_escape(text, name, LIVEUPDATE_SESSION_NAME_LENGTH, "");
	seq_buf_putc(text, '\n');
}

static const char *luo_session_state(const struct luo_session *session,
				     bool incoming)
{
	if (!incoming)
		return "outgoing";
	if (!READ_ONCE(session->retrieved))
		return "incoming";
	return session->finished ? "finished" : "retrieved";
}

static int luo_sessions_list(struct luo_session_header *sh,
			     struct seq_buf *text)
{
	bool incoming = sh == &luo_session_global.incoming;
	struct luo_session *session;
	int ret;

	ACQUIRE(rwsem_read_intr, lock)(&sh->rwsem);
	ret = ACQUIRE_ERR(rwsem_read_intr, &lock);
	if (ret)
		return ret;
	list_for_each_entry(session, &sh->list, list) {
		guard(mutex)(&session->mutex);
		luo_sessions_head(text, luo_session_state(session, incoming),
				  session->file_set.count, session->name);
		luo_file_set_info(&session->file_set, incoming,
				  luo_sessions_file, text);
	}
	return 0;
}

/* The blocks are given back when all of them have become sessions */
static void luo_sessions_list_records(struct seq_buf *text)
{
	struct kho_block_set *blocks = &luo_session_global.incoming.block_set;
	const struct luo_session_ser *ser;
	struct kho_block_set_it it;

	kho_block_set_it_init(&it, blocks);
	while ((ser = kho_block_set_it_read_entry(&it))) {
		luo_sessions_head(text, "incoming",
				  luo_file_set_ser_info(&ser->file_set_ser,
							NULL, NULL),
				  ser->name);
		luo_file_set_ser_info(&ser->file_set_ser, luo_sessions_file,
				      text);
	}
}

static int luo_sessions_fill(struct seq_buf *text)
{
	int ret;

	/* Past the point of no return nobody gets it any more */
	ACQUIRE(rwsem_read_intr, lock)(&luo_session_serialize_rwsem);
	ret = ACQUIRE_ERR(rwsem_read_intr, &lock);
	if (ret)
		return ret;
	ACQUIRE(mutex_intr, records)(&luo_incoming_mutex);
	ret = ACQUIRE_ERR(mutex_intr, &records);
	if (ret)
		return ret;
	luo_sessions_list_records(text);
	ret = luo_sessions_list(&luo_session_global.incoming, text);
	return ret ?: luo_sessions_list(&luo_session_global.outgoing, text);
}

static struct liveupdate_text luo_sessions =
	LIVEUPDATE_TEXT_INIT("sessions", luo_sessions_fill);

static int __init luo_sessions_init(void)
{
	return liveupdate_text_add(&luo_sessions);
}
device_initcall(luo_sessions_init);

/* ---- For one session, by its owner --------------------------------------- */

struct luo_infos {
	struct liveupdate_file_info *infos;
	u32 room;
	u32 nr;
};

static void luo_session_note(void *arg, const struct liveupdate_file_info *info)
{
	struct luo_infos *found = arg;

	if (found->nr < found->room)
		found->infos[found->nr] = *info;
	found->nr++;
}

static int luo_session_look(struct luo_session *session,
			    struct liveupdate_session_get_info *cmd,
			    struct luo_infos *found)
{
	int ret;

	ACQUIRE(rwsem_read_intr, lock)(&luo_session_serialize_rwsem);
	ret = ACQUIRE_ERR(rwsem_read_intr, &lock);
	if (ret)
		return ret;
	guard(mutex)(&session->mutex);
	cmd->state = LIVEUPDATE_SESSION_OUTGOING;
	if (session->retrieved)
		cmd->state = session->finished ? LIVEUPDATE_SESSION_FINISHED :
						 LIVEUPDATE_SESSION_INCOMING;
	luo_file_set_info(&session->file_set, session->retrieved,
			  luo_session_note, found);
	cmd->nr_files = found->nr;
	return 0;
}

/* Room for no more than there are: the rest of what the caller offers is not needed */
static int luo_session_room(struct luo_session *session, u32 max,
			    struct luo_infos *found)
{
	guard(mutex)(&session->mutex);
	found->room = min_t(u64, max, session->file_set.count);
	if (!found->room)
		return 0;
	found->infos = kvcalloc(found->room, sizeof(*found->infos),
				GFP_KERNEL_ACCOUNT);
	return found->infos ? 0 : -ENOMEM;
}

static bool luo_session_is_get_info(unsigned int cmd)
{
	return cmd == LIVEUPDATE_SESSION_GET_INFO;
}

static int luo_session_get_info(struct luo_session *session, void __user *arg)
{
	struct liveupdate_session_get_info cmd;
	struct liveupdate_file_info *infos __free(kvfree) = NULL;
	struct luo_infos found = {};
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)arg))
		return -EFAULT;
	if (size < offsetofend(typeof(cmd), files))
		return -EINVAL;
	ret = copy_struct_from_user(&cmd, sizeof(cmd), arg, size);
	if (ret)
		return ret;

	ret = luo_session_room(session, cmd.max_files, &found);
	infos = found.infos;
	if (!ret)
		ret = luo_session_look(session, &cmd, &found);
	if (ret)
		return ret;
	if (copy_to_user(u64_to_user_ptr(cmd.files), infos,
			 min(found.nr, found.room) * sizeof(*infos)) ||
	    copy_to_user(arg, &cmd, sizeof(cmd)))
		return -EFAULT;
	return 0;
}

#else

static inline void luo_incoming_lock(void)
{
}

static inline void luo_incoming_unlock(void)
{
}

static inline int luo_session_finished(struct luo_session *session, int err)
{
	return err;
}

static inline bool luo_session_is_get_info(unsigned int cmd)
{
	return false;
}

static inline int luo_session_get_info(struct luo_session *session,
				       void __user *arg)
{
	return -ENOIOCTLCMD;
}

#endif

/* While records of the previous kernel become sessions */
DEFINE_LOCK_GUARD_0(luo_incoming, luo_incoming_lock(), luo_incoming_unlock())

#endif /* __LUO_SESSION_INFO_H */
