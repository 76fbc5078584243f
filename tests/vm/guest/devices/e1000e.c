// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "e1000e.h"

#define CTRL 0x0000
#define CTRL_SLU (1u << 6)
#define CTRL_RST (1u << 26)
#define STATUS 0x0008
#define STATUS_LU (1u << 1)
#define CTRL_EXT 0x0018
#define CTRL_EXT_IAME (1u << 27) /* what clears itself stays unmasked */
#define CTRL_EXT_PBA_CLR (1u << 31)
#define ICR 0x00c0
#define IMS 0x00d0
#define IMC 0x00d8
#define EIAC 0x00dc
#define IVAR 0x00e4
#define IVAR_RXQ0_FIRST 0x8u /* the first vector is the receive queue's */
#define CAUSE_RECEIVED (1u << 7)
#define CAUSE_RXQ0 (1u << 20)
#define RCTL 0x0100
#define RCTL_EN (1u << 1)
#define RCTL_UPE (1u << 3)
#define RCTL_MPE (1u << 4)
#define RCTL_BAM (1u << 15)
#define RCTL_SECRC (1u << 26)
#define RDBAL 0x2800
#define RDBAH 0x2804
#define RDLEN 0x2808
#define RDH 0x2810
#define RDT 0x2818
#define RXCSUM 0x5000
#define RAL 0x5400
#define RAH 0x5404
#define RAH_ADDRESS 0xffffu
#define RFCTL 0x5008
#define MRQC 0x5818

#define STATUS_DD 1u

struct descriptor {
	uint64_t address;
	uint16_t length;
	uint16_t checksum;
	uint8_t status;
	uint8_t errors;
	uint16_t special;
};

static volatile struct descriptor *descriptor(const struct nic *n,
					      uint32_t slot)
{
	volatile struct descriptor *ring =
		memory_at(n->memory, n->state->ring);

	return &ring[slot];
}

static uint64_t buffer(const struct nic *n, uint32_t slot)
{
	return buffers_page(&n->state->buffers, n->memory, slot);
}

static void arm(struct nic *n, uint32_t slot)
{
	volatile struct descriptor *d = descriptor(n, slot);

	d->status = 0;
	d->errors = 0;
	d->length = 0;
	d->address = memory_iova(buffer(n, slot));
}

int nic_setup(struct nic *n, struct memory *m, struct nic_state *state,
	      uint32_t stream, uint32_t slots, int buffers)
{
	int rc;

	memset(state, 0, sizeof(*state));
	*n = (struct nic){ .state = state, .memory = m };
	state->slots = slots;
	state->ring = memory_take(m, slots * sizeof(struct descriptor));
	if (!state->ring)
		return -ENOMEM;
	rc = frames_setup(&state->frames, m, stream, buffers);
	if (!rc)
		rc = buffers_take(&state->buffers, m, slots, buffers);
	if (rc)
		return rc;
	for (uint32_t slot = 0; slot < slots; slot++)
		arm(n, slot);
	return 0;
}

static int reset(struct vfio *v)
{
	vfio_write32(v, IMC, ~0u);
	vfio_write32(v, CTRL, vfio_read32(v, CTRL) | CTRL_RST);
	for (int i = 0; i < 100; i++) {
		usleep(1000);
		if (!(vfio_read32(v, CTRL) & CTRL_RST))
			return 0;
	}
	return -EIO;
}

static int link_up(struct vfio *v)
{
	for (int i = 0; i < 5000; i++) {
		if (vfio_read32(v, STATUS) & STATUS_LU)
			return 0;
		usleep(1000);
	}
	return -ENOLINK;
}

/* The last four of its six bytes. */
static uint32_t mac(const struct vfio *v)
{
	return vfio_read32(v, RAL) >> 16 |
	       (vfio_read32(v, RAH) & RAH_ADDRESS) << 16;
}

static void remember(struct nic *n)
{
	struct nic_state *s = n->state;
	struct vfio *v = n->vfio;

	s->mac = mac(v);
	s->ctrl = vfio_read32(v, CTRL);
	s->rctl = vfio_read32(v, RCTL);
	s->rdba_low = vfio_read32(v, RDBAL);
	s->rdba_high = vfio_read32(v, RDBAH);
	s->rdlen = vfio_read32(v, RDLEN);
}

void nic_raise(struct nic *n, enum irq_kind how)
{
	struct vfio *v = n->vfio;

	if (how == IRQ_MSIX) {
		vfio_write32(v, CTRL_EXT, vfio_read32(v, CTRL_EXT) |
					  CTRL_EXT_IAME | CTRL_EXT_PBA_CLR);
		vfio_write32(v, IVAR, IVAR_RXQ0_FIRST);
		vfio_write32(v, EIAC, CAUSE_RXQ0);
	}
	vfio_write32(v, IMS, how == IRQ_MSIX ? CAUSE_RXQ0 : CAUSE_RECEIVED);
}

void nic_heard(struct nic *n)
{
	/* To read the causes is to clear them */
	vfio_read32(n->vfio, ICR);
}

int nic_start(struct nic *n)
{
	struct nic_state *s = n->state;
	uint64_t ring = memory_iova(s->ring);
	struct vfio *v = n->vfio;
	int rc;

	rc = vfio_enable(v);
	if (!rc)
		rc = reset(v);
	if (rc)
		return rc;
	vfio_write32(v, IMC, ~0u);
	vfio_write32(v, CTRL, vfio_read32(v, CTRL) | CTRL_SLU);
	rc = link_up(v);
	if (rc)
		return rc;
	vfio_write32(v, RFCTL, 0);
	vfio_write32(v, MRQC, 0);
	vfio_write32(v, RXCSUM, 0);
	vfio_write32(v, RDBAL, (uint32_t)ring);
	vfio_write32(v, RDBAH, ring >> 32);
	vfio_write32(v, RDLEN, s->slots * sizeof(struct descriptor));
	vfio_write32(v, RDH, 0);
	vfio_write32(v, RDT, s->slots - 1);
	s->tail = s->slots - 1;
	vfio_write32(v, RCTL, RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM |
				      RCTL_SECRC);
	remember(n);
	return 0;
}

bool nic_unchanged(const struct nic *n, char *why, unsigned int size)
{
	const struct nic_state *s = n->state;
	const struct {
		const char *name;
		unsigned int at;
		uint32_t want;
	} regs[] = {
		{ "CTRL", CTRL, s->ctrl },
		{ "RCTL", RCTL, s->rctl },
		{ "RDBAL", RDBAL, s->rdba_low },
		{ "RDBAH", RDBAH, s->rdba_high },
		{ "RDLEN", RDLEN, s->rdlen },
	};

	/* Another card may have been set up in just the same way */
	if (mac(n->vfio) != s->mac) {
		snprintf(why, size, "its address ends in %#x, was %#x",
			 mac(n->vfio), s->mac);
		return false;
	}
	for (unsigned int i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		uint32_t got = vfio_read32(n->vfio, regs[i].at);

		if (got == regs[i].want)
			continue;
		snprintf(why, size, "%s is %#x, was %#x", regs[i].name, got,
			 regs[i].want);
		return false;
	}
	snprintf(why, size, "CTRL %#x RCTL %#x", s->ctrl, s->rctl);
	return true;
}

/*
 * Restores the canary once the frame is read: at the end every buffer page
 * has to hold nothing else, and a slot that gets no data shows none.
 */
static void consume(struct nic *n, uint32_t slot)
{
	uint64_t at = buffer(n, slot);

	frames_take(&n->state->frames, n->memory, slot,
		    memory_at(n->memory, at), descriptor(n, slot)->length);
	canary_fill(n->memory, at, FRAME_BYTES);
}

static bool done(const struct nic *n, uint32_t slot)
{
	bool dd = descriptor(n, slot)->status & STATUS_DD;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return dd;
}

static uint32_t after(const struct nic_state *s, uint32_t slot)
{
	return slot + 1 == s->slots ? 0 : slot + 1;
}

/*
 * Has the card gone past the due slot without answering? Its head register
 * tells; while that is out of reach, a later slot with an answer does.
 */
static bool is_hole(const struct nic *n)
{
	const struct nic_state *s = n->state;
	bool past = false;

	if (n->vfio) {
		past = vfio_read32(n->vfio, RDH) != s->head;
	} else {
		uint32_t slot = after(s, s->head);

		while (slot != s->head && !past) {
			past = done(n, slot);
			slot = after(s, slot);
		}
	}
	/* The answer may have come between the two looks. */
	return past && !done(n, s->head);
}

/* Gives the card every slot up to the one before the due one. */
static void post(struct nic *n)
{
	struct nic_state *s = n->state;
	uint32_t tail = s->head ? s->head - 1 : s->slots - 1;

	if (!n->vfio || s->tail == tail)
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vfio_write32(n->vfio, RDT, tail);
	s->tail = tail;
}

unsigned int nic_poll(struct nic *n)
{
	struct nic_state *s = n->state;
	unsigned int taken = 0, moved = 0;

	while (moved < s->slots - 1) {
		uint32_t slot = s->head;

		if (done(n, slot)) {
			consume(n, slot);
			taken++;
		} else if (is_hole(n)) {
			s->frames.holes++;
		} else if (done(n, slot)) {
			continue;
		} else {
			break;
		}
		arm(n, slot);
		s->head = after(s, slot);
		moved++;
		/* Keep the card fed during a long backlog as well. */
		if (!(moved % 64))
			post(n);
	}
	post(n);
	return taken;
}

uint32_t nic_waiting(const struct nic *n)
{
	uint32_t slot = n->state->head, count = 0;

	while (count < n->state->slots && done(n, slot)) {
		slot = after(n->state, slot);
		count++;
	}
	return count;
}

void nic_stop(struct nic *n)
{
	vfio_write32(n->vfio, RCTL, 0);
}
