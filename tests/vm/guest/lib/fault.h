/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the kernel fail where we say, by its own fault injection. */
#ifndef LU_FAULT_H
#define LU_FAULT_H

#include <stdbool.h>

/* Once, before the others. -errno when this kernel cannot inject. */
int fault_open(void);

/*
 * From now on the @n-th allocation of this thread fails, be it of the slab or
 * of whole pages, also one that could wait for memory.
 */
void fault_nth(unsigned int n);
/* Ends that. True when it has come to it. */
bool fault_nth_end(void);

/*
 * The @n-th call of a function that is marked for it returns @error instead.
 * Only one function at a time.
 */
int fault_function(const char *name, int error, unsigned int n);
bool fault_function_end(void);

#endif
