/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's modules, where it has any. The rig puts those that it needs into
 * /modules/RELEASE, with a file "order" that names them, each after what it
 * depends on.
 */
#ifndef LU_MODULE_H
#define LU_MODULE_H

#include <stdbool.h>

/*
 * Loads all of them up to and including @last, or just all if that is NULL. One
 * that is there already is fine. 0; -ENOENT when there is no such module; or
 * another -errno.
 */
int module_load(const char *last);
int module_unload(const char *name);
/* It is loaded, and no part of the kernel. */
bool module_loaded(const char *name);

#endif
