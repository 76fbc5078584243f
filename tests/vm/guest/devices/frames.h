/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The numbered frames the host sends, the log of those that arrived, and the
 * count of those that did not arrive as they should.
 */
#ifndef LU_FRAMES_H
#define LU_FRAMES_H

#include <stdint.h>

#include "memory.h"

#define FRAME_BYTES 256

#define FRAME_FIRST_SCAN 1u /* lay in the ring when the new kernel looked */
#define FRAME_PAYLOAD_OK 2u

/* As it goes to the host: packed, little endian. */
struct frame_record {
	uint64_t seq;
	uint64_t send_ns;
	uint32_t slot;
	uint32_t flags;
};

/* Learn the number of the stream from the first frame. */
#define STREAM_ANY 0xffffffffu

/* What became of one stream. Lives in guest memory, with the card's state. */
struct frame_tally {
	uint32_t stream;
	uint32_t flagged; /* flags for the records made now */
	uint64_t log;
	uint64_t log_max;
	uint64_t log_count;
	uint64_t next_seq;
	uint64_t received; /* intact frames, each counted once */
	uint64_t missing; /* numbers that were skipped */
	uint64_t repeated; /* numbers seen before */
	uint64_t damaged;
	uint64_t foreign;
	uint64_t holes; /* slots the card went past without an answer */
};

/* @buffers, BUFFERS_..., says how long the log may become. */
int frames_setup(struct frame_tally *t, struct memory *m, uint32_t stream,
		 int buffers);
/* Accounts for what a card has put into a slot: @bytes at @data. */
void frames_take(struct frame_tally *t, const struct memory *m, uint32_t slot,
		 const unsigned char *data, unsigned int bytes);
/* Everything that is not as it was sent. */
uint64_t frames_errors(const struct frame_tally *t);

#endif
