// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images that must not be started, tried one after another with everything
 * preserved: reboot() refuses, and everything goes on. Then a good one, and
 * the live update works as usual.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kexec.h"
#include "klog.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "uapi.h"
#include "vmstat.h"
#include "wire.h"

#define SESSION "images"
#define MAGIC "LU-READS"
/* Offsets in an image's list of what it reads, see linux/kho/abi/image.h. */
#define LENGTH_AT 16
#define COUNT_AT 20
#define NAMES_AT 24
#define NAME_BYTES 48

static struct vm vm;

/* What is changed in a copy of the good image. */
struct forgery {
	const char *name;
	const char *from; /* a name it reads */
	const char *to;
	unsigned int at; /* or else a number, at this offset */
	uint32_t number;
	int want;
};

static const struct forgery forgeries[] = {
	{ "newer-kho", "kho-v4", "kho-v5", 0, 0, -EPROTONOSUPPORT },
	{ "newer-iommu", "iommu-v2-4k", "iommu-v3-4k", 0, 0, -EPROTONOSUPPORT },
	{ "other-pages", "iommu-v2-4k", "iommu-v2-64k", 0, 0, -EPROTONOSUPPORT },
	{ "newer-iommufd", "iommufd-v1", "iommufd-v9", 0, 0, -EPROTONOSUPPORT },
	{ "no-vfio", "vfio-pci-v1", "x", 0, 0, -EPROTONOSUPPORT },
	{ "newer-pci", "pci-v1-4k", "pci-v2-4k", 0, 0, -EPROTONOSUPPORT },
	{ "longer-name", "iommu-v2-4k", "iommu-v2-4ki", 0, 0, -EPROTONOSUPPORT },
	{ "no-magic", NULL, NULL, 8, 0, -EPROTONOSUPPORT },
	{ "no-names", NULL, NULL, COUNT_AT, 0, -EPROTONOSUPPORT },
	{ "many-names", NULL, NULL, COUNT_AT, 0xffffffff, -EPROTONOSUPPORT },
	{ "long", NULL, NULL, LENGTH_AT, 0xfffffff0, -EPROTONOSUPPORT },
};

static char *find_name(char *said, const char *name)
{
	uint32_t count;

	memcpy(&count, said + COUNT_AT, sizeof(count));
	for (uint32_t i = 0; i < count; i++) {
		char *at = said + NAMES_AT + i * NAME_BYTES;

		if (!strncmp(at, name, NAME_BYTES))
			return at;
	}
	return NULL;
}

static int change(char *image, size_t bytes, const struct forgery *f)
{
	char *said = memmem(image, bytes, MAGIC, strlen(MAGIC));
	char *name;

	if (!said)
		return -ENOENT;
	if (!f->from) {
		memcpy(said + f->at, &f->number, sizeof(f->number));
		return 0;
	}
	name = find_name(said, f->from);
	if (!name)
		return -ESRCH;
	memset(name, 0, NAME_BYTES);
	strcpy(name, f->to);
	return 0;
}

/* A copy of the good image, changed; an open file. */
static int forge(const struct forgery *f)
{
	int from = open("/bzImage", O_RDONLY | O_CLOEXEC), to, rc;
	struct stat st;
	char *image;

	to = memfd_create("image", MFD_CLOEXEC);
	if (from < 0 || to < 0 || fstat(from, &st) ||
	    ftruncate(to, st.st_size))
		return -errno;
	image = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, to,
		     0);
	if (image == MAP_FAILED)
		return -errno;
	rc = read(from, image, st.st_size) == st.st_size ? 0 : -EIO;
	if (!rc)
		rc = change(image, st.st_size, f);
	munmap(image, st.st_size);
	close(from);
	if (!rc)
		return to;
	close(to);
	return rc;
}

static bool goes_on(void)
{
	for (unsigned int i = 0; i < vm.devices; i++)
		if (!device_await(&vm.device[i], 20))
			return false;
	return true;
}

static void check_refused(const char *what, int want)
{
	char name[48];

	wire_drain();
	snprintf(name, sizeof(name), "refused-%s", what);
	check_rc(name, kexec_jump(), want);
	snprintf(name, sizeof(name), "goes-on-%s", what);
	check(name, goes_on(), "all devices work");
}

static void try_forgery(const struct forgery *f)
{
	int image = forge(f);

	if (lost(f->name, image))
		return;
	if (!lost(f->name, kexec_load_image(image, 2)))
		check_refused(f->name, f->want);
	close(image);
}

static void try_stock(void)
{
	int image = open("/bzImage-stock", O_RDONLY | O_CLOEXEC);

	if (lost("stock", image < 0 ? -errno : 0))
		return;
	if (!lost("stock", kexec_load_image(image, 2)))
		check_refused("stock", -EPROTONOSUPPORT);
	check("log-stock", klog_has("says nothing of what it reads"),
	      "the kernel says why");
	close(image);
}

static void try_others(void)
{
	check_refused("none", -EINVAL);
	if (!lost("old-way", kexec_load_old_way()))
		check_refused("old-way", -EINVAL);
	check("log-old-way", klog_has("load it with kexec_file_load()"),
	      "the kernel says why");
	if (!lost("good", kexec_load_stage(2)) &&
	    !lost("unload", kexec_unload()))
		check_refused("unloaded", -EINVAL);
}

static void check_list(const char *path)
{
	static const char want[] = "iommu-v2-4k\n";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096] = "";

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	check(path + strlen("/sys/kernel/"), strstr(text, want),
	      "names iommu-v2-4k");
	if (fd < 0)
		return;
	check(path + strlen("/sys/kernel/liveupdate/"),
	      write(fd, want, 1) < 0, "cannot be written");
	close(fd);
}

static int images_old(unsigned int stage)
{
	struct vm_plan plan;

	check_list("/sys/kernel/liveupdate/reads");
	check_list("/sys/kernel/liveupdate/writes");
	owner_plan(&plan, SESSION);
	plan.bytes = 256 << 20;
	if (owner_create(&vm, &plan))
		return -1;
	vm_nvme(&vm)->nvme.endless = true;
	if (owner_translate(&vm) || owner_start(&vm))
		return -1;
	owner_ready();
	if (owner_warm(&vm) || owner_preserve(&vm))
		return -1;
	try_others();
	try_stock();
	for (unsigned int i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]);
	     i++)
		try_forgery(&forgeries[i]);
	check("log-newer", klog_has("does not read \"iommu-v2-4k\""),
	      "the kernel says what is missing");
	if (owner_load(&vm, stage))
		return -1;
	return owner_jump();
}

static int images_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	vm_nvme(&vm)->nvme.endless = false;
	rc = owner_reclaim(&vm) || owner_swap(&vm) ||
	     owner_release(&vm);
	if (rc)
		traffic_drain(&vm);
	else
		owner_settle(&vm);
	traffic_check(&vm, "");
	traffic_values(&vm);
	rc |= owner_unbind(&vm);
	traffic_blobs(&vm);
	owner_account(&vm);
	return rc;
}

static const struct scenario images = {
	.name = "images",
	.description = "images that must not be started, then a good one",
	.stages = { images_old, images_new },
};
SCENARIO(images);
