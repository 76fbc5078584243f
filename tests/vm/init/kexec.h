/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LU_KEXEC_H
#define LU_KEXEC_H

/* Loads /bzImage with the running initrd and the command line of @stage. */
int kexec_load_stage(unsigned int stage);
/* Leaves this kernel. Comes back only with -errno. */
int kexec_jump(void);

#endif
