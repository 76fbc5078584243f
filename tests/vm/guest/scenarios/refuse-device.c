// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that cannot be preserved, for what they are or where they are: each
 * is refused, and nothing is left of the attempt. Most need a machine of their
 * own. No kexec here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cases.h"
#include "vm.h"
#include "iommufd.h"
#include "klog.h"
#include "luo.h"
#include "native.h"
#include "report.h"
#include "scenario.h"
#include "textfile.h"
#include "uapi.h"

#define MDEV_UUID "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
#define MDEV_CREATE \
	"/sys/devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/create"
#define VF_TOKEN "0123456789abcdef"

static bool memory_and_iommufd(struct bench *b)
{
	return cases_mark(b) &&
	       cases_rc("memory", bench_preserve_memory(b), 0) &&
	       cases_rc("iommufd", bench_preserve_iommufd(b), 0);
}

/* Shares its group or its requester ID, or its unit is of another kind. */
static void refused(struct bench *b)
{
	if (!memory_and_iommufd(b))
		return;
	cases_rc("refused", bench_preserve_device(b), -EOPNOTSUPP);
	cases_rc("refused-again", bench_preserve_device(b), -EOPNOTSUPP);
	/* It is not immutable */
	cases_rc("detach", vfio_detach(&b->vfio), 0);
	cases_rc("attach", vfio_attach(&b->vfio, b->hwpt), 0);
}

/* The other one of functions 0 and 1, if there is one. */
static bool find_sibling(const char *bdf, char *sibling)
{
	size_t last = strlen(bdf) - 1;

	snprintf(sibling, BDF_BYTES, "%s", bdf);
	sibling[last] = bdf[last] == '0' ? '1' : '0';
	return pci_id(sibling);
}

/* One that was taken off the bus is in no group. In the next kernel it is. */
static void removed(struct bench *b)
{
	char sibling[BDF_BYTES];

	if (!find_sibling(b->vfio.bdf, sibling) || !memory_and_iommufd(b))
		return;
	cases_rc("remove", pci_write_file(sibling, "remove", "1"), 0);
	cases_rc("refused", bench_preserve_device(b), -EOPNOTSUPP);
	cases_rc("rescan", pci_rescan(), 0);
	check(cases_tag("found"), pci_id(sibling), "%s", sibling);
	cases_rc("refused-again", bench_preserve_device(b), -EOPNOTSUPP);
}

/* The older way to a device: it is attached to the IOAS of its container. */
static void by_group(struct bench *b)
{
	const char *bdf = cases_device(1);
	uint32_t ioas;
	int fd;

	if (!bdf || !memory_and_iommufd(b) ||
	    lost(cases_tag("ioas"), ioas_alloc(b->iommufd, &ioas)) ||
	    lost(cases_tag("container"), ioas_compatible(b->iommufd, ioas)))
		return;
	fd = vfio_group_open(bdf, b->iommufd);
	if (lost(cases_tag("device"), fd))
		return;
	cases_rc("refused", luo_preserve(b->session, fd, TOKEN_DEVICE),
		 -EOPNOTSUPP);
	close(fd);
}

/* A device that vfio knows and PCI does not: one made by software. */
static int mdev_open(void)
{
	int rc = put_text(MDEV_CREATE, MDEV_UUID);
	char path[80];

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/" MDEV_UUID);
	return vfio_cdev_open_at(path);
}

static void mdev_remove(void)
{
	lost(cases_tag("remove"),
	     put_text("/sys/bus/mdev/devices/" MDEV_UUID "/remove", "1"));
}

static void not_pci(struct bench *b)
{
	uint32_t devid;
	int fd = mdev_open();

	if (lost(cases_tag("open"), fd) || !memory_and_iommufd(b))
		return;
	cases_rc("bind", vfio_bind(fd, b->iommufd, &devid), 0);
	cases_rc("refused", luo_preserve(b->session, fd, TOKEN_DEVICE),
		 -ENOENT);
	close(fd);
	mdev_remove();
}

/* SR-IOV */

static int vfs_make(const char *pf, const char *count)
{
	return pci_write_file(pf, "sriov_numvfs", count);
}

static int vf_find(const char *pf, char *bdf)
{
	char path[80], target[160], *base;
	ssize_t got;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/virtfn0", pf);
	got = readlink(path, target, sizeof(target) - 1);
	if (got < 0)
		return -errno;
	target[got] = 0;
	base = strrchr(target, '/');
	snprintf(bdf, BDF_BYTES, "%.*s", BDF_BYTES - 1, base + 1);
	return 0;
}

/* Owner of PF and VF trust each other by this. */
static int pf_set_token(const struct vfio *pf)
{
	char call[sizeof(struct vfio_device_feature) + 16];
	struct vfio_device_feature *feature = (void *)call;

	feature->argsz = sizeof(call);
	feature->flags = VFIO_DEVICE_FEATURE_SET |
			 VFIO_DEVICE_FEATURE_PCI_VF_TOKEN;
	memcpy(feature->data, VF_TOKEN, 16);
	return ioctl(pf->fd, VFIO_DEVICE_FEATURE, feature) ? -errno : 0;
}

static int vf_bind(int fd, int iommufd)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_BIND_FLAG_TOKEN,
		.iommufd = iommufd,
		.token_uuid_ptr = (uintptr_t)VF_TOKEN,
	};

	return ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &cmd) ? -errno : 0;
}

static void try_vf(struct bench *b, const char *bdf)
{
	struct vfio vf = { 0 };

	/* The PF's driver has given it to vfio-pci */
	if (lost(cases_tag("vf-driver"), pci_bind(bdf, "vfio-pci")))
		return;
	vf.fd = vfio_cdev_open(bdf);
	if (lost(cases_tag("vf-open"), vf.fd))
		return;
	cases_rc("vf-bind", vf_bind(vf.fd, b->iommufd), 0);
	cases_rc("vf-attach", vfio_attach(&vf, b->hwpt), 0);
	cases_rc("vf", luo_preserve(b->session, vf.fd, TOKEN_DEVICE + 1),
		 -EOPNOTSUPP);
	close(vf.fd);
}

static void functions(struct bench *b)
{
	char vf[BDF_BYTES];

	if (!memory_and_iommufd(b))
		return;
	cases_rc("token", pf_set_token(&b->vfio), 0);
	if (!cases_rc("make-vf", vfs_make(b->vfio.bdf, "1"), 0) ||
	    lost(cases_tag("find"), vf_find(b->vfio.bdf, vf)))
		return;
	try_vf(b, vf);
	cases_rc("pf-with-vf", bench_preserve_device(b), -EOPNOTSUPP);
	cases_rc("no-vf", vfs_make(b->vfio.bdf, "0"), 0);
	cases_rc("pf-alone", bench_preserve_device(b), 0);
	/* The next kernel could not be told of VFs made now */
	cases_rc("make-vf-late", vfs_make(b->vfio.bdf, "1"), -EBUSY);
}

/*
 * A driver that resets the hardware when it is shut down, with all virtual
 * functions.
 */
static void native_pf(struct bench *b)
{
	char pf[BDF_BYTES], vf[BDF_BYTES];
	struct vfio other = { 0 };

	snprintf(pf, sizeof(pf), "%s", b->vfio.bdf);
	vfio_close(&b->vfio);
	if (lost(cases_tag("unbind"), pci_unbind(pf)) ||
	    lost(cases_tag("native"), native_take(pf)) ||
	    lost(cases_tag("probe"),
		 pci_write_file(pf, "sriov_drivers_autoprobe", "0")) ||
	    !cases_rc("make-vf", vfs_make(pf, "1"), 0) ||
	    lost(cases_tag("find"), vf_find(pf, vf)))
		return;
	if (lost(cases_tag("vfio-pci"), pci_bind(vf, "vfio-pci")) ||
	    lost(cases_tag("open"), bench_add(b, &other, vf)) ||
	    !cases_mark(b))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("vf", luo_preserve(b->session, other.fd, TOKEN_DEVICE),
		 -EOPNOTSUPP);
	check(cases_tag("says-who"),
	      klog_has("nvme would take its virtual functions away"),
	      "no such line in the log");
	vfio_close(&other);
	cases_rc("no-vf", vfs_make(pf, "0"), 0);
	lost(cases_tag("back"), pci_bind(pf, "vfio-pci"));
}

static const struct bench_case device_list[] = {
	{ "device", refused },
	{ "removed", removed },
	{ NULL, NULL },
};

static const struct bench_case file_list[] = {
	{ "by-group", by_group },
	{ "not-pci", not_pci },
	{ NULL, NULL },
};

static const struct bench_case sriov_list[] = {
	{ "functions", functions },
	{ "native", native_pf },
	{ NULL, NULL },
};

static int run_device(unsigned int stage)
{
	(void)stage;
	return cases_run(device_list);
}

static int run_file(unsigned int stage)
{
	(void)stage;
	return cases_run(file_list);
}

static int run_sriov(unsigned int stage)
{
	(void)stage;
	return cases_run(sriov_list);
}

static const struct scenario refuse_device = {
	.name = "refuse-device",
	.description = "devices that cannot be preserved are refused",
	.stages = { run_device },
};
SCENARIO(refuse_device);

static const struct scenario refuse_file = {
	.name = "refuse-file",
	.description = "device files that cannot be preserved are refused",
	.stages = { run_file },
};
SCENARIO(refuse_file);

static const struct scenario sriov = {
	.name = "sriov",
	.description = "virtual functions, and a physical one that has some",
	.stages = { run_sriov },
};
SCENARIO(sriov);
