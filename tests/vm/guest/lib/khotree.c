// SPDX-License-Identifier: GPL-2.0-only
/*
 * Five levels of tables with physical addresses, then a page that is a bitmap,
 * as <linux/kho/abi/kexec_handover.h> of the kernel describes it. A flattened
 * device tree tells where it starts.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "khotree.h"

#define FDT "/sys/kernel/debug/kho/out/fdt"
#define TOP_LEVEL 5
#define WORDS 512
#define PAGE_BYTES (WORDS * sizeof(uint64_t))

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE, FDT_PROP, FDT_NOP };

static uint32_t fdt32(const unsigned char *blob, uint32_t at)
{
	uint32_t be;

	memcpy(&be, blob + at, sizeof(be));
	return be32toh(be);
}

/*
 * Only the properties of the root node, which come before its children. The
 * file shows as much of the tree as there was at boot, so without the names,
 * which come last. But only one of these properties is the address of a page.
 */
static uint64_t find_root(const unsigned char *blob, uint32_t bytes)
{
	uint32_t at = fdt32(blob, 8);
	uint64_t phys;

	at += 8; /* the root's beginning and its empty name */
	while (at + 12 < bytes) {
		uint32_t tag = fdt32(blob, at), len;

		if (tag == FDT_NOP) {
			at += 4;
			continue;
		}
		if (tag != FDT_PROP)
			break;
		len = fdt32(blob, at + 4);
		if (len == sizeof(phys) && at + 12 + len <= bytes) {
			memcpy(&phys, blob + at + 12, sizeof(phys));
			if (phys && !(phys % PAGE_BYTES))
				return phys;
		}
		at += 12 + ((len + 3) & ~3u);
	}
	return 0;
}

static int read_fdt(uint64_t *ret_phys)
{
	static unsigned char blob[4096 + 1];
	int fd = open(FDT, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, blob, sizeof(blob) - 1);
	close(fd);
	if (got < 40)
		return -EIO;
	*ret_phys = find_root(blob, got);
	return *ret_phys ? 0 : -ENOENT;
}

static void note(struct khotree *t, uint64_t number)
{
	t->hash = (t->hash ^ number) * 0x100000001b3ull;
}

/* Tables that nothing is in any more stay, so they do not count. */
static int walk(int mem, unsigned int level, uint64_t phys, uint64_t index,
		struct khotree *t)
{
	uint64_t word[WORDS];
	int rc = 0;

	if (pread(mem, word, sizeof(word), phys) != sizeof(word))
		return errno ? -errno : -EIO;
	for (unsigned int i = 0; !rc && i < WORDS; i++) {
		if (!word[i])
			continue;
		if (level) {
			rc = walk(mem, level - 1, word[i], index * WORDS + i,
				  t);
			continue;
		}
		note(t, index * WORDS + i);
		note(t, word[i]);
		t->keys += __builtin_popcountll(word[i]);
	}
	return rc;
}

int khotree_look(struct khotree *ret)
{
	uint64_t phys = 0;
	int mem, rc;

	memset(ret, 0, sizeof(*ret));
	rc = read_fdt(&phys);
	if (rc)
		return rc;
	mem = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return -errno;
	rc = walk(mem, TOP_LEVEL, phys, 0, ret);
	close(mem);
	return rc;
}
