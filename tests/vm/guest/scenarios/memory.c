// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may be mapped when an iommufd is preserved: memory of memfds in the same
 * session and nothing else, proven for each page. No kexec here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "vm.h"
#include "iommufd.h"
#include "luo.h"
#include "report.h"
#include "scenario.h"
#include "textfile.h"
#include "vmstat.h"

#define PAGE 4096ull
#define HUGE (2ull << 20)
#define OTHER_IOVA (6ull << 30)
#define TOKEN_OTHER (TOKEN_MEMORY + 0x1000)
#define MANY 1000
#define TMPFS "/tmp/mount"

/* Mark, preserve the memfd, then the iommufd, which is to give @want. */
static void preserve(struct bench *b, int want)
{
	if (!cases_mark(b))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), want);
}

static bool map_other(struct bench *b, int fd, uint64_t bytes)
{
	return !lost(cases_tag("map"), ioas_map_file(b->iommufd, b->ioas, fd, 0,
						     bytes, OTHER_IOVA));
}

/* Of all kinds of memory: refused as long as it is mapped. */
static void by_address(struct bench *b, void *p, uint64_t bytes)
{
	if (p == MAP_FAILED ||
	    lost(cases_tag("map"), ioas_map_memory(b->iommufd, b->ioas, p,
						   bytes, OTHER_IOVA)))
		return;
	preserve(b, -EINVAL);
	cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, OTHER_IOVA, bytes),
		 0);
	cases_rc("without", bench_preserve_iommufd(b), 0);
	munmap(p, bytes);
}

static void anonymous(struct bench *b)
{
	by_address(b, mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), BENCH_BYTES);
}

/* By address it could be anything later; in a file it can be looked up. */
static void memfd_by_address(struct bench *b)
{
	by_address(b, mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE,
			   MAP_SHARED, b->memfd, 0), BENCH_BYTES);
}

static void memfd_private(struct bench *b)
{
	by_address(b, mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE, b->memfd, 0), BENCH_BYTES);
}

/*
 * LUO keeps no memfd of this kind. The pages come from the command line: later
 * ones may lie where nothing can be pinned.
 */
static void hugetlb(struct bench *b)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);

	if (!lost(cases_tag("memfd"), fd < 0 ? -errno : 0) &&
	    !lost(cases_tag("size"), ftruncate(fd, HUGE) ? -errno : 0) &&
	    map_other(b, fd, HUGE)) {
		cases_rc("huge", luo_preserve(b->session, fd, TOKEN_OTHER),
			 -ENOENT);
		preserve(b, -EINVAL);
		cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, OTHER_IOVA,
					     HUGE),
			 0);
		cases_rc("without", bench_preserve_iommufd(b), 0);
	}
	close(fd);
}

static int tmpfs_file(void)
{
	int fd;

	mkdir(TMPFS, 0700);
	if (mount("none", TMPFS, "tmpfs", 0, NULL))
		return -errno;
	fd = open(TMPFS "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	return ftruncate(fd, BENCH_BYTES) ? -errno : fd;
}

/* A file with a name would lose it; without one it is like a memfd. */
static void tmpfs(struct bench *b)
{
	int fd = tmpfs_file();

	if (lost(cases_tag("file"), fd))
		return;
	if (map_other(b, fd, BENCH_BYTES)) {
		cases_rc("named", luo_preserve(b->session, fd, TOKEN_OTHER),
			 -ENOENT);
		preserve(b, -EINVAL);
		unlink(TMPFS "/file");
		cases_rc("unlinked", bench_preserve_iommufd(b), -EINVAL);
		cases_rc("nameless", luo_preserve(b->session, fd, TOKEN_OTHER),
			 0);
		cases_rc("then", bench_preserve_iommufd(b), 0);
		/* So that its memory is free when the case is over */
		bench_close_session(b);
		ioas_unmap(b->iommufd, b->ioas, OTHER_IOVA, BENCH_BYTES);
	}
	close(fd);
	umount2(TMPFS, MNT_DETACH);
}

static void two_memfds(struct bench *b)
{
	int other = bench_memfd(BENCH_BYTES);

	if (lost(cases_tag("memfd"), other) ||
	    !map_other(b, other, BENCH_BYTES))
		return;
	preserve(b, -EINVAL);
	cases_rc("both", luo_preserve(b->session, other, TOKEN_OTHER), 0);
	cases_rc("then", bench_preserve_iommufd(b), 0);
	close(other);
}

static void elsewhere(struct bench *b)
{
	int session = luo_create(luo_open(), "bench-2");
	int other = bench_memfd(BENCH_BYTES);

	if (lost(cases_tag("session"), session) ||
	    lost(cases_tag("memfd"), other) ||
	    !map_other(b, other, BENCH_BYTES))
		return;
	cases_rc("there", luo_preserve(session, other, TOKEN_MEMORY), 0);
	preserve(b, -EINVAL);
	close(session);
	cases_rc("here", luo_preserve(b->session, other, TOKEN_OTHER), 0);
	cases_rc("then", bench_preserve_iommufd(b), 0);
	close(other);
}

static int reopen(int fd)
{
	char path[40];
	int copy;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = open(path, O_RDWR | O_CLOEXEC);
	return copy < 0 ? -errno : copy;
}

/* Another file, the same memory: either stands for it, both is once too often */
static void reopened(struct bench *b)
{
	int copy = reopen(b->memfd);

	if (lost(cases_tag("open"), copy) || !cases_mark(b))
		return;
	cases_rc("copy", luo_preserve(b->session, copy, TOKEN_MEMORY), 0);
	cases_rc("memory", luo_preserve(b->session, b->memfd, TOKEN_OTHER),
		 -EBUSY);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	close(copy);
}

static void reopened_mapped(struct bench *b)
{
	int copy = reopen(b->memfd);

	if (lost(cases_tag("open"), copy) || !map_other(b, copy, BENCH_BYTES))
		return;
	close(copy);
	preserve(b, 0);
}

/* Holes: the page that the IOAS has pinned is then no longer the file's. */

static bool punch(struct bench *b, uint64_t at, uint64_t bytes)
{
	return !lost(cases_tag("punch"),
		     fallocate(b->memfd,
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
			       bytes) ? -errno : 0);
}

static void hole(struct bench *b)
{
	if (punch(b, BENCH_BYTES / 2, PAGE))
		preserve(b, -EINVAL);
}

static void hole_refilled(struct bench *b)
{
	char byte = 0x5a;

	if (!punch(b, BENCH_BYTES / 2, PAGE) ||
	    lost(cases_tag("refill"),
		 pwrite(b->memfd, &byte, 1, BENCH_BYTES / 2) == 1 ? 0 : -EIO))
		return;
	preserve(b, -EINVAL);
	/* Mapped anew it is the right page, also of a memfd that is frozen */
	cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, BENCH_IOVA,
				     BENCH_BYTES),
		 0);
	cases_rc("map", ioas_map_file(b->iommufd, b->ioas, b->memfd, 0,
				      BENCH_BYTES, BENCH_IOVA),
		 0);
	cases_rc("then", bench_preserve_iommufd(b), 0);
}

static void hole_first(struct bench *b)
{
	if (punch(b, 0, PAGE))
		preserve(b, -EINVAL);
}

static void hole_last(struct bench *b)
{
	if (punch(b, BENCH_BYTES - PAGE, PAGE))
		preserve(b, -EINVAL);
}

static void truncated(struct bench *b)
{
	if (!lost(cases_tag("truncate"),
		  ftruncate(b->memfd, BENCH_BYTES - PAGE) ? -errno : 0))
		preserve(b, -EINVAL);
}

static void truncated_back(struct bench *b)
{
	if (!lost(cases_tag("truncate"),
		  ftruncate(b->memfd, BENCH_BYTES / 2) ||
				  ftruncate(b->memfd, BENCH_BYTES) ?
			  -errno : 0))
		preserve(b, -EINVAL);
}

/* Ways to map that are accepted. */

static void grown(struct bench *b)
{
	if (!lost(cases_tag("grow"),
		  ftruncate(b->memfd, 2 * BENCH_BYTES) ? -errno : 0))
		preserve(b, 0);
}

static void partly(struct bench *b)
{
	cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, BENCH_IOVA,
				     BENCH_BYTES),
		 0);
	cases_rc("one", ioas_map_file(b->iommufd, b->ioas, b->memfd,
				      3 * PAGE, PAGE, OTHER_IOVA),
		 0);
	cases_rc("odd", ioas_map_file(b->iommufd, b->ioas, b->memfd, 7 * PAGE,
				      13 * PAGE, OTHER_IOVA + 5 * PAGE),
		 0);
	/* What is not mapped may have holes, before it is preserved */
	if (punch(b, BENCH_BYTES / 2, PAGE))
		preserve(b, 0);
}

static void thousand_times(struct bench *b)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && i < MANY; i++)
		rc = ioas_map_file(b->iommufd, b->ioas, b->memfd, 0, PAGE,
				   OTHER_IOVA + i * HUGE);
	if (cases_rc("maps", rc, 0))
		preserve(b, 0);
}

/* That page then is wrong in a thousand places. */
static void thousand_holes(struct bench *b)
{
	int rc = 0;

	cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, BENCH_IOVA,
				     BENCH_BYTES),
		 0);
	for (unsigned int i = 0; !rc && i < MANY; i++)
		rc = ioas_map_file(b->iommufd, b->ioas, b->memfd, 0, PAGE,
				   OTHER_IOVA + i * HUGE);
	if (cases_rc("maps", rc, 0) && punch(b, 0, PAGE))
		preserve(b, -EINVAL);
}

static void read_only(struct bench *b)
{
	cases_rc("map", ioas_map_file_read(b->iommufd, b->ioas, b->memfd, 0,
					   BENCH_BYTES, OTHER_IOVA),
		 0);
	preserve(b, 0);
}

static void sealed(struct bench *b)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (lost(cases_tag("memfd"), fd < 0 ? -errno : 0) ||
	    lost(cases_tag("size"), ftruncate(fd, BENCH_BYTES) ? -errno : 0) ||
	    lost(cases_tag("seal"),
		 fcntl(fd, F_ADD_SEALS, seals) ? -errno : 0) ||
	    !map_other(b, fd, BENCH_BYTES))
		return;
	cases_rc("other", luo_preserve(b->session, fd, TOKEN_OTHER), 0);
	preserve(b, 0);
	close(fd);
}

static void copied(struct bench *b)
{
	uint32_t ioas, hwpt;

	if (lost(cases_tag("ioas"), ioas_alloc(b->iommufd, &ioas)) ||
	    lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid, ioas,
					       &hwpt)))
		return;
	cases_rc("copy", ioas_copy(b->iommufd, ioas, OTHER_IOVA, b->ioas,
				   BENCH_IOVA, BENCH_BYTES),
		 0);
	cases_rc("mark-copy", hwpt_mark(b->iommufd, hwpt, TOKEN_HWPT + 1), 0);
	preserve(b, 0);
}

/* Its pages were taken from the first; the hole shows in the second too. */
static void copied_hole(struct bench *b)
{
	uint32_t ioas, hwpt;

	if (!punch(b, PAGE, PAGE) ||
	    lost(cases_tag("ioas"), ioas_alloc(b->iommufd, &ioas)) ||
	    lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid, ioas,
					       &hwpt)))
		return;
	cases_rc("copy", ioas_copy(b->iommufd, ioas, OTHER_IOVA, b->ioas,
				   BENCH_IOVA, BENCH_BYTES),
		 0);
	cases_rc("mark-copy", hwpt_mark(b->iommufd, hwpt, TOKEN_HWPT), 0);
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), -EINVAL);
}

static void two_ioases(struct bench *b)
{
	uint32_t ioas, hwpt;

	if (lost(cases_tag("ioas"), ioas_alloc(b->iommufd, &ioas)) ||
	    lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid, ioas,
					       &hwpt)))
		return;
	cases_rc("map", ioas_map_file(b->iommufd, ioas, b->memfd, 0,
				      BENCH_BYTES, OTHER_IOVA),
		 0);
	cases_rc("mark-both", hwpt_mark(b->iommufd, hwpt, TOKEN_HWPT + 1), 0);
	preserve(b, 0);
}

/* Two HWPTs of one IOAS are two tables over the same maps. */
static void two_hwpts(struct bench *b)
{
	uint32_t hwpt;

	if (lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid,
					       b->ioas, &hwpt)))
		return;
	cases_rc("mark-both", hwpt_mark(b->iommufd, hwpt, TOKEN_HWPT + 1), 0);
	preserve(b, 0);
}

/* The wrong one is the second that is looked at; the first is undone. */
static void second_wrong(struct bench *b)
{
	void *p = mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t ioas, hwpt;

	if (lost(cases_tag("ioas"), ioas_alloc(b->iommufd, &ioas)) ||
	    lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid, ioas,
					       &hwpt)))
		return;
	cases_rc("map", ioas_map_memory(b->iommufd, ioas, p, BENCH_BYTES,
					OTHER_IOVA),
		 0);
	cases_rc("mark-both", hwpt_mark(b->iommufd, hwpt, TOKEN_HWPT + 1), 0);
	preserve(b, -EINVAL);
	cases_rc("not-fixed", ioas_unmap(b->iommufd, b->ioas, BENCH_IOVA,
					 BENCH_BYTES),
		 0);
	cases_rc("not-busy", hwpt_unmark(b->iommufd, hwpt), 0);
	munmap(p, BENCH_BYTES);
}

/* An IOAS without a marked HWPT does not matter. */
static void unmarked_wrong(struct bench *b)
{
	void *p = mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t ioas;

	if (lost(cases_tag("ioas"), ioas_alloc(b->iommufd, &ioas)))
		return;
	cases_rc("map", ioas_map_memory(b->iommufd, ioas, p, BENCH_BYTES,
					OTHER_IOVA),
		 0);
	preserve(b, 0);
	cases_rc("unmap", ioas_unmap(b->iommufd, ioas, OTHER_IOVA,
				     BENCH_BYTES),
		 0);
	munmap(p, BENCH_BYTES);
}

static void empty(struct bench *b)
{
	cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, BENCH_IOVA,
				     BENCH_BYTES),
		 0);
	if (!cases_mark(b))
		return;
	/* Nothing is mapped, so nothing has to be preserved before */
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("device", bench_preserve_device(b), 0);
	cases_rc("map", ioas_map_file(b->iommufd, b->ioas, b->memfd, 0, PAGE,
				      OTHER_IOVA),
		 -EBUSY);
}

static int shmem_huge(const char *when)
{
	return put_text("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			when);
}

/* Large folios, mapped from their middle too. */
static void large_folios(struct bench *b)
{
	int fd;

	if (lost(cases_tag("huge"), shmem_huge("force")))
		return;
	fd = bench_memfd(4 * HUGE);
	shmem_huge("never");
	if (lost(cases_tag("memfd"), fd) || !map_other(b, fd, 4 * HUGE))
		return;
	check(cases_tag("are-large"), meminfo_shmem_huge() >= (int64_t)(4 * HUGE >> 10),
	      "%lld KiB", (long long)meminfo_shmem_huge());
	cases_rc("middle", ioas_map_file(b->iommufd, b->ioas, fd,
					 HUGE + 7 * PAGE, HUGE,
					 OTHER_IOVA + 8 * HUGE),
		 0);
	cases_rc("large", luo_preserve(b->session, fd, TOKEN_OTHER), 0);
	preserve(b, 0);
	close(fd);
}

/* A VMM goes on in another process, before preserve and after it. */
static void other_process(struct bench *b)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(-ioas_change_process(b->iommufd));
	if (lost(cases_tag("fork"), pid < 0 ? -errno : 0))
		return;
	waitpid(pid, &status, 0);
	cases_rc("change", WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR, 0);
	preserve(b, 0);
	cases_rc("change-back", ioas_change_process(b->iommufd), 0);
}

static void top_of_space(struct bench *b)
{
	const uint64_t last = (1ull << 39) - PAGE;

	cases_rc("map", ioas_map_file(b->iommufd, b->ioas, b->memfd, 0, PAGE,
				      last),
		 0);
	preserve(b, 0);
}

static const struct bench_case list[] = {
	{ "anonymous", anonymous },
	{ "memfd-by-address", memfd_by_address },
	{ "memfd-private", memfd_private },
	{ "hugetlb", hugetlb },
	{ "tmpfs", tmpfs },
	{ "two-memfds", two_memfds },
	{ "elsewhere", elsewhere },
	{ "reopened", reopened },
	{ "reopened-mapped", reopened_mapped },
	{ "hole", hole },
	{ "hole-refilled", hole_refilled },
	{ "hole-first", hole_first },
	{ "hole-last", hole_last },
	{ "truncated", truncated },
	{ "truncated-back", truncated_back },
	{ "grown", grown },
	{ "partly", partly },
	{ "thousand-times", thousand_times },
	{ "thousand-holes", thousand_holes },
	{ "read-only", read_only },
	{ "sealed", sealed },
	{ "copied", copied },
	{ "copied-hole", copied_hole },
	{ "two-ioases", two_ioases },
	{ "two-hwpts", two_hwpts },
	{ "second-wrong", second_wrong },
	{ "unmarked-wrong", unmarked_wrong },
	{ "empty", empty },
	{ "large-folios", large_folios },
	{ "other-process", other_process },
	{ "top-of-space", top_of_space },
	{ NULL, NULL },
};

static int run(unsigned int stage)
{
	(void)stage;
	return cases_run(list);
}

static const struct scenario memory_scenario = {
	.name = "memory",
	.description = "what may be mapped by what is preserved",
	.stages = { run },
};
SCENARIO(memory_scenario);
