/* SPDX-License-Identifier: GPL-2.0-only */
/* Talking with the host about frames, and telling it what became of them. */
#ifndef LU_TRAFFIC_H
#define LU_TRAFFIC_H

#include "vm.h"

/* False, with a failed check, when the host did not answer. */
bool traffic_stop_host(void);
/* Waits until no drive has a read left to do, as the host sees it; checks @name. */
bool traffic_reads_home(const char *name);
/* Takes what is still under way, then stops the pump. */
void traffic_quiet(struct vm *vm);
/* Both, for the only VM. */
void traffic_drain(struct vm *vm);
/* Asks for another rate. The host may not reach it, which is no failure. */
void traffic_rate(unsigned int frames_per_second);
/* Checks that nothing got lost up to now: one check for each device. */
void traffic_check(struct vm *vm, const char *suffix);
/* The frame logs: "frames" for stream 0, "frames-BDF" for others. */
void traffic_blobs(struct vm *vm);
void traffic_blob(const char *name, const struct memory *m,
		  const struct device *nic);
void traffic_values(struct vm *vm);

#endif
