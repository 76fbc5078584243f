/* SPDX-License-Identifier: GPL-2.0-only */
/* Preserved devices in a kernel that does not take them over. */
#ifndef LU_STRAY_H
#define LU_STRAY_H

#include "spare.h"

/* Checks that the kernel has taken their bus mastering. */
void stray_check_stopped(void);
/* Turns it on again, as a device that breaks the rules could. */
void stray_let_go(void);
/*
 * A control, for when translation is off: with bus mastering on they must
 * damage memory, else the test could not see them do it.
 */
void stray_control(const struct spare *spare);

#endif
