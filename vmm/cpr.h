/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What QEMU leaves for the program it becomes (cpr-exec): its files by name, and
 * the IDs of its devices in iommufd. Not a stable interface: seen with QEMU 10.2 to
 * 11.1, and read to the last byte or not at all.
 */
#ifndef LU_QEMU_CPR_H
#define LU_QEMU_CPR_H

#include <stddef.h>
#include <stdint.h>

/* In the environment: the number of the file with the state */
#define CPR_STATE_ENV "QEMU_CPR_EXEC_STATE"

/* More than any guest has, so that a broken state cannot ask for all memory */
#define CPR_FDS_MAX 65536
#define CPR_NAME_MAX 4096

struct cpr_fd {
	char *name; /* of what it is: a RAM block, a device, ... */
	int32_t id; /* of several with one name: the number of a vector */
	int32_t fd;
};

struct cpr_device {
	char *name; /* as of its file */
	int32_t devid;
	uint32_t ioas;
	uint32_t hwpt;
};

struct cpr {
	struct cpr_fd *fd;
	unsigned int fds;
	struct cpr_device *device;
	unsigned int devices;
};

/* 0, -EBADMSG for anything else than such a state, -ENOTSUP for another version */
int cpr_parse(const void *data, size_t length, struct cpr *ret);

/* The same as bytes, to be freed; NULL without memory. */
void *cpr_bytes(const struct cpr *cpr, size_t *ret_length);

void cpr_free(struct cpr *cpr);

/* NULL if there is none. */
const struct cpr_device *cpr_find_device(const struct cpr *cpr,
					 const char *name);

#endif
