/* SPDX-License-Identifier: GPL-2.0-only */
/* Who keeps a guest's session while nobody has it. */
#ifndef LU_QEMU_KEEPER_H
#define LU_QEMU_KEEPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "lu-qemu.h"

/*
 * Asked while the guest runs: would its session outlive the kexec? @qemu is its
 * process. 0, and @ret_store says whether it is systemd's file descriptor store that
 * keeps it, or luod; -ENOTCONN with @why if nobody does.
 */
int keeper_look(pid_t qemu, bool *ret_store, struct why *why);

/*
 * Is anything preserved under the guest's name, in this kernel or the one before? 0 if
 * not, or if the kernel does not say; -EEXIST with @why.
 */
int keeper_has_none(const struct request *req, struct why *why);

/*
 * Other guests of this host start and stop at the same time, and luod answers a few at
 * once: is what it was asked to be asked again? Waits a little, which is taken off
 * @left, in milliseconds.
 */
bool keeper_is_busy(int rc, int *left);

#endif
