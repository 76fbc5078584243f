/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters of the kernel, in pages. */
#ifndef LU_VMSTAT_H
#define LU_VMSTAT_H

#include <stdint.h>

/* NR_IOMMU_PAGES, exact: per-CPU remainders are folded in first. */
int64_t vmstat_iommu_pages(void);
/* MemAvailable in KiB. */
int64_t meminfo_available(void);
/* In KiB: all memory that is not reserved, and what of it is free. */
int64_t meminfo_total(void);
int64_t meminfo_free(void);
/*
 * How many KiB more are free than there were. Waits for a while until that is more
 * than @wanted: the last references are dropped by work that is only queued.
 */
int64_t meminfo_freed(int64_t before, int64_t wanted);

/* KiB of shared memory in huge pages. */
int64_t meminfo_shmem_huge(void);

#endif
