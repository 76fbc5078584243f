/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of small cases about calls, each with a bench of its own. After each
 * of them the kernel must hold what it held before.
 */
#ifndef LU_CASES_H
#define LU_CASES_H

#include <stddef.h>

#include "bench.h"

struct bench_case {
	/* Names of checks start with it. */
	const char *name;
	void (*run)(struct bench *b);
};

/*
 * Takes the machine's first kept device; 0, or -1 when no case could be run.
 * The last entry has no name.
 */
int cases_run(const struct bench_case *list);

/* "case-what", in a ring of buffers. */
const char *cases_tag(const char *what);
/* For the cases: checks named after the case. */
bool cases_rc(const char *what, int rc, int want);
/* Another kept device of the machine, bound to vfio-pci; NULL: none left. */
const char *cases_device(unsigned int nth);
/* Marks the bench's HWPT with TOKEN_HWPT. */
bool cases_mark(struct bench *b);

#endif
