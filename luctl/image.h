/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a kernel image says it reads of a handover, without booting it: the list
 * of names that linux/kho/abi/image.h describes.
 */
#ifndef LUCTL_IMAGE_H
#define LUCTL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#define LU_IMAGE_MAGIC0 0x53444145522d554cULL /* "LU-READS" */
#define LU_IMAGE_MAGIC1 0x9d1fa6c3b85e7042ULL
#define LU_IMAGE_ALIGN 16
#define LU_IMAGE_NAME_LEN 48
#define LU_IMAGE_MAX_NAMES 64

/* A list of names, of an image or of a kernel that runs. */
struct names {
	unsigned int count;
	char name[LU_IMAGE_MAX_NAMES][LU_IMAGE_NAME_LEN];
};

struct image {
	bool found; /* there is a list that is well formed */
	size_t at; /* where */
	struct names reads;
	size_t bytes; /* of the image */
	bool is_signed; /* as a PE file, by whomever */
	bool unified; /* it has the kernel in it, with more beside */
};

/* 0 or -errno. */
int image_read(const char *path, struct image *ret);

/*
 * Names from a text with one a line, such as /sys/kernel/liveupdate/writes.
 * -ENODATA if there is none, -EINVAL if it is no such list.
 */
int names_parse(const char *text, struct names *ret);

bool names_have(const struct names *names, const char *name);

/* All of them with spaces between, escaped; to be freed. */
char *names_text(const struct names *names);

#endif
