// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner dies in the new kernel, at the step lu.args=step:N names. Another
 * process, here its parent, takes the session apart without building anything
 * new, and the devices serve anybody again, in the same boot.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fresh.h"
#include "iommufd.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define SESSION "reaper"

enum {
	STEP_NOTHING, /* dies before it has asked for anything */
	STEP_MEMORY,
	STEP_IOMMUFD,
	STEP_DEVICES,
	STEP_BOUND,
	STEP_SWAPPED,
};

static struct guest guest;

static int reaper_old(unsigned int stage)
{
	struct guest_plan plan;

	owner_plan(&plan, SESSION);
	/* Few: a drive of QEMU finishes all of them before it resets. */
	plan.reads = 512;
	if (owner_begin(&guest, &plan) || owner_preserve(&guest) ||
	    owner_load(&guest, stage))
		return -1;
	return owner_jump();
}

static int walk(struct guest *g, unsigned long step)
{
	unsigned int i;
	int rc = 0;

	if (step >= STEP_MEMORY)
		rc = guest_retrieve_memory(g, SESSION);
	if (!rc && step >= STEP_IOMMUFD)
		rc = guest_retrieve_iommufd(g);
	for (i = 0; !rc && step >= STEP_DEVICES && i < g->devices; i++)
		rc = guest_retrieve_device(g, i);
	for (i = 0; !rc && step >= STEP_BOUND && i < g->devices; i++)
		rc = device_connect(&g->device[i], g->device[i].vfio.fd,
				    g->iommufd);
	if (!rc && step >= STEP_SWAPPED)
		rc = guest_remap(g);
	if (!rc && step >= STEP_SWAPPED)
		rc = guest_attach(g, g->hwpt);
	return rc;
}

/* A child that gets as far as @step and is killed there. */
static int die_at(unsigned long step)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		if (lost("child", walk(&guest, step)))
			_exit(1);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return check("owner-died",
		     WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		     "at step %lu", step) ?
		       0 :
		       -1;
}

/* Nothing new is built: the devices are led off the restored HWPT instead. */
static int take_apart(struct guest *g, unsigned long step)
{
	uint32_t id;

	/* The same files come back as the dead owner had, bound or not. */
	if (lost("retrieve-iommufd", guest_retrieve_iommufd(g)))
		return -1;
	for (unsigned int i = 0; i < g->devices; i++) {
		struct device *d = &g->device[i];

		if (lost("retrieve-device", guest_retrieve_device(g, i)))
			return -1;
		if (step < STEP_BOUND &&
		    lost("bind", vfio_bind(d->vfio.fd, g->iommufd,
					   &d->vfio.devid)))
			return -1;
	}
	if (!check_rc("restore",
		      hwpt_restore(g->iommufd, TOKEN_HWPT, &id), 0))
		return -1;
	for (unsigned int i = 0; i < g->devices; i++) {
		struct vfio *v = &g->device[i].vfio;

		if (step < STEP_SWAPPED && lost("attach", vfio_attach(v, id)))
			return -1;
		if (lost("detach", vfio_detach(v)))
			return -1;
	}
	if (!check_rc("destroy", iommufd_destroy(g->iommufd, id), 0))
		return -1;
	return check_rc("finish", guest_finish(g), 0) ? 0 : -1;
}

static int reaper_new(unsigned int stage)
{
	unsigned long step = arg_number("step", STEP_NOTHING);
	char bdf[DEVICES_MAX][BDF_BYTES];
	unsigned int count;
	int64_t was;
	int rc;

	(void)stage;
	count = machine_kept(bdf);
	for (unsigned int i = 0; i < count; i++)
		if (lost("vfio-pci", pci_bind(bdf[i], "vfio-pci")))
			return -1;
	if (die_at(step) || owner_arrive(&guest, SESSION))
		return -1;
	was = guest.control->iommu_pages;
	if (take_apart(&guest, step))
		return -1;
	event("reaped");
	rc = owner_unbind(&guest);
	owner_close(&guest);
	for (unsigned int i = 0; i < count; i++) {
		char name[40];

		snprintf(name, sizeof(name), "device-%.15s", bdf[i]);
		fresh_use(name, bdf[i]);
		snprintf(name, sizeof(name), "native-%.15s", bdf[i]);
		check_rc(name, pci_offer(bdf[i], PCI_NATIVE), 0);
		lost("unbind", pci_unbind(bdf[i]));
	}
	traffic_stop_host();
	owner_count(was);
	return rc;
}

static const struct scenario reaper = {
	.name = "reaper",
	.rows = "A10",
	.description = "the owner dies after the jump, another takes it apart",
	.stages = { reaper_old, reaper_new },
};
SCENARIO(reaper);
