/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's interface as far as it is used here, so that the library builds
 * with the headers of any distribution. Numbers and layouts are those of Linux
 * 7.3's <linux/liveupdate.h>, <linux/iommufd.h> and <linux/vfio.h>, and of
 * <linux/iommufd-liveupdate.h> and <linux/liveupdate-info.h> of this project;
 * tests/unit/user/uapi.c compares them.
 */
#ifndef LU_UAPI_H
#define LU_UAPI_H

#include <linux/types.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "liveupdate.h"

/* /dev/liveupdate and its sessions */

#define LUI_LUO 0xBA
#define LUI_CREATE_SESSION _IO(LUI_LUO, 0x00)
#define LUI_RETRIEVE_SESSION _IO(LUI_LUO, 0x01)
#define LUI_PRESERVE_FD _IO(LUI_LUO, 0x40)
#define LUI_RETRIEVE_FD _IO(LUI_LUO, 0x41)
#define LUI_FINISH _IO(LUI_LUO, 0x42)
#define LUI_GET_NAME _IO(LUI_LUO, 0x43)
#define LUI_GET_INFO _IO(LUI_LUO, 0x60)

/* Of CREATE_SESSION and RETRIEVE_SESSION */
struct lui_session {
	__u32 size;
	__s32 fd;
	char name[LU_NAME_BYTES];
};

/* Of PRESERVE_FD and RETRIEVE_FD */
struct lui_file {
	__u32 size;
	__s32 fd;
	__aligned_u64 token;
};

struct lui_finish {
	__u32 size;
	__u32 reserved;
};

struct lui_name {
	__u32 size;
	__u32 reserved;
	char name[LU_NAME_BYTES];
};

enum { LUI_OUTGOING, LUI_INCOMING, LUI_FINISHED };

struct lui_info {
	__u32 size;
	__u32 state;
	__u32 nr_files;
	__u32 max_files;
	__aligned_u64 files; /* struct lu_file [], which is laid out the same */
};

/* /dev/iommu */

#define LUI_IOMMUFD ';'
#define LUI_DESTROY _IO(LUI_IOMMUFD, 0x80)
#define LUI_IOAS_ALLOC _IO(LUI_IOMMUFD, 0x81)
#define LUI_OPTION _IO(LUI_IOMMUFD, 0x87)
#define LUI_HWPT_ALLOC _IO(LUI_IOMMUFD, 0x89)
#define LUI_IOAS_MAP_FILE _IO(LUI_IOMMUFD, 0x8f)
#define LUI_HWPT_PRESERVE _IO(LUI_IOMMUFD, 0x96)
#define LUI_HWPT_UNPRESERVE _IO(LUI_IOMMUFD, 0x97)
#define LUI_HWPT_RESTORE _IO(LUI_IOMMUFD, 0x98)
#define LUI_IOAS_MAPS _IO(LUI_IOMMUFD, 0x99)

struct lui_destroy {
	__u32 size;
	__u32 id;
};

struct lui_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

struct lui_option {
	__u32 size;
	__u32 option_id;
	__u16 op; /* 1: get */
	__u16 reserved;
	__u32 object_id;
	__aligned_u64 val64;
};

struct lui_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
	__u32 out_hwpt_id;
	__u32 reserved;
	__u32 data_type;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__u32 fault_id;
	__u32 reserved2;
};

#define LUI_MAP_FIXED_IOVA (1u << 0)
#define LUI_MAP_WRITEABLE (1u << 1)
#define LUI_MAP_READABLE (1u << 2)

struct lui_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};

struct lui_hwpt_preserve {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 token;
};

struct lui_hwpt_unpreserve {
	__u32 size;
	__u32 hwpt_id;
};

struct lui_hwpt_restore {
	__u32 size;
	__u32 out_hwpt_id;
	__aligned_u64 token;
};

enum { LUI_MAP_BY_ADDRESS, LUI_MAP_OF_FILE, LUI_MAP_OF_DMABUF };

struct lui_map {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 start; /* an address, or an offset in the file */
	__u32 type;
	__u32 prot; /* LUI_MAP_READABLE, LUI_MAP_WRITEABLE */
	__aligned_u64 dev; /* of the file, as stat() has it */
	__aligned_u64 ino;
};

#define LUI_MAPS_MORE (1u << 0)

struct lui_ioas_maps {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova; /* where to begin, then where to go on */
	__u32 nr;
	__u32 flags;
	__aligned_u64 maps;
};

/* /dev/vfio/devices/ */

#define LUI_VFIO(nr) _IO(';', 100 + (nr))
#define LUI_DEVICE_GET_INFO LUI_VFIO(7)
#define LUI_DEVICE_BIND LUI_VFIO(18)
#define LUI_DEVICE_ATTACH LUI_VFIO(19)
#define LUI_DEVICE_DETACH LUI_VFIO(20)

#define LUI_DEVICE_FEATURE LUI_VFIO(17)

#define LUI_DEVICE_IS_PCI (1u << 1)

struct lui_device_info {
	__u32 argsz;
	__u32 flags;
	__u32 num_regions;
	__u32 num_irqs;
	__u32 cap_offset;
	__u32 pad;
};

struct lui_device_bind {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};

struct lui_device_attach {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};

struct lui_device_detach {
	__u32 argsz;
	__u32 flags;
};

#define LUI_FEATURE_DMA_BUF 11u
#define LUI_FEATURE_GET (1u << 16)

/* The feature of a dma-buf, of one range */
struct lui_device_dmabuf {
	__u32 argsz;
	__u32 flags;
	__u32 region_index;
	__u32 open_flags;
	__u32 reserved;
	__u32 nr_ranges;
	__aligned_u64 offset;
	__aligned_u64 length;
};

#endif
