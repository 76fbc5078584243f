/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files in /sys/kernel/liveupdate/ that may be longer than a page
 */
#ifndef __LINUX_LIVEUPDATE_TEXT_H
#define __LINUX_LIVEUPDATE_TEXT_H

#include <linux/mutex.h>
#include <linux/seq_buf.h>
#include <linux/sysfs.h>

/**
 * struct liveupdate_text - Such a file
 * @attr:   The attribute, for root
 * @fill:   Writes the text. It may be called again with more room when there was
 *          not enough, which &struct seq_buf knows by itself.
 * @lock:   Protects what follows
 * @reader: The open file that @text was made for, never looked at
 * @text:   What is being read, NULL when nobody is at it
 * @len:    Its length in bytes
 */
struct liveupdate_text {
	const struct bin_attribute attr;
	int (*fill)(struct seq_buf *text);
	/* Protects what follows */
	struct mutex lock;
	const struct file *reader;
	char *text;
	size_t len;
};

ssize_t liveupdate_text_read(struct file *file, struct kobject *kobj,
			     const struct bin_attribute *attr, char *buf,
			     loff_t off, size_t count);
int liveupdate_text_add(struct liveupdate_text *text);
void liveupdate_text_escape(struct seq_buf *text, const char *s, size_t max,
			    const char *also);

#define LIVEUPDATE_TEXT_INIT(_name, _fill) {			\
	.attr.attr = { .name = _name, .mode = 0400 },		\
	.attr.read = liveupdate_text_read,			\
	.fill = _fill,						\
}

#endif /* __LINUX_LIVEUPDATE_TEXT_H */
