/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many small VMs, without a device once they are made: a memfd, an iommufd
 * with a few marked HWPTs over it, a session. One device is attached to
 * each of them in turn, because a HWPT is allocated for a device.
 */
#ifndef LU_CROWD_H
#define LU_CROWD_H

#include <stdbool.h>

#define CROWD_MAX 64
#define CROWD_HWPTS 4

/* Makes and preserves @count of them. False, with a failed check, or true. */
bool crowd_make(unsigned int count, const char *bdf);
/* Closes every second session and preserves what was in it anew. */
bool crowd_shuffle(void);
/* In the next kernel: all of them, taken back, apart and finished. */
bool crowd_take_apart(unsigned int count);

#endif
