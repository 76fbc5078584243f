/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the time of a live update goes
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommu_liveupdate

#if !defined(_TRACE_IOMMU_LIVEUPDATE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMU_LIVEUPDATE_H

#include <linux/iommu-liveupdate-steps.h>
#include <linux/tracepoint.h>

#define iommu_lu_show_step(step)				\
	__print_symbolic(step,					\
			 { IOMMU_LU_STEP_PROVE,	   "prove" },	\
			 { IOMMU_LU_STEP_TABLES,   "tables" },	\
			 { IOMMU_LU_STEP_FREEZE,   "freeze" },	\
			 { IOMMU_LU_STEP_SHUTDOWN, "shutdown" },	\
			 { IOMMU_LU_STEP_ADOPT,	   "adopt" },	\
			 { IOMMU_LU_STEP_PROBE,	   "probe" },	\
			 { IOMMU_LU_STEP_RETRIEVE, "retrieve" },	\
			 { IOMMU_LU_STEP_FREE,	   "free" })

DECLARE_EVENT_CLASS(iommu_lu_step,
	TP_PROTO(int step),
	TP_ARGS(step),
	TP_STRUCT__entry(
		__field(int, step)
	),
	TP_fast_assign(
		__entry->step = step;
	),
	TP_printk("%s", iommu_lu_show_step(__entry->step))
);

/* Not around a message: whoever prints may have to wait for the console */
DEFINE_EVENT(iommu_lu_step, iommu_lu_step_begin,
	TP_PROTO(int step),
	TP_ARGS(step)
);

DEFINE_EVENT(iommu_lu_step, iommu_lu_step_end,
	TP_PROTO(int step),
	TP_ARGS(step)
);

/* The old kernel has said its last word to the IOMMUs */
TRACE_EVENT(iommu_lu_jump,
	TP_PROTO(unsigned int units),
	TP_ARGS(units),
	TP_STRUCT__entry(
		__field(unsigned int, units)
	),
	TP_fast_assign(
		__entry->units = units;
	),
	TP_printk("units=%u", __entry->units)
);

#endif /* _TRACE_IOMMU_LIVEUPDATE_H */

#include <trace/define_trace.h>
