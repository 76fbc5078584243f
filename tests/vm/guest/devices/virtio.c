// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "virtio.h"

/* Capabilities, VIRTIO 1.2, 4.1.4 */
#define CAPABILITIES 0x34
#define CAPABILITIES_MAX 48
#define CAP_VENDOR 0x09
#define CAP_TYPE 2
#define CAP_BAR 4
#define CAP_OFFSET 8
#define CAP_MULTIPLIER 16
#define TYPE_COMMON 1
#define TYPE_NOTIFY 2
#define TYPE_DEVICE 4

/* The common registers, 4.1.4.3 */
#define DEVICE_FEATURE_SELECT 0x00
#define DEVICE_FEATURE 0x04
#define DRIVER_FEATURE_SELECT 0x08
#define DRIVER_FEATURE 0x0c
#define CONFIG_VECTOR 0x10
#define DEVICE_STATUS 0x14
#define QUEUE_SELECT 0x16
#define QUEUE_SIZE 0x18
#define QUEUE_VECTOR 0x1a
#define QUEUE_ENABLE 0x1c
#define QUEUE_NOTIFY_OFF 0x1e
#define QUEUE_DESCRIPTORS 0x20
#define QUEUE_AVAILABLE 0x28
#define QUEUE_USED 0x30
#define NO_VECTOR 0xffff

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u
#define STATUS_ALL 15u

#define FEATURE_MAC (1u << 5)
/* Numbers 32 and 33 */
#define FEATURE_VERSION_1 (1u << 0)
#define FEATURE_ACCESS_PLATFORM (1u << 1)

#define RECEIVE_QUEUE 0
#define BUFFER_BYTES 2048u
/* In front of each frame, 5.1.6; and both of them in whole words. */
#define HEADER_BYTES 12u
#define TOUCHED_BYTES ((HEADER_BYTES + FRAME_BYTES + 7) / 8 * 8)

#define WRITABLE 2
#define NO_INTERRUPT 1
#define NO_ANSWER 0xffffffffu

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct available {
	uint16_t flags;
	uint16_t index;
	uint16_t slot[];
};

struct answer {
	uint32_t slot;
	uint32_t length;
};

/*
 * Where in a page it begins, so that no answer lies in two pages: QEMU would
 * translate the first half of it and take an offset for the other's IOVA.
 */
#define USED_AT (sizeof(struct answer) - sizeof(struct used))

struct used {
	uint16_t flags;
	uint16_t index;
	struct answer answer[];
};

static volatile struct available *available(const struct vnet *n)
{
	return memory_at(n->memory, n->state->available);
}

static volatile struct used *used(const struct vnet *n)
{
	return memory_at(n->memory, n->state->used);
}

static uint64_t buffer(const struct vnet *n, uint32_t slot)
{
	return buffers_page(&n->state->buffers, n->memory, slot);
}

/* Registers have to be accessed in their own width, 4.1.3.1. */
static volatile void *at(const struct vnet *n, unsigned int offset)
{
	return (volatile char *)n->vfio->bar + offset;
}

static uint8_t get_status(const struct vnet *n)
{
	return *(volatile uint8_t *)at(n, n->common + DEVICE_STATUS);
}

static void put_status(const struct vnet *n, uint8_t val)
{
	*(volatile uint8_t *)at(n, n->common + DEVICE_STATUS) = val;
}

static uint16_t get16(const struct vnet *n, unsigned int offset)
{
	return *(volatile uint16_t *)at(n, n->common + offset);
}

static void put16(const struct vnet *n, unsigned int offset, uint16_t val)
{
	*(volatile uint16_t *)at(n, n->common + offset) = val;
}

static uint32_t get32(const struct vnet *n, unsigned int offset)
{
	return *(volatile uint32_t *)at(n, n->common + offset);
}

static void put32(const struct vnet *n, unsigned int offset, uint32_t val)
{
	*(volatile uint32_t *)at(n, n->common + offset) = val;
}

static uint64_t get64(const struct vnet *n, unsigned int offset)
{
	return get32(n, offset) | (uint64_t)get32(n, offset + 4) << 32;
}

static void put64(const struct vnet *n, unsigned int offset, uint64_t val)
{
	put32(n, offset, (uint32_t)val);
	put32(n, offset + 4, val >> 32);
}

/*
 * Each slot stays at its own place in both rings: the card uses buffers in the
 * order in which it got them, and gets them back in that order.
 */
static void arm_all(struct vnet *n)
{
	volatile struct descriptor *d =
		memory_at(n->memory, n->state->descriptors);
	uint32_t slots = n->state->slots;

	for (uint32_t slot = 0; slot < slots; slot++) {
		d[slot].address = memory_iova(buffer(n, slot));
		d[slot].length = BUFFER_BYTES;
		d[slot].flags = WRITABLE;
		d[slot].next = 0;
		available(n)->slot[slot] = slot;
		used(n)->answer[slot].slot = NO_ANSWER;
	}
	used(n)->flags = 0;
	used(n)->index = 0;
	available(n)->flags = NO_INTERRUPT;
	available(n)->index = slots;
}

int vnet_setup(struct vnet *n, struct memory *m, struct vnet_state *state,
	       uint32_t stream, uint32_t slots, int buffers)
{
	int rc;

	memset(state, 0, sizeof(*state));
	*n = (struct vnet){ .state = state, .memory = m };
	state->slots = VNET_SLOTS;
	while (state->slots > slots)
		state->slots /= 2;
	slots = state->slots;
	state->descriptors = memory_take(m, slots * sizeof(struct descriptor));
	state->available = memory_take(m, sizeof(struct available) +
						  slots * sizeof(uint16_t));
	state->used = memory_take(m, USED_AT + sizeof(struct used) +
					     slots * sizeof(struct answer));
	if (!slots || !state->used)
		return -ENOMEM;
	state->used += USED_AT;
	rc = frames_setup(&state->frames, m, stream, buffers);
	if (!rc)
		rc = buffers_take(&state->buffers, m, slots, buffers);
	if (!rc)
		arm_all(n);
	return rc;
}

static int config32(const struct vfio *v, unsigned int offset, uint32_t *ret)
{
	uint16_t low, high;
	int rc;

	rc = vfio_read16(v, offset, &low);
	if (!rc)
		rc = vfio_read16(v, offset + 2, &high);
	if (!rc)
		*ret = low | (uint32_t)high << 16;
	return rc;
}

/* Where in the configuration space the first one of a type is. */
static int find(const struct vfio *v, unsigned int type, unsigned int *ret)
{
	uint16_t where, head, kind;
	int rc;

	rc = vfio_read16(v, CAPABILITIES, &where);
	for (int i = 0; !rc && i < CAPABILITIES_MAX; i++) {
		where &= 0xfc;
		if (!where)
			break;
		rc = vfio_read16(v, where, &head);
		if (!rc)
			rc = vfio_read16(v, where + CAP_TYPE, &kind);
		if (!rc && (head & 0xff) == CAP_VENDOR && kind >> 8 == type) {
			*ret = where;
			return 0;
		}
		where = head >> 8;
	}
	return rc ? rc : -ENODEV;
}

/* All of them have to be in one BAR, as they are in QEMU. */
static int place(const struct vfio *v, unsigned int type, uint32_t *bar,
		 uint32_t *ret)
{
	unsigned int cap;
	uint32_t in;
	int rc;

	rc = find(v, type, &cap);
	if (!rc)
		rc = config32(v, cap + CAP_BAR, &in);
	if (!rc)
		rc = config32(v, cap + CAP_OFFSET, ret);
	if (rc)
		return rc;
	in &= 0xff;
	if (type == TYPE_COMMON)
		*bar = in;
	return in == *bar && in < 6 ? 0 : -EOPNOTSUPP;
}

int vnet_reach(struct vnet *n, struct vfio *v)
{
	uint32_t bar = 0;
	int rc;

	rc = place(v, TYPE_COMMON, &bar, &n->common);
	if (!rc)
		rc = place(v, TYPE_DEVICE, &bar, &n->config);
	if (!rc)
		rc = vfio_map_bar(v, bar);
	if (!rc)
		n->vfio = v;
	return rc;
}

/* The last four of its six bytes. */
static uint32_t mac(const struct vnet *n)
{
	uint32_t val = 0;

	for (unsigned int i = 0; i < 4; i++)
		val |= (uint32_t)*(volatile uint8_t *)at(n, n->config + 2 + i)
		       << 8 * i;
	return val;
}

static int reset(const struct vnet *n)
{
	put_status(n, 0);
	for (int i = 0; i < 1000; i++) {
		if (!get_status(n))
			return 0;
		usleep(1000);
	}
	return -EIO;
}

/* Nothing but what is needed: no offload, and no second queue. */
static int negotiate(const struct vnet *n)
{
	const uint32_t high = FEATURE_VERSION_1 | FEATURE_ACCESS_PLATFORM;
	uint32_t offered_low, offered_high;

	put32(n, DEVICE_FEATURE_SELECT, 0);
	offered_low = get32(n, DEVICE_FEATURE);
	put32(n, DEVICE_FEATURE_SELECT, 1);
	offered_high = get32(n, DEVICE_FEATURE);
	/* One that does not ask the IOMMU would be no use here. */
	if (!(offered_low & FEATURE_MAC) || (offered_high & high) != high)
		return -EOPNOTSUPP;
	put32(n, DRIVER_FEATURE_SELECT, 0);
	put32(n, DRIVER_FEATURE, FEATURE_MAC);
	put32(n, DRIVER_FEATURE_SELECT, 1);
	put32(n, DRIVER_FEATURE, high);
	put_status(n, get_status(n) | STATUS_FEATURES_OK);
	return get_status(n) & STATUS_FEATURES_OK ? 0 : -EIO;
}

/* Leaves the queue selected, for vnet_unchanged(). */
static int start_queue(struct vnet *n)
{
	struct vnet_state *s = n->state;
	uint32_t bar, bells, apart;
	unsigned int cap;
	int rc;

	rc = place(n->vfio, TYPE_COMMON, &bar, &bells);
	if (!rc)
		rc = place(n->vfio, TYPE_NOTIFY, &bar, &bells);
	if (!rc)
		rc = find(n->vfio, TYPE_NOTIFY, &cap);
	if (!rc)
		rc = config32(n->vfio, cap + CAP_MULTIPLIER, &apart);
	if (rc)
		return rc;
	put16(n, CONFIG_VECTOR, NO_VECTOR);
	put16(n, QUEUE_SELECT, RECEIVE_QUEUE);
	if (get16(n, QUEUE_SIZE) < s->slots)
		return -E2BIG;
	put16(n, QUEUE_SIZE, s->slots);
	put16(n, QUEUE_VECTOR, NO_VECTOR);
	put64(n, QUEUE_DESCRIPTORS, memory_iova(s->descriptors));
	put64(n, QUEUE_AVAILABLE, memory_iova(s->available));
	put64(n, QUEUE_USED, memory_iova(s->used));
	s->notify = bells + get16(n, QUEUE_NOTIFY_OFF) * apart;
	put16(n, QUEUE_ENABLE, 1);
	return 0;
}

/* Says that there are buffers, if there are more than it was last told. */
static void ring_bell(struct vnet *n)
{
	struct vnet_state *s = n->state;
	uint16_t index = available(n)->index;

	if (!n->vfio || s->told == index)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*(volatile uint16_t *)at(n, s->notify) = RECEIVE_QUEUE;
	s->told = index;
}

int vnet_start(struct vnet *n)
{
	int rc;

	rc = vfio_enable(n->vfio);
	if (!rc)
		rc = reset(n);
	if (rc)
		return rc;
	put_status(n, STATUS_ACKNOWLEDGE);
	put_status(n, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	rc = negotiate(n);
	if (!rc)
		rc = start_queue(n);
	if (rc)
		return rc;
	put_status(n, get_status(n) | STATUS_DRIVER_OK);
	ring_bell(n);
	n->state->mac = mac(n);
	return 0;
}

bool vnet_unchanged(const struct vnet *n, char *why, unsigned int size)
{
	const struct vnet_state *s = n->state;
	const struct {
		const char *name;
		uint64_t got, want;
	} seen[] = {
		/* Another card may have been set up in just the same way */
		{ "the end of its address", mac(n), s->mac },
		{ "its status", get_status(n), STATUS_ALL },
		{ "the queue", get16(n, QUEUE_SELECT), RECEIVE_QUEUE },
		{ "its length", get16(n, QUEUE_SIZE), s->slots },
		{ "whether it is on", get16(n, QUEUE_ENABLE), 1 },
		{ "where it is", get64(n, QUEUE_DESCRIPTORS),
		  memory_iova(s->descriptors) },
		{ "where it is filled", get64(n, QUEUE_AVAILABLE),
		  memory_iova(s->available) },
		{ "where it answers", get64(n, QUEUE_USED),
		  memory_iova(s->used) },
	};

	for (unsigned int i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		if (seen[i].got == seen[i].want)
			continue;
		snprintf(why, size, "%s is %#llx, was %#llx", seen[i].name,
			 (unsigned long long)seen[i].got,
			 (unsigned long long)seen[i].want);
		return false;
	}
	snprintf(why, size, "status %#x, %u slots", STATUS_ALL, s->slots);
	return true;
}

uint32_t vnet_waiting(const struct vnet *n)
{
	uint16_t count = used(n)->index - n->state->next;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	/* What nobody can have written is not believed. */
	return count < n->state->slots ? count : n->state->slots;
}

/*
 * The index says that the slot was used. When nothing or something else is
 * written there, that is lost. The canary comes back as on other cards.
 */
static bool consume(struct vnet *n, uint32_t slot)
{
	volatile struct answer *a = &used(n)->answer[slot];
	struct vnet_state *s = n->state;
	uint64_t where = buffer(n, slot);
	uint32_t length = a->length;
	bool good = a->slot == slot && length >= HEADER_BYTES &&
		    length <= BUFFER_BYTES;

	if (good)
		frames_take(&s->frames, n->memory, slot,
			    memory_at(n->memory, where + HEADER_BYTES),
			    length - HEADER_BYTES);
	else
		s->frames.holes++;
	a->slot = NO_ANSWER;
	canary_fill(n->memory, where, TOUCHED_BYTES);
	return good;
}

unsigned int vnet_poll(struct vnet *n)
{
	uint32_t waiting = vnet_waiting(n);
	struct vnet_state *s = n->state;
	unsigned int taken = 0;

	for (uint32_t i = 0; i < waiting; i++) {
		taken += consume(n, s->next % s->slots);
		s->next++;
		/* The slot has to be as it should before it is the card's */
		__atomic_thread_fence(__ATOMIC_RELEASE);
		available(n)->index = s->next + s->slots;
	}
	ring_bell(n);
	return taken;
}

void vnet_stop(struct vnet *n)
{
	reset(n);
}
