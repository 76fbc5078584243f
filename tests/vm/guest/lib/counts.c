// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "counts.h"
#include "report.h"
#include "vmstat.h"

#define DEBUGFS "/sys/kernel/debug/iommu/liveupdate"
#define TRIES 100
#define TRY_MICROSECONDS 20000

static const char *const names[COUNTS_MAX] = {
	[COUNT_TABLE_PAGES] = "table_pages",
	[COUNT_OUT_UNITS] = "out_units",
	[COUNT_OUT_DOMAINS] = "out_domains",
	[COUNT_OUT_DEVICES] = "out_devices",
	[COUNT_OUT_BLOCKS] = "out_blocks",
	[COUNT_OUT_FROZEN] = "out_frozen",
	[COUNT_KHO] = "kho_preserved",
};

static void take_line(struct counts *c, const char *line)
{
	char name[32];
	long long n;

	if (sscanf(line, "%31s %lld", name, &n) != 2)
		return;
	for (int i = 0; i < COUNTS_MAX; i++)
		if (!strcmp(name, names[i]))
			c->n[i] = n;
}

int counts_read(struct counts *c)
{
	char line[80];
	FILE *f;

	for (int i = 0; i < COUNTS_MAX; i++)
		c->n[i] = -1;
	f = fopen(DEBUGFS, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		take_line(c, line);
	fclose(f);
	c->n[COUNT_TABLE_PAGES] = vmstat_iommu_pages();
	/* A number that is missing would be equal to itself for ever */
	for (int i = 0; i < COUNTS_MAX; i++)
		if (c->n[i] < 0)
			return -ENODATA;
	return 0;
}

int64_t counts_of(const char *name)
{
	char line[80], found[32];
	long long n, ret = -ENODATA;
	FILE *f = fopen(DEBUGFS, "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %lld", found, &n) == 2 &&
		    !strcmp(found, name))
			ret = n;
	fclose(f);
	return ret;
}

bool counts_check(const char *name, const struct counts *was)
{
	struct counts now;
	char text[200] = "";
	size_t used = 0;
	int rc;

	for (int i = 0; i < TRIES; i++) {
		rc = counts_read(&now);
		if (rc || !memcmp(&now, was, sizeof(now)))
			break;
		usleep(TRY_MICROSECONDS);
	}
	if (rc)
		return check(name, false, "%s", errno_name(rc));
	for (int i = 0; i < COUNTS_MAX; i++)
		if (now.n[i] != was->n[i])
			used += snprintf(text + used, sizeof(text) - used,
					 "%s %lld, was %lld; ", names[i],
					 (long long)now.n[i],
					 (long long)was->n[i]);
	return check(name, !used, "%s", used ? text : "all as before");
}
