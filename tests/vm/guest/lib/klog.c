// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/klog.h>

#include "klog.h"

#define READ_ALL 3

bool klog_has(const char *text)
{
	static char log[1 << 20];
	int got;

	got = klogctl(READ_ALL, log, sizeof(log) - 1);
	if (got < 0)
		return false;
	log[got] = 0;
	return strstr(log, text);
}
