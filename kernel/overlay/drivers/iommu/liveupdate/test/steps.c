// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the steps of a live update take, added up
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/moduleparam.h>
#include <linux/seq_file.h>
#include <trace/events/iommu_liveupdate.h>

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iommu_liveupdate."

/* What the old kernel has counted ends with it; a slow console pays for this */
static bool say_steps;
module_param_named(steps, say_steps, bool, 0444);

static struct {
	atomic64_t cycles;
	atomic_t times;
} steps[IOMMU_LU_STEPS];

/* In the order of their numbers */
static const struct trace_print_flags step_names[] = { IOMMU_LU_STEP_NAMES };
static_assert(ARRAY_SIZE(step_names) == IOMMU_LU_STEPS);

static void count_step(void *unused, enum iommu_lu_step step, u64 cycles)
{
	atomic64_add(cycles, &steps[step].cycles);
	atomic_inc(&steps[step].times);
}

static void say_all_steps(void *unused, unsigned int units)
{
	for (int i = 0; i < IOMMU_LU_STEPS; i++)
		if (atomic_read(&steps[i].times))
			pr_notice("step %s %lld %d\n", step_names[i].name,
				  atomic64_read(&steps[i].cycles),
				  atomic_read(&steps[i].times));
}

/* Before the IOMMUs, which are taken over by a rootfs_initcall() */
static int __init iommu_lu_watch_steps(void)
{
	if (!say_steps)
		return 0;
	return register_trace_iommu_liveupdate_step(count_step, NULL) ?:
	       register_trace_iommu_liveupdate_jump_tp(say_all_steps, NULL);
}
core_initcall(iommu_lu_watch_steps);

static int liveupdate_steps_show(struct seq_file *m, void *unused)
{
	for (int i = 0; i < IOMMU_LU_STEPS; i++)
		seq_printf(m, "%s %lld %d\n", step_names[i].name,
			   atomic64_read(&steps[i].cycles),
			   atomic_read(&steps[i].times));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(liveupdate_steps);

static int __init iommu_lu_steps_init(void)
{
	if (say_steps)
		debugfs_create_file("liveupdate_steps", 0400, iommu_debugfs_dir,
				    NULL, &liveupdate_steps_fops);
	return 0;
}
late_initcall(iommu_lu_steps_init);
