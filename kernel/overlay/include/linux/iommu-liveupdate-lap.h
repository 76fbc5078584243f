/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps of a live update tell how long they took
 */
#ifndef __LINUX_IOMMU_LIVEUPDATE_LAP_H
#define __LINUX_IOMMU_LIVEUPDATE_LAP_H

#include <linux/cleanup.h>
#include <linux/iommu-liveupdate-steps.h>
#include <linux/timex.h>
#include <linux/types.h>
#include <trace/events/iommu_liveupdate.h>

struct iommu_lu_lap {
	enum iommu_lu_step step;
	bool watched;
	cycles_t start;
};

static inline struct iommu_lu_lap iommu_lu_lap_start(enum iommu_lu_step step)
{
	bool watched = trace_iommu_liveupdate_step_enabled();

	return (struct iommu_lu_lap){
		.step = step,
		.watched = watched,
		.start = watched ? get_cycles() : 0,
	};
}

static inline void iommu_lu_lap_end(const struct iommu_lu_lap *lap)
{
	if (lap->watched)
		trace_iommu_liveupdate_step(lap->step, get_cycles() - lap->start);
}

/*
 * CLASS(iommu_lu_lap, lap)(step): from here to the end of the block. Not around
 * a message: whoever prints may have to wait for the console, or to write what
 * others have said.
 */
DEFINE_CLASS(iommu_lu_lap, struct iommu_lu_lap, iommu_lu_lap_end(&_T),
	     iommu_lu_lap_start(step), enum iommu_lu_step step)

#endif /* __LINUX_IOMMU_LIVEUPDATE_LAP_H */
