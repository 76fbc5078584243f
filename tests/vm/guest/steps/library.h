/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The same chapters as in owner.h, told by an owner that knows libliveupdate and
 * none of the kernel's calls for live update. It finds out by itself which of them
 * it needs: a session and a plan in the old kernel, a guest in the new one.
 */
#ifndef LU_LIBRARY_H
#define LU_LIBRARY_H

#include "vm.h"

/* Preserves all of @vm, or its memory alone. Keeps the session open. */
int library_preserve(struct vm *vm, bool only_memory);

int library_arrive(struct vm *vm, const char *session);
int library_reclaim(struct vm *vm);
int library_swap(struct vm *vm);
int library_release(struct vm *vm);
/* Finishes a session of memory alone. */
int library_finish(struct vm *vm);

#endif
