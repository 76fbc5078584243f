// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "intruder.h"
#include "iommufd.h"

#define SLOTS 4096
#define READS 1024

static int setup(struct intruders *in, unsigned int i, const char *bdf)
{
	const struct device_plan plan = {
		.stream = STREAM_ANY,
		.slots = SLOTS,
		.reads = READS,
		.queue = 2, /* QEMU's trace names the queue, not the drive */
		.buffers = BUFFERS_CONTIGUOUS,
	};
	int rc, fd;

	rc = device_setup(&in->device[i], &in->vm->memory,
			  &in->vm->control->intruder[i], bdf, &plan);
	if (!rc)
		rc = pci_bind(bdf, "vfio-pci");
	if (rc)
		return rc;
	fd = vfio_cdev_open(bdf);
	return fd < 0 ? fd : device_connect(&in->device[i], fd, in->iommufd);
}

/* What has been taken from the head of memory since @from is theirs alone. */
static int translate(struct intruders *in, uint64_t from)
{
	struct vm *vm = in->vm;
	uint64_t bytes = vm->memory.layout->head_next - from;
	uint32_t ioas, hwpt;
	int rc;

	rc = ioas_alloc(in->iommufd, &ioas);
	if (!rc)
		rc = ioas_map_file(in->iommufd, ioas, vm->memory.fd, from,
				   bytes, memory_iova(from));
	if (!rc)
		rc = hwpt_alloc(in->iommufd, in->device[0].vfio.devid, ioas,
				&hwpt);
	for (unsigned int i = 0; !rc && i < vm->control->intruders; i++)
		rc = vfio_attach(&in->device[i].vfio, hwpt);
	return rc;
}

int intruders_start(struct intruders *in, struct vm *vm)
{
	uint64_t from = vm->memory.layout->head_next;
	char bdf[INTRUDERS_MAX][BDF_BYTES];
	unsigned int i, count = machine_intruders(bdf);
	int rc;

	if (!count)
		return -ENODEV;
	in->vm = vm;
	vm->control->intruders = count;
	in->iommufd = iommufd_open();
	if (in->iommufd < 0)
		return in->iommufd;
	for (i = 0; i < count; i++) {
		rc = setup(in, i, bdf[i]);
		if (rc)
			return rc;
	}
	rc = translate(in, from);
	for (i = 0; !rc && i < count; i++) {
		rc = device_start(&in->device[i]);
		pump_add(&vm->pump, &in->device[i]);
	}
	for (i = 0; !rc && i < count; i++)
		if (in->device[i].state->kind == DEVICE_NVME)
			nvme_submit_all(&in->device[i].nvme);
	return rc;
}

static void pin_to(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Writes only when there is something to write: each write is traced. */
static bool rearm(int config)
{
	uint16_t cmd;

	if (pread(config, &cmd, sizeof(cmd), PCI_COMMAND) != sizeof(cmd) ||
	    cmd & PCI_COMMAND_MASTER)
		return false;
	cmd |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	return pwrite(config, &cmd, sizeof(cmd), PCI_COMMAND) == sizeof(cmd);
}

static void *hammer(void *data)
{
	struct intruders *in = data;
	struct control *c = in->vm->control;
	int config[INTRUDERS_MAX];
	unsigned int i;

	for (i = 0; i < c->intruders; i++)
		config[i] = pci_config_open(in->device[i].state->bdf);
	pin_to(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	for (;;) {
		for (i = 0; i < c->intruders; i++) {
			c->rearmed[i] += rearm(config[i]);
			c->watched[i] = device_waiting(&in->device[i]);
		}
		__atomic_add_fetch(&in->rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int intruders_hammer(struct intruders *in)
{
	pthread_t thread;
	int rc;

	/* The caller is about to leave this kernel, which CPU 0 does. */
	pin_to(0);
	rc = -pthread_create(&thread, NULL, hammer, in);
	while (!rc && !__atomic_load_n(&in->rounds, __ATOMIC_RELAXED))
		usleep(100);
	return rc;
}

void intruders_adopt(struct intruders *in, struct vm *vm)
{
	memset(in, 0, sizeof(*in));
	in->vm = vm;
	in->iommufd = -1;
	for (unsigned int i = 0; i < vm->control->intruders; i++) {
		int config = pci_config_open(vm->control->intruder[i].bdf);

		device_adopt(&in->device[i], &vm->memory,
			     &vm->control->intruder[i]);
		if (config < 0)
			continue;
		in->armed += !rearm(config);
		close(config);
	}
}

uint64_t intruders_scan(struct intruders *in)
{
	struct control *c = in->vm->control;
	uint64_t unseen = 0;

	for (unsigned int i = 0; i < c->intruders; i++) {
		struct frame_tally *frames = device_frames(&in->device[i]);
		uint32_t found;

		if (frames)
			frames->flagged = FRAME_FIRST_SCAN;
		found = device_poll(&in->device[i]);
		if (frames)
			frames->flagged = 0;
		if (found > c->watched[i])
			unseen += found - c->watched[i];
		c->watched[i] = 0;
	}
	return unseen;
}

struct device *intruders_nic(struct intruders *in)
{
	for (unsigned int i = 0; i < in->vm->control->intruders; i++)
		if (device_frames(&in->device[i]))
			return &in->device[i];
	return NULL;
}
