// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel proper is compressed in its image, this here is not. So whoever
 * has the image can see what the kernel reads, see linux/kho/abi/image.h.
 */
#include <linux/liveupdate-image.h>
