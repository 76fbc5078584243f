/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LU_KLOG_H
#define LU_KLOG_H

#include <stdbool.h>

/* Does the kernel's log, as far as it is still there, hold this text? */
bool klog_has(const char *text);

#endif
