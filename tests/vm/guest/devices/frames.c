// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "frames.h"

#define FRAME_TYPE_HIGH 0x88
#define FRAME_TYPE_LOW 0xb5
#define FRAME_MAGIC 0x4c55464du

enum frame_kind {
	FRAME_GOOD,
	FRAME_DAMAGED, /* ours, but some byte is not what was sent */
	FRAME_FOREIGN,
};

struct header {
	unsigned char to[6];
	unsigned char from[6];
	unsigned char type[2];
	uint32_t magic;
	uint32_t stream;
	uint64_t seq;
	uint64_t send_ns;
} __attribute__((packed));

/* xorshift64* started with the number of the frame. */
static bool payload_good(const unsigned char *p, unsigned int bytes,
			 uint64_t seq)
{
	uint64_t x = seq;

	while (bytes) {
		unsigned int take = bytes < 8 ? bytes : 8;
		uint64_t word;

		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		word = x * 0x2545f4914f6cdd1dull;
		if (memcmp(p, &word, take))
			return false;
		p += take;
		bytes -= take;
	}
	return true;
}

static bool addresses_good(const struct header *h)
{
	static const unsigned char all[6] = { 0xff, 0xff, 0xff,
					      0xff, 0xff, 0xff };
	const unsigned char from[6] = { 0x52, 0x54, 0x00, 0x4c, 0x55,
					(unsigned char)h->stream };

	return !memcmp(h->to, all, 6) && !memcmp(h->from, from, 6);
}

/* Fills seq, send_ns and the payload flag, except for foreign frames. */
static enum frame_kind parse(const unsigned char *data, unsigned int bytes,
			     uint32_t *stream, struct frame_record *ret)
{
	struct header h;

	if (bytes < sizeof(h))
		return FRAME_FOREIGN;
	memcpy(&h, data, sizeof(h));
	if (h.type[0] != FRAME_TYPE_HIGH || h.type[1] != FRAME_TYPE_LOW ||
	    h.magic != FRAME_MAGIC)
		return FRAME_FOREIGN;
	if (*stream == STREAM_ANY)
		*stream = h.stream;
	if (*stream != h.stream)
		return FRAME_FOREIGN;

	ret->seq = h.seq;
	ret->send_ns = h.send_ns;
	ret->flags = 0;
	if (bytes != FRAME_BYTES || !addresses_good(&h) ||
	    !payload_good(data + sizeof(h), bytes - sizeof(h), h.seq))
		return FRAME_DAMAGED;
	ret->flags = FRAME_PAYLOAD_OK;
	return FRAME_GOOD;
}

int frames_setup(struct frame_tally *t, struct memory *m, uint32_t stream,
		 int buffers)
{
	memset(t, 0, sizeof(*t));
	t->stream = stream;
	t->next_seq = 1;
	t->log_max = buffers == BUFFERS_CONTIGUOUS ? 65536 : 131072;
	t->log = memory_take(m, t->log_max * sizeof(struct frame_record));
	return t->log ? 0 : -ENOMEM;
}

static void record(struct frame_tally *t, const struct memory *m,
		   const struct frame_record *r)
{
	struct frame_record *log = memory_at(m, t->log);

	if (t->log_count < t->log_max)
		log[t->log_count++] = *r;
}

static void account(struct frame_tally *t, uint64_t seq)
{
	if (seq < t->next_seq) {
		t->repeated++;
		return;
	}
	t->missing += seq - t->next_seq;
	t->next_seq = seq + 1;
	t->received++;
}

void frames_take(struct frame_tally *t, const struct memory *m, uint32_t slot,
		 const unsigned char *data, unsigned int bytes)
{
	struct frame_record r = { .slot = slot };

	switch (parse(data, bytes, &t->stream, &r)) {
	case FRAME_GOOD:
		account(t, r.seq);
		break;
	case FRAME_DAMAGED:
		t->damaged++;
		break;
	case FRAME_FOREIGN:
		t->foreign++;
		break;
	}
	if (r.seq) {
		r.flags |= t->flagged;
		record(t, m, &r);
	}
}

uint64_t frames_errors(const struct frame_tally *t)
{
	return t->missing + t->repeated + t->damaged + t->foreign + t->holes;
}
