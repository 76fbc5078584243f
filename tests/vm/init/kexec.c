// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next kernel gets the initrd that the running one was started with
 * (retain_initrd), so any number of generations needs no nesting of images.
 */
#include <errno.h>
#include <fcntl.h>
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

int kexec_load_stage(unsigned int stage)
{
	char line[4096];
	int kernel, initrd, rc = 0;

	words_next(line, sizeof(line), stage, report_failed());
	kernel = open("/bzImage", O_RDONLY | O_CLOEXEC);
	if (kernel < 0)
		return -errno;
	initrd = initrd_copy();
	if (initrd < 0) {
		close(kernel);
		return initrd;
	}
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(line) + 1,
		    line, 0))
		rc = -errno;
	close(initrd);
	close(kernel);
	return rc;
}

int kexec_jump(void)
{
	reboot(LINUX_REBOOT_CMD_KEXEC);
	return -errno;
}
