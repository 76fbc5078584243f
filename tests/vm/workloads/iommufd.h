/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/iommu. All return 0 or an fd, or -errno; ids come back by pointer. */
#ifndef LU_IOMMUFD_H
#define LU_IOMMUFD_H

#include <stdint.h>

int iommufd_open(void);
int iommufd_destroy(int iommufd, uint32_t id);
/* An IOAS that maps in 4 KiB pages only, so that its tables are deep. */
int ioas_alloc(int iommufd, uint32_t *ret_id);
int ioas_map_file(int iommufd, uint32_t ioas, int fd, uint64_t offset,
		  uint64_t bytes, uint64_t iova);
int ioas_map_memory(int iommufd, uint32_t ioas, void *memory, uint64_t bytes,
		    uint64_t iova);
int ioas_unmap(int iommufd, uint32_t ioas, uint64_t iova, uint64_t bytes);
int hwpt_alloc(int iommufd, uint32_t devid, uint32_t ioas, uint32_t *ret_id);

int hwpt_mark(int iommufd, uint32_t hwpt, uint64_t token);
int hwpt_unmark(int iommufd, uint32_t hwpt);
int hwpt_restore(int iommufd, uint64_t token, uint32_t *ret_id);

#endif
