// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must be refused, and with which errno, up to the point of no return. No
 * kexec here. Each case has a bench of its own; after the last one the table
 * pages in use are counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "guest.h"
#include "iommufd.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "uapi.h"
#include "vmstat.h"

#define ROUNDS 20
#define OTHER_IOVA (6ull << 30)

static struct bench b;

static void mark_first(void)
{
	lost("mark", hwpt_mark(b.iommufd, b.hwpt, TOKEN_HWPT));
}

/* Marks */

static void case_token_in_use(void)
{
	uint32_t other;

	if (lost("hwpt", hwpt_alloc(b.iommufd, b.vfio.devid, b.ioas, &other)))
		return;
	mark_first();
	check_rc("token-in-use", hwpt_mark(b.iommufd, other, TOKEN_HWPT),
		 -EADDRINUSE);
	check_rc("token-free", hwpt_mark(b.iommufd, other, TOKEN_HWPT + 1), 0);
}

static void case_marked_already(void)
{
	mark_first();
	check_rc("marked-already",
		 hwpt_mark(b.iommufd, b.hwpt, TOKEN_HWPT + 1), -EBUSY);
}

static void case_unmark(void)
{
	mark_first();
	check_rc("unmark", hwpt_unmark(b.iommufd, b.hwpt), 0);
	check_rc("unmarked-preserve-memory", bench_preserve_memory(&b), 0);
	check_rc("unmarked-preserve", bench_preserve_iommufd(&b), -EINVAL);
	check_rc("mark-anew", hwpt_mark(b.iommufd, b.hwpt, TOKEN_HWPT + 1), 0);
}

static void case_destroy_marked(void)
{
	uint32_t other, next;

	if (lost("hwpt", hwpt_alloc(b.iommufd, b.vfio.devid, b.ioas, &other)))
		return;
	if (lost("mark", hwpt_mark(b.iommufd, other, TOKEN_HWPT)))
		return;
	check_rc("destroy-marked", iommufd_destroy(b.iommufd, other), 0);
	if (lost("hwpt", hwpt_alloc(b.iommufd, b.vfio.devid, b.ioas, &next)))
		return;
	check_rc("token-after-destroy",
		 hwpt_mark(b.iommufd, b.hwpt, TOKEN_HWPT), 0);
	/* The mark must not have stuck to whatever got the id next. */
	check_rc("no-mark-inherited",
		 hwpt_mark(b.iommufd, next, TOKEN_HWPT + 1), 0);
}

static void case_wrong_object(void)
{
	int rc = hwpt_mark(b.iommufd, b.ioas, TOKEN_HWPT);

	check("mark-ioas", rc == -EINVAL || rc == -ENOENT, "got %s",
	      errno_name(rc));
	check_rc("mark-nothing", hwpt_mark(b.iommufd, 0x7fffffff, TOKEN_HWPT),
		 -ENOENT);
}

static void case_no_restore_here(void)
{
	uint32_t id;

	mark_first();
	check_rc("restore-before-jump",
		 hwpt_restore(b.iommufd, TOKEN_HWPT, &id), -ENOENT);
}

/* Sizes: a call with one byte less, exact, one more that is zero or not. */

union any_call {
	struct iommu_hwpt_lu_preserve preserve;
	struct iommu_hwpt_lu_unpreserve unpreserve;
	struct iommu_hwpt_lu_restore restore;
	uint32_t size;
	unsigned char bytes[64];
};

static int sized(unsigned long cmd, const union any_call *call, uint32_t size,
		 bool tail)
{
	union any_call copy = *call;

	copy.size = size;
	if (tail)
		copy.bytes[size - 1] = 1;
	return ioctl(b.iommufd, cmd, &copy) ? -errno : 0;
}

static void sizes(const char *name, unsigned long cmd,
		  const union any_call *call, uint32_t size, int want)
{
	char text[64];

	snprintf(text, sizeof(text), "size-less-%s", name);
	check_rc(text, sized(cmd, call, size - 1, false), -EINVAL);
	snprintf(text, sizeof(text), "size-tail-%s", name);
	check_rc(text, sized(cmd, call, size + 1, true), -E2BIG);
	snprintf(text, sizeof(text), "size-more-%s", name);
	check_rc(text, sized(cmd, call, size + 1, false), want);
}

static void case_sizes(void)
{
	union any_call mark = { 0 }, unmark = { 0 }, restore = { 0 };

	mark.preserve.hwpt_id = b.hwpt;
	mark.preserve.token = TOKEN_HWPT;
	sizes("preserve", IOMMU_HWPT_LU_PRESERVE, &mark, sizeof(mark.preserve),
	      0);
	unmark.unpreserve.hwpt_id = b.hwpt;
	sizes("unpreserve", IOMMU_HWPT_LU_UNPRESERVE, &unmark,
	      sizeof(unmark.unpreserve), 0);
	restore.restore.token = TOKEN_HWPT;
	sizes("restore", IOMMU_HWPT_LU_RESTORE, &restore,
	      sizeof(restore.restore), -ENOENT);
}

/* Order */

static void case_no_mark(void)
{
	check_rc("no-mark-memory", bench_preserve_memory(&b), 0);
	check_rc("no-mark", bench_preserve_iommufd(&b), -EINVAL);
	check_rc("no-mark-device", bench_preserve_device(&b), -ENOENT);
}

static void case_iommufd_first(void)
{
	mark_first();
	check_rc("iommufd-before-memory", bench_preserve_iommufd(&b), -EINVAL);
	/* Refused is as if never asked. */
	check_rc("then-memory", bench_preserve_memory(&b), 0);
	check_rc("then-iommufd", bench_preserve_iommufd(&b), 0);
}

static void case_device_first(void)
{
	mark_first();
	check_rc("device-before-all", bench_preserve_device(&b), -ENOENT);
	check_rc("device-memory", bench_preserve_memory(&b), 0);
	check_rc("device-before-iommufd", bench_preserve_device(&b), -ENOENT);
	check_rc("device-iommufd", bench_preserve_iommufd(&b), 0);
	check_rc("device-last", bench_preserve_device(&b), 0);
}

static void case_other_session(void)
{
	int other = luo_create(luo_open(), "bench-2");

	if (lost("session", other))
		return;
	mark_first();
	check_rc("other-session-memory",
		 luo_preserve(other, b.memfd, TOKEN_MEMORY), 0);
	check_rc("other-session-iommufd", bench_preserve_iommufd(&b), -EINVAL);
	close(other);
}

static void case_unmarked_hwpt(void)
{
	uint32_t other;

	if (lost("hwpt", hwpt_alloc(b.iommufd, b.vfio.devid, b.ioas, &other)))
		return;
	lost("mark", hwpt_mark(b.iommufd, other, TOKEN_HWPT));
	check_rc("unmarked-memory", bench_preserve_memory(&b), 0);
	check_rc("unmarked-iommufd", bench_preserve_iommufd(&b), 0);
	check_rc("device-on-unmarked", bench_preserve_device(&b), -EINVAL);
}

/* Memory */

static void case_anonymous(void)
{
	void *p = mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED ||
	    lost("map", ioas_map_memory(b.iommufd, b.ioas, p, BENCH_BYTES,
					OTHER_IOVA)))
		return;
	mark_first();
	check_rc("anonymous-memory", bench_preserve_memory(&b), 0);
	check_rc("anonymous", bench_preserve_iommufd(&b), -EINVAL);
	check_rc("anonymous-unmap",
		 ioas_unmap(b.iommufd, b.ioas, OTHER_IOVA, BENCH_BYTES), 0);
	check_rc("anonymous-gone", bench_preserve_iommufd(&b), 0);
	munmap(p, BENCH_BYTES);
}

static void case_other_memfd(void)
{
	int other = bench_memfd(BENCH_BYTES);

	if (lost("memfd", other) ||
	    lost("map", ioas_map_file(b.iommufd, b.ioas, other, 0,
				      BENCH_BYTES, OTHER_IOVA)))
		return;
	mark_first();
	check_rc("two-memfds-one", bench_preserve_memory(&b), 0);
	check_rc("two-memfds-refused", bench_preserve_iommufd(&b), -EINVAL);
	check_rc("two-memfds-both",
		 luo_preserve(b.session, other, TOKEN_MEMORY + 0x1000), 0);
	check_rc("two-memfds", bench_preserve_iommufd(&b), 0);
	close(other);
}

/*
 * The page that the IOAS has pinned is then no longer the file's, so it would
 * not be preserved. @bytes of hole in the middle of the file.
 */
static void hole(const char *name, bool refill)
{
	char text[64], byte = 1;

	if (fallocate(b.memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      BENCH_BYTES / 2, 4096)) {
		check(name, false, "punch: %s", errno_name(-errno));
		return;
	}
	if (refill && pwrite(b.memfd, &byte, 1, BENCH_BYTES / 2) != 1)
		check(name, false, "refill: %s", errno_name(-errno));
	mark_first();
	snprintf(text, sizeof(text), "%s-memory", name);
	check_rc(text, bench_preserve_memory(&b), 0);
	check_rc(name, bench_preserve_iommufd(&b), -EINVAL);
}

static void case_hole(void)
{
	hole("hole-punched", false);
}

static void case_hole_refilled(void)
{
	hole("hole-refilled", true);
}

/* After preserve */

static void case_fixed(void)
{
	uint32_t other, spare;
	int more = bench_memfd(BENCH_BYTES);

	if (lost("memfd", more) ||
	    lost("hwpt", hwpt_alloc(b.iommufd, b.vfio.devid, b.ioas, &other)) ||
	    lost("ioas", ioas_alloc(b.iommufd, &spare)) ||
	    lost("preserve", bench_preserve(&b)))
		return;
	check_rc("fixed-map-file",
		 ioas_map_file(b.iommufd, b.ioas, more, 0, BENCH_BYTES,
			       OTHER_IOVA),
		 -EBUSY);
	check_rc("fixed-unmap",
		 ioas_unmap(b.iommufd, b.ioas, BENCH_IOVA, BENCH_BYTES),
		 -EBUSY);
	check_rc("fixed-attach", vfio_attach(&b.vfio, other), -EBUSY);
	check_rc("fixed-detach", vfio_detach(&b.vfio), -EBUSY);
	check_rc("fixed-destroy", iommufd_destroy(b.iommufd, b.hwpt), -EBUSY);
	check_rc("fixed-mark", hwpt_mark(b.iommufd, other, TOKEN_HWPT + 1),
		 -EBUSY);
	check_rc("fixed-unmark", hwpt_unmark(b.iommufd, b.hwpt), -EBUSY);
	check_rc("fixed-twice",
		 luo_preserve(b.session, b.iommufd, TOKEN_IOMMUFD + 0x1000),
		 -EBUSY);

	bench_close_session(&b);
	check_rc("lifted-attach", vfio_attach(&b.vfio, other), 0);
	check_rc("lifted-unmark", hwpt_unmark(b.iommufd, b.hwpt), 0);
	check_rc("lifted-map-file",
		 ioas_map_file(b.iommufd, b.ioas, more, 0, BENCH_BYTES,
			       OTHER_IOVA),
		 0);
	check_rc("lifted-unmap",
		 ioas_unmap(b.iommufd, b.ioas, BENCH_IOVA, BENCH_BYTES), 0);
	check_rc("lifted-detach", vfio_detach(&b.vfio), 0);
	check_rc("lifted-destroy", iommufd_destroy(b.iommufd, b.hwpt), 0);
	close(more);
}

static void case_again(void)
{
	int64_t before, after;
	int rc = 0, round;

	bench_close_session(&b);
	before = vmstat_iommu_pages();
	for (round = 0; !rc && round < ROUNDS; round++) {
		b.session = luo_create(luo_open(), "bench");
		rc = b.session < 0 ? b.session : bench_preserve(&b);
		bench_close_session(&b);
		if (!rc)
			rc = hwpt_unmark(b.iommufd, b.hwpt);
	}
	check("preserve-close", !rc, "round %d: %s", round, errno_name(rc));
	after = vmstat_iommu_pages();
	check("preserve-close-pages", before == after, "%lld, %lld before",
	      (long long)after, (long long)before);
}

static void (*const cases[])(void) = {
	case_token_in_use,    case_marked_already, case_unmark,
	case_destroy_marked,  case_wrong_object,   case_no_restore_here,
	case_sizes,	      case_no_mark,	   case_iommufd_first,
	case_device_first,    case_other_session,  case_unmarked_hwpt,
	case_anonymous,	      case_other_memfd,	   case_hole,
	case_hole_refilled,   case_fixed,	   case_again,
};

static int run(unsigned int stage)
{
	int64_t pages = vmstat_iommu_pages();
	char bdf[DEVICES_MAX][BDF_BYTES];

	(void)stage;
	if (!machine_kept(bdf)) {
		check("machine", false, "no device");
		return -1;
	}
	if (lost("vfio-pci", pci_bind(bdf[0], "vfio-pci")))
		return -1;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (lost("bench", bench_open(&b, bdf[0])))
			return -1;
		cases[i]();
		bench_close(&b);
	}
	if (lost("unbind", pci_unbind(bdf[0])))
		return -1;
	owner_count(pages);
	return 0;
}

static const struct scenario refusals = {
	.name = "refusals",
	.rows = "A2,A3,A4,A5",
	.description = "what preserve has to refuse, and that it can be undone",
	.stages = { run },
};
SCENARIO(refusals);
