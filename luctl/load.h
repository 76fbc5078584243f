/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading the next kernel. */
#ifndef LUCTL_LOAD_H
#define LUCTL_LOAD_H

/* By kexec_file_load(), and notes it. 0, or -errno after a sentence. */
int load_image(const char *image, const char *initrd, const char *line);
/* 0 or -errno. */
int load_nothing(void);

#endif
