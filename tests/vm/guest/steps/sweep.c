// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "khotree.h"
#include "report.h"
#include "sweep.h"
#include "vmstat.h"
#include "words.h"

#define TRIES_MAX 2000
#define RECORDS "/sys/kernel/debug/iommu/liveupdate"

static bool look_at_kho;

/* What a failed call must leave as it was. */
struct tally {
	int64_t table_pages;
	struct khotree kho;
	char records[2048];
};

struct progress {
	const struct call *call;
	const char *function; /* NULL: allocations */
	unsigned int n;
	unsigned int failures;
	unsigned int absorbed;
	char wrong[200]; /* the first thing that was */
};

static void read_records(char *text, size_t size)
{
	int fd = open(RECORDS, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);

	text[got > 0 ? got : 0] = 0;
	if (fd >= 0)
		close(fd);
}

void sweep_look_at_kho(bool on)
{
	look_at_kho = on;
}

static int tally_take(struct tally *t)
{
	memset(t, 0, sizeof(*t));
	t->table_pages = vmstat_iommu_pages();
	read_records(t->records, sizeof(t->records));
	return look_at_kho ? khotree_look(&t->kho) : 0;
}

static void blame(struct progress *p, const char *fmt, ...) __printf(2, 3);

static void blame(struct progress *p, const char *fmt, ...)
{
	va_list args;

	if (p->wrong[0])
		return;
	va_start(args, fmt);
	vsnprintf(p->wrong, sizeof(p->wrong), fmt, args);
	va_end(args);
}

static void compare(struct progress *p, const struct tally *was)
{
	struct tally now;

	if (tally_take(&now)) {
		blame(p, "number %u: what is kept cannot be read", p->n);
		return;
	}
	if (now.table_pages != was->table_pages)
		blame(p, "number %u leaves %lld table pages, %lld before", p->n,
		      (long long)now.table_pages, (long long)was->table_pages);
	if (now.kho.keys != was->kho.keys || now.kho.hash != was->kho.hash)
		blame(p, "number %u: KHO keeps %llu blocks, %llu before%s",
		      p->n, (unsigned long long)now.kho.keys,
		      (unsigned long long)was->kho.keys,
		      now.kho.keys == was->kho.keys ? ", not the same" : "");
	if (strcmp(now.records, was->records))
		blame(p, "number %u leaves records", p->n);
}

/* True when there was something to fail. */
static bool run_failing(struct progress *p, int *ret_rc)
{
	int rc;

	if (p->function) {
		rc = fault_function(p->function, -ENOMEM, p->n);
		if (rc) {
			blame(p, "%s: %s", p->function, errno_name(rc));
			*ret_rc = 0;
			return false;
		}
		*ret_rc = p->call->run();
		return fault_function_end();
	}
	fault_nth(p->n);
	*ret_rc = p->call->run();
	return fault_nth_end();
}

static void undo(struct progress *p)
{
	int rc = p->call->undo ? p->call->undo() : 0;

	if (rc)
		blame(p, "number %u cannot be undone: %s", p->n,
		      errno_name(rc));
}

/* What has failed works, in the very same place. */
static void run_plain(struct progress *p)
{
	int rc;

	if (!p->call->undo || p->call->flags & SWEEP_COARSE)
		return;
	rc = p->call->run();
	if (rc)
		blame(p, "after number %u: %s", p->n, errno_name(rc));
	else
		undo(p);
}

static bool expected(const struct call *call, int rc)
{
	return rc == -ENOMEM || call->flags & SWEEP_ANY_ERRNO ||
	       (rc == -ENOENT && call->flags & SWEEP_LOOKUP);
}

/* One try. False when it was the last. */
static bool one(struct progress *p)
{
	struct tally was;
	bool struck;
	int rc;

	rc = tally_take(&was);
	if (rc) {
		blame(p, "what is kept cannot be read: %s", errno_name(rc));
		return false;
	}
	struck = run_failing(p, &rc);
	if (rc) {
		if (!struck)
			blame(p, "number %u fails by itself: %s", p->n,
			      errno_name(rc));
		else if (!expected(p->call, rc))
			blame(p, "number %u: %s", p->n, errno_name(rc));
		p->failures++;
		compare(p, &was);
		if (struck)
			run_plain(p);
		return struck && !(p->call->flags & SWEEP_FIRST);
	}
	if (!struck)
		return false;
	p->absorbed++;
	if (p->call->flags & SWEEP_ONCE)
		return false;
	undo(p);
	return true;
}

static unsigned int next_number(const struct progress *p)
{
	unsigned int step = 1;

	if (p->call->flags & SWEEP_COARSE && p->n >= 8)
		step = p->n / 2;
	return p->n + step;
}

static int go_through(struct progress *p)
{
	bool more = true;
	unsigned int absorbed;
	char name[96];

	for (unsigned int tries = 0; more; tries++) {
		absorbed = p->absorbed;
		more = !p->wrong[0] && one(p);
		if (more)
			p->n = next_number(p);
		if (tries == TRIES_MAX) {
			blame(p, "still fails after %u tries", tries);
			break;
		}
	}
	/* What fails may then always be an allocation of kmemleak's */
	if (!p->failures && !(p->call->flags & SWEEP_MAY_PASS) &&
	    !word_number("lu.leaks", 0))
		blame(p, "nothing has failed");
	snprintf(name, sizeof(name), "fails-%s%s%s", p->call->name,
		 p->function ? "-" : "", p->function ? p->function : "");
	check(name, !p->wrong[0], "%u failures, %u borne, last number %u%s%s",
	      p->failures, p->absorbed, p->n, p->wrong[0] ? ": " : "",
	      p->wrong);
	if (p->wrong[0])
		return -1;
	return p->absorbed != absorbed ? (int)p->n + 1 : 0;
}

int sweep(const struct call *call, unsigned int first)
{
	struct progress p = { .call = call, .n = first ? first : 1 };

	return go_through(&p);
}

int sweep_function(const struct call *call, const char *function)
{
	struct progress p = { .call = call, .function = function, .n = 1 };

	return go_through(&p);
}
