// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "iommufd.h"
#include "peer.h"

int peer_find(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	p->vfio.fd = -1;
	return pci_find(PEER_ID, 0, p->bdf);
}

int peer_look(struct peer *p)
{
	p->memory = (void *)pci_map_bar(p->bdf, PEER_BAR, PEER_BYTES);
	return p->memory ? 0 : -EIO;
}

int peer_bind(struct peer *p, int fd, int iommufd)
{
	int rc;

	if (fd < 0)
		fd = vfio_cdev_open(p->bdf);
	if (fd < 0)
		return fd;
	rc = vfio_start(&p->vfio, p->bdf, fd, iommufd);
	if (!rc)
		rc = vfio_enable(&p->vfio);
	if (!rc)
		rc = vfio_map_bar(&p->vfio, PEER_BAR);
	p->memory = rc ? NULL : (void *)p->vfio.bar;
	return rc;
}

int peer_map(struct peer *p, int iommufd, uint32_t ioas)
{
	int fd = vfio_dmabuf(&p->vfio, PEER_BAR, PEER_BYTES), rc;

	if (fd < 0)
		return fd;
	rc = ioas_map_file(iommufd, ioas, fd, 0, PEER_BYTES, PEER_IOVA);
	close(fd);
	return rc;
}

int peer_memory(struct peer *p, bool on)
{
	uint16_t cmd;
	int rc = vfio_read16(&p->vfio, PCI_COMMAND, &cmd);

	cmd &= ~PCI_COMMAND_MEMORY;
	return rc ? rc : vfio_write16(&p->vfio, PCI_COMMAND,
				      cmd | (on ? PCI_COMMAND_MEMORY : 0));
}

void peer_close(struct peer *p)
{
	vfio_close(&p->vfio);
}
