// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which handovers the next kernel reads, known before it runs
 */
#define pr_fmt(fmt) "liveupdate: " fmt

#include <linux/align.h>
#include <linux/init.h>
#include <linux/kexec.h>
#include <linux/kobject.h>
#include <linux/liveupdate-devices.h>
#include <linux/liveupdate-image.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/sysfs.h>

/**
 * DOC: The next kernel
 *
 * Once the next kernel runs, a handover that it does not know is lost, and with
 * it what keeps the devices from memory that is not theirs: a kernel that never
 * heard of it, or only of another version of KHO, takes their memory and their
 * tables for free memory. So it has to be known before, and is: every image
 * carries what its kernel reads. It is looked at when kexec_file_load() has the
 * image at hand, and at freeze, when there is still a way back, it has to
 * contain all that this kernel writes.
 *
 * The same two lists are in /sys/kernel/liveupdate/, for tools.
 */

/* What this kernel writes, of everything the one version that it reads */
static const char *written(unsigned int i)
{
	return lu_image.names[i];
}

/* One bit each, in struct kimage */
static_assert(8 * sizeof_field(struct kimage, lu_reads) > LU_IMAGE_NAMES);

static bool image_valid(const struct lu_image_ser *ser, size_t room)
{
	if (ser->magic0 != LU_IMAGE_MAGIC0 || ser->magic1 != LU_IMAGE_MAGIC1)
		return false;
	if (!ser->count || ser->count > LU_IMAGE_MAX_NAMES)
		return false;
	if (ser->length != struct_size(ser, names, ser->count) ||
	    ser->length > room)
		return false;
	for (u32 i = 0; i < ser->count; i++)
		if (!ser->names[i][0] || ser->names[i][LU_IMAGE_NAME_LEN - 1])
			return false;
	return true;
}

/**
 * lu_image_find - Find what an image says it reads
 * @buf: The image, aligned to %LU_IMAGE_ALIGN
 * @len: Its size
 *
 * The two halves of the magic are compared apart and so are not next to each
 * other in the code of this function.
 *
 * Return: what the image says, all of it in the image and well formed; NULL when
 * it says nothing.
 */
const struct lu_image_ser *lu_image_find(const void *buf, size_t len)
{
	const struct lu_image_ser *ser;

	for (size_t at = 0; at < len && len - at >= sizeof(*ser);
	     at += LU_IMAGE_ALIGN) {
		ser = buf + at;
		if (image_valid(ser, len - at))
			return ser;
	}
	return NULL;
}

static bool image_reads(const struct lu_image_ser *ser, const char *name)
{
	for (u32 i = 0; i < ser->count; i++)
		if (!strncmp(ser->names[i], name, LU_IMAGE_NAME_LEN))
			return true;
	return false;
}

/**
 * liveupdate_image_read - Look at an image that is being loaded
 * @image: The image, with its kernel still in a buffer
 *
 * An image that says nothing can be loaded; it takes no handover.
 *
 * Context: kexec_file_load(), may sleep.
 */
void liveupdate_image_read(struct kimage *image)
{
	const struct lu_image_ser *ser;

	ser = lu_image_find(image->kernel_buf, image->kernel_buf_len);
	for (unsigned int i = 0; ser && i < LU_IMAGE_NAMES; i++)
		if (image_reads(ser, written(i)))
			image->lu_reads |= BIT(i);
}

/**
 * liveupdate_image_check - Does the next kernel take what this one hands over?
 *
 * Not everything that LUO preserves needs this: a memfd that is lost harms
 * nobody. A handler of devices at work asks.
 *
 * Context: From the freeze callback of a file handler, before the point of no
 * return.
 * Return: 0; -EINVAL when the loaded image would get nothing, which is so for
 * one loaded by kexec_load(); -EPROTONOSUPPORT when there is something that its
 * kernel does not read.
 */
int liveupdate_image_check(void)
{
	const struct kimage *image = READ_ONCE(kexec_image);

	if (!image || !image->kho.fdt || image->preserve_context) {
		pr_err("the loaded kexec image takes no handover, load it with kexec_file_load()\n");
		return -EINVAL;
	}
	if (!image->lu_reads) {
		pr_err("the loaded kernel says nothing of what it reads, so it knows no devices at work\n");
		return -EPROTONOSUPPORT;
	}
	for (unsigned int i = 0; i < LU_IMAGE_NAMES; i++) {
		if (image->lu_reads & BIT(i))
			continue;
		pr_err("the loaded kernel does not read \"%s\"\n", written(i));
		return -EPROTONOSUPPORT;
	}
	return 0;
}

/* ---- For tools ----------------------------------------------------------- */

static ssize_t reads_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	int len = 0;

	for (unsigned int i = 0; i < LU_IMAGE_NAMES; i++)
		len += sysfs_emit_at(buf, len, "%s\n", lu_image.names[i]);
	return len;
}

static ssize_t writes_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	int len = 0;

	for (unsigned int i = 0; i < LU_IMAGE_NAMES; i++)
		len += sysfs_emit_at(buf, len, "%s\n", written(i));
	return len;
}

static struct kobj_attribute reads_attr = __ATTR_RO(reads);
static struct kobj_attribute writes_attr = __ATTR_RO(writes);

static const struct attribute *const lu_image_attrs[] = {
	&reads_attr.attr,
	&writes_attr.attr,
	NULL
};

/* /sys/kernel/liveupdate/, NULL when there was no memory for it */
struct kobject *liveupdate_kobj;

static int __init lu_image_init(void)
{
	struct kobject *kobj;
	int ret;

	kobj = kobject_create_and_add("liveupdate", kernel_kobj);
	if (!kobj)
		return -ENOMEM;
	ret = sysfs_create_files(kobj, lu_image_attrs);
	if (ret)
		kobject_put(kobj);
	else
		liveupdate_kobj = kobj;
	return ret;
}
subsys_initcall(lu_image_init);
