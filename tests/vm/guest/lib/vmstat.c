// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmstat.h"

static int64_t find_number(const char *path, const char *name)
{
	char line[256];
	size_t len = strlen(name);
	int64_t found = -1;
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len))
			found = strtoll(line + len, NULL, 10);
	fclose(f);
	return found;
}

static bool fold(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	bool done = false;

	if (fd >= 0) {
		done = write(fd, "1", 1) == 1;
		close(fd);
	}
	return done;
}

int64_t vmstat_iommu_pages(void)
{
	int64_t pages, before;
	int same = 0;

	if (fold())
		return find_number("/proc/vmstat", "nr_iommu_pages ");
	/*
	 * Without that file the kernel folds once a second on each CPU: wait
	 * for a number that lasts.
	 */
	pages = find_number("/proc/vmstat", "nr_iommu_pages ");
	while (pages >= 0 && same < 5) {
		before = pages;
		usleep(500000);
		pages = find_number("/proc/vmstat", "nr_iommu_pages ");
		same = pages == before ? same + 1 : 0;
	}
	return pages;
}

int64_t meminfo_available(void)
{
	return find_number("/proc/meminfo", "MemAvailable:");
}

/* Free pages that a CPU keeps for itself; MemFree is without them. */
static int64_t pages_of_cpus(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	int64_t pages = 0;
	char line[256];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		const char *count = strstr(line, " count: ");

		if (count)
			pages += strtoll(count + 8, NULL, 10);
	}
	fclose(f);
	return pages;
}

int64_t meminfo_total(void)
{
	return find_number("/proc/meminfo", "MemTotal:");
}

int64_t meminfo_free(void)
{
	return find_number("/proc/meminfo", "MemFree:") + pages_of_cpus() * 4;
}

int64_t meminfo_freed(int64_t before, int64_t wanted)
{
	int64_t freed = meminfo_free() - before;

	for (int tries = 0; freed <= wanted && tries < 200; tries++) {
		usleep(50000);
		freed = meminfo_free() - before;
	}
	return freed;
}

int64_t meminfo_shmem_huge(void)
{
	return find_number("/proc/meminfo", "ShmemHugePages:");
}
