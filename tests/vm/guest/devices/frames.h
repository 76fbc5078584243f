/* SPDX-License-Identifier: GPL-2.0-only */
/* The numbered frames the host sends, and the log of those that arrived. */
#ifndef LU_FRAMES_H
#define LU_FRAMES_H

#include <stdint.h>

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

enum frame_kind {
	FRAME_GOOD,
	FRAME_DAMAGED, /* ours, but some byte is not what was sent */
	FRAME_FOREIGN,
};

/* Learn the number of the stream from the first frame. */
#define STREAM_ANY 0xffffffffu

/* Fills seq, send_ns and the payload flag, except for foreign frames. */
enum frame_kind frame_parse(const unsigned char *data, unsigned int bytes,
			    uint32_t *stream, struct frame_record *ret);

#endif
