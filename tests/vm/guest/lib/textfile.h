/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of the kernel that take a word, or say something. */
#ifndef LU_TEXTFILE_H
#define LU_TEXTFILE_H

#include <stddef.h>

/* Writes @text to @path with one call. 0 or -errno. */
int put_text(const char *path, const char *text);
/*
 * Reads all of @path, as a string. How many bytes, or -errno: -E2BIG when there is
 * no room for it.
 */
int get_text(const char *path, char *text, size_t bytes);

#endif
