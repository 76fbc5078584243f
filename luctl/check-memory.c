// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that was added while the machine runs is not there when the next kernel
 * boots. What the firmware told this one is in its boot parameters; what is
 * online and not in them came later. Movable memory does no harm.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sysfs.h"

#define MEMORY "/sys/devices/system/memory"
#define PARAMS "/sys/kernel/boot_params/data"
#define PARAMS_BYTES 4096
/* struct boot_params */
#define E820_COUNT_AT 0x1e8
#define E820_AT 0x2d0
#define E820_BYTES 20
#define E820_MAX 128
#define E820_RAM 1

static bool overlaps_ram(const char *params, uint64_t start, uint64_t bytes)
{
	unsigned int count = (unsigned char)params[E820_COUNT_AT];

	for (unsigned int i = 0; i < count && i < E820_MAX; i++) {
		const char *at = params + E820_AT + i * E820_BYTES;
		uint64_t from, size;
		uint32_t type;

		memcpy(&from, at, 8);
		memcpy(&size, at + 8, 8);
		memcpy(&type, at + 16, 4);
		if (le32toh(type) == E820_RAM &&
		    start < le64toh(from) + le64toh(size) &&
		    le64toh(from) < start + bytes)
			return true;
	}
	return false;
}

static bool online_for_the_kernel(const char *block)
{
	char state[16], zones[64];

	sys_line(state, sizeof(state), MEMORY "/%s/state", block);
	sys_line(zones, sizeof(zones), MEMORY "/%s/valid_zones", block);
	return !strcmp(state, "online") && strcmp(zones, "Movable");
}

static void look(struct check *c, const char *params, uint64_t bytes)
{
	unsigned int added = 0;
	uint64_t first = 0;
	char **names;
	int count = sys_names(&names, MEMORY);

	for (int i = 0; i < count; i++) {
		uint64_t start;

		if (strncmp(names[i], "memory", 6) || !names[i][6])
			continue;
		start = strtoull(names[i] + 6, NULL, 10) * bytes;
		if (overlaps_ram(params, start, bytes) ||
		    !online_for_the_kernel(names[i]))
			continue;
		if (!added++ || start < first)
			first = start;
	}
	if (count >= 0)
		names_free(names, count);
	if (added)
		found(&c->found, REFUSED, "memory", "added", NULL,
		      "nothing more can be preserved before a reboot; bring such memory online_movable",
		      "memory was added at 0x%" PRIx64
		      " and is used by the kernel",
		      first);
	else
		found(&c->found, FINE, "memory", "added", NULL, NULL,
		      "none was added for the kernel since it was booted");
}

void check_memory(struct check *c)
{
	char line[32], *path = root_path(PARAMS), *params;
	uint64_t block;
	size_t bytes;

	sys_line(line, sizeof(line), MEMORY "/block_size_bytes");
	block = strtoull(line, NULL, 16);
	params = file_text(path, &bytes);
	if (block && params && bytes >= PARAMS_BYTES &&
	    (unsigned char)params[E820_COUNT_AT] < E820_MAX)
		look(c, params, block);
	else if (block)
		found(&c->found, NOTE, "memory", "not-looked-at", NULL, NULL,
		      "if any was added since boot cannot be told here");
	free(params);
	free(path);
}
