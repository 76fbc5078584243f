/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owners that die, and what another process does about it: take the session
 * apart without building anything new, and use the device again.
 */
#ifndef LU_REAP_H
#define LU_REAP_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

/*
 * Runs @walk in a child and kills the child where it returns 0. False, with a
 * failed check, when it did not get that far.
 */
bool perish(const char *name, int (*walk)(void *arg), void *arg);

/* How far the dead owner had come. */
struct remains {
	bool iommufd; /* in the session */
	unsigned int devices; /* in the session */
	bool bound; /* the devices, in this kernel */
	bool swapped; /* the devices are off the restored HWPT */
};

/*
 * Retrieves, takes apart, finishes. The memory is not asked for. The checks'
 * names end in @name, and so does the session's.
 */
bool reap_session(const char *session, const char *name,
		  const struct remains *is);
/* The device serves a new user, and its native driver. */
void reap_device(const char *bdf);
/*
 * All sessions are gone: does each device serve, and is nearly all of @kib of
 * their memory free again, of which @before was there? Ends the traffic.
 */
void reaped(char bdf[][BDF_BYTES], unsigned int devices, int64_t before,
	    int64_t kib);

/* A note from one kernel to the next, in a session of its own. */
int note_leave(const char *session, int64_t number);
int note_read(const char *session, int64_t *ret_number);

#endif
