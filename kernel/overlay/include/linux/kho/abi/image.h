/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a kernel image says about the handovers it reads
 */
#ifndef _LINUX_KHO_ABI_IMAGE_H
#define _LINUX_KHO_ABI_IMAGE_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * DOC: Live update image ABI
 *
 * A kernel that takes over devices at work carries a &struct lu_image_ser in
 * the uncompressed part of its image: on x86 in the decompressor, where an
 * image is not compressed anywhere in its read-only data. So what it reads is
 * known without booting it, to tools and to the kernel that is to hand over::
 *
 *   offset  0         8         16       20      24          72
 *           +---------+---------+--------+-------+-----------+-----------+--
 *           | magic0  | magic1  | length | count | names[0]  | names[1]  | ..
 *           +---------+---------+--------+-------+-----------+-----------+--
 *             u64       u64       u32      u32     48 bytes    48 bytes
 *
 * It starts at a multiple of %LU_IMAGE_ALIGN from the start of the file. All
 * numbers are little endian. Each name is one "compatible" string, version
 * included, padded with at least one NUL: of KHO, of LUO, of file handlers and
 * of FLBs. A kernel that reads two versions of something has two names for it.
 * An image without such a struct reads nothing. If there are several the first
 * that is well formed counts.
 *
 * Well formed means: count from 1 to %LU_IMAGE_MAX_NAMES; length is the size of
 * the whole, 24 + 48 * count, and within the image; no name is empty or without
 * a NUL. The layout never changes; another one takes another magic.
 */
#define LU_IMAGE_MAGIC0		0x53444145522d554cULL	/* "LU-READS" */
#define LU_IMAGE_MAGIC1		0x9d1fa6c3b85e7042ULL
#define LU_IMAGE_ALIGN		16
#define LU_IMAGE_NAME_LEN	48
#define LU_IMAGE_MAX_NAMES	64

/**
 * struct lu_image_ser - What an image reads
 * @magic0: %LU_IMAGE_MAGIC0
 * @magic1: %LU_IMAGE_MAGIC1
 * @length: Size of the whole in bytes, this header included
 * @count:  Entries in @names
 * @names:  Compatible strings, NUL padded
 */
struct lu_image_ser {
	u64 magic0;
	u64 magic1;
	u32 length;
	u32 count;
	char names[][LU_IMAGE_NAME_LEN];
} __packed;
static_assert(sizeof(struct lu_image_ser) == 24);
static_assert(offsetof(struct lu_image_ser, magic0) == 0);
static_assert(offsetof(struct lu_image_ser, magic1) == 8);
static_assert(offsetof(struct lu_image_ser, length) == 16);
static_assert(offsetof(struct lu_image_ser, count) == 20);
static_assert(offsetof(struct lu_image_ser, names) == 24);

#endif /* _LINUX_KHO_ABI_IMAGE_H */
