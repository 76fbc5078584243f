// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "e1000e.h"
#include "module.h"
#include "native.h"
#include "nvme.h"
#include "pci.h"
#include "virtio.h"

const char *native_driver(const char *bdf)
{
	switch (pci_id(bdf)) {
	case E1000E_ID:
		return "e1000e";
	case NVME_ID:
		return "nvme";
	case VNET_ID:
		return "virtio-pci";
	}
	return NULL;
}

int native_take(const char *bdf)
{
	const char *driver = native_driver(bdf);
	char has[40];
	int rc;

	if (!driver)
		return -ENODEV;
	rc = module_load(driver);
	if (rc)
		return rc;
	pci_driver(bdf, has, sizeof(has));
	return strcmp(has, driver) ? pci_offer(bdf, driver) : 0;
}
