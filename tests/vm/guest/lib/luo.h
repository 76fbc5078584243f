/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/liveupdate and its sessions. All return an fd or 0, or -errno. */
#ifndef LU_LUO_H
#define LU_LUO_H

#include <stdint.h>

/*
 * The device can be open once only, so a process opens it once, at the first
 * call, and keeps it.
 */
int luo_open(void);
int luo_create(int luo, const char *name);
int luo_retrieve_session(int luo, const char *name);
int luo_preserve(int session, int fd, uint64_t token);
int luo_retrieve(int session, uint64_t token);
int luo_finish(int session);

struct liveupdate_session_get_info;
struct liveupdate_file_info;

/* What is in it; @files has room for @max, and may be NULL when that is 0. */
int luo_info(int session, struct liveupdate_session_get_info *info,
	     struct liveupdate_file_info *files, uint32_t max);
/* enum liveupdate_file_state of one of its files, or -errno. */
int luo_file_state(int session, uint64_t token);

#endif
