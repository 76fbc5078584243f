// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

#define MAGIC 0x6c6976657570646dull
/* A prime larger than the pages one last-level table holds. */
#define STRIDE 40507ull

uint64_t memory_iova_start = 5ull << 30;
bool memory_huge;

static uint64_t canary_word(uint64_t offset)
{
	return (offset + 1) * 0x9e3779b97f4a7c15ull;
}

void canary_fill(const struct memory *m, uint64_t offset, uint64_t bytes)
{
	for (uint64_t at = offset; at < offset + bytes; at += 8)
		*(uint64_t *)(m->base + at) = canary_word(at);
}

bool canary_whole(const struct memory *m, uint64_t offset, uint64_t bytes)
{
	for (uint64_t at = offset; at < offset + bytes; at += 8)
		if (*(uint64_t *)(m->base + at) != canary_word(at))
			return false;
	return true;
}

static int map(struct memory *m, uint64_t bytes)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			  m->fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	/* Fails where the kernel has no huge pages, which is as good. */
	madvise(base, bytes, memory_huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	m->base = base;
	m->layout = base;
	return 0;
}

int memory_create(struct memory *m, uint64_t bytes, uint64_t head_bytes)
{
	int rc;

	m->base = NULL;
	m->fd = memfd_create("vm", MFD_CLOEXEC);
	if (m->fd < 0)
		return -errno;
	rc = ftruncate(m->fd, bytes) ? -errno : map(m, bytes);
	if (rc) {
		close(m->fd);
		m->fd = -1;
		return rc;
	}
	canary_fill(m, CONTROL_BYTES, bytes - CONTROL_BYTES);
	m->layout->magic = MAGIC;
	m->layout->bytes = bytes;
	m->layout->head_next = CONTROL_BYTES;
	m->layout->head_end = head_bytes;
	m->layout->page_next = 0;
	return 0;
}

int memory_adopt(struct memory *m, int fd)
{
	struct stat st;
	int rc;

	m->fd = fd;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < (off_t)CONTROL_BYTES)
		return -EINVAL;
	rc = map(m, st.st_size);
	if (rc)
		return rc;
	if (m->layout->magic != MAGIC ||
	    m->layout->bytes != (uint64_t)st.st_size)
		return -EINVAL;
	return 0;
}

void memory_close(struct memory *m)
{
	if (m->base)
		munmap(m->base, m->layout->bytes);
	m->base = NULL;
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

uint64_t memory_take(struct memory *m, uint64_t bytes)
{
	uint64_t at = m->layout->head_next;

	bytes = (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	if (bytes > m->layout->head_end - at)
		return 0;
	m->layout->head_next = at + bytes;
	return at;
}

uint64_t memory_page_count(const struct memory *m)
{
	return (m->layout->bytes - m->layout->head_end) / PAGE_BYTES;
}

int64_t memory_take_pages(struct memory *m, uint64_t count)
{
	uint64_t at = m->layout->page_next;

	if (count > memory_page_count(m) - at)
		return -ENOMEM;
	m->layout->page_next = at + count;
	return at;
}

/* Every page once: STRIDE is prime and no page count here a multiple of it. */
uint64_t memory_page(const struct memory *m, uint64_t index)
{
	uint64_t slot = index * STRIDE % memory_page_count(m);

	return m->layout->head_end + slot * PAGE_BYTES;
}

int buffers_take(struct buffers *b, struct memory *m, uint32_t count, int how)
{
	int64_t first;

	memset(b, 0, sizeof(*b));
	if (how == BUFFERS_CONTIGUOUS) {
		b->at = memory_take(m, count * PAGE_BYTES);
		return b->at ? 0 : -ENOMEM;
	}
	first = memory_take_pages(m, count);
	if (first < 0)
		return first;
	b->first = first;
	return 0;
}

uint64_t buffers_page(const struct buffers *b, const struct memory *m,
		      uint32_t index)
{
	if (b->at)
		return b->at + index * PAGE_BYTES;
	return memory_page(m, b->first + index);
}
