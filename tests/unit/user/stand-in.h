/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stand-in for the kernel, for tests of the library and luod that need none of
 * ours: it answers open(), access() and ioctl() as docs/interface.md has it, as
 * far as a well-behaved user can tell. Linked with -Wl,--wrap= for these and for
 * malloc() and its like.
 *
 * Sessions, iommufds and devices are pipes, so that each has an inode of its own
 * and the end of its last copy can be seen.
 */
#ifndef LU_STAND_IN_H
#define LU_STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

/* All is as when the machine was started. */
void standin_reset(void);
/* The next kernel: what is in sessions is incoming. All else has to be closed. */
void standin_kexec(void);

/* A fresh iommufd, and a device at @address with vfio-pci bound to it. */
int standin_iommufd(void);
int standin_device(const char *address);

/* Something that is no memory of a memfd. */
void standin_map_other(int iommufd, uint32_t ioas, uint64_t iova,
		       uint64_t length);

/* Does the kernel know the calls of LU_CAN_ASK, those of iommufd? Both at first. */
void standin_can(bool ask, bool iommu);
/* For so many tries /dev/liveupdate is somebody else's, all of them if negative. */
void standin_node_busy(int tries);
/* vfio-pci is not there for so many tries to take a device. */
void standin_driver_late(int tries);
/* What was handed over of this device is not believed. */
void standin_reject(const char *address);

/*
 * The @nth call from now on fails with that errno (ENOMEM: also allocations are
 * counted); 0 never. Returns how many there were since it was last asked.
 */
unsigned int standin_fail(unsigned int nth, int error);

/* How many files are preserved in outgoing sessions, how many HWPTs marked. */
unsigned int standin_preserved(void);
unsigned int standin_marked(void);
/* How many sessions are not finished, how many restored HWPTs there are. */
unsigned int standin_incoming(void);
unsigned int standin_restored(void);
/* How many ranges are mapped in the IOAS of that HWPT. */
unsigned int standin_maps(int iommufd, uint32_t hwpt);
/* Is the node open? */
bool standin_node_open(void);

#endif
