/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the time of a live update goes
 */
#ifndef __LINUX_IOMMU_LIVEUPDATE_STEPS_H
#define __LINUX_IOMMU_LIVEUPDATE_STEPS_H

/**
 * enum iommu_lu_step - What is done for a live update
 * @IOMMU_LU_STEP_PROVE:    Old kernel, all running: what is mapped is kept
 * @IOMMU_LU_STEP_TABLES:   Old kernel, all running: page tables go to KHO
 * @IOMMU_LU_STEP_FREEZE:   Old kernel: the last checks
 * @IOMMU_LU_STEP_SHUTDOWN: Old kernel: what is not kept is unlinked
 * @IOMMU_LU_STEP_ADOPT:    New kernel: records are read, units taken over
 * @IOMMU_LU_STEP_PROBE:    New kernel: devices are put on their domains
 * @IOMMU_LU_STEP_RETRIEVE: New kernel: files are given back
 * @IOMMU_LU_STEP_FREE:     New kernel, all running: page tables are freed
 * @IOMMU_LU_STEPS:         How many there are
 */
enum iommu_lu_step {
	IOMMU_LU_STEP_PROVE,
	IOMMU_LU_STEP_TABLES,
	IOMMU_LU_STEP_FREEZE,
	IOMMU_LU_STEP_SHUTDOWN,
	IOMMU_LU_STEP_ADOPT,
	IOMMU_LU_STEP_PROBE,
	IOMMU_LU_STEP_RETRIEVE,
	IOMMU_LU_STEP_FREE,
	IOMMU_LU_STEPS
};

#endif /* __LINUX_IOMMU_LIVEUPDATE_STEPS_H */
