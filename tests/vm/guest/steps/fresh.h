/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a device an ordinary one again? */
#ifndef LU_FRESH_H
#define LU_FRESH_H

/*
 * Opens it, attaches it to a new iommufd and memory, starts it, sees it make
 * transfers, closes everything. Checks are named "<name>-...". The pages it
 * took are back when it returns.
 */
void fresh_use(const char *name, const char *bdf);

#endif
