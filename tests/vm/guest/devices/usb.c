// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <unistd.h>

#include "usb.h"

/* Both kinds begin with the distance to the registers that matter. */
#define LENGTH_MASK 0xffu
#define COMMAND 0x00
#define COMMAND_RUN (1u << 0)
#define COMMAND_RESET (1u << 1)
#define XHCI_COMMAND_WRAPS (1u << 10)
#define STATUS 0x04
#define XHCI_STATUS_HALTED (1u << 0)
#define XHCI_STATUS_NOT_READY (1u << 11)
#define EHCI_STATUS_HALTED (1u << 12)

#define XHCI_RUNTIME 0x18
#define RING_COUNT 0x28
#define RING_TABLE 0x30
#define RING_DEQUEUE 0x38

#define EVENTS 256u
#define EVENT_WORDS 4
#define RING_AT 4096u
#define WAIT_MS 1000

static uint32_t peek(const struct usb *u, unsigned int at)
{
	return *(volatile uint32_t *)((volatile char *)u->bar + at);
}

static void poke(const struct usb *u, unsigned int at, uint32_t val)
{
	*(volatile uint32_t *)((volatile char *)u->bar + at) = val;
}

static void poke64(const struct usb *u, unsigned int at, uint64_t val)
{
	poke(u, at, (uint32_t)val);
	poke(u, at + 4, val >> 32);
}

static unsigned int operational(const struct usb *u)
{
	return peek(u, 0) & LENGTH_MASK;
}

int usb_find(struct usb *u, uint32_t id, volatile void *bar)
{
	if (id != XHCI_ID && id != EHCI_ID)
		return -ENODEV;
	u->xhci = id == XHCI_ID;
	u->bar = bar;
	return bar ? 0 : -ENXIO;
}

static int reset(const struct usb *u)
{
	unsigned int op = operational(u);

	poke(u, op + COMMAND, COMMAND_RESET);
	for (int ms = 0; ms < WAIT_MS; ms++) {
		if (!(peek(u, op + COMMAND) & COMMAND_RESET) &&
		    !(u->xhci &&
		      peek(u, op + STATUS) & XHCI_STATUS_NOT_READY))
			return 0;
		usleep(1000);
	}
	return -EIO;
}

/* One segment, described in the first bytes of the memory. */
static void set_ring(const struct usb *u, uint32_t *table, uint64_t iova)
{
	unsigned int runtime = peek(u, XHCI_RUNTIME) & ~0x1fu;
	uint64_t ring = iova + RING_AT;

	table[0] = (uint32_t)ring;
	table[1] = ring >> 32;
	table[2] = EVENTS;
	table[3] = 0;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	poke(u, runtime + RING_COUNT, 1);
	poke64(u, runtime + RING_DEQUEUE, ring);
	poke64(u, runtime + RING_TABLE, iova);
}

int usb_start(const struct usb *u, void *events, uint64_t iova)
{
	unsigned int op = operational(u);
	uint32_t run = COMMAND_RUN, command, status;
	int rc = reset(u);

	if (rc)
		return rc;
	if (u->xhci) {
		set_ring(u, events, iova);
		run |= XHCI_COMMAND_WRAPS;
	}
	poke(u, op + COMMAND, peek(u, op + COMMAND) | run);
	for (int ms = 0; ms < WAIT_MS; ms++) {
		if (usb_runs(u, &command, &status))
			return 0;
		usleep(1000);
	}
	return -EIO;
}

void usb_stop(const struct usb *u)
{
	unsigned int op = operational(u);

	poke(u, op + COMMAND, peek(u, op + COMMAND) & ~COMMAND_RUN);
}

bool usb_runs(const struct usb *u, uint32_t *ret_command, uint32_t *ret_status)
{
	unsigned int op = operational(u);
	uint32_t halted = u->xhci ? XHCI_STATUS_HALTED : EHCI_STATUS_HALTED;

	*ret_command = peek(u, op + COMMAND);
	*ret_status = peek(u, op + STATUS);
	return *ret_command & COMMAND_RUN && !(*ret_status & halted);
}

unsigned int usb_events(const void *events)
{
	const volatile uint32_t *ring =
		(const volatile void *)((const char *)events + RING_AT);
	unsigned int count = 0;

	/* The last bit of each says whether it has been written */
	while (count < EVENTS && ring[count * EVENT_WORDS + 3] & 1)
		count++;
	return count;
}
