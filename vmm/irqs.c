// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "irqs.h"

#define VECTORS_MAX 2048 /* of MSI-X, by PCI */

static const struct {
	const char *ending;
	enum irq_role role;
} roles[] = {
	{ "_kvm_interrupt", IRQ_VECTOR_KVM },
	{ "_intx-interrupt", IRQ_INTX },
	{ "_intx-unmask", IRQ_INTX_UNMASK },
	{ "_err_notifier", IRQ_ERROR },
	{ "_req_notifier", IRQ_REQUEST },
	/* the end of the first one, too */
	{ "_interrupt", IRQ_VECTOR },
};

enum irq_role irq_role(const char *name, const char *device)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		size_t ending = strlen(roles[i].ending);

		if (length <= ending ||
		    strcmp(name + length - ending, roles[i].ending))
			continue;
		length -= ending;
		if (device && (length != strlen(device) ||
			       strncmp(name, device, length)))
			return IRQ_NONE;
		return roles[i].role;
	}
	return IRQ_NONE;
}

/* What sysfs says of the first vector: "msi" or "msix"; "" if there is none. */
static void read_mode(const char *address, char mode[8])
{
	char path[320];
	struct dirent *one;
	FILE *file;
	DIR *dir;

	mode[0] = 0;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/msi_irqs",
		 address);
	dir = opendir(path);
	if (!dir)
		return;
	while ((one = readdir(dir)) && one->d_name[0] == '.')
		;
	if (one) {
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/msi_irqs/%s", address,
			 one->d_name);
		file = fopen(path, "re");
		if (file) {
			if (fscanf(file, "%7s", mode) != 1)
				mode[0] = 0;
			fclose(file);
		}
	}
	closedir(dir);
}

int irq_mode(const char *address, bool intx)
{
	char mode[8];

	read_mode(address, mode);
	if (!strcmp(mode, "msix"))
		return VFIO_PCI_MSIX_IRQ_INDEX;
	if (!strcmp(mode, "msi"))
		return VFIO_PCI_MSI_IRQ_INDEX;
	return intx ? VFIO_PCI_INTX_IRQ_INDEX : -1;
}

/* Eventfds of one device by their role; -1 is none. */
struct eventfds {
	int *vector; /* what each vector signals */
	unsigned int vectors;
	int intx, unmask, error, request;
};

static void note_vector(struct eventfds *e, const struct cpr_fd *fd, bool kvm)
{
	if (fd->id < 0 || fd->id >= VECTORS_MAX)
		return;
	if ((unsigned int)fd->id >= e->vectors)
		e->vectors = fd->id + 1;
	/* Past QEMU if the guest has asked for it. */
	if (kvm || e->vector[fd->id] < 0)
		e->vector[fd->id] = fd->fd;
}

static void note(struct eventfds *e, const struct cpr_fd *fd,
		 enum irq_role role)
{
	if (role == IRQ_VECTOR || role == IRQ_VECTOR_KVM)
		note_vector(e, fd, role == IRQ_VECTOR_KVM);
	else if (role == IRQ_INTX)
		e->intx = fd->fd;
	else if (role == IRQ_INTX_UNMASK)
		e->unmask = fd->fd;
	else if (role == IRQ_ERROR)
		e->error = fd->fd;
	else if (role == IRQ_REQUEST)
		e->request = fd->fd;
}

static int eventfds_of(struct eventfds *e, const char *device,
		       const struct cpr *cpr)
{
	*e = (struct eventfds){ NULL, 0, -1, -1, -1, -1 };
	e->vector = malloc(VECTORS_MAX * sizeof(*e->vector));
	if (!e->vector)
		return -ENOMEM;
	for (int i = 0; i < VECTORS_MAX; i++)
		e->vector[i] = -1;
	for (unsigned int i = 0; i < cpr->fds; i++)
		note(e, &cpr->fd[i], irq_role(cpr->fd[i].name, device));
	return 0;
}

static int set(int device, unsigned int index, unsigned int action,
	       const int *fds, unsigned int count)
{
	const size_t bytes = sizeof(struct vfio_irq_set) + count * sizeof(*fds);
	struct vfio_irq_set *cmd = calloc(1, bytes);
	int rc;

	if (!cmd)
		return -ENOMEM;
	cmd->argsz = bytes;
	cmd->flags = VFIO_IRQ_SET_DATA_EVENTFD | action;
	cmd->index = index;
	cmd->count = count;
	memcpy(cmd->data, fds, count * sizeof(*fds));
	rc = ioctl(device, VFIO_DEVICE_SET_IRQS, cmd) ? -errno : 0;
	free(cmd);
	return rc;
}

static int arm_vectors(int device, int mode, const struct eventfds *e)
{
	int rc = set(device, mode, VFIO_IRQ_SET_ACTION_TRIGGER, e->vector,
		     e->vectors);

	for (unsigned int i = 0; !rc && i < e->vectors; i++)
		if (e->vector[i] >= 0 && eventfd_write(e->vector[i], 1))
			rc = -errno;
	return rc;
}

static int arm_intx(int device, const struct eventfds *e)
{
	int rc = set(device, VFIO_PCI_INTX_IRQ_INDEX,
		     VFIO_IRQ_SET_ACTION_TRIGGER, &e->intx, 1);

	if (!rc && e->unmask >= 0)
		rc = set(device, VFIO_PCI_INTX_IRQ_INDEX,
			 VFIO_IRQ_SET_ACTION_UNMASK, &e->unmask, 1);
	return rc;
}

static int arm(int device, int mode, const struct eventfds *e)
{
	int rc = 0;

	if (mode == VFIO_PCI_INTX_IRQ_INDEX && e->intx >= 0)
		rc = arm_intx(device, e);
	else if (mode >= 0 && e->vectors)
		rc = arm_vectors(device, mode, e);
	if (!rc && e->error >= 0)
		rc = set(device, VFIO_PCI_ERR_IRQ_INDEX,
			 VFIO_IRQ_SET_ACTION_TRIGGER, &e->error, 1);
	if (!rc && e->request >= 0)
		rc = set(device, VFIO_PCI_REQ_IRQ_INDEX,
			 VFIO_IRQ_SET_ACTION_TRIGGER, &e->request, 1);
	return rc;
}

int irqs_arm(int device, const char *name, int mode, const struct cpr *cpr,
	     struct why *why)
{
	struct eventfds e;
	int rc = eventfds_of(&e, name, cpr);

	if (!rc)
		rc = arm(device, mode, &e);
	free(e.vector);
	if (rc)
		because(why, rc, "interrupts of %s cannot be armed: %s", name,
			strerror(-rc));
	return rc;
}
