// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next kernel gets the initrd that the running one was started with
 * (retain_initrd), so any number of generations needs no nesting of images.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kexec.h"
#include "report.h"
#include "words.h"

/* Some memory of the machine */
#define SEGMENT_AT (64ul << 20)

static int copy_all(int to, int from)
{
	static char chunk[256 << 10];

	for (;;) {
		ssize_t got = read(from, chunk, sizeof(chunk));

		if (got < 0)
			return -errno;
		if (!got)
			return 0;
		if (write(to, chunk, got) != got)
			return -EIO;
	}
}

static int initrd_copy(void)
{
	int from, to, rc;

	from = open("/sys/firmware/initrd", O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return -errno;
	to = memfd_create("initrd", MFD_CLOEXEC);
	rc = to < 0 ? -errno : copy_all(to, from);
	close(from);
	if (rc) {
		if (to >= 0)
			close(to);
		return rc;
	}
	return to;
}

static int prepare(struct kexec_image *image, unsigned int stage,
		   const char *more, unsigned long flags)
{
	words_next(image->line, sizeof(image->line), stage, report_failed(),
		   more);
	image->flags = flags;
	image->initrd = initrd_copy();
	return image->initrd < 0 ? image->initrd : 0;
}

int kexec_load(const struct kexec_image *image)
{
	return syscall(SYS_kexec_file_load, image->kernel, image->initrd,
		       strlen(image->line) + 1, image->line, image->flags) ?
		       -errno :
		       0;
}

static int load(int kernel, unsigned int stage, const char *more,
		unsigned long flags)
{
	struct kexec_image image = { .kernel = kernel };
	int rc;

	rc = prepare(&image, stage, more, flags);
	if (rc)
		return rc;
	rc = kexec_load(&image);
	close(image.initrd);
	return rc;
}

static int load_default(unsigned int stage, const char *more,
			unsigned long flags)
{
	int image, rc;

	image = open("/bzImage", O_RDONLY | O_CLOEXEC);
	if (image < 0)
		return -errno;
	rc = load(image, stage, more, flags);
	close(image);
	return rc;
}

int kexec_open(struct kexec_image *image, unsigned int stage)
{
	int rc;

	image->kernel = open("/bzImage", O_RDONLY | O_CLOEXEC);
	if (image->kernel < 0)
		return -errno;
	rc = prepare(image, stage, NULL, 0);
	if (rc)
		close(image->kernel);
	return rc;
}

void kexec_close(struct kexec_image *image)
{
	close(image->initrd);
	close(image->kernel);
}

int kexec_load_stage(unsigned int stage)
{
	return load_default(stage, NULL, 0);
}

int kexec_load_image(int image, unsigned int stage)
{
	return load(image, stage, NULL, 0);
}

int kexec_load_crash(unsigned int stage)
{
	return load_default(stage, "-crashkernel,nr_cpus=1",
			    KEXEC_FILE_ON_CRASH);
}

int kexec_load_old_way(void)
{
	static char zeros[4096];
	struct kexec_segment segment = {
		.buf = zeros,
		.bufsz = sizeof(zeros),
		.mem = (void *)SEGMENT_AT,
		.memsz = sizeof(zeros),
	};

	return syscall(SYS_kexec_load, SEGMENT_AT, 1ul, &segment,
		       KEXEC_ARCH_DEFAULT) ? -errno : 0;
}

int kexec_unload(void)
{
	return syscall(SYS_kexec_file_load, -1, -1, 0ul, NULL,
		       KEXEC_FILE_UNLOAD) ? -errno : 0;
}

int kexec_jump(void)
{
	reboot(LINUX_REBOOT_CMD_KEXEC);
	return -errno;
}
