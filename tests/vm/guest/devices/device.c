// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device.h"

/* Without any transfer for this long, a device has stopped. */
#define STUCK_SECONDS 15

int device_setup(struct device *d, struct memory *m, struct device_state *state,
		 const char *bdf, const struct device_plan *plan)
{
	memset(d, 0, sizeof(*d));
	memset(state, 0, sizeof(*state));
	d->state = state;
	d->vfio.fd = -1;
	d->irq.fd = -1;
	snprintf(state->bdf, sizeof(state->bdf), "%s", bdf);

	switch (pci_id(bdf)) {
	case E1000E_ID:
		state->kind = DEVICE_NIC;
		return nic_setup(&d->nic, m, &state->nic, plan->stream,
				 plan->slots, plan->buffers);
	case VNET_ID:
		state->kind = DEVICE_VNET;
		return vnet_setup(&d->vnet, m, &state->vnet, plan->stream,
				  plan->slots, plan->buffers);
	case NVME_ID:
		state->kind = DEVICE_NVME;
		return nvme_setup(&d->nvme, m, &state->nvme, plan->reads,
				  plan->buffers, plan->queue);
	}
	return -ENODEV;
}

void device_adopt(struct device *d, struct memory *m,
		  struct device_state *state)
{
	memset(d, 0, sizeof(*d));
	d->state = state;
	d->vfio.fd = -1;
	d->irq.fd = -1;
	if (state->kind == DEVICE_NIC)
		d->nic = (struct nic){ .state = &state->nic, .memory = m };
	else if (state->kind == DEVICE_VNET)
		d->vnet = (struct vnet){ .state = &state->vnet, .memory = m };
	else
		d->nvme = (struct nvme){ .state = &state->nvme, .memory = m };
}

int device_reach(struct device *d)
{
	int rc;

	if (d->state->kind == DEVICE_VNET)
		return vnet_reach(&d->vnet, &d->vfio);
	rc = vfio_map_bar(&d->vfio, 0);
	if (rc)
		return rc;
	if (d->state->kind == DEVICE_NIC)
		d->nic.vfio = &d->vfio;
	else
		d->nvme.vfio = &d->vfio;
	return 0;
}

int device_connect(struct device *d, int fd, int iommufd)
{
	int rc;

	rc = vfio_start(&d->vfio, d->state->bdf, fd, iommufd);
	return rc ? rc : device_reach(d);
}

int device_adopt_bound(struct device *d, int fd, uint32_t devid)
{
	int rc;

	d->vfio = (struct vfio){ .fd = fd, .devid = devid };
	snprintf(d->vfio.bdf, sizeof(d->vfio.bdf), "%s", d->state->bdf);
	rc = vfio_find_config(&d->vfio);
	return rc ? rc : device_reach(d);
}

int device_raise(struct device *d, enum irq_kind how)
{
	if (d->state->kind == DEVICE_VNET)
		return -EOPNOTSUPP;
	d->state->irq = how;
	if (d->state->kind == DEVICE_NVME)
		d->nvme.raises = true;
	return device_arm(d);
}

int device_arm(struct device *d)
{
	return irq_arm(&d->irq, &d->vfio, d->state->irq);
}

bool device_due(struct device *d)
{
	if (d->state->irq == IRQ_NONE)
		return true;
	if (!irq_taken(&d->irq))
		return false;
	if (d->state->kind == DEVICE_NIC && d->state->irq != IRQ_MSIX)
		nic_heard(&d->nic);
	return true;
}

int device_start(struct device *d)
{
	int rc;

	if (d->state->kind == DEVICE_VNET)
		return vnet_start(&d->vnet);
	if (d->state->kind == DEVICE_NVME)
		return nvme_start(&d->nvme);
	rc = nic_start(&d->nic);
	if (!rc && d->state->irq != IRQ_NONE)
		nic_raise(&d->nic, d->state->irq);
	return rc;
}

unsigned int device_poll(struct device *d)
{
	if (d->state->kind == DEVICE_NIC)
		return nic_poll(&d->nic);
	if (d->state->kind == DEVICE_VNET)
		return vnet_poll(&d->vnet);
	return nvme_poll(&d->nvme);
}

bool device_unchanged(const struct device *d, char *why, unsigned int size)
{
	if (d->state->kind == DEVICE_NIC)
		return nic_unchanged(&d->nic, why, size);
	if (d->state->kind == DEVICE_VNET)
		return vnet_unchanged(&d->vnet, why, size);
	return nvme_unchanged(&d->nvme, why, size);
}

void device_disconnect(struct device *d)
{
	if (d->state->kind == DEVICE_NIC) {
		if (d->nic.vfio)
			nic_stop(&d->nic);
		d->nic.vfio = NULL;
	} else if (d->state->kind == DEVICE_VNET) {
		if (d->vnet.vfio)
			vnet_stop(&d->vnet);
		d->vnet.vfio = NULL;
	} else {
		if (d->nvme.vfio)
			nvme_stop(&d->nvme);
		d->nvme.vfio = NULL;
	}
	device_drop(d);
}

void device_drop(struct device *d)
{
	irq_close(&d->irq);
	vfio_close(&d->vfio);
}

uint32_t device_waiting(const struct device *d)
{
	if (d->state->kind == DEVICE_NIC)
		return nic_waiting(&d->nic);
	if (d->state->kind == DEVICE_VNET)
		return vnet_waiting(&d->vnet);
	return nvme_waiting(&d->nvme);
}

struct frame_tally *device_frames(const struct device *d)
{
	if (d->state->kind == DEVICE_NIC)
		return &d->state->nic.frames;
	if (d->state->kind == DEVICE_VNET)
		return &d->state->vnet.frames;
	return NULL;
}

bool device_is_card(uint32_t id)
{
	return id == E1000E_ID || id == VNET_ID;
}

uint64_t device_share(const struct device *d, uint64_t frames)
{
	if (d->state->kind == DEVICE_NIC)
		return frames;
	if (d->state->kind == DEVICE_VNET)
		return frames / VNET_SHARE + 1;
	return 1;
}

uint64_t device_progress(const struct device *d)
{
	const struct frame_tally *frames = device_frames(d);

	if (frames)
		return __atomic_load_n(&frames->received, __ATOMIC_RELAXED);
	return __atomic_load_n(&d->state->nvme.completed, __ATOMIC_RELAXED);
}

uint64_t device_errors(const struct device *d)
{
	if (device_frames(d))
		return frames_errors(device_frames(d));
	return d->state->nvme.data_errors + d->state->nvme.status_errors +
	       d->state->nvme.stray;
}

bool device_await_total(const struct device *d, uint64_t total)
{
	uint64_t last = device_progress(d);
	unsigned int idle = 0;

	while (device_progress(d) < total) {
		usleep(1000);
		if (device_progress(d) != last) {
			last = device_progress(d);
			idle = 0;
		} else if (++idle > STUCK_SECONDS * 1000) {
			return false;
		}
	}
	return true;
}

bool device_await(const struct device *d, uint64_t more)
{
	return device_await_total(d, device_progress(d) + more);
}

bool device_goes_on(const struct device *d, uint64_t more)
{
	uint64_t total = device_progress(d) + more;

	if (d->state->kind == DEVICE_NVME && !d->nvme.endless &&
	    !d->nvme.least && total > d->state->nvme.submitted)
		total = d->state->nvme.submitted;
	return device_await_total(d, total);
}

static void *pump_main(void *data)
{
	struct pump *p = data;

	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		unsigned int taken = 0;

		for (unsigned int i = 0; i < p->devices; i++) {
			struct device *d = p->device[i];

			if (!device_due(d))
				continue;
			taken += device_poll(d);
			/* What comes from here on raises another one */
			irq_next(&d->irq);
		}
		__atomic_add_fetch(&p->rounds, 1, __ATOMIC_RELEASE);
		if (!taken)
			usleep(1000);
	}
	return NULL;
}

void pump_add(struct pump *p, struct device *d)
{
	if (p->devices < DEVICES_MAX)
		p->device[p->devices++] = d;
}

int pump_start(struct pump *p)
{
	int rc;

	p->stop = false;
	rc = -pthread_create(&p->thread, NULL, pump_main, p);
	p->running = !rc;
	return rc;
}

void pump_last_reads(struct pump *p)
{
	uint64_t rounds;

	for (unsigned int i = 0; i < p->devices; i++)
		if (p->device[i]->state->kind == DEVICE_NVME)
			nvme_last_reads(&p->device[i]->nvme);
	/* One of them may be under way, and not know yet */
	rounds = __atomic_load_n(&p->rounds, __ATOMIC_ACQUIRE);
	while (p->running &&
	       __atomic_load_n(&p->rounds, __ATOMIC_ACQUIRE) < rounds + 2)
		usleep(1000);
}

void pump_stop(struct pump *p)
{
	if (!p->running)
		return;
	__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
	pthread_join(p->thread, NULL);
	p->running = false;
	for (unsigned int i = 0; i < p->devices; i++)
		device_poll(p->device[i]);
}
