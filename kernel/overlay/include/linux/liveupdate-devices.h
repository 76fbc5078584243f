/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What handlers of devices at work ask of the Live Update Orchestrator
 */
#ifndef __LINUX_LIVEUPDATE_DEVICES_H
#define __LINUX_LIVEUPDATE_DEVICES_H

#include <linux/types.h>

struct file;
struct kimage;
struct kobject;
struct liveupdate_file_op_args;
struct lu_image_ser;

#ifdef CONFIG_LIVEUPDATE_DEVICES

extern struct kobject *liveupdate_kobj;

bool liveupdate_depend(const struct liveupdate_file_op_args *args,
		       struct file *file);
void liveupdate_image_read(struct kimage *image);
int liveupdate_image_check(void);
const struct lu_image_ser *lu_image_find(const void *buf, size_t len);

#else

static inline void liveupdate_image_read(struct kimage *image)
{
}

#endif
#endif /* __LINUX_LIVEUPDATE_DEVICES_H */
