/* SPDX-License-Identifier: GPL-2.0-only */
/* Slots that cards are plugged into, below ports with PCIe's own hotplug. */
#ifndef LU_SLOT_H
#define LU_SLOT_H

/*
 * Waits until the slot that has, or had, the device @bdf is at rest: no event
 * is left to be looked at, and its driver has nothing under way. -ETIMEDOUT
 * when that takes too long, -ENODEV when there is no such slot.
 */
int slot_settle(const char *bdf);
/* Takes the device @bdf away at once, as by hand, and nobody was asked. */
int slot_pull(const char *bdf);

#endif
