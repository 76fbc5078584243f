/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is in sessions, for those who ask
 */
#ifndef __LUO_INFO_H
#define __LUO_INFO_H

#include <linux/liveupdate.h>

struct luo_file_set_ser;
struct luo_file_set;

/* Told of one file after the other */
typedef void (*luo_file_info_fn)(void *arg,
				 const struct liveupdate_file_info *info);

/* luo_file_info.h */
void luo_file_set_info(struct luo_file_set *file_set, bool incoming,
		       luo_file_info_fn fn, void *arg);
u64 luo_file_set_ser_info(const struct luo_file_set_ser *ser,
			  luo_file_info_fn fn, void *arg);

#endif /* __LUO_INFO_H */
