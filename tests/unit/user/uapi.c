// SPDX-License-Identifier: GPL-2.0-only
/* The library's own copy of the kernel's interface is equal to it: compiled only. */
#include <stddef.h>
#include <linux/iommufd.h>
#include <linux/iommufd-liveupdate.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate-info.h>
#include <linux/vfio.h>

#include "../../../lib/src/uapi.h"

#define SAME(ours, theirs) \
	_Static_assert((ours) == (theirs), #ours " is not " #theirs)
/* Theirs may be longer: what is behind has come later, and is optional. */
#define FITS(ours, theirs)                                     \
	_Static_assert(sizeof(struct ours) <= sizeof(struct theirs), \
		       #ours " is longer than " #theirs)
#define AT(ours, field, theirs, their)              \
	SAME(offsetof(struct ours, field), offsetof(struct theirs, their))

SAME(LUI_CREATE_SESSION, LIVEUPDATE_IOCTL_CREATE_SESSION);
SAME(LUI_RETRIEVE_SESSION, LIVEUPDATE_IOCTL_RETRIEVE_SESSION);
SAME(LUI_PRESERVE_FD, LIVEUPDATE_SESSION_PRESERVE_FD);
SAME(LUI_RETRIEVE_FD, LIVEUPDATE_SESSION_RETRIEVE_FD);
SAME(LUI_FINISH, LIVEUPDATE_SESSION_FINISH);
SAME(LUI_GET_NAME, LIVEUPDATE_SESSION_GET_NAME);
SAME(LU_NAME_BYTES, LIVEUPDATE_SESSION_NAME_LENGTH);
SAME(sizeof(struct lui_session),
     sizeof(struct liveupdate_ioctl_create_session));
AT(lui_session, name, liveupdate_ioctl_create_session, name);
AT(lui_session, fd, liveupdate_ioctl_retrieve_session, fd);
SAME(sizeof(struct lui_file), sizeof(struct liveupdate_session_preserve_fd));
AT(lui_file, token, liveupdate_session_preserve_fd, token);
AT(lui_file, fd, liveupdate_session_retrieve_fd, fd);
SAME(sizeof(struct lui_finish), sizeof(struct liveupdate_session_finish));
SAME(sizeof(struct lui_name), sizeof(struct liveupdate_session_get_name));

SAME(LUI_DESTROY, IOMMU_DESTROY);
SAME(LUI_IOAS_ALLOC, IOMMU_IOAS_ALLOC);
SAME(LUI_OPTION, IOMMU_OPTION);
SAME(LUI_HWPT_ALLOC, IOMMU_HWPT_ALLOC);
SAME(LUI_IOAS_MAP_FILE, IOMMU_IOAS_MAP_FILE);
SAME(LUI_MAP_FIXED_IOVA, IOMMU_IOAS_MAP_FIXED_IOVA);
SAME(LUI_MAP_WRITEABLE, IOMMU_IOAS_MAP_WRITEABLE);
SAME(LUI_MAP_READABLE, IOMMU_IOAS_MAP_READABLE);
SAME(sizeof(struct lui_destroy), sizeof(struct iommu_destroy));
SAME(sizeof(struct lui_ioas_alloc), sizeof(struct iommu_ioas_alloc));
SAME(sizeof(struct lui_option), sizeof(struct iommu_option));
AT(lui_option, val64, iommu_option, val64);
SAME(sizeof(struct lui_hwpt_alloc), sizeof(struct iommu_hwpt_alloc));
AT(lui_hwpt_alloc, out_hwpt_id, iommu_hwpt_alloc, out_hwpt_id);
SAME(sizeof(struct lui_ioas_map_file), sizeof(struct iommu_ioas_map_file));
AT(lui_ioas_map_file, start, iommu_ioas_map_file, start);
AT(lui_ioas_map_file, iova, iommu_ioas_map_file, iova);

SAME(LUI_HWPT_PRESERVE, IOMMU_HWPT_LU_PRESERVE);
SAME(LUI_HWPT_UNPRESERVE, IOMMU_HWPT_LU_UNPRESERVE);
SAME(LUI_HWPT_RESTORE, IOMMU_HWPT_LU_RESTORE);
SAME(sizeof(struct lui_hwpt_preserve), sizeof(struct iommu_hwpt_lu_preserve));
SAME(sizeof(struct lui_hwpt_unpreserve),
     sizeof(struct iommu_hwpt_lu_unpreserve));
SAME(sizeof(struct lui_hwpt_restore), sizeof(struct iommu_hwpt_lu_restore));
AT(lui_hwpt_restore, token, iommu_hwpt_lu_restore, token);

SAME(LUI_GET_INFO, LIVEUPDATE_SESSION_GET_INFO);
SAME(sizeof(struct lui_info), sizeof(struct liveupdate_session_get_info));
AT(lui_info, files, liveupdate_session_get_info, files);
SAME((int)LUI_INCOMING, (int)LIVEUPDATE_SESSION_INCOMING);
SAME((int)LUI_FINISHED, (int)LIVEUPDATE_SESSION_FINISHED);
SAME(sizeof(struct lu_file), sizeof(struct liveupdate_file_info));
AT(lu_file, handler, liveupdate_file_info, compatible);
SAME((int)LU_FILE_TAKEN, (int)LIVEUPDATE_FILE_RETRIEVED);
SAME((int)LU_FILE_UNCLAIMED, (int)LIVEUPDATE_FILE_UNCLAIMED);

SAME(LUI_IOAS_MAPS, IOMMU_IOAS_LU_MAPS);
SAME(sizeof(struct lui_ioas_maps), sizeof(struct iommu_ioas_lu_maps));
SAME(sizeof(struct lui_map), sizeof(struct iommu_lu_map));
AT(lui_map, type, iommu_lu_map, type);
AT(lui_map, dev, iommu_lu_map, dev);

SAME(LUI_DEVICE_GET_INFO, VFIO_DEVICE_GET_INFO);
SAME(LUI_DEVICE_BIND, VFIO_DEVICE_BIND_IOMMUFD);
SAME(LUI_DEVICE_ATTACH, VFIO_DEVICE_ATTACH_IOMMUFD_PT);
SAME(LUI_DEVICE_DETACH, VFIO_DEVICE_DETACH_IOMMUFD_PT);
SAME(LUI_DEVICE_FEATURE, VFIO_DEVICE_FEATURE);
SAME(LUI_FEATURE_GET, VFIO_DEVICE_FEATURE_GET);
SAME(LUI_DEVICE_IS_PCI, VFIO_DEVICE_FLAGS_PCI);
FITS(lui_device_info, vfio_device_info);
FITS(lui_device_bind, vfio_device_bind_iommufd);
AT(lui_device_bind, out_devid, vfio_device_bind_iommufd, out_devid);
FITS(lui_device_attach, vfio_device_attach_iommufd_pt);
AT(lui_device_attach, pt_id, vfio_device_attach_iommufd_pt, pt_id);
FITS(lui_device_detach, vfio_device_detach_iommufd_pt);
SAME(LUI_FEATURE_DMA_BUF, VFIO_DEVICE_FEATURE_DMA_BUF);
SAME(offsetof(struct lui_device_dmabuf, region_index),
     sizeof(struct vfio_device_feature));
SAME(offsetof(struct lui_device_dmabuf, offset),
     sizeof(struct vfio_device_feature) +
	     offsetof(struct vfio_device_feature_dma_buf, dma_ranges));
