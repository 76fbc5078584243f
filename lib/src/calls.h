/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call of the kernel each: 0, or a file descriptor or number where they say
 * so, or -errno. What they mean is for the callers to say.
 */
#ifndef LU_CALLS_H
#define LU_CALLS_H

#include <stdbool.h>

#include "uapi.h"

#define LUI_NODE "/dev/liveupdate"
#define LUI_ADDRESS_BYTES 16

/* calls-session.c: a file descriptor of the session */
/*
 * One try of LUI_CREATE_SESSION or LUI_RETRIEVE_SESSION at that node. -ETXTBSY:
 * somebody has it open; -ENODEV: there is none
 */
int lui_node_call(const char *node, unsigned long call, const char *name);
/* At LUI_NODE, tried for 5 seconds. */
int lui_node_create(const char *name);
int lui_node_retrieve(const char *name);

int lui_session_name(int session, char name[LU_NAME_BYTES]);
/* LU_OUT or LU_IN, also of a kernel that cannot be asked. */
int lui_session_direction(int session);
/* How many there are. */
int lui_session_files(int session, struct lu_file *files, unsigned int room);
int lui_session_preserve(int session, int fd, uint64_t token);
/* A file descriptor. */
int lui_session_take(int session, uint64_t token);
int lui_session_finish(int session);

/* calls-iommufd.c */
bool lui_is_iommufd(int fd);
int lui_destroy(int iommufd, uint32_t id);
int lui_ioas_alloc(int iommufd, uint32_t *ret_id);
int lui_hwpt_alloc(int iommufd, uint32_t devid, uint32_t ioas, uint32_t flags,
		   uint32_t *ret_id);
/* @prot of LU_READ and LU_WRITE. */
int lui_map_file(int iommufd, uint32_t ioas, uint64_t iova, uint64_t length,
		 int fd, uint64_t offset, uint32_t prot);
/* Fills @maps, sets *@ret_nr; from *@iova on, which is where it goes on. 1: more */
int lui_ioas_maps(int iommufd, uint32_t ioas, uint64_t *iova,
		  struct lui_map *maps, uint32_t room, uint32_t *ret_nr);

/* calls-vfio.c */
/* Is it a PCI device of vfio that is bound? -EMEDIUMTYPE, -EPERM if not bound */
int lui_device_check(int fd);
/* "0000:00:05.0" of a device that was opened by its node */
int lui_device_address(int fd, char address[LUI_ADDRESS_BYTES]);
int lui_device_bind(int fd, int iommufd, uint32_t *ret_devid);
int lui_device_attach(int fd, uint32_t hwpt);
int lui_device_detach(int fd);
/* A dma-buf over a part of a BAR: its file descriptor. */
int lui_device_dmabuf(int fd, uint32_t bar, uint64_t offset, uint64_t length);
/* Asks the kernel to bind vfio-pci to it. -EBUSY: another driver is */
int lui_driver_bind(const char *address);

#endif
