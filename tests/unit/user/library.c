// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of libliveupdate against a stand-in for the kernel. Prints "NAME ok" or
 * "NAME FAIL: why" for each; with names as arguments only those.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "library.h"

#define STANDIN_FROM 500

static char first_fault[400];

void fault(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	va_list args;
	int used;

	if (*first_fault)
		return;
	used = snprintf(first_fault, sizeof(first_fault), "%s:%d: ",
			base ? base + 1 : file, line);
	va_start(args, format);
	vsnprintf(first_fault + used, sizeof(first_fault) - used, format, args);
	va_end(args);
}

unsigned int open_files(void)
{
	unsigned int count = 0;
	struct dirent *d;
	DIR *dir = opendir("/proc/self/fd");

	while (dir && (d = readdir(dir)))
		count += *d->d_name != '.' && atoi(d->d_name) < STANDIN_FROM;
	closedir(dir);
	return count;
}

void vmm_start(struct vmm *vmm)
{
	vmm->ram = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK(vmm->ram >= 0 && !ftruncate(vmm->ram, RAM_BYTES));
	CHECK(pwrite(vmm->ram, "guest", 5, PAGE) == 5);
	vmm->iommufd = standin_iommufd();
	vmm->device = standin_device(BDF);
	CHECK_RC(lui_device_bind(vmm->device, vmm->iommufd, &vmm->devid), 0);
	CHECK_RC(lui_ioas_alloc(vmm->iommufd, &vmm->ioas), 0);
	CHECK_RC(lui_map_file(vmm->iommufd, vmm->ioas, 0, RAM_BYTES, vmm->ram, 0,
			     LU_READ | LU_WRITE),
		 0);
	CHECK_RC(lui_hwpt_alloc(vmm->iommufd, vmm->devid, vmm->ioas, 0,
				&vmm->hwpt),
		 0);
	CHECK_RC(lui_device_attach(vmm->device, vmm->hwpt), 0);
}

void vmm_end(struct vmm *vmm)
{
	close(vmm->ram);
	close(vmm->iommufd);
	close(vmm->device);
}

struct lu_plan *vmm_plan_bare(const struct vmm *vmm)
{
	struct lu_plan *p;

	CHECK_RC(lu_plan_new(&p), 0);
	CHECK_RC(lu_plan_memfd(p, "ram", vmm->ram), 0);
	CHECK_RC(lu_plan_iommufd(p, "iommu", vmm->iommufd), 0);
	CHECK_RC(lu_plan_hwpt(p, "gpa", "iommu", vmm->hwpt, 0), 0);
	return p;
}

struct lu_plan *vmm_plan(const struct vmm *vmm)
{
	struct lu_plan *p = vmm_plan_bare(vmm);

	CHECK_RC(lu_plan_blob(p, "vcpu", "state", 5), 0);
	CHECK_RC(lu_plan_map(p, "gpa", 0, RAM_BYTES, "ram", 0,
			     LU_READ | LU_WRITE),
		 0);
	CHECK_RC(lu_plan_device(p, "nic", vmm->device, "gpa", BDF), 0);
	return p;
}

void vmm_hand_over(struct vmm *vmm, struct lu_plan *plan, const char *name)
{
	struct lu_session *session;
	int kept;

	CHECK_RC(lu_session_create(name, &session, NULL), 0);
	CHECK_RC(lu_plan_preserve(plan, session, NULL), 0);
	/* Somebody keeps it. */
	kept = dup(lu_session_fd(session));
	lu_session_free(session);
	lu_plan_free(plan);
	vmm_end(vmm);
	standin_kexec();
	close(kept);
}

void vmm_jump(const char *name)
{
	struct vmm vmm;

	vmm_start(&vmm);
	vmm_hand_over(&vmm, vmm_plan(&vmm), name);
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

static unsigned int run(const struct test *test, char **names)
{
	unsigned int failed = 0;

	for (; test->name; test++) {
		unsigned int files;

		if (!wanted(test->name, names))
			continue;
		*first_fault = 0;
		standin_reset();
		files = open_files();
		test->run();
		standin_fail(0, 0);
		if (open_files() != files)
			fault(__FILE__, __LINE__, "%d files are left open",
			      (int)(open_files() - files));
		if (standin_node_open())
			fault(__FILE__, __LINE__, "the node is left open");
		printf("%s %s%s\n", test->name, *first_fault ? "FAIL: " : "ok",
		       first_fault);
		fflush(stdout);
		failed += !!*first_fault;
	}
	return failed;
}

int main(int argc, char **argv)
{
	unsigned int failed;

	(void)argc;
	/* Some tests want files 3 and up for themselves, as systemd passes them. */
	close_range(STDERR_FILENO + 1, ~0U, 0);
	unsetenv("LISTEN_FDS");
	unsetenv("NOTIFY_SOCKET");
	setenv("LUOD_SOCKET", "/nonexistent/luod", 1);
	failed = run(plan_tests, argv + 1);
	failed += run(guest_tests, argv + 1);
	failed += run(session_tests, argv + 1);
	return failed ? 1 : 0;
}
