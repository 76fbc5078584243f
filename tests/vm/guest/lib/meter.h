/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts what is executed. On a machine whose virtual time is one nanosecond
 * per instruction the time stamp counter is that count, and goes on from one
 * kernel to the next. Elsewhere it is a clock like any other.
 */
#ifndef LU_METER_H
#define LU_METER_H

#include <stdint.h>

static inline uint64_t meter(void)
{
	return __builtin_ia32_rdtsc();
}

/* The first thing that the program does, so that it is known when that was. */
void meter_start(void);
uint64_t meter_started(void);

#endif
