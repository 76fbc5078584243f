/* SPDX-License-Identifier: GPL-2.0-only */
/* What a scenario says: events, values, checks and one verdict. */
#ifndef LU_REPORT_H
#define LU_REPORT_H

#include <stdbool.h>

/*
 * Sets up the counters, in memory shared with the children. Failures of
 * earlier stages arrive by the command line.
 */
void report_setup(unsigned int failed_before);
unsigned int report_failed(void);
unsigned int report_checks(void);
bool report_ended(void);

#define __printf(a, b) __attribute__((format(printf, a, b)))

void event(const char *fmt, ...) __printf(1, 2);
void value(const char *name, unsigned long long number);
void value_text(const char *name, const char *fmt, ...) __printf(2, 3);
/* Returns what it was told, so that a caller can stop on a failure. */
bool check(const char *name, bool ok, const char *fmt, ...) __printf(3, 4);
/* @rc is 0 or -errno, and so is @want. */
bool check_rc(const char *name, int rc, int want);
void skip(const char *name, const char *fmt, ...) __printf(2, 3);
/*
 * For steps that only prepare: says nothing when they work, a failed check
 * when they do not. True means failed, as in: if (lost("map", rc)) return -1;
 */
bool lost(const char *name, int rc);
void verdict(bool pass, const char *fmt, ...) __printf(2, 3);
const char *errno_name(int rc);

#endif
