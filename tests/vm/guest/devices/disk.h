/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio disk in the hands of its native driver, read all the time. What is
 * read says where it belongs, as on the drives.
 */
#ifndef LU_DISK_H
#define LU_DISK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

#define DISK_ID 0x1af41042u

struct disk {
	int fd;
	pthread_t thread;
	bool stop;
	uint64_t reads;
	uint64_t bad;
};

/* Waits for the disk and starts to read from it. 0 or -errno. */
int disk_start(struct disk *d, const char *bdf);
/* Waits for @more reads; false when one is bad or they have stopped. */
bool disk_works(struct disk *d, uint64_t more);
void disk_stop(struct disk *d);

/*
 * Asks the host to put a disk into a port of the machine, or to take it out,
 * once the slot is at rest.
 * False, with a failed check, when it does not come, or go.
 */
bool disk_plug(const char *port, const char *bdf);
bool disk_unplug(const char *port, const char *bdf);

#endif
