/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The receive side of an e1000e network card, polled, with legacy
 * descriptors. One 4 KiB page per descriptor, of which the first 2 KiB are
 * offered to the card.
 */
#ifndef LU_E1000E_H
#define LU_E1000E_H

#include <stdbool.h>
#include <stdint.h>

#include "frames.h"
#include "irq.h"
#include "memory.h"
#include "vfio.h"

#define E1000E_ID 0x808610d3u

/* Lives in guest memory, so that the next kernel's owner can go on. */
struct nic_state {
	struct frame_tally frames;
	uint32_t slots;
	uint32_t head; /* the slot that is due next */
	uint32_t tail; /* what the card was last told */
	uint64_t ring;
	struct buffers buffers;

	uint32_t mac; /* the half of its address that tells it from others */
	uint32_t ctrl;
	uint32_t rctl;
	uint32_t rdba_low;
	uint32_t rdba_high;
	uint32_t rdlen;
};

struct nic {
	struct nic_state *state;
	struct memory *memory;
	struct vfio *vfio; /* NULL while its registers are out of reach */
};

int nic_setup(struct nic *n, struct memory *m, struct nic_state *state,
	      uint32_t stream, uint32_t slots, int buffers);
/* Resets the card, starts it, waits for the link. */
int nic_start(struct nic *n);
/*
 * Takes every frame that has arrived; returns how many. Used slots go back to
 * the card if its registers can be reached, otherwise at the next call.
 */
unsigned int nic_poll(struct nic *n);
/* From here on, once started, a frame that arrives raises an interrupt. */
void nic_raise(struct nic *n, enum irq_kind how);
/* To be called for each, but with MSI-X, where nothing is to be done. */
void nic_heard(struct nic *n);
/* The registers still say what nic_start() left there. */
bool nic_unchanged(const struct nic *n, char *why, unsigned int size);
/* Frames in the ring from the due slot on, without touching any. */
uint32_t nic_waiting(const struct nic *n);
void nic_stop(struct nic *n);

#endif
