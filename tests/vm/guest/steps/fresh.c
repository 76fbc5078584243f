// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "fresh.h"
#include "guest.h"
#include "report.h"

#define FRESH_BYTES (64ull << 20)
#define TRANSFERS 20

static int start(struct guest *g, const char *bdf)
{
	const struct guest_plan plan = {
		.session = "fresh",
		.bytes = FRESH_BYTES,
		.slots = 1024,
		.reads = 64,
		.bdf = { bdf },
	};
	int rc;

	rc = guest_create(g, &plan);
	if (!rc)
		rc = guest_bind(g);
	if (!rc)
		rc = guest_remap(g);
	if (!rc)
		rc = guest_attach(g, g->hwpt);
	if (!rc)
		rc = guest_start(g);
	return rc ? rc : pump_start(&g->pump);
}

void fresh_use(const char *name, const char *bdf)
{
	static struct guest g;
	char text[80];
	bool works;
	int rc;

	rc = start(&g, bdf);
	snprintf(text, sizeof(text), "%s-starts", name);
	if (check_rc(text, rc, 0)) {
		if (g.device[0].state->kind == DEVICE_NVME)
			nvme_submit_all(&g.device[0].nvme);
		works = device_await(&g.device[0], TRANSFERS);
		snprintf(text, sizeof(text), "%s-works", name);
		check(text, works, "%llu transfers",
		      (unsigned long long)device_progress(&g.device[0]));
	}
	pump_stop(&g.pump);
	snprintf(text, sizeof(text), "%s-closes", name);
	check_rc(text, guest_unbind(&g), 0);
	guest_close(&g);
}
