// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM goes on in another process, as one that was upgraded does: the files are
 * passed on, the first process is gone, the second one takes over what is mapped
 * (IOMMU_IOAS_CHANGE_PROCESS) and is charged for it. It, and not who has mapped
 * it, preserves everything and goes through the live update.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "iommufd.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"

#define SESSION "other-process"
#define FILES_MAX (2 + DEVICES_MAX)
/* Where the first process tells the second one, in guest memory */
enum { NOTE_IOAS, NOTE_HWPT };

static struct vm vm;

/* To the second process, which takes them out of the first one. */
static int pass_on(int tell, int taken)
{
	int fd[FILES_MAX] = { vm.memory.fd, vm.iommufd };
	char byte;

	for (unsigned int i = 0; i < vm.devices; i++)
		fd[2 + i] = vm.device[i].vfio.fd;
	if (write(tell, fd, sizeof(fd)) != sizeof(fd))
		return -EIO;
	/* Until the other end is closed */
	return read(taken, &byte, 1) ? -EIO : 0;
}

/* There are no sockets in this kernel to pass them through. */
static int take_over(pid_t pid, int told, int *fd)
{
	int theirs[FILES_MAX], process, rc = 0;

	if (read(told, theirs, sizeof(theirs)) != sizeof(theirs))
		return -EIO;
	process = syscall(SYS_pidfd_open, pid, 0);
	if (process < 0)
		return -errno;
	for (unsigned int i = 0; !rc && i < FILES_MAX; i++) {
		fd[i] = -1;
		if (theirs[i])
			fd[i] = syscall(SYS_pidfd_getfd, process, theirs[i], 0);
		if (theirs[i] && fd[i] < 0)
			rc = -errno;
	}
	close(process);
	return rc;
}

/* Who may lock memory without a limit is charged for none. */
static int be_charged(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* Builds the VM, passes it on, and is gone. */
static int first_process(int tell, int taken)
{
	struct vm_plan plan;

	if (lost("be-charged", be_charged()))
		return 1;
	owner_plan(&plan, SESSION);
	if (owner_begin(&vm, &plan))
		return 1;
	pump_stop(&vm.pump);
	vm.control->note[NOTE_IOAS] = vm.ioas;
	vm.control->note[NOTE_HWPT] = vm.hwpt;
	return lost("pass-on", pass_on(tell, taken)) ? 1 : 0;
}

static int reach(struct device *d, int fd)
{
	int rc;

	snprintf(d->vfio.bdf, sizeof(d->vfio.bdf), "%s", d->state->bdf);
	d->vfio.fd = fd;
	rc = vfio_find_config(&d->vfio);
	if (!rc)
		rc = device_reach(d);
	if (d->state->kind == DEVICE_NVME)
		d->nvme.least = d->state->nvme.reads / 2;
	pump_add(&vm.pump, d);
	return rc;
}

static int second_process(const int *fd)
{
	int rc = memory_adopt(&vm.memory, fd[0]);

	if (lost("memory", rc))
		return -1;
	vm.control = memory_at(&vm.memory, 0);
	vm.iommufd = fd[1];
	vm.ioas = vm.control->note[NOTE_IOAS];
	vm.hwpt = vm.control->note[NOTE_HWPT];
	vm.devices = vm.control->devices;
	for (unsigned int i = 0; i < vm.devices; i++) {
		device_adopt(&vm.device[i], &vm.memory, &vm.control->device[i]);
		if (lost("reach", reach(&vm.device[i], fd[2 + i])))
			return -1;
	}
	return lost("pump", pump_start(&vm.pump)) ? -1 : 0;
}

/* KiB of memory pinned for devices that this process is charged for. */
static unsigned long pinned(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long kib = 0;
	char line[128];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmPin: %lu", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static int change_process(void)
{
	unsigned long all = vm.memory.layout->bytes >> 10, was = pinned(), is;

	if (!check_rc("change-process", ioas_change_process(vm.iommufd), 0))
		return -1;
	is = pinned();
	check("charged", !was && is >= all,
	      "%lu KiB pinned, %lu before; the memory has %lu", is, was, all);
	return 0;
}

static int other_old(unsigned int stage)
{
	const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	int tell[2], taken[2], fd[FILES_MAX], status = -1;
	pid_t pid;

	if (lost("limit", setrlimit(RLIMIT_MEMLOCK, &limit) ? -errno : 0))
		return -1;
	if (lost("pipes", pipe2(tell, O_CLOEXEC) || pipe2(taken, O_CLOEXEC) ?
				  -errno : 0))
		return -1;
	pid = fork();
	if (!pid) {
		close(taken[1]);
		_exit(first_process(tell[1], taken[0]));
	}
	close(tell[1]);
	if (lost("fork", pid < 0 ? -errno : 0) ||
	    lost("take-over", take_over(pid, tell[0], fd)))
		return -1;
	close(taken[1]);
	waitpid(pid, &status, 0);
	if (!check("first-gone", WIFEXITED(status) && !WEXITSTATUS(status),
		   "status %#x", status))
		return -1;
	if (second_process(fd) || change_process() || owner_preserve(&vm) ||
	    owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static int other_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	rc = owner_reclaim(&vm) || owner_swap(&vm) || owner_release(&vm);
	return owner_end(&vm, rc);
}

static const struct scenario other_process = {
	.name = "other-process",
	.description = "another process than the one that mapped it preserves",
	.stages = { other_old, other_new },
};
SCENARIO(other_process);
