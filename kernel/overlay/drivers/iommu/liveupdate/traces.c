// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace events of a live update
 */
#include <linux/export.h>
#include <linux/iommu-liveupdate-steps.h>

#define CREATE_TRACE_POINTS
#include <trace/events/iommu_liveupdate.h>

/* iommufd and vfio-pci can be modules */
EXPORT_TRACEPOINT_SYMBOL_GPL(iommu_liveupdate_step);
