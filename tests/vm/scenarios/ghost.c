// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two sessions, one of them closed before the jump: the next kernel must know
 * nothing of it. Its device is an ordinary one there, and stands still until
 * somebody takes it; the other guest notices nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "fresh.h"
#include "iommufd.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"

#define SESSION "kept"
#define GHOST "ghost"
/* Few: a drive of QEMU finishes all of them before it resets. */
#define GHOST_READS 512

static struct guest kept, ghost;

static int ghost_old(unsigned int stage)
{
	struct guest_plan plan;

	owner_plan(&plan, SESSION);
	owner_plan_only(&plan, E1000E_ID);
	plan.bytes = 256 << 20;
	if (owner_create(&kept, &plan))
		return -1;
	owner_plan(&plan, GHOST);
	owner_plan_only(&plan, NVME_ID);
	plan.bytes = 128 << 20;
	plan.reads = GHOST_READS;
	if (owner_create(&ghost, &plan))
		return -1;
	snprintf(ghost.suffix, sizeof(ghost.suffix), "-ghost");
	if (owner_translate(&ghost) || owner_translate(&kept))
		return -1;
	if (owner_start(&ghost) || owner_start(&kept))
		return -1;
	owner_ready();
	if (owner_warm(&kept) || owner_preserve(&ghost) ||
	    owner_preserve(&kept))
		return -1;
	/* Owner and devices stay as they are; only the session goes. */
	close(ghost.session);
	ghost.session = -1;
	if (owner_load(&kept, stage))
		return -1;
	pump_stop(&ghost.pump);
	return owner_jump();
}

static int ghost_new(unsigned int stage)
{
	char bdf[BDF_BYTES];
	int rc;

	(void)stage;
	if (owner_arrive(&kept, SESSION))
		return -1;
	rc = luo_retrieve_session(luo_open(), GHOST);
	check_rc("ghost-session", rc < 0 ? rc : 0, -ENOENT);
	if (lost("ghost-device", pci_find(NVME_ID, 0, bdf)))
		return -1;
	fresh_use("ghost-device", bdf);
	if (owner_reclaim(&kept) || owner_swap(&kept) || owner_release(&kept))
		return -1;
	owner_settle(&kept);
	traffic_check(&kept, "");
	traffic_values(&kept);
	rc = owner_unbind(&kept);
	traffic_blobs(&kept);
	owner_account(&kept);
	return rc;
}

static const struct scenario ghost_scenario = {
	.name = "ghost",
	.rows = "A5,A11",
	.description = "a session closed before the jump leaves no trace",
	.stages = { ghost_old, ghost_new },
};
SCENARIO(ghost_scenario);
