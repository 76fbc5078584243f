// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nvme.h"

#define CAP_LOW 0x00
#define CAP_HIGH 0x04
#define CC 0x14
#define CC_EN 1u
#define CC_SIZES (6u << 16 | 4u << 20)
#define CSTS 0x1c
#define CSTS_RDY 1u
#define CSTS_CFS 2u
#define AQA 0x24
#define ASQ 0x28
#define ACQ 0x30
#define DOORBELLS 0x1000

#define ADMIN_CREATE_SQ 0x01
#define ADMIN_CREATE_CQ 0x05
#define IO_READ 0x02

#define ADMIN_ENTRIES 8u
#define IO_ENTRIES 2048u
#define BLOCK_BYTES 512u
#define BLOCKS_PER_READ (PAGE_BYTES / BLOCK_BYTES)
/* The drive is larger; reads go round within this. */
#define BLOCKS_USED 32768u

struct command {
	uint32_t cdw0;
	uint32_t nsid;
	uint64_t reserved;
	uint64_t metadata;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t cdw10;
	uint32_t cdw11;
	uint32_t cdw12;
	uint32_t cdw13;
	uint32_t cdw14;
	uint32_t cdw15;
};

struct completion {
	uint32_t result;
	uint32_t reserved;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t cid;
	uint16_t status; /* bit 0 is the phase */
};

static void doorbell(const struct nvme *d, unsigned int queue, bool completion,
		     uint32_t val)
{
	unsigned int index = queue * 2 + completion;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	vfio_write32(d->vfio, DOORBELLS + index * d->state->stride, val);
}

static uint64_t page_of(const struct nvme *d, uint32_t read)
{
	return buffers_page(&d->state->pages, d->memory, read);
}

static void *data_of(const struct nvme *d, uint32_t read)
{
	if (d->window)
		return d->window + read * PAGE_BYTES;
	return memory_at(d->memory, page_of(d, read));
}

static uint64_t iova_of(const struct nvme *d, uint32_t read)
{
	if (d->state->window)
		return d->state->window + read * PAGE_BYTES;
	return memory_iova(page_of(d, read));
}

static uint8_t *turn_of(const struct nvme *d, uint32_t read)
{
	uint8_t *turns = memory_at(d->memory, d->state->turn);

	return &turns[read];
}

/* The first block of a read: another one each time a slot is used again. */
static uint32_t block_of(const struct nvme *d, uint32_t read)
{
	uint32_t turn = *turn_of(d, read) >> 1;

	return (read + turn * 37u) * BLOCKS_PER_READ % BLOCKS_USED;
}

static bool is_data(const struct nvme *d, uint32_t read)
{
	const volatile uint64_t *p = data_of(d, read);
	uint64_t block = block_of(d, read);

	for (unsigned int i = 0; i < PAGE_BYTES / 8; i++) {
		uint64_t want = (block + i / 64) << 8 | i % 64;

		if (p[i] != want)
			return false;
	}
	return true;
}

/* Bit 0 of a slot's turn is set while a read is in flight. */
bool nvme_page_whole(const struct nvme *d, uint32_t read)
{
	bool busy = *turn_of(d, read) & 1;

	/* Then no page of the memory is touched */
	if (d->window)
		return canary_whole(d->memory, page_of(d, read), PAGE_BYTES);
	if (is_data(d, read))
		return true;
	return busy && canary_whole(d->memory, page_of(d, read), PAGE_BYTES);
}

int nvme_setup(struct nvme *d, struct memory *m, struct nvme_state *state,
	       uint32_t reads, int buffers, uint32_t queue)
{
	memset(state, 0, sizeof(*state));
	*d = (struct nvme){ .state = state, .memory = m };
	state->entries = IO_ENTRIES;
	state->reads = reads;
	state->phase = 1;
	state->queue = queue;
	state->sq = memory_take(m, IO_ENTRIES * sizeof(struct command));
	state->cq = memory_take(m, IO_ENTRIES * sizeof(struct completion));
	state->admin_sq = memory_take(m, PAGE_BYTES);
	state->admin_cq = memory_take(m, PAGE_BYTES);
	state->turn = memory_take(m, reads);
	if (!state->turn || reads >= IO_ENTRIES)
		return -ENOMEM;
	memset(memory_at(m, state->turn), 0, reads);
	memset(memory_at(m, state->cq), 0,
	       IO_ENTRIES * sizeof(struct completion));
	memset(memory_at(m, state->admin_cq), 0, PAGE_BYTES);
	return buffers_take(&state->pages, m, reads, buffers);
}

static int wait_ready(struct vfio *v, uint32_t want)
{
	for (int i = 0; i < 5000; i++) {
		uint32_t csts = vfio_read32(v, CSTS);

		if (csts & CSTS_CFS)
			return -EIO;
		if ((csts & CSTS_RDY) == want)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* Only two admin commands are ever sent, so neither queue wraps. */
static int admin(struct nvme *d, const struct command *cmd, unsigned int nth)
{
	struct command *sq = memory_at(d->memory, d->state->admin_sq);
	volatile struct completion *cq =
		memory_at(d->memory, d->state->admin_cq);

	sq[nth] = *cmd;
	doorbell(d, 0, false, nth + 1);
	for (int i = 0; i < 5000; i++) {
		uint16_t status = cq[nth].status;

		if (status & 1) {
			doorbell(d, 0, true, nth + 1);
			return status >> 1 ? -EIO : 0;
		}
		usleep(1000);
	}
	return -ETIMEDOUT;
}

static int create_queues(struct nvme *d)
{
	struct nvme_state *s = d->state;
	struct command cq = {
		.cdw0 = ADMIN_CREATE_CQ,
		.prp1 = memory_iova(s->cq),
		.cdw10 = (s->entries - 1) << 16 | s->queue,
		/* Contiguous; the first vector, or no interrupts */
		.cdw11 = d->raises ? 3 : 1,
	};
	struct command sq = {
		.cdw0 = ADMIN_CREATE_SQ | 1u << 16,
		.prp1 = memory_iova(s->sq),
		.cdw10 = (s->entries - 1) << 16 | s->queue,
		.cdw11 = s->queue << 16 | 1, /* where answers go */
	};
	int rc = admin(d, &cq, 0);

	return rc ? rc : admin(d, &sq, 1);
}

int nvme_start(struct nvme *d)
{
	struct nvme_state *s = d->state;
	struct vfio *v = d->vfio;
	uint64_t asq = memory_iova(s->admin_sq);
	uint64_t acq = memory_iova(s->admin_cq);
	int rc;

	rc = vfio_enable(v);
	if (rc)
		return rc;
	if ((vfio_read32(v, CAP_LOW) & 0xffff) + 1 < s->entries)
		return -E2BIG;
	s->stride = 4u << (vfio_read32(v, CAP_HIGH) & 15);
	vfio_write32(v, CC, 0);
	rc = wait_ready(v, 0);
	if (rc)
		return rc;
	vfio_write32(v, AQA, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
	vfio_write32(v, ASQ, (uint32_t)asq);
	vfio_write32(v, ASQ + 4, asq >> 32);
	vfio_write32(v, ACQ, (uint32_t)acq);
	vfio_write32(v, ACQ + 4, acq >> 32);
	vfio_write32(v, CC, CC_SIZES | CC_EN);
	rc = wait_ready(v, CSTS_RDY);
	if (!rc)
		rc = create_queues(d);
	s->cc = vfio_read32(v, CC);
	return rc;
}

void nvme_read_into(struct nvme *d, uint64_t iova, void *base)
{
	d->state->window = iova;
	d->window = base;
}

static void queue_read(struct nvme *d, uint32_t read)
{
	struct nvme_state *s = d->state;
	struct command *sq = memory_at(d->memory, s->sq);

	*turn_of(d, read) |= 1;
	sq[s->sq_tail] = (struct command){
		.cdw0 = IO_READ | read << 16,
		.nsid = 1,
		.prp1 = iova_of(d, read),
		.cdw10 = block_of(d, read),
		.cdw12 = BLOCKS_PER_READ - 1,
	};
	s->sq_tail = (s->sq_tail + 1) % s->entries;
	s->submitted++;
}

void nvme_submit_all(struct nvme *d)
{
	for (uint32_t read = 0; read < d->state->reads; read++)
		queue_read(d, read);
	doorbell(d, d->state->queue, false, d->state->sq_tail);
}

static void complete(struct nvme *d, uint32_t read, uint16_t status)
{
	struct nvme_state *s = d->state;
	uint8_t *turn;

	if (read >= s->reads || !(*turn_of(d, read) & 1)) {
		s->stray++;
		return;
	}
	turn = turn_of(d, read);
	s->completed++;
	if (status >> 1)
		s->status_errors++;
	else if (!is_data(d, read))
		s->data_errors++;
	*turn &= ~1;
}

/* How many reads there should be in flight. */
static uint32_t wanted(const struct nvme *d)
{
	uint32_t least = __atomic_load_n(&d->least, __ATOMIC_ACQUIRE);

	return d->endless ? d->state->reads : least;
}

/* Gives checked pages back to the drive, for the next round of data. */
static void read_again(struct nvme *d)
{
	struct nvme_state *s = d->state;
	uint32_t before = s->sq_tail, want = wanted(d);
	uint8_t *turn;

	for (uint32_t read = 0; read < s->reads; read++) {
		if (s->submitted - s->completed >= want)
			break;
		turn = turn_of(d, read);
		if (*turn & 1)
			continue;
		*turn += 2;
		if (d->window)
			memset(data_of(d, read), 0, PAGE_BYTES);
		else
			canary_fill(d->memory, page_of(d, read), PAGE_BYTES);
		queue_read(d, read);
	}
	if (s->sq_tail != before)
		doorbell(d, s->queue, false, s->sq_tail);
}

unsigned int nvme_poll(struct nvme *d)
{
	struct nvme_state *s = d->state;
	volatile struct completion *cq = memory_at(d->memory, s->cq);
	unsigned int taken = 0;

	for (;;) {
		uint16_t status = cq[s->cq_head].status;

		if ((status & 1) != s->phase)
			break;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		complete(d, cq[s->cq_head].cid, status);
		taken++;
		if (++s->cq_head == s->entries) {
			s->cq_head = 0;
			s->phase ^= 1;
		}
	}
	if (d->vfio && s->doorbell != s->cq_head) {
		doorbell(d, s->queue, true, s->cq_head);
		s->doorbell = s->cq_head;
	}
	if (d->vfio)
		read_again(d);
	return taken;
}

void nvme_last_reads(struct nvme *d)
{
	__atomic_store_n(&d->least, 0, __ATOMIC_RELEASE);
}

uint32_t nvme_waiting(const struct nvme *d)
{
	const struct nvme_state *s = d->state;
	volatile struct completion *cq = memory_at(d->memory, s->cq);
	uint32_t at = s->cq_head, phase = s->phase, count = 0;

	while (count < s->entries && (cq[at].status & 1) == phase) {
		count++;
		if (++at == s->entries) {
			at = 0;
			phase ^= 1;
		}
	}
	return count;
}

bool nvme_unchanged(const struct nvme *d, char *why, unsigned int size)
{
	uint32_t cc = vfio_read32(d->vfio, CC);
	uint32_t csts = vfio_read32(d->vfio, CSTS);

	snprintf(why, size, "CC %#x, was %#x, CSTS %#x", cc, d->state->cc,
		 csts);
	return cc == d->state->cc &&
	       (csts & (CSTS_RDY | CSTS_CFS)) == CSTS_RDY;
}

void nvme_stop(struct nvme *d)
{
	vfio_write32(d->vfio, CC, 0);
	wait_ready(d->vfio, 0);
}
