/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The older interface to an IOAS, that of VFIO type 1; which one it is about is
 * set with ioas_compatible(). All return 0 or -errno.
 */
#ifndef LU_TYPE1_H
#define LU_TYPE1_H

#include <stdint.h>

int type1_map(int iommufd, void *p, uint64_t bytes, uint64_t iova);
int type1_unmap(int iommufd, uint64_t iova, uint64_t bytes);
int type1_unmap_all(int iommufd);

#endif
