// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "sleep.h"
#include "textfile.h"

#define POWER "/sys/power/"
/* Else it stays down for five seconds. */
#define DELAY "/sys/module/suspend/parameters/pm_test_delay"

int sleep_to_disk(void)
{
	return put_text(POWER "state", "disk");
}

int sleep_down_to(const char *state, const char *level)
{
	int rc = put_text(DELAY, "0");

	/* Where there are two ways, the one that goes further down */
	if (!rc && !strcmp(state, "mem"))
		rc = put_text(POWER "mem_sleep", "deep");
	if (!rc)
		rc = put_text(POWER "pm_test", level);
	if (rc)
		return rc;
	rc = put_text(POWER "state", state);
	put_text(POWER "pm_test", "none");
	return rc;
}
