// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "path.h"
#include "report.h"

#define EXTENDED_ACS 0x000d
#define EXPRESS_CONTROL2 0x28
#define CONTROL2_ARI (1u << 5)
#define HEADER 0x0c
#define HEADER_KIND 0x7f0000u
#define HEADER_BRIDGE 0x010000u

struct field {
	const char *name;
	unsigned int at;
	uint32_t mask;
};

static const struct field of_device[] = {
	{ "command", 0x04, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER },
	{ "bar0", 0x10, ~0u }, { "bar1", 0x14, ~0u }, { "bar2", 0x18, ~0u },
	{ "bar3", 0x1c, ~0u }, { "bar4", 0x20, ~0u }, { "bar5", 0x24, ~0u },
	{ NULL, 0, 0 },
};

static const struct field of_bridge[] = {
	{ "command", 0x04, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER },
	{ "bar0", 0x10, ~0u }, { "bar1", 0x14, ~0u },
	/* Without the timer in its highest byte */
	{ "buses", 0x18, 0xffffffu },
	{ "io-window", 0x1c, 0xffffu },
	{ "window", 0x20, ~0u },
	{ "prefetch-window", 0x24, ~0u },
	{ "prefetch-base", 0x28, ~0u },
	{ "prefetch-limit", 0x2c, ~0u },
	{ "io-window-upper", 0x30, ~0u },
	{ NULL, 0, 0 },
};

/* The last two words of a hop: what is found by capability. */
#define WORD_ACS (PATH_WORDS - 2)
#define WORD_ARI (PATH_WORDS - 1)

static int read_fields(struct path_hop *hop, const struct field *field)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && field[i].name; i++) {
		rc = pci_read32(hop->bdf, field[i].at, &hop->word[i]);
		hop->word[i] &= field[i].mask;
	}
	return rc;
}

static const struct field *fields_of(const char *bdf)
{
	uint32_t header = 0;

	pci_read32(bdf, HEADER, &header);
	return (header & HEADER_KIND) == HEADER_BRIDGE ? of_bridge : of_device;
}

static int read_hop(struct path_hop *hop)
{
	unsigned int acs = pci_extended(hop->bdf, EXTENDED_ACS);
	unsigned int express = pci_capability(hop->bdf, PCI_CAP_EXPRESS);
	uint16_t control = 0;
	int rc;

	rc = read_fields(hop, fields_of(hop->bdf));
	if (!rc && acs)
		rc = pci_read16(hop->bdf, acs + 6, &control);
	hop->word[WORD_ACS] = control;
	control = 0;
	if (!rc && express)
		rc = pci_read16(hop->bdf, express + EXPRESS_CONTROL2, &control);
	hop->word[WORD_ARI] = control & CONTROL2_ARI;
	return rc;
}

int path_read(const char *bdf, struct path *path)
{
	char at[BDF_BYTES], above[BDF_BYTES];
	int rc = 0;

	memset(path, 0, sizeof(*path));
	snprintf(at, sizeof(at), "%s", bdf);
	while (!rc && path->hops < PATH_HOPS) {
		struct path_hop *hop = &path->hop[path->hops++];

		snprintf(hop->bdf, sizeof(hop->bdf), "%s", at);
		rc = read_hop(hop);
		if (rc || pci_above(at, above))
			break;
		snprintf(at, sizeof(at), "%s", above);
	}
	return rc;
}

static const char *word_name(const char *bdf, unsigned int i)
{
	const struct field *field = fields_of(bdf);

	if (i == WORD_ACS)
		return "ACS";
	if (i == WORD_ARI)
		return "ARI";
	for (unsigned int n = 0; field[n].name; n++)
		if (n == i)
			return field[n].name;
	return "?";
}

bool path_check(const char *name, const struct path *was)
{
	struct path is;
	int rc = path_read(was->hop[0].bdf, &is);

	if (rc)
		return check(name, false, "%s: %s", was->hop[0].bdf,
			     errno_name(rc));
	for (unsigned int i = 0; i < was->hops; i++) {
		const struct path_hop *a = &was->hop[i], *b = &is.hop[i];

		if (strcmp(a->bdf, b->bdf))
			return check(name, false, "%s is above %s, was %s",
				     b->bdf, was->hop[0].bdf, a->bdf);
		for (unsigned int w = 0; w < PATH_WORDS; w++)
			if (a->word[w] != b->word[w])
				return check(name, false,
					     "%s of %s is %#x, was %#x",
					     word_name(a->bdf, w), a->bdf,
					     b->word[w], a->word[w]);
	}
	return check(name, is.hops == was->hops, "%u functions, were %u",
		     is.hops, was->hops);
}
