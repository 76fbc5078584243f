/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is of a live update, for debugfs
 */
#ifndef __IOMMU_LIVEUPDATE_DEBUGFS_H
#define __IOMMU_LIVEUPDATE_DEBUGFS_H

#include <linux/iommu-liveupdate.h>

/**
 * struct iommu_lu_counts - Records of one direction
 * @units:    Slots in use
 * @domains:  Slots in use
 * @devices:  Slots in use
 * @blocks:   Pages the slots are in
 * @frozen:   Old kernel: files that are frozen
 * @restored: New kernel: domains that are in memory
 * @states:   New kernel: devices by &enum iommu_lu_state
 */
struct iommu_lu_counts {
	unsigned int units;
	unsigned int domains;
	unsigned int devices;
	unsigned int blocks;
	unsigned int frozen;
	unsigned int restored;
	unsigned int states[IOMMU_LU_FINISHED + 1];
};

void iommu_lu_count_outgoing(struct iommu_lu_counts *counts);
void iommu_lu_count_incoming(struct iommu_lu_counts *counts);

#endif /* __IOMMU_LIVEUPDATE_DEBUGFS_H */
