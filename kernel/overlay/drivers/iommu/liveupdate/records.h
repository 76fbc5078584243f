/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arrays of records that cross a live update
 */
#ifndef __IOMMU_LIVEUPDATE_RECORDS_H
#define __IOMMU_LIVEUPDATE_RECORDS_H

#include <linux/idr.h>
#include <linux/printk.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct iommu_lu_array_ser;

/**
 * struct iommu_lu_records - Slots of one kind
 * @magic:     IOMMU_LU_MAGIC_* of the kind
 * @slot_size: Size of a slot in bytes
 * @nr_blocks: Blocks in @blocks
 * @blocks:    Number of a block to its address
 * @used:      Slots in use, in the old kernel
 * @array:     Where the address of the first block is written
 */
struct iommu_lu_records {
	u32 magic;
	u32 slot_size;
	u32 nr_blocks;
	struct xarray blocks;
	struct ida used;
	struct iommu_lu_array_ser *array;
};

void iommu_lu_records_init(struct iommu_lu_records *records, u32 magic,
			   u32 slot_size, struct iommu_lu_array_ser *array);
void iommu_lu_records_destroy(struct iommu_lu_records *records);
void *iommu_lu_record_alloc(struct iommu_lu_records *records, u32 *index);
void iommu_lu_record_free(struct iommu_lu_records *records, u32 index);
void iommu_lu_record_seal(struct iommu_lu_records *records, u32 index);

int iommu_lu_records_parse(struct iommu_lu_records *records, u32 magic,
			   u32 slot_size,
			   const struct iommu_lu_array_ser *array,
			   struct xarray *pages);
void iommu_lu_records_release(struct iommu_lu_records *records);
u32 iommu_lu_records_end(struct iommu_lu_records *records);
unsigned int iommu_lu_records_used(struct iommu_lu_records *records);
void *iommu_lu_record(struct iommu_lu_records *records, u32 index);
const char *iommu_lu_record_error(struct iommu_lu_records *records, u32 index);

#if IS_ENABLED(CONFIG_KUNIT)
int iommu_lu_records_grow(struct iommu_lu_records *records);
#endif

/* A test reads so many bad records that saying so would take most of its time */
#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE_KUNIT_TEST)
extern bool iommu_lu_quiet;
#else
#define iommu_lu_quiet	false
#endif

#define iommu_lu_err(fmt, ...)						\
	do {								\
		if (!iommu_lu_quiet)					\
			pr_err(fmt, ##__VA_ARGS__);			\
	} while (0)

#endif /* __IOMMU_LIVEUPDATE_RECORDS_H */
