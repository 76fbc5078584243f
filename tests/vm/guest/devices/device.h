/* SPDX-License-Identifier: GPL-2.0-only */
/* A device under test, whichever kind it is, and the thread that serves it. */
#ifndef LU_DEVICE_H
#define LU_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "e1000e.h"
#include "frames.h"
#include "irq.h"
#include "nvme.h"
#include "virtio.h"

#define DEVICES_MAX 8

enum device_kind { DEVICE_NONE, DEVICE_NIC, DEVICE_NVME, DEVICE_VNET };

/* Lives in guest memory. */
struct device_state {
	char bdf[BDF_BYTES];
	uint32_t kind;
	uint32_t irq; /* enum irq_kind: what it is served by */
	union {
		struct nic_state nic;
		struct nvme_state nvme;
		struct vnet_state vnet;
	};
};

struct device {
	struct device_state *state;
	struct vfio vfio;
	struct irq irq;
	union {
		struct nic nic;
		struct nvme nvme;
		struct vnet vnet;
	};
};

struct device_plan {
	uint32_t stream;
	uint32_t slots; /* of a card's ring, where it can have so many */
	uint32_t reads; /* in flight in a drive */
	uint32_t queue; /* number of a drive's queues */
	int buffers; /* BUFFERS_... */
};

/* What receives frames, by its PCI ID. */
bool device_is_card(uint32_t id);
/* Finds out the kind, lays out rings and buffers in guest memory. */
int device_setup(struct device *d, struct memory *m, struct device_state *state,
		 const char *bdf, const struct device_plan *plan);
/* The same device in the next kernel: memory is all there is at first. */
void device_adopt(struct device *d, struct memory *m,
		  struct device_state *state);
/* From here on the registers are in reach: @vfio is bound, a BAR mapped. */
int device_connect(struct device *d, int fd, int iommufd);
/* The same for one that somebody has bound to its iommufd. */
int device_adopt_bound(struct device *d, int fd, uint32_t devid);
/* The last part of both. */
int device_reach(struct device *d);
/*
 * It is to be served when it raises an interrupt, and not by polling: said before
 * it is started, when it is in reach. A kind that it does not have is -EINVAL.
 */
int device_raise(struct device *d, enum irq_kind how);
/* The same in the next kernel, where it has been started. */
int device_arm(struct device *d);
/* Is there something to take, as far as interrupts tell? */
bool device_due(struct device *d);
int device_start(struct device *d);
unsigned int device_poll(struct device *d);
bool device_unchanged(const struct device *d, char *why, unsigned int size);
void device_disconnect(struct device *d);
/* The same without a word to the device, as when its owner is killed. */
void device_drop(struct device *d);
/* What became of the frames it was sent; NULL for what receives none. */
struct frame_tally *device_frames(const struct device *d);
/*
 * How many transfers are no more to wait for than so many frames are on a card
 * that gets all of them.
 */
uint64_t device_share(const struct device *d, uint64_t frames);
/* Transfers made but not taken yet, none of them touched. */
uint32_t device_waiting(const struct device *d);
/* Transfers that have come to a good end so far. */
uint64_t device_progress(const struct device *d);
/* Transfers that have not. */
uint64_t device_errors(const struct device *d);

/* A thread that polls devices until told to stop. */
struct pump {
	struct device *device[DEVICES_MAX];
	unsigned int devices;
	pthread_t thread;
	bool running;
	bool stop;
	uint64_t rounds;
};

void pump_add(struct pump *p, struct device *d);
int pump_start(struct pump *p);
/* From here on its drives get nothing new to do, but those that are endless. */
void pump_last_reads(struct pump *p);
/* Ends with one last look at each device. */
void pump_stop(struct pump *p);

/*
 * Waits until a device has made @total transfers since it was started. Gives up,
 * false, only when it has made none at all for a long while.
 */
bool device_await_total(const struct device *d, uint64_t total);
/* The same for @more than now. */
bool device_await(const struct device *d, uint64_t more);
/* The same, but a drive that has done all it was asked for may rest. */
bool device_goes_on(const struct device *d, uint64_t more);

#endif
