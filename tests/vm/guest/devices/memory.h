/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory: one memfd, mapped at one place for the CPU and at MEMORY_IOVA
 * for devices. It starts with a page that describes it, followed by a head in
 * which rings and logs are taken one after the other. The rest are pages
 * handed out in scattered order, so that devices walk many table pages. All
 * of it that nobody has written holds a canary made from its offset.
 */
#ifndef LU_MEMORY_H
#define LU_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_BYTES 4096ull
/*
 * Not where only the upper half of an address would lead: a card of QEMU whose
 * descriptor could not be read uses what it has, half of an older one. To be
 * changed, if at all, before there is a VM.
 */
extern uint64_t memory_iova_start;
#define MEMORY_IOVA memory_iova_start
#define CONTROL_BYTES (2 * PAGE_BYTES)
/* Whether it is to be huge pages, which otherwise it is never; as early. */
extern bool memory_huge;

/* How a device's buffers are laid out. */
enum { BUFFERS_SCATTERED, BUFFERS_CONTIGUOUS };

struct layout {
	uint64_t magic;
	uint64_t bytes;
	uint64_t head_next;
	uint64_t head_end;
	uint64_t page_next;
};

struct memory {
	int fd;
	unsigned char *base;
	struct layout *layout;
};

int memory_create(struct memory *m, uint64_t bytes, uint64_t head_bytes);
/* Takes over a memfd that a former kernel's memory_create() has made. */
int memory_adopt(struct memory *m, int fd);
void memory_close(struct memory *m);

/* Offsets into the memory; 0 when there is no room left. */
uint64_t memory_take(struct memory *m, uint64_t bytes);
/* Reserves @count scattered pages; returns the index of the first. */
int64_t memory_take_pages(struct memory *m, uint64_t count);
uint64_t memory_page(const struct memory *m, uint64_t index);
uint64_t memory_page_count(const struct memory *m);

/* Pages for a device, taken in one of the two ways. Lives in guest memory. */
struct buffers {
	uint64_t at; /* offset of contiguous ones, or 0: scattered */
	uint64_t first; /* index of the first of scattered ones */
};

int buffers_take(struct buffers *b, struct memory *m, uint32_t count, int how);
/* The offset of one of them. */
uint64_t buffers_page(const struct buffers *b, const struct memory *m,
		      uint32_t index);

static inline void *memory_at(const struct memory *m, uint64_t offset)
{
	return m->base + offset;
}

static inline uint64_t memory_iova(uint64_t offset)
{
	return MEMORY_IOVA + offset;
}

/* Both in whole 8-byte words. */
void canary_fill(const struct memory *m, uint64_t offset, uint64_t bytes);
bool canary_whole(const struct memory *m, uint64_t offset, uint64_t bytes);

#endif
