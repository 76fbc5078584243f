/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What QEMU's state names, told apart by what the files are, and as parts of a plan
 * of libliveupdate. A part of the plan has the name of the file in QEMU's state.
 */
#ifndef LU_QEMU_PARTS_H
#define LU_QEMU_PARTS_H

#include <json-c/json.h>

#include "cpr.h"
#include "lu-qemu.h"

/* Names of blobs in the plan */
#define BLOB_CPR "qemu/cpr"
#define BLOB_STREAM "qemu/stream"
#define BLOB_VM "qemu/vm"

enum part {
	PART_MEMORY,
	PART_IOMMUFD,
	PART_DEVICE,
	PART_EVENT, /* made anew in the next kernel */
};

/* Which it is; -EMEDIUMTYPE for a file that cannot go along. */
int part_of(const struct cpr *cpr, const struct cpr_fd *fd, struct why *why);

/* Its name in the plan. 0 or -ENAMETOOLONG */
int part_name(char name[LU_NAME_BYTES], const struct cpr_fd *fd,
	      struct why *why);

/* Of the HWPT of a device; the same one has the same name. */
void hwpt_name(char name[LU_NAME_BYTES], const char *iommufd, uint32_t hwpt);

/*
 * All of a guest: @seen is of machine_look(). 0 or -errno with @why; the plan may
 * be half full then.
 */
int parts_plan(struct lu_plan *plan, const struct cpr *cpr, json_object *seen,
	       struct why *why);

#endif
