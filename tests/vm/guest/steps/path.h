/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way to a device: itself and each bridge above it, with what decides where
 * its transactions go and as whose they count. None of it may change while the
 * device is at work.
 */
#ifndef LU_PATH_H
#define LU_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

#define PATH_HOPS 5
#define PATH_WORDS 16

struct path {
	uint32_t hops;
	struct path_hop {
		char bdf[BDF_BYTES];
		uint32_t word[PATH_WORDS];
	} hop[PATH_HOPS];
};

/* Reads it, from the device upwards. 0 or -errno. */
int path_read(const char *bdf, struct path *path);
/* A check: nothing of it has changed since. */
bool path_check(const char *name, const struct path *was);

#endif
