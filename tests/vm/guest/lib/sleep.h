/* SPDX-License-Identifier: GPL-2.0-only */
/* Sleep of the machine, by the kernel's own test: it goes so far and back. */
#ifndef LU_SLEEP_H
#define LU_SLEEP_H

/* How far, of the words of /sys/power/pm_test. */
#define SLEEP_DEVICES "devices"
/* Up to where IOMMUs are turned off. */
#define SLEEP_CORE "core"

/*
 * Puts the machine into @state, "mem" or "freeze", down to @level, and takes it
 * back at once. 0 or -errno; -ENOENT when the kernel cannot sleep.
 */
int sleep_down_to(const char *state, const char *level);
/* All the way, of which there is no other test here: with no disk to write to. */
int sleep_to_disk(void);

#endif
