// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session is closed at every point it can have come to, and everything is
 * preserved anew, lu.args=n:N times. What the kernel holds is counted exactly,
 * after each point and at the end. No kexec here.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cases.h"
#include "counts.h"
#include "vm.h"
#include "iommufd.h"
#include "luo.h"
#include "report.h"
#include "scenario.h"
#include "vmstat.h"
#include "words.h"

#define ROUNDS 20
/* So many rounds that one page lost in each would show in MemFree. */
#define ROUNDS_MANY 1000
/* What else may come and go: per-CPU lists, slabs. */
#define SLACK_KIB 2048

/* All that there is to undo, in the order in which it is done. */
enum point { NOTHING, MARKED, MEMORY, IOMMUFD, DEVICE, SECOND, POINTS };

static const char *const point_names[POINTS] = {
	"nothing", "marked", "memory", "iommufd", "device", "second",
};

static struct vfio second;

static int step(struct bench *b, enum point point)
{
	switch (point) {
	case MARKED:
		return hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT);
	case MEMORY:
		return bench_preserve_memory(b);
	case IOMMUFD:
		return bench_preserve_iommufd(b);
	case DEVICE:
		return bench_preserve_device(b);
	case SECOND:
		return luo_preserve(b->session, second.fd, TOKEN_DEVICE + 1);
	default:
		return 0;
	}
}

/* One time around: a new session, everything up to @last, and back. */
static int round_trip(struct bench *b, enum point last)
{
	int rc = 0, point;

	b->session = luo_create(luo_open(), "bench");
	if (b->session < 0)
		return b->session;
	for (point = MARKED; !rc && point <= (int)last; point++)
		rc = step(b, point);
	bench_close_session(b);
	if (!rc && last >= MARKED)
		rc = hwpt_unmark(b->iommufd, b->hwpt);
	return rc;
}

static int round_trips(struct bench *b, enum point last, unsigned int count,
		       unsigned int *done)
{
	int rc = 0;

	for (*done = 0; !rc && *done < count; (*done)++)
		rc = round_trip(b, last);
	return rc;
}

static void check_point(struct bench *b, enum point last, unsigned int count)
{
	struct counts before;
	unsigned int done;
	char text[40];
	int rc;

	snprintf(text, sizeof(text), "%s-rounds", point_names[last]);
	if (lost(cases_tag(text), counts_read(&before)))
		return;
	rc = round_trips(b, last, count, &done);
	check(cases_tag(text), !rc, "%u of %u: %s", done, count,
	      errno_name(rc));
	snprintf(text, sizeof(text), "%s-counts", point_names[last]);
	counts_check(cases_tag(text), &before);
}

static void closed_at(struct bench *b)
{
	unsigned int count = arg_number("n", ROUNDS);
	int64_t before = 0, lost_kib;

	if (!cases_device(1) ||
	    lost(cases_tag("add"), bench_add(b, &second, cases_device(1))))
		return;
	bench_close_session(b);
	/* What is allocated once is there from now on */
	cases_rc("once", round_trip(b, SECOND), 0);
	for (int point = NOTHING; point < POINTS; point++) {
		/* By then whatever only grows to some size has done so */
		if (point == IOMMUFD)
			before = meminfo_free();
		check_point(b, point, count);
	}
	lost_kib = -meminfo_freed(before, -SLACK_KIB);
	if (count >= ROUNDS_MANY)
		check(cases_tag("all-memory"), lost_kib < SLACK_KIB,
		      "%lld KiB less are free after %u rounds",
		      (long long)lost_kib, count * (POINTS - IOMMUFD));
	value("rounds", count * POINTS);
	vfio_close(&second);
}

/* The same, when files go before their session does. */
static void files_first(struct bench *b)
{
	char bdf[BDF_BYTES];

	snprintf(bdf, sizeof(bdf), "%s", b->vfio.bdf);
	for (int last = MARKED; last <= DEVICE; last++) {
		char text[40];
		int rc = 0;

		for (int point = MARKED; !rc && point <= last; point++)
			rc = step(b, point);
		snprintf(text, sizeof(text), "%s", point_names[last]);
		cases_rc(text, rc, 0);
		vfio_close(&b->vfio);
		close(b->iommufd);
		close(b->memfd);
		bench_close_session(b);
		snprintf(text, sizeof(text), "%s-again", point_names[last]);
		cases_rc(text, bench_open(b, bdf), 0);
	}
}

/* Preserve fails in the middle, each time at the same point. */
static void refused(struct bench *b)
{
	struct counts before;
	int rc = 0;

	if (!cases_mark(b) || lost(cases_tag("counts"), counts_read(&before)))
		return;
	for (unsigned int i = 0; !rc && i < ROUNDS; i++)
		if (bench_preserve_iommufd(b) != -EINVAL ||
		    bench_preserve_device(b) != -ENOENT)
			rc = -EPROTO;
	cases_rc("rounds", rc, 0);
	counts_check(cases_tag("counts"), &before);
}

/* A session without its own files, while another one is kept. */
static void beside(struct bench *b)
{
	struct counts before;
	struct bench other;

	if (!cases_device(1) ||
	    lost(cases_tag("all"), bench_preserve(b)) ||
	    lost(cases_tag("counts"), counts_read(&before)))
		return;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (lost(cases_tag("open"),
			 bench_open_as(&other, cases_device(1), "bench-2")))
			return;
		if (lost(cases_tag("other"), bench_preserve(&other)))
			return;
		bench_close(&other);
	}
	counts_check(cases_tag("counts"), &before);
	cases_rc("still-fixed", vfio_detach(&b->vfio), -EBUSY);
}

static const struct bench_case list[] = {
	{ "closed-at", closed_at },
	{ "files-first", files_first },
	{ "refused", refused },
	{ "beside", beside },
	{ NULL, NULL },
};

static int run(unsigned int stage)
{
	(void)stage;
	return cases_run(list);
}

static const struct scenario undo = {
	.name = "undo",
	.description = "sessions closed at every point leave no trace",
	.stages = { run },
};
SCENARIO(undo);
