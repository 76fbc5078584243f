/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace a step of a live update
 */
#ifndef __LINUX_IOMMU_LIVEUPDATE_LAP_H
#define __LINUX_IOMMU_LIVEUPDATE_LAP_H

#include <linux/cleanup.h>
#include <trace/events/iommu_liveupdate.h>

struct iommu_lu_lap {
	enum iommu_lu_step step;
};

static inline struct iommu_lu_lap iommu_lu_lap_begin(enum iommu_lu_step step)
{
	trace_iommu_lu_step_begin(step);
	return (struct iommu_lu_lap){ .step = step };
}

/* CLASS(iommu_lu_lap, lap)(step): from here to the end of the block */
DEFINE_CLASS(iommu_lu_lap, struct iommu_lu_lap,
	     trace_iommu_lu_step_end(_T.step), iommu_lu_lap_begin(step),
	     enum iommu_lu_step step)

#endif /* __LINUX_IOMMU_LIVEUPDATE_LAP_H */
