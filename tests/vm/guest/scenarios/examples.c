// SPDX-License-Identifier: GPL-2.0-only
/*
 * The examples of the man pages, as they are: a text, and a VM with a device at
 * work, through two live updates. Who keeps them has ended each time before the
 * kernel does; luod has the sessions.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <keep.h>

#include "luod.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "wire.h"

#define TEXT "kept as it was"
#define STATE "of the virtual CPUs"

/* memfd.c, under another name */
int example_memfd(int argc, char **argv);

static struct vm vm;

/* Does it in a process of its own, which has ended when this returns. */
static int in_child(const char *name, int (*act)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(act(arg) ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return lost(name, -errno) ? -1 : 0;
	return check(name, WIFEXITED(status) && !WEXITSTATUS(status),
		     "status %#x", status) ? 0 : -1;
}

static int keep_text(void *arg)
{
	char *argv[] = { "memfd", TEXT, NULL };

	(void)arg;
	return example_memfd(2, argv);
}

static int show_text(void *arg)
{
	char *argv[] = { "memfd", NULL };
	int rc;

	dup2(*(int *)arg, STDOUT_FILENO);
	rc = example_memfd(1, argv);
	fflush(stdout);
	return rc;
}

static int check_text(void)
{
	char text[80] = "";
	int ends[2];

	if (lost("pipe", pipe(ends) ? -errno : 0) ||
	    in_child(owner_tag(&vm, "memfd-show"), show_text, &ends[1]))
		return -1;
	close(ends[1]);
	if (read(ends[0], text, sizeof(text) - 1) < 0)
		*text = 0;
	close(ends[0]);
	return check(owner_tag(&vm, "text"), !strcmp(text, TEXT "\n"), "'%s'", text) ? 0 : -1;
}

static int keep_machine(void *arg)
{
	return keep(arg);
}

/* What is kept of the VM, and the first device only. */
static int hand_over(void)
{
	struct machine m = {
		.ram = vm.memory.fd,
		.start = MEMORY_IOVA,
		.bytes = vm.memory.layout->bytes,
		.iommufd = vm.iommufd,
		.hwpt = vm.hwpt,
		.nic = vm.device[0].vfio.fd,
		.address = vm.device[0].state->bdf,
		.vcpu = STATE,
		.length = strlen(STATE),
	};

	if (in_child(owner_tag(&vm, "memfd-keep"), keep_text, NULL) ||
	    in_child(owner_tag(&vm, "keep"), keep_machine, &m))
		return -1;
	event("preserved");
	return 0;
}

static int take_back(const char *suffix)
{
	struct machine m;
	int rc;

	vm_clear(&vm);
	/* What is told twice has another name the second time. */
	snprintf(vm.suffix, sizeof(vm.suffix), "%s", suffix);
	rc = back(&m);
	if (!check(owner_tag(&vm, "back"), !rc, "the VM is back") ||
	    lost("memory", vm_adopt(&vm, m.ram)))
		return -1;
	check(owner_tag(&vm, "state"), m.length == strlen(STATE) &&
			       !memcmp(m.vcpu, STATE, m.length),
	      "%zu bytes", m.length);
	event("finished");
	vm_first_scan(&vm);
	vm.iommufd = m.iommufd;
	vm.hwpt = m.hwpt;
	/* It was bound and attached by the example. */
	if (lost("device", device_adopt_bound(&vm.device[0], m.nic, 0)))
		return -1;
	if (owner_serve(&vm))
		return -1;
	return check(owner_tag(&vm, "traffic-back"), owner_all_work(&vm, 100),
		     "the device works") ? check_text() : -1;
}

static int stage_first(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, "vm1");
	owner_plan_only(&plan, CARDS);
	if (luod_start() < 0 || owner_begin(&vm, &plan) || hand_over() ||
	    owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static int stage_between(unsigned int stage)
{
	if (luod_start() < 0 || take_back("-2") || hand_over() ||
	    owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static int stage_last(unsigned int stage)
{
	int rc;

	(void)stage;
	rc = luod_start() < 0 || take_back("-3") ? -1 : 0;
	return owner_end(&vm, rc);
}

static const struct scenario examples = {
	.name = "examples",
	.description = "the examples of the man pages, two live updates",
	.stages = { stage_first, stage_between, stage_last },
};
SCENARIO(examples);
