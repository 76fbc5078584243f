// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in /sys/kernel/liveupdate/ that may be longer than a page
 *
 * sysfs reads a page at a time, and what is told changes meanwhile. So a text is
 * made once, when its first byte is read, and kept until its reader has come to
 * the end. There is one at a time: with two readers at it, each of them may get
 * one that was made anew.
 */
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/kobject.h>
#include <linux/liveupdate-devices.h>
#include <linux/liveupdate-text.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

/* More than that is no list but a mistake */
#define TEXT_MAX	SZ_64M

static void text_drop(struct liveupdate_text *text)
{
	kvfree(text->text);
	text->text = NULL;
	text->reader = NULL;
}

/* Room is made with no lock held but this one, then all is written under those of @fill */
static int text_make(struct liveupdate_text *text)
{
	struct seq_buf out;
	int ret;

	text_drop(text);
	for (size_t size = SZ_4K; size <= TEXT_MAX; size *= 2) {
		char *room __free(kvfree) = kvmalloc(size, GFP_KERNEL);

		if (!room)
			return -ENOMEM;
		seq_buf_init(&out, room, size);
		ret = text->fill(&out);
		if (ret)
			return ret;
		if (seq_buf_has_overflowed(&out))
			continue;
		text->text = no_free_ptr(room);
		text->len = seq_buf_used(&out);
		return 0;
	}
	return -EFBIG;
}

/**
 * liveupdate_text_read - Read of a &struct liveupdate_text
 * @file:  Who reads
 * @kobj:  Not used
 * @attr:  Its attribute
 * @buf:   Where to
 * @off:   From which byte on
 * @count: At most how many bytes
 *
 * Context: May sleep.
 * Return: how many bytes; -EFBIG when the text is too long to be true; -EINTR;
 * -ENOMEM; or the error of its fill function.
 */
ssize_t liveupdate_text_read(struct file *file, struct kobject *kobj,
			     const struct bin_attribute *attr, char *buf,
			     loff_t off, size_t count)
{
	struct liveupdate_text *text =
		container_of(attr, struct liveupdate_text, attr);
	ssize_t ret;

	ACQUIRE(mutex_intr, lock)(&text->lock);
	ret = ACQUIRE_ERR(mutex_intr, &lock);
	if (ret)
		return ret;
	if (!off || text->reader != file) {
		ret = text_make(text);
		if (ret)
			return ret;
		text->reader = file;
	}
	ret = memory_read_from_buffer(buf, count, &off, text->text, text->len);
	if (!ret)
		text_drop(text);
	return ret;
}

/**
 * liveupdate_text_add - Add a file to /sys/kernel/liveupdate/
 * @text: The file, which stays for good
 *
 * Context: Init, not before device_initcall().
 * Return: 0; -ENODEV when there is no such directory; or the error of
 * sysfs_create_bin_file().
 */
int liveupdate_text_add(struct liveupdate_text *text)
{
	if (!liveupdate_kobj)
		return -ENODEV;
	mutex_init(&text->lock);
	return sysfs_create_bin_file(liveupdate_kobj, &text->attr);
}

/**
 * liveupdate_text_escape - Write what may be any bytes into a line
 * @text: Where to
 * @s:    The bytes, ended by a NUL or by @max
 * @max:  At most how many
 * @also: Bytes that are to be escaped beside those that are not printable ASCII
 *        and the backslash
 *
 * An escaped byte is a backslash and three octal digits.
 */
void liveupdate_text_escape(struct seq_buf *text, const char *s, size_t max,
			    const char *also)
{
	for (size_t i = 0; i < max && s[i]; i++) {
		if (isascii(s[i]) && isprint(s[i]) && s[i] != '\\' &&
		    !strchr(also, s[i]))
			seq_buf_putc(text, s[i]);
		else
			seq_buf_printf(text, "\\%03o", (u8)s[i]);
	}
}
