// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run out of memory while the kernel boots
 *
 * What the new kernel allocates to go on with kept devices it allocates before
 * there is a user space that could ask for fault injection. On the command line:
 *
 *   liveupdate_fail.in=FUNCTION	look at what calls of this function allocate
 *   liveupdate_fail.nth=N	from which on these fail, 1 for the first one; all
 *				calls count together. All that follow fail too:
 *				where one way fails often another one is tried.
 *
 * Afterwards /sys/module/liveupdate_fail/parameters/failed is Y if it came to
 * that.
 */
#define pr_fmt(fmt) "iommu: liveupdate: fail: " fmt

#include <linux/error-injection.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kprobes.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "liveupdate_fail."

static char *in;
module_param(in, charp, 0444);
MODULE_PARM_DESC(in, "In which function");

static uint nth;
module_param(nth, uint, 0444);
MODULE_PARM_DESC(nth, "From which on its allocations fail");

static bool failed;
module_param(failed, bool, 0444);
MODULE_PARM_DESC(failed, "It came to that");

/* Who is in the function. There is one task while the kernel boots. */
static struct task_struct *inside;
static uint seen;

static int enter(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	/* Of calls within calls the outermost one matters */
	if (inside)
		return 1;
	WRITE_ONCE(inside, current);
	return 0;
}
NOKPROBE_SYMBOL(enter);

static int leave(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	WRITE_ONCE(inside, NULL);
	return 0;
}
NOKPROBE_SYMBOL(leave);

/* If it is to fail, what was probed is not called and returns @ret */
static int fail_now(struct pt_regs *regs, gfp_t gfp, unsigned long ret)
{
	if (READ_ONCE(inside) != current || in_serving_softirq() ||
	    gfp & __GFP_NOFAIL || ++seen < nth)
		return 0;

	failed = true;
	regs_set_return_value(regs, ret);
	override_function_with_return(regs);
	return 1;
}
NOKPROBE_SYMBOL(fail_now);

static int fail_slab(struct kprobe *kp, struct pt_regs *regs)
{
	return fail_now(regs, regs_get_kernel_argument(regs, 1), -ENOMEM);
}
NOKPROBE_SYMBOL(fail_slab);

static int fail_page(struct kprobe *kp, struct pt_regs *regs)
{
	return fail_now(regs, regs_get_kernel_argument(regs, 0), true);
}
NOKPROBE_SYMBOL(fail_page);

/* With one the probe is not made a jump, which could not return elsewhere */
static void after(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}
NOKPROBE_SYMBOL(after);

static struct kretprobe function = {
	.entry_handler = enter,
	.handler = leave,
};

static struct kprobe slab = {
	.symbol_name = "should_failslab",
	.pre_handler = fail_slab,
	.post_handler = after,
};

static struct kprobe page = {
	.symbol_name = "should_fail_alloc_page",
	.pre_handler = fail_page,
	.post_handler = after,
};

/* Before the IOMMUs are looked at, with kprobes at hand */
static int __init liveupdate_fail_init(void)
{
	int ret;

	if (!in || !nth)
		return 0;

	function.kp.symbol_name = in;
	ret = register_kretprobe(&function);
	if (!ret)
		ret = register_kprobe(&slab);
	if (!ret)
		ret = register_kprobe(&page);
	if (ret)
		pr_err("cannot look at %s(): %pe\n", in, ERR_PTR(ret));
	else
		pr_info("allocations in %s() fail from number %u on\n", in,
			nth);
	return ret;
}
subsys_initcall(liveupdate_fail_init);
