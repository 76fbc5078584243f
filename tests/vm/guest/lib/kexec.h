/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LU_KEXEC_H
#define LU_KEXEC_H

/* What the kernel is given to load. */
struct kexec_image {
	int kernel;
	int initrd;
	unsigned long flags;
	char line[4096];
};

/* /bzImage with the running initrd and the command line of @stage. */
int kexec_open(struct kexec_image *image, unsigned int stage);
/* The call alone; a second one replaces what was loaded before. */
int kexec_load(const struct kexec_image *image);
void kexec_close(struct kexec_image *image);
/* The three of them. */
int kexec_load_stage(unsigned int stage);
/* The same with another image, an open file that stays the caller's. */
int kexec_load_image(int image, unsigned int stage);
/* The same for the time after a panic; takes memory set aside at boot. */
int kexec_load_crash(unsigned int stage);
/* The call from before there was kexec_file_load(): a page of zeros. */
int kexec_load_old_way(void);
int kexec_unload(void);
/* Leaves this kernel. Comes back only with -errno. */
int kexec_jump(void);

#endif
