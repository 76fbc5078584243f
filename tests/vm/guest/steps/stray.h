/* SPDX-License-Identifier: GPL-2.0-only */
/* The kept devices in a kernel that has no use for them. */
#ifndef LU_STRAY_H
#define LU_STRAY_H

#include "spare.h"

/* Checks that the kernel has taken their bus mastering. */
void stray_check_stopped(void);
/* Gives it back to them, as devices do that do not keep to the rules. */
void stray_let_go(void);
/*
 * A control, for when translation is off: once they are let go they must do
 * harm, else the test is blind.
 */
void stray_control(const struct spare *spare);

#endif
