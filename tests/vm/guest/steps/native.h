/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The drivers that hardware is made for, which are modules here. They turn bus
 * mastering on first and reset their device afterwards.
 */
#ifndef LU_NATIVE_H
#define LU_NATIVE_H

/* Its name, for the kinds of device that the machines have; NULL: none. */
const char *native_driver(const char *bdf);
/*
 * Loads it, which binds it to all devices that have no driver, and offers it
 * this one if it has none then. 0 when it has its device, or what was answered.
 */
int native_take(const char *bdf);

#endif
