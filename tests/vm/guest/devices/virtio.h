/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The receive side of a virtio network card, polled, as VIRTIO 1.2 has it: one
 * split virtqueue, of which every address is an IOVA. One 4 KiB page per
 * buffer, of which the first 2 KiB are offered to the card.
 */
#ifndef LU_VIRTIO_H
#define LU_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "frames.h"
#include "memory.h"
#include "vfio.h"

#define VNET_ID 0x1af41041u
/* No queue of QEMU is longer. */
#define VNET_SLOTS 1024u
/*
 * A queue this short lasts through a black-out because the host sends only one
 * frame in so many of what other cards get: see host/machine.py.
 */
#define VNET_SHARE 12u

/* Lives in guest memory, so that the next kernel's owner can go on. */
struct vnet_state {
	struct frame_tally frames;
	uint32_t slots;
	uint32_t notify; /* where in the BAR the queue's bell is */
	uint16_t next; /* answers taken; its last bits are the slot due next */
	uint16_t told; /* the available index when the bell was last rung */
	uint32_t mac; /* the half of its address that tells it from others */
	uint64_t descriptors;
	uint64_t available;
	uint64_t used;
	struct buffers buffers;
};

struct vnet {
	struct vnet_state *state;
	struct memory *memory;
	struct vfio *vfio; /* NULL while its registers are out of reach */
	/* Where in the BAR these are. */
	uint32_t common;
	uint32_t config;
};

/* Takes the power of two below @slots when there is no such queue. */
int vnet_setup(struct vnet *n, struct memory *m, struct vnet_state *state,
	       uint32_t stream, uint32_t slots, int buffers);
/* Maps the BAR that has the registers, and finds them there. */
int vnet_reach(struct vnet *n, struct vfio *v);
/* Resets the card and starts it. */
int vnet_start(struct vnet *n);
/*
 * Takes every frame that has arrived; returns how many. Used slots are the
 * card's again at once. One that had none left learns of it when its registers
 * can be reached.
 */
unsigned int vnet_poll(struct vnet *n);
/* The registers still say what vnet_start() left there. */
bool vnet_unchanged(const struct vnet *n, char *why, unsigned int size);
/* Frames in the ring from the due slot on, without touching any. */
uint32_t vnet_waiting(const struct vnet *n);
void vnet_stop(struct vnet *n);

#endif
