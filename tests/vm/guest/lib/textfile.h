/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of the kernel that take a word. */
#ifndef LU_TEXTFILE_H
#define LU_TEXTFILE_H

/* Writes @text to @path with one call. 0 or -errno. */
int put_text(const char *path, const char *text);

#endif
