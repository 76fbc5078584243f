// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "report.h"
#include "spare.h"
#include "vmstat.h"

#define WORDS (PAGE_BYTES / sizeof(uint64_t))
/* As an address, what a stray device may take it for, it leads nowhere. */
#define PATTERN 0xc4f1a5b600000000ull
#define FRAME_MASK ((1ull << 55) - 1)
#define PRESENT (1ull << 63)
#define TOLD 4

static uint64_t pattern(uint64_t word)
{
	return PATTERN | (uint32_t)word;
}

int spare_take(struct spare *s, uint64_t leave)
{
	uint64_t bytes, available = meminfo_available();

	if (available < 2 * leave)
		return -ENOMEM;
	bytes = (available - leave) << 10;
	s->pages = bytes / PAGE_BYTES;
	s->base = mmap(NULL, s->pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->base == MAP_FAILED)
		return -errno;
	for (uint64_t i = 0; i < s->pages * WORDS; i++)
		s->base[i] = pattern(i);
	return 0;
}

void spare_give(struct spare *s)
{
	munmap(s->base, s->pages * PAGE_BYTES);
	s->base = NULL;
	s->pages = 0;
}

/* Of each page: the frame it is in, 0 when it cannot be told. */
static uint64_t frame_of(int pagemap, const void *page)
{
	uint64_t entry = 0;
	off_t at = (uintptr_t)page / PAGE_BYTES * sizeof(entry);

	if (pread(pagemap, &entry, sizeof(entry), at) != sizeof(entry) ||
	    !(entry & PRESENT))
		return 0;
	return entry & FRAME_MASK;
}

static void describe(const struct spare *s, uint64_t word)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char name[32];

	snprintf(name, sizeof(name), "damaged-%llx",
		 (unsigned long long)frame_of(pagemap, s->base + word));
	value_text(name, "word %llu is %#llx",
		   (unsigned long long)(word % WORDS),
		   (unsigned long long)s->base[word]);
	if (pagemap >= 0)
		close(pagemap);
}

uint64_t spare_damaged(const struct spare *s)
{
	uint64_t bad = 0;

	for (uint64_t page = 0; page < s->pages; page++) {
		uint64_t word = page * WORDS, end = word + WORDS;

		while (word < end && s->base[word] == pattern(word))
			word++;
		if (word == end)
			continue;
		if (bad++ < TOLD)
			describe(s, word);
	}
	return bad;
}

uint64_t spare_within(const struct spare *s, uint64_t start, uint64_t bytes)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t found = 0;

	for (uint64_t page = 0; pagemap >= 0 && page < s->pages; page++) {
		uint64_t at = frame_of(pagemap, s->base + page * WORDS) *
			      PAGE_BYTES;

		found += at >= start && at < start + bytes;
	}
	if (pagemap >= 0)
		close(pagemap);
	return found;
}

int spare_fill(struct spare *s, uint64_t leave, uint64_t start, uint64_t bytes)
{
	uint64_t within;

	if (lost("spare", spare_take(s, leave)))
		return -1;
	value("spare_mib", s->pages >> 8);
	within = spare_within(s, start, bytes);
	check("spare-in-reach", within > bytes / PAGE_BYTES / 4,
	      "%llu of %llu pages that devices have addresses of",
	      (unsigned long long)within,
	      (unsigned long long)(bytes / PAGE_BYTES));
	return 0;
}

bool spare_whole(const struct spare *s, const char *name)
{
	uint64_t bad = spare_damaged(s);

	return check(name, !bad, "%llu of %llu pages damaged",
		     (unsigned long long)bad, (unsigned long long)s->pages);
}
