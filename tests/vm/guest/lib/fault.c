// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "textfile.h"

#define ROOT "/sys/kernel/debug/"

/* Of the thread that called fault_open(). */
static int nth_file = -1;

static int put_number(const char *path, unsigned long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%#llx", number);
	return put_text(path, text);
}

int fault_open(void)
{
	static const struct {
		const char *path;
		const char *text;
	} set[] = {
		{ ROOT "failslab/ignore-gfp-wait", "N" },
		{ ROOT "failslab/verbose", "0" },
		{ ROOT "fail_page_alloc/ignore-gfp-wait", "N" },
		{ ROOT "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ ROOT "fail_page_alloc/verbose", "0" },
		{ ROOT "fail_function/verbose", "0" },
		{ ROOT "fail_function/task-filter", "N" },
		{ ROOT "fail_function/probability", "100" },
		{ ROOT "fail_function/times", "0" },
	};

	for (unsigned int i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
		int rc = put_text(set[i].path, set[i].text);

		if (rc)
			return rc;
	}
	/* Only on kernels made for iommufd's own tests. */
	put_text(ROOT "fail_iommufd/verbose", "0");
	nth_file = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return nth_file < 0 ? -errno : 0;
}

static void nth_write(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(nth_file, text, len, 0) != len)
		abort();
}

void fault_nth(unsigned int n)
{
	nth_write(n);
}

bool fault_nth_end(void)
{
	char text[16] = "";

	if (pread(nth_file, text, sizeof(text) - 1, 0) < 1)
		abort();
	nth_write(0);
	return !strtoul(text, NULL, 10);
}

int fault_function(const char *name, int error, unsigned int n)
{
	char path[128];
	int rc;

	rc = put_text(ROOT "fail_function/inject", name);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), ROOT "fail_function/%s/retval", name);
	rc = put_number(path, (unsigned long long)error);
	/* Each call takes one off, the one that finds no more than one fails. */
	if (!rc)
		rc = put_number(ROOT "fail_function/space", n);
	return rc ? rc : put_number(ROOT "fail_function/times", 1);
}

bool fault_function_end(void)
{
	int fd = open(ROOT "fail_function/times", O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	bool struck;

	struck = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
		 !strtol(text, NULL, 10);
	if (fd >= 0)
		close(fd);
	put_number(ROOT "fail_function/times", 0);
	/* An empty line takes all functions out of the list. */
	put_text(ROOT "fail_function/inject", "\n");
	return struck;
}
