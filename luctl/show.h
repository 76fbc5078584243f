/* SPDX-License-Identifier: GPL-2.0-only */
/* What is preserved, from which picture, graph and words are made. */
#ifndef LUCTL_SHOW_H
#define LUCTL_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "world.h"

void show_dot(const struct world *w, FILE *out);
void show_svg(const struct world *w, FILE *out);

/* Is there anything for the next kernel, or @in: from the one before? */
bool show_any(const struct world *w, bool in);

/*
 * The session whose iommufd a domain is of; NULL if several could be it, and who
 * has its devices does not tell either.
 */
const struct session *show_owner(const struct world *w,
				 const struct lu_domain *d);
/* Does this session belong to that direction? */
bool show_session_is(const struct session *s, bool in);

/* "512 MiB", in a buffer of its own for a handful of calls. */
const char *show_bytes(int64_t bytes);
/* "1,1,2,9", "-": likewise. */
const char *show_levels(const struct lu_domain *d);

#endif
