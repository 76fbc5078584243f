/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What users and operators do to a machine, each a letter and the number of a
 * device: "m1" removes device 1. What a call may answer depends on how far the
 * device's VM is on its way; an answer that docs/interface.md does not have is a
 * failed check.
 */
#ifndef LU_EVENTS_H
#define LU_EVENTS_H

#include "vm.h"

/* How far a VM is. */
enum phase {
	PHASE_FREE, /* at work, and not preserved, or not any more */
	PHASE_KEPT, /* preserved */
	PHASE_CAME, /* in the next kernel, and nobody has asked for it */
	PHASE_OWNED, /* retrieved */
	PHASE_DEAD, /* its owner died before the end, and nobody took its place */
	PHASE_DONE, /* finished */
	PHASE_AWAY, /* closed */
	PHASE_NOBODY, /* a device that takes no part */
	PHASES,
};

/* A device, and whose it is. */
struct target {
	const char *bdf;
	struct device *device; /* NULL where nobody has it in hand */
	enum phase phase;
	bool anything_kept; /* on this machine, the device or not */
};

/*
 * Does what the letter stands for. False when there is no such letter; what cannot
 * be done to such a device is left out. @step is for the names of checks.
 */
bool event_do(char letter, const struct target *t, const char *step);

#endif
