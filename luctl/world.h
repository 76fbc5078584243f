/* SPDX-License-Identifier: GPL-2.0-only */
/* All that can be seen of a live update on this machine, at one time. */
#ifndef LUCTL_WORLD_H
#define LUCTL_WORLD_H

#include <json-c/json.h>

#include "holders.h"
#include "iommu.h"
#include "loaded.h"
#include "sessions.h"

struct world {
	struct loaded loaded;
	struct holders holders;
	struct sessions sessions;
	struct iommu iommu;
};

void world_read(struct world *w);
void world_free(struct world *w);

/* Adds "sessions", with files, who has them, and the memory of those. */
void world_sessions_json(const struct world *w, json_object *to);
/* Adds "cannot": a sentence for each thing that could not be looked at. */
void world_cannot_json(const struct world *w, json_object *to);
/* The same in words; how many. */
unsigned int world_cannot_print(const struct world *w);

/* "pid 1 (systemd), pid 812 (qemu)", "nobody"; to be freed. */
char *world_holders_text(const struct world *w, enum holds kind,
			 const char *name);

#endif
