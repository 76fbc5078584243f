// SPDX-License-Identifier: GPL-2.0-only
#include "meter.h"

static uint64_t started;

void meter_start(void)
{
	started = meter();
}

uint64_t meter_started(void)
{
	return started;
}
