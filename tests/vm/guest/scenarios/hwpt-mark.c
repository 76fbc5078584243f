// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking HWPTs, taking marks back, and what cannot be marked: each call with
 * the errno of docs/interface.md. No kexec here.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cases.h"
#include "counts.h"
#include "vm.h"
#include "iommufd.h"
#include "report.h"
#include "scenario.h"
#include "uapi.h"

#define NOBODY 0x7fffffff
#define MANY 200

static bool another(struct bench *b, uint32_t *ret_hwpt)
{
	return !lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid,
						   b->ioas, ret_hwpt));
}

static void token_in_use(struct bench *b)
{
	uint32_t other;

	if (!another(b, &other) || !cases_mark(b))
		return;
	cases_rc("other-hwpt", hwpt_mark(b->iommufd, other, TOKEN_HWPT),
		 -EADDRINUSE);
	cases_rc("same-hwpt", hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT),
		 -EADDRINUSE);
	cases_rc("other-token", hwpt_mark(b->iommufd, other, TOKEN_HWPT + 1),
		 0);
}

static void marked_already(struct bench *b)
{
	if (!cases_mark(b))
		return;
	cases_rc("again", hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT + 1),
		 -EBUSY);
	/* The token that was refused is free */
	cases_rc("unmark", hwpt_unmark(b->iommufd, b->hwpt), 0);
	cases_rc("anew", hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT + 1), 0);
}

/* The lowest and the highest token, both in use at once. */
static void token_ends(struct bench *b)
{
	struct counts now;
	uint32_t other;

	if (!another(b, &other))
		return;
	cases_rc("lowest", hwpt_mark(b->iommufd, b->hwpt, 0), 0);
	cases_rc("highest", hwpt_mark(b->iommufd, other, UINT64_MAX), 0);
	cases_rc("lowest-twice", hwpt_mark(b->iommufd, other, 0),
		 -EADDRINUSE);
	cases_rc("highest-twice", hwpt_mark(b->iommufd, b->hwpt, UINT64_MAX),
		 -EADDRINUSE);
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("device", bench_preserve_device(b), 0);
	counts_read(&now);
	check(cases_tag("domains"), now.n[COUNT_OUT_DOMAINS] == 2,
	      "%lld of 2 kept", (long long)now.n[COUNT_OUT_DOMAINS]);
}

static void unmark(struct bench *b)
{
	cases_rc("without-mark", hwpt_unmark(b->iommufd, b->hwpt), -ENOENT);
	if (!cases_mark(b))
		return;
	cases_rc("once", hwpt_unmark(b->iommufd, b->hwpt), 0);
	cases_rc("twice", hwpt_unmark(b->iommufd, b->hwpt), -ENOENT);
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), -EINVAL);
	cases_rc("same-token", hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT), 0);
	cases_rc("iommufd-marked", bench_preserve_iommufd(b), 0);
}

static void destroy_marked(struct bench *b)
{
	uint32_t other, next;

	if (!another(b, &other) ||
	    lost(cases_tag("mark"),
		 hwpt_mark(b->iommufd, other, TOKEN_HWPT)))
		return;
	cases_rc("destroy", iommufd_destroy(b->iommufd, other), 0);
	cases_rc("gone", hwpt_unmark(b->iommufd, other), -ENOENT);
	if (!another(b, &next))
		return;
	/* The mark must not have stuck to whatever got the memory next */
	cases_rc("not-inherited", hwpt_unmark(b->iommufd, next), -ENOENT);
	cases_rc("token-free", hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT), 0);
	cases_rc("next", hwpt_mark(b->iommufd, next, TOKEN_HWPT + 1), 0);
}

static void after_preserve(struct bench *b)
{
	uint32_t other, id;

	if (!another(b, &other) || lost(cases_tag("all"), bench_preserve(b)))
		return;
	cases_rc("mark", hwpt_mark(b->iommufd, other, TOKEN_HWPT + 1), -EBUSY);
	cases_rc("token-in-use", hwpt_mark(b->iommufd, other, TOKEN_HWPT),
		 -EADDRINUSE);
	cases_rc("unmark", hwpt_unmark(b->iommufd, b->hwpt), -EBUSY);
	cases_rc("unmark-other", hwpt_unmark(b->iommufd, other), -ENOENT);
	cases_rc("restore", hwpt_restore(b->iommufd, TOKEN_HWPT, &id),
		 -ENOENT);
	bench_close_session(b);
	cases_rc("lifted-mark", hwpt_mark(b->iommufd, other, TOKEN_HWPT + 1),
		 0);
	cases_rc("lifted-unmark", hwpt_unmark(b->iommufd, b->hwpt), 0);
}

static void wrong_object(struct bench *b)
{
	uint32_t fault;
	int fd;

	cases_rc("ioas", hwpt_mark(b->iommufd, b->ioas, TOKEN_HWPT), -EINVAL);
	cases_rc("device", hwpt_mark(b->iommufd, b->vfio.devid, TOKEN_HWPT),
		 -EINVAL);
	cases_rc("nothing", hwpt_mark(b->iommufd, NOBODY, TOKEN_HWPT),
		 -ENOENT);
	cases_rc("unmark-ioas", hwpt_unmark(b->iommufd, b->ioas), -EINVAL);
	cases_rc("unmark-device", hwpt_unmark(b->iommufd, b->vfio.devid),
		 -EINVAL);
	cases_rc("unmark-nothing", hwpt_unmark(b->iommufd, NOBODY), -ENOENT);
	if (lost(cases_tag("queue"),
		 fault_queue_alloc(b->iommufd, &fault, &fd)))
		return;
	cases_rc("fault-queue", hwpt_mark(b->iommufd, fault, TOKEN_HWPT),
		 -EINVAL);
	close(fd);
}

/* A HWPT of one iommufd means nothing in another. */
static void other_iommufd(struct bench *b)
{
	int other = iommufd_open();

	if (lost(cases_tag("open"), other) || !cases_mark(b))
		return;
	cases_rc("mark", hwpt_mark(other, b->hwpt, TOKEN_HWPT), -ENOENT);
	cases_rc("unmark", hwpt_unmark(other, b->hwpt), -ENOENT);
	close(other);
}

static void fault_capable(struct bench *b)
{
	uint32_t fault, hwpt;
	int fd;

	if (lost(cases_tag("queue"),
		 fault_queue_alloc(b->iommufd, &fault, &fd)))
		return;
	if (!lost(cases_tag("hwpt"),
		  hwpt_alloc_flags(b->iommufd, b->vfio.devid, b->ioas,
				   IOMMU_HWPT_FAULT_ID_VALID, fault, &hwpt))) {
		cases_rc("mark", hwpt_mark(b->iommufd, hwpt, TOKEN_HWPT),
			 -EOPNOTSUPP);
		cases_rc("unmark", hwpt_unmark(b->iommufd, hwpt), -ENOENT);
	}
	close(fd);
}

/* The one that iommufd makes when a device is attached to an IOAS. */
static void auto_created(struct bench *b)
{
	uint32_t hwpt;

	if (lost(cases_tag("attach"),
		 vfio_attach_to(&b->vfio, b->ioas, &hwpt)))
		return;
	check(cases_tag("other"), hwpt != b->hwpt && hwpt != b->ioas,
	      "HWPT %u", hwpt);
	cases_rc("mark", hwpt_mark(b->iommufd, hwpt, TOKEN_HWPT),
		 -EOPNOTSUPP);
	/* One that is marked as well does not help the device on this one */
	if (!cases_mark(b))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("device", bench_preserve_device(b), -EINVAL);
}

/* More than one page of records and of serialized HWPTs holds. */
static void many(struct bench *b)
{
	uint32_t hwpt;
	int rc = 0;

	for (unsigned int i = 0; !rc && i < MANY; i++) {
		rc = hwpt_alloc(b->iommufd, b->vfio.devid, b->ioas, &hwpt);
		if (!rc)
			rc = hwpt_mark(b->iommufd, hwpt, i);
	}
	if (!cases_rc("marks", rc, 0))
		return;
	cases_rc("all", bench_preserve(b), 0);
}

static void no_restore_here(struct bench *b)
{
	uint32_t id;

	if (!cases_mark(b))
		return;
	cases_rc("marked", hwpt_restore(b->iommufd, TOKEN_HWPT, &id),
		 -ENOENT);
	cases_rc("unknown", hwpt_restore(b->iommufd, TOKEN_HWPT + 1, &id),
		 -ENOENT);
}

/* Sizes: a call with one byte less, exact, one more that is zero or not. */

union any_call {
	struct iommu_hwpt_lu_preserve preserve;
	struct iommu_hwpt_lu_unpreserve unpreserve;
	struct iommu_hwpt_lu_restore restore;
	uint32_t size;
	unsigned char bytes[64];
};

struct sized_call {
	const char *name;
	unsigned long cmd;
	union any_call call;
	uint32_t size;
	int want;
};

static int sized(int iommufd, const struct sized_call *c, uint32_t size,
		 bool tail)
{
	union any_call copy = c->call;

	copy.size = size;
	if (tail)
		copy.bytes[size - 1] = 1;
	return ioctl(iommufd, c->cmd, &copy) ? -errno : 0;
}

/* A call that works, with @more bytes behind it, is undone again. */
static void sized_check(struct bench *b, const struct sized_call *c,
			uint32_t more, bool tail)
{
	char what[64];
	bool mark = c->cmd == IOMMU_HWPT_LU_PRESERVE;

	if (!mark)
		hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT);
	snprintf(what, sizeof(what), "%s-plus-%u%s", c->name, more,
		 tail ? "-set" : "");
	cases_rc(what, sized(b->iommufd, c, c->size + more, tail),
		 tail ? -E2BIG : c->want);
	hwpt_unmark(b->iommufd, b->hwpt);
}

static void sizes(struct bench *b)
{
	const struct sized_call calls[] = {
		{ "preserve", IOMMU_HWPT_LU_PRESERVE,
		  { .preserve = { .hwpt_id = b->hwpt, .token = TOKEN_HWPT } },
		  sizeof(struct iommu_hwpt_lu_preserve), 0 },
		{ "unpreserve", IOMMU_HWPT_LU_UNPRESERVE,
		  { .unpreserve = { .hwpt_id = b->hwpt } },
		  sizeof(struct iommu_hwpt_lu_unpreserve), 0 },
		{ "restore", IOMMU_HWPT_LU_RESTORE,
		  { .restore = { .token = TOKEN_HWPT } },
		  sizeof(struct iommu_hwpt_lu_restore), -ENOENT },
	};
	char what[64];

	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const struct sized_call *c = &calls[i];

		snprintf(what, sizeof(what), "%s-less-1", c->name);
		cases_rc(what, sized(b->iommufd, c, c->size - 1, false),
			 -EINVAL);
		snprintf(what, sizeof(what), "%s-size-only", c->name);
		cases_rc(what, sized(b->iommufd, c, sizeof(uint32_t), false),
			 -EINVAL);
		snprintf(what, sizeof(what), "%s-size-none", c->name);
		cases_rc(what, sized(b->iommufd, c, 0, false), -EINVAL);
		sized_check(b, c, 0, false);
		sized_check(b, c, 1, false);
		sized_check(b, c, 1, true);
		sized_check(b, c, 16, false);
		sized_check(b, c, 16, true);
	}
}

static const struct bench_case list[] = {
	{ "token-in-use", token_in_use },
	{ "marked-already", marked_already },
	{ "token-ends", token_ends },
	{ "unmark", unmark },
	{ "destroy-marked", destroy_marked },
	{ "after-preserve", after_preserve },
	{ "wrong-object", wrong_object },
	{ "other-iommufd", other_iommufd },
	{ "fault-capable", fault_capable },
	{ "auto-created", auto_created },
	{ "many-marks", many },
	{ "no-restore-here", no_restore_here },
	{ "sizes", sizes },
	{ NULL, NULL },
};

static int run(unsigned int stage)
{
	(void)stage;
	return cases_run(list);
}

static const struct scenario hwpt_mark_scenario = {
	.name = "hwpt-mark",
	.description = "marking HWPTs, with every errno",
	.stages = { run },
};
SCENARIO(hwpt_mark_scenario);
