/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call after another is made again and again, its first allocation failing
 * the first time, its second the second time, until one goes through with no
 * failure in it. A call that fails must have left no trace.
 */
#ifndef LU_SWEEP_H
#define LU_SWEEP_H

#include <stdbool.h>

enum {
	/* Has no allocation of its own, so it need not fail once. */
	SWEEP_MAY_PASS = 1,
	/*
	 * Is too long to let each allocation fail; the distance between those
	 * that do grows.
	 */
	SWEEP_COARSE = 2,
	/* Cannot be undone, so the first success is the last try. */
	SWEEP_ONCE = 4,
	/* There is no way back from a success, so the first failure is all. */
	SWEEP_FIRST = 8,
	/* A kernel made for its own tests also lets iommufd find no object. */
	SWEEP_LOOKUP = 16,
	/* Not our code: how it calls the lack of memory is its own affair. */
	SWEEP_ANY_ERRNO = 32,
};

struct call {
	const char *name;
	/* Only the call, so that nothing of ours is hit. 0, or -errno. */
	int (*run)(void);
	/* After a success: back to where it can be called. NULL for nothing. */
	int (*undo)(void);
	unsigned int flags;
};

/*
 * Is what KHO keeps to be counted as well? A kernel that came by kexec does not
 * show where that is, but then nothing in it is for the next one.
 */
void sweep_look_at_kho(bool on);

/*
 * Less than zero after a failed check; else the call is made, and this is where
 * a sweep that was ended by a success goes on, 0 when it is through.
 */
int sweep(const struct call *call, unsigned int first);
/* The same with calls of a function that is marked for failing. */
int sweep_function(const struct call *call, const char *function);

#endif
