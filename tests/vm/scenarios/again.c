// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live updates in a row, lu.args=n:N of them, all under load: the drive reads
 * for ever, frames keep coming. Each kernel takes everything back, swaps,
 * finishes, and preserves anew.
 */
#include <stdio.h>

#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "words.h"

#define SESSION "again"

static struct guest guest;

static int move_on(unsigned int stage)
{
	if (owner_preserve(&guest) || owner_load(&guest, stage))
		return -1;
	return owner_jump();
}

static void read_for_ever(bool on)
{
	struct device *nvme = guest_nvme(&guest);

	if (nvme)
		nvme->nvme.endless = on;
}

static int first(unsigned int stage)
{
	struct guest_plan plan;

	owner_plan(&plan, SESSION);
	if (owner_create(&guest, &plan))
		return -1;
	snprintf(guest.suffix, sizeof(guest.suffix), "-1");
	read_for_ever(true);
	if (owner_translate(&guest) || owner_start(&guest))
		return -1;
	owner_ready();
	if (owner_warm(&guest))
		return -1;
	return move_on(stage);
}

static int later(unsigned int stage)
{
	int rc;

	if (owner_arrive(&guest, SESSION))
		return -1;
	snprintf(guest.suffix, sizeof(guest.suffix), "-%u", stage);
	read_for_ever(true);
	rc = owner_reclaim(&guest) || owner_swap(&guest) ||
	     owner_release(&guest);
	if (!rc && stage <= arg_number("n", 3))
		return move_on(stage);

	read_for_ever(false);
	if (rc)
		traffic_drain(&guest);
	else
		owner_settle(&guest);
	traffic_check(&guest, "");
	traffic_values(&guest);
	value("updates", stage - 1);
	rc |= owner_unbind(&guest);
	traffic_blobs(&guest);
	owner_account(&guest);
	return rc;
}

static const struct scenario again = {
	.name = "again",
	.rows = "A11,A5",
	.description = "several live updates in a row, under load",
	.stages = { first, later },
};
SCENARIO(again);
