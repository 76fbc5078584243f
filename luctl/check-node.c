// SPDX-License-Identifier: GPL-2.0-only
/*
 * Only one process can have /dev/liveupdate open. systemd hands its stores over
 * through it at the very end of a shutdown.
 */
#include <stdlib.h>

#include "check.h"
#include "systemd.h"

void check_node(struct check *c)
{
	bool needed = !c->now && c->systemd >= SYSTEMD_KEEPS_STORES;
	const struct holder *h;
	unsigned int at = 0;
	char *who;

	h = holder_next(&c->world.holders, HOLDS_NODE, NULL, &at);
	if (!h) {
		if (!c->world.holders.error && !c->world.holders.hidden)
			found(&c->found, FINE, "node", "free", NULL, NULL,
			      "nobody has /dev/liveupdate open");
		return;
	}
	who = holder_text(h);
	found(&c->found, needed ? REFUSED : NOTE, "node", "busy", who,
	      needed ? "stop it: systemd cannot hand over its stores" : NULL,
	      "%s has /dev/liveupdate open", who);
	free(who);
}
