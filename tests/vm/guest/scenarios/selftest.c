// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios that go wrong on purpose, each in one way, so that the rig can be
 * shown to notice. Those that break something outside the wire say "pass" on
 * it first: the rig has to see through that.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "wire.h"

static int run_pass(unsigned int stage)
{
	check("rig-alive", true, "stage %u", stage);
	return 0;
}

static int run_fail(unsigned int stage)
{
	check("rig-alive", true, "stage %u", stage);
	check("made-to-fail", false, "as asked for");
	return 0;
}

static int run_hang(unsigned int stage)
{
	check("rig-alive", true, "stage %u", stage);
	while (pause())
		;
	return -1;
}

static int run_silent(unsigned int stage)
{
	check("rig-alive", true, "stage %u", stage);
	wire_drain();
	reboot(RB_POWER_OFF);
	return -1;
}

/* The exit code makes pid 1 leave as well, which no kernel survives. */
static int run_panic(unsigned int stage)
{
	check("rig-alive", true, "stage %u", stage);
	verdict(true, "said before the panic");
	_exit(SCENARIO_EXIT_PANIC);
}

static void kernel_log(const char *line)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		check("kernel-log", false, "cannot write to it");
	if (fd >= 0)
		close(fd);
}

static int run_splat(unsigned int stage)
{
	check("rig-alive", true, "stage %u", stage);
	kernel_log("<1>------------[ cut here ]------------\n");
	kernel_log("<1>WARNING: CPU: 0 PID: 1 at selftest.c:1 made_up+0x1\n");
	kernel_log("<1>---[ end trace 0000000000000000 ]---\n");
	return 0;
}

/*
 * Bus mastering off would not do: QEMU then keeps frames back and delivers
 * them later. Without translations, the card drops them.
 */
static int run_lost_dma(unsigned int stage)
{
	static struct vm vm;
	struct vm_plan plan;
	struct vfio *vfio;
	int rc;

	(void)stage;
	owner_plan(&plan, "selftest");
	owner_plan_only(&plan, CARDS);
	plan.bytes = 128 << 20;
	plan.slots = 1024;
	if (owner_begin(&vm, &plan))
		return -1;
	vfio = &vm_nic(&vm)->vfio;
	rc = vfio_detach(vfio);
	/* The host sends more than one in that time, however busy it is. */
	sleep(2);
	if (!rc)
		rc = vfio_attach(vfio, vm.hwpt);
	lost("detach-attach", rc);
	traffic_drain(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	traffic_blobs(&vm);
	return owner_unbind(&vm);
}

#define SELFTEST(var, title, run, text)            \
	static const struct scenario var = {       \
		.name = "selftest-" title,         \
		.description = text,               \
		.stages = { run },                 \
	};                                         \
	SCENARIO(var)

SELFTEST(selftest_pass, "pass", run_pass, "passes");
SELFTEST(selftest_fail, "fail", run_fail, "has a failed check");
SELFTEST(selftest_hang, "hang", run_hang, "never ends");
SELFTEST(selftest_silent, "silent", run_silent, "powers off, no verdict");
SELFTEST(selftest_panic, "panic", run_panic, "says pass, then panics");
SELFTEST(selftest_splat, "splat", run_splat, "passes, but for the console");
SELFTEST(selftest_lost, "lost-dma", run_lost_dma, "loses frames for a while");
