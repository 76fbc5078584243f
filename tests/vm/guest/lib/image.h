/* SPDX-License-Identifier: GPL-2.0-only */
/* What a kernel image says it reads of a handover; see linux/kho/abi/image.h. */
#ifndef LU_IMAGE_H
#define LU_IMAGE_H

/* How many names the running kernel writes that the image does not read. -errno. */
int image_missing(const char *path);
/*
 * A copy of the image, an open file, that claims to read all that the running
 * kernel writes, whatever it really reads. -errno.
 */
int image_forced(const char *path);

#endif
