// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two sessions, one of them closed before the kexec: the next kernel must know
 * nothing of it. Its device is an ordinary one there, and stands still until
 * somebody takes it; the other VM notices nothing.
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
#include "vmstat.h"

#define SESSION "kept"
#define CLOSED "closed"
/*
 * Few, so that they complete before the kexec: whatever happens, a drive of QEMU
 * finishes what it was asked for, into memory that is free by then.
 */
#define CLOSED_READS 64
#define KEPT_BYTES (256ull << 20)
#define CLOSED_BYTES (128ull << 20)
/* In guest memory: all there was in the old kernel, in KiB. */
enum { NOTE_TOTAL };

static struct vm kept, closed;

static int closed_old(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	owner_plan_only(&plan, CARDS);
	plan.bytes = KEPT_BYTES;
	if (owner_create(&kept, &plan))
		return -1;
	owner_plan(&plan, CLOSED);
	owner_plan_only(&plan, DRIVES);
	plan.bytes = CLOSED_BYTES;
	plan.reads = CLOSED_READS;
	if (owner_create(&closed, &plan))
		return -1;
	snprintf(closed.suffix, sizeof(closed.suffix), "-closed");
	if (owner_translate(&closed) || owner_translate(&kept))
		return -1;
	if (owner_start(&closed) || owner_start(&kept))
		return -1;
	owner_ready();
	if (owner_warm(&kept) || owner_preserve(&closed) ||
	    owner_preserve(&kept))
		return -1;
	/* Owner and devices stay as they are; only the session goes. */
	kept.control->note[NOTE_TOTAL] = meminfo_total();
	close(closed.session);
	closed.session = -1;
	if (owner_load(&kept, stage))
		return -1;
	owner_reads_done(&closed);
	pump_stop(&closed.pump);
	return owner_jump();
}

/* Only what the other VM has is reserved. @total is of the first moment. */
static void check_memory(int64_t total)
{
	int64_t less = (int64_t)kept.control->note[NOTE_TOTAL] - total;

	check("closed-memory",
	      less < (int64_t)((KEPT_BYTES + CLOSED_BYTES / 2) >> 10),
	      "%lld KiB are reserved, %llu kept", (long long)less,
	      KEPT_BYTES >> 10);
}

static int closed_new(unsigned int stage)
{
	int64_t total = meminfo_total();
	char bdf[BDF_BYTES];
	int rc;

	(void)stage;
	if (owner_arrive(&kept, SESSION))
		return -1;
	check_memory(total);
	rc = luo_retrieve_session(luo_open(), CLOSED);
	check_rc("closed-session", rc < 0 ? rc : 0, -ENOENT);
	if (lost("closed-device", pci_find(NVME_ID, 0, bdf)))
		return -1;
	fresh_use("closed-device", bdf);
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

static const struct scenario closed_session = {
	.name = "closed-session",
	.description = "a session closed before the kexec leaves no trace",
	.stages = { closed_old, closed_new },
};
SCENARIO(closed_session);
