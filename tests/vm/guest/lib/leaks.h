/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory the kernel has lost, on kernels that can tell. */
#ifndef LU_LEAKS_H
#define LU_LEAKS_H

#include <stdbool.h>

/*
 * Takes some seconds: what is young is not suspected. What is found goes to
 * the console, after a line that the host knows. Returns how many, or less than
 * zero when this kernel cannot tell.
 */
int leaks_look(void);

#endif
