// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu.h"
#include "sysfs.h"

#define FIELDS_MAX 12

static int64_t number(const char *word)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(word, &end, 0);
	return errno || end == word || *end || value < 0 ? -1 : value;
}

static void copy(char *to, size_t size, const char *word)
{
	snprintf(to, size, "%s", word);
}

static void parse_levels(struct lu_domain *d, const char *word)
{
	char *end;

	while (d->levels < LEVELS_MAX && *word >= '0' && *word <= '9') {
		d->level[d->levels++] = strtoll(word, &end, 10);
		word = end + (*end == ',');
	}
}

static void add_unit(struct iommu *i, bool in, char **word)
{
	struct lu_unit new = { .in = in };

	new.id = number(word[0]);
	copy(new.driver, sizeof(new.driver), word[1]);
	copy(new.name, sizeof(new.name), word[2]);
	new.tables = number(word[3]);
	i->unit = must_grow(i->unit, i->units + 1, sizeof(new));
	i->unit[i->units++] = new;
}

static void add_domain(struct iommu *i, bool in, char **word)
{
	struct lu_domain new = { .in = in };

	new.id = number(word[0]);
	new.unit = number(word[1]);
	copy(new.kind, sizeof(new.kind), word[2]);
	new.tables = number(word[3]);
	parse_levels(&new, word[4]);
	copy(new.owner, sizeof(new.owner), word[5]);
	copy(new.token, sizeof(new.token), word[6]);
	i->domain = must_grow(i->domain, i->domains + 1, sizeof(new));
	i->domain[i->domains++] = new;
}

static void add_device(struct iommu *i, bool in, char **word)
{
	struct lu_device new = { .in = in };

	copy(new.bdf, sizeof(new.bdf), word[0]);
	copy(new.state, sizeof(new.state), word[1]);
	i->device = must_grow(i->device, i->devices + 1, sizeof(new));
	i->device[i->devices++] = new;
}

static void add_attachment(struct iommu *i, bool in, char **word)
{
	struct lu_attachment new = { .in = in };

	copy(new.bdf, sizeof(new.bdf), word[0]);
	new.pasid = number(word[1]);
	new.domain = number(word[2]);
	new.did = number(word[3]);
	i->attachment =
		must_grow(i->attachment, i->attachments + 1, sizeof(new));
	i->attachment[i->attachments++] = new;
}

/* What a newer kernel lists beside these, or adds to a line, is left out. */
static const struct {
	const char *noun;
	int fields;
	void (*add)(struct iommu *i, bool in, char **word);
} nouns[] = {
	{ "unit", 4, add_unit },
	{ "domain", 7, add_domain },
	{ "device", 2, add_device },
	{ "attachment", 4, add_attachment },
};

static void parse_line(struct iommu *i, char *line)
{
	char *word[FIELDS_MAX], *save, *at;
	int count = 0;
	bool in;

	for (at = strtok_r(line, " ", &save); at && count < FIELDS_MAX;
	     at = strtok_r(NULL, " ", &save))
		word[count++] = at;
	if (count < 2 || (strcmp(word[0], "in") && strcmp(word[0], "out")))
		return;
	in = !strcmp(word[0], "in");
	for (size_t n = 0; n < sizeof(nouns) / sizeof(nouns[0]); n++)
		if (!strcmp(word[1], nouns[n].noun) &&
		    count >= 2 + nouns[n].fields)
			nouns[n].add(i, in, word + 2);
}

static int64_t unit_named(const struct iommu *i, bool in, const char *name)
{
	for (unsigned int n = 0; n < i->units; n++)
		if (i->unit[n].in == in && !strcmp(i->unit[n].name, name))
			return i->unit[n].id;
	return -1;
}

/*
 * A domain can be used by several units, so the kernel may not say of which one it
 * is. Then it is that of a device on it.
 */
static void find_unit(const struct iommu *i, struct lu_domain *d)
{
	char name[32];

	for (unsigned int n = 0; n < i->attachments && d->unit < 0; n++) {
		const struct lu_attachment *a = &i->attachment[n];

		if (a->in == d->in && a->domain == d->id &&
		    sys_link_name(name, sizeof(name),
				  "/sys/bus/pci/devices/%s/iommu", a->bdf))
			d->unit = unit_named(i, d->in, name);
	}
}

void iommu_read(struct iommu *ret)
{
	char *text = sys_text(IOMMU_FILE), *save, *line;

	memset(ret, 0, sizeof(*ret));
	if (!text) {
		ret->error = -errno;
		return;
	}
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		parse_line(ret, line);
	free(text);
	for (unsigned int i = 0; i < ret->domains; i++)
		find_unit(ret, &ret->domain[i]);
}

void iommu_free(struct iommu *i)
{
	free(i->unit);
	free(i->domain);
	free(i->device);
	free(i->attachment);
}

const struct lu_device *iommu_device(const struct iommu *i, const char *bdf,
				     bool in)
{
	for (unsigned int n = 0; n < i->devices; n++)
		if (i->device[n].in == in && !strcmp(i->device[n].bdf, bdf))
			return &i->device[n];
	return NULL;
}

unsigned int iommu_devices(const struct iommu *i, bool in)
{
	unsigned int count = 0;

	for (unsigned int n = 0; n < i->devices; n++)
		count += i->device[n].in == in;
	return count;
}

bool iommu_on_old_tables(const struct iommu *i, const struct lu_device *d)
{
	if (!d->in || !strcmp(d->state, "rejected"))
		return false;
	for (unsigned int n = 0; n < i->attachments; n++)
		if (i->attachment[n].in &&
		    !strcmp(i->attachment[n].bdf, d->bdf))
			return true;
	return false;
}
