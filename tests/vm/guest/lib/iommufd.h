/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/iommu. All return 0 or an fd, or -errno; ids come back by pointer. */
#ifndef LU_IOMMUFD_H
#define LU_IOMMUFD_H

#include <stdbool.h>
#include <stdint.h>

int iommufd_open(void);
int iommufd_destroy(int iommufd, uint32_t id);
/* An IOAS that maps in 4 KiB pages only, so that its tables are deep. */
int ioas_alloc(int iommufd, uint32_t *ret_id);
/* One that takes the largest pages that fit. */
int ioas_alloc_huge(int iommufd, uint32_t *ret_id);
int ioas_map_file(int iommufd, uint32_t ioas, int fd, uint64_t offset,
		  uint64_t bytes, uint64_t iova);
int ioas_map_memory(int iommufd, uint32_t ioas, void *memory, uint64_t bytes,
		    uint64_t iova);
/* The same, for devices to read only. */
int ioas_map_file_read(int iommufd, uint32_t ioas, int fd, uint64_t offset,
		       uint64_t bytes, uint64_t iova);
/* Maps in one IOAS what another one maps. */
int ioas_copy(int iommufd, uint32_t to, uint64_t to_iova, uint32_t from,
	      uint64_t from_iova, uint64_t bytes);
int ioas_unmap(int iommufd, uint32_t ioas, uint64_t iova, uint64_t bytes);
/* The caller is charged for all that is mapped, as a VMM's next process is. */
int ioas_change_process(int iommufd);
/* The IOAS that calls of the older interface, VFIO type 1, are about. */
int ioas_compatible(int iommufd, uint32_t ioas);
int hwpt_alloc(int iommufd, uint32_t devid, uint32_t ioas, uint32_t *ret_id);
int hwpt_alloc_flags(int iommufd, uint32_t devid, uint32_t ioas, uint32_t flags,
		     uint32_t fault, uint32_t *ret_id);
/* Faults of devices are told through *ret_fd. */
int fault_queue_alloc(int iommufd, uint32_t *ret_id, int *ret_fd);
int hwpt_dirty_tracking(int iommufd, uint32_t hwpt, bool on);
int hwpt_dirty_bitmap(int iommufd, uint32_t hwpt, uint64_t iova,
		      uint64_t bytes);

struct iommu_lu_map;

/*
 * What is mapped from *iova on, which is moved behind it. *nr is for how many there
 * is room, then how many were found. 1 when more follow, 0 when not, or -errno.
 */
int ioas_maps(int iommufd, uint32_t ioas, uint64_t *iova,
	      struct iommu_lu_map *maps, uint32_t *nr);

int hwpt_mark(int iommufd, uint32_t hwpt, uint64_t token);
int hwpt_unmark(int iommufd, uint32_t hwpt);
int hwpt_restore(int iommufd, uint64_t token, uint32_t *ret_id);

#endif
