/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What is in a live update session, included by <linux/liveupdate.h>
 */
#ifndef _UAPI_LIVEUPDATE_INFO_H
#define _UAPI_LIVEUPDATE_INFO_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Not assigned by anybody: it stays until liveupdate.h gives another */
enum {
	LIVEUPDATE_CMD_SESSION_GET_INFO = 0x60,
};

/**
 * enum liveupdate_session_state - What has become of a session
 * @LIVEUPDATE_SESSION_OUTGOING: Made in this kernel
 * @LIVEUPDATE_SESSION_INCOMING: Retrieved from the previous kernel
 * @LIVEUPDATE_SESSION_FINISHED: And finished
 */
enum liveupdate_session_state {
	LIVEUPDATE_SESSION_OUTGOING = 0,
	LIVEUPDATE_SESSION_INCOMING = 1,
	LIVEUPDATE_SESSION_FINISHED = 2,
};

/**
 * enum liveupdate_file_state - What has become of a file of a session
 * @LIVEUPDATE_FILE_PRESERVED: Of a session made in this kernel
 * @LIVEUPDATE_FILE_WAITING:   Came over, and can be retrieved
 * @LIVEUPDATE_FILE_RETRIEVED: Was retrieved
 * @LIVEUPDATE_FILE_FAILED:    Retrieving it has failed, and will again
 * @LIVEUPDATE_FILE_UNCLAIMED: Came over, and nothing in this kernel knows what it
 *                             is: the module that does may not be loaded yet
 */
enum liveupdate_file_state {
	LIVEUPDATE_FILE_PRESERVED = 0,
	LIVEUPDATE_FILE_WAITING = 1,
	LIVEUPDATE_FILE_RETRIEVED = 2,
	LIVEUPDATE_FILE_FAILED = 3,
	LIVEUPDATE_FILE_UNCLAIMED = 4,
};

/* Size of the name of a kind of files, with the NUL at its end */
#define LIVEUPDATE_COMPATIBLE_LENGTH 48

/**
 * struct liveupdate_file_info - A file of a session
 * @token:      The name it was preserved under
 * @state:      &enum liveupdate_file_state
 * @pad:        Zero
 * @compatible: Which kind of file it is, and in which version it is handed over
 */
struct liveupdate_file_info {
	__aligned_u64 token;
	__u32 state;
	__u32 pad;
	char compatible[LIVEUPDATE_COMPATIBLE_LENGTH];
};

/**
 * struct liveupdate_session_get_info - ioctl(LIVEUPDATE_SESSION_GET_INFO)
 * @size:      sizeof(struct liveupdate_session_get_info)
 * @state:     Output; &enum liveupdate_session_state
 * @nr_files:  Output; how many files there are, also when there are more than
 *             @max_files
 * @max_files: Input; for how many there is room at @files
 * @files:     Input; address of an array of &struct liveupdate_file_info, which
 *             is filled in the order in which the files were preserved. Not
 *             looked at when @max_files is 0.
 *
 * Ask what is in a session, whoever made or retrieved it. Nothing is changed. When
 * a session is finished its files are no longer in it.
 *
 * Errors: EFAULT @files is not writable; ENOMEM.
 */
struct liveupdate_session_get_info {
	__u32 size;
	__u32 state;
	__u32 nr_files;
	__u32 max_files;
	__aligned_u64 files;
};

#define LIVEUPDATE_SESSION_GET_INFO \
	_IO(LIVEUPDATE_IOCTL_TYPE, LIVEUPDATE_CMD_SESSION_GET_INFO)

#endif /* _UAPI_LIVEUPDATE_INFO_H */
