/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommu_liveupdate

#if !defined(_TRACE_IOMMU_LIVEUPDATE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMU_LIVEUPDATE_H

#include <linux/iommu-liveupdate-steps.h>
#include <linux/tracepoint.h>

#define IOMMU_LU_STEP_NAMES				\
	STEP(IOMMU_LU_STEP_PROVE, "prove")		\
	STEP(IOMMU_LU_STEP_TABLES, "tables")		\
	STEP(IOMMU_LU_STEP_FREEZE, "freeze")		\
	STEP(IOMMU_LU_STEP_SHUTDOWN, "shutdown")	\
	STEP(IOMMU_LU_STEP_ADOPT, "adopt")		\
	STEP(IOMMU_LU_STEP_PROBE, "probe")		\
	STEP(IOMMU_LU_STEP_RETRIEVE, "retrieve")	\
	STEP_LAST(IOMMU_LU_STEP_FREE, "free")

#undef STEP
#undef STEP_LAST
#define STEP(step, name)	TRACE_DEFINE_ENUM(step);
#define STEP_LAST(step, name)	TRACE_DEFINE_ENUM(step);

IOMMU_LU_STEP_NAMES

#undef STEP
#undef STEP_LAST
#define STEP(step, name)	{ step, name },
#define STEP_LAST(step, name)	{ step, name }

/* A step was made, and took so many cycles of the CPU that made it. */
TRACE_EVENT(iommu_liveupdate_step,
	TP_PROTO(enum iommu_lu_step step, u64 cycles),

	TP_ARGS(step, cycles),

	TP_STRUCT__entry(
		__field(unsigned int, step)
		__field(u64, cycles)
	),

	TP_fast_assign(
		__entry->step = step;
		__entry->cycles = cycles;
	),

	TP_printk("step=%s cycles=%llu",
		  __print_symbolic(__entry->step, IOMMU_LU_STEP_NAMES),
		  __entry->cycles)
);

/* The old kernel ends here: what it has counted is to be said now or never. */
DECLARE_TRACE(iommu_liveupdate_jump,
	TP_PROTO(unsigned int units),

	TP_ARGS(units));

#endif /* _TRACE_IOMMU_LIVEUPDATE_H */

#include <trace/define_trace.h>
