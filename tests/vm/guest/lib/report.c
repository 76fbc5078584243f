// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "report.h"
#include "wire.h"

#define TEXT_BYTES 300

static struct counters {
	unsigned int failed;
	unsigned int checks;
	bool ended;
} *counters;

void report_setup(unsigned int failed_before)
{
	counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counters == MAP_FAILED)
		abort();
	counters->failed = failed_before;
}

unsigned int report_failed(void)
{
	return counters->failed;
}

unsigned int report_checks(void)
{
	return counters->checks;
}

bool report_ended(void)
{
	return counters->ended;
}

const char *errno_name(int rc)
{
	const char *name = rc < 0 ? strerrorname_np(-rc) : NULL;

	if (!rc)
		return "0";
	return name ? name : "?";
}

void event(const char *fmt, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	wire_line("event %s", text);
}

void value(const char *name, unsigned long long number)
{
	wire_line("value %s %llu", name, number);
}

void value_text(const char *name, const char *fmt, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	wire_line("value %s %s", name, text);
}

bool check(const char *name, bool ok, const char *fmt, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	__atomic_add_fetch(&counters->checks, 1, __ATOMIC_RELAXED);
	if (!ok)
		__atomic_add_fetch(&counters->failed, 1, __ATOMIC_RELAXED);
	wire_line("check %s %s %s", name, ok ? "pass" : "fail", text);
	return ok;
}

bool check_rc(const char *name, int rc, int want)
{
	return check(name, rc == want, "got %s, want %s", errno_name(rc),
		     errno_name(want));
}

void skip(const char *name, const char *fmt, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	wire_line("check %s skip %s", name, text);
}

bool lost(const char *name, int rc)
{
	if (rc >= 0)
		return false;
	check(name, false, "%s: %s", errno_name(rc), strerror(-rc));
	return true;
}

void verdict(bool pass, const char *fmt, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	if (__atomic_exchange_n(&counters->ended, true, __ATOMIC_RELAXED))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	wire_line("end %s %s", pass ? "pass" : "fail", text);
	wire_drain();
}
