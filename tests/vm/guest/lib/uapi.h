/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel interface these programs use. What is ours comes from the project and
 * not from the headers of the kernel that is tested: the same binary also runs, and
 * is refused, on one that does not have it.
 */
#ifndef LU_UAPI_H
#define LU_UAPI_H

#include <linux/iommufd.h>
#include <linux/iommufd-liveupdate.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate-info.h>
#include <linux/types.h>
#include <linux/vfio.h>

#endif
