// SPDX-License-Identifier: GPL-2.0-only
/*
 * In which order files can be preserved: memfd, iommufd, device, in one
 * session, the device bound to that iommufd and attached to a marked HWPT. No
 * kexec here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cases.h"
#include "vm.h"
#include "iommufd.h"
#include "luo.h"
#include "report.h"
#include "scenario.h"

#define TOKEN_MORE 0x1000ull

static int session_two(void)
{
	int fd = luo_create(luo_open(), "bench-2");

	lost(cases_tag("session"), fd);
	return fd;
}

static void no_mark(struct bench *b)
{
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), -EINVAL);
	cases_rc("device", bench_preserve_device(b), -ENOENT);
}

static void iommufd_first(struct bench *b)
{
	if (!cases_mark(b))
		return;
	cases_rc("iommufd", bench_preserve_iommufd(b), -EINVAL);
	/* A refused call has changed nothing */
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd-then", bench_preserve_iommufd(b), 0);
}

static void device_first(struct bench *b)
{
	if (!cases_mark(b))
		return;
	cases_rc("device-first", bench_preserve_device(b), -ENOENT);
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("device-second", bench_preserve_device(b), -ENOENT);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("device-third", bench_preserve_device(b), 0);
}

static void memory_elsewhere(struct bench *b)
{
	int other = session_two();

	if (other < 0 || !cases_mark(b))
		return;
	cases_rc("memory", luo_preserve(other, b->memfd, TOKEN_MEMORY), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), -EINVAL);
	cases_rc("iommufd-there",
		 luo_preserve(other, b->iommufd, TOKEN_IOMMUFD), 0);
	close(other);
}

static void device_elsewhere(struct bench *b)
{
	int other = session_two();

	if (other < 0 || !cases_mark(b))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("device", luo_preserve(other, b->vfio.fd, TOKEN_DEVICE),
		 -ENOENT);
	cases_rc("device-here", bench_preserve_device(b), 0);
	close(other);
}

/* All in one session, but the device is bound to an iommufd that is not. */
static void other_iommufd(struct bench *b)
{
	struct bench other;

	if (!cases_device(1) ||
	    lost(cases_tag("open"),
		 bench_open_as(&other, cases_device(1), "bench-2")))
		return;
	if (cases_mark(&other)) {
		cases_rc("memory", luo_preserve(b->session, other.memfd,
						TOKEN_MEMORY),
			 0);
		cases_rc("iommufd", luo_preserve(b->session, other.iommufd,
						 TOKEN_IOMMUFD),
			 0);
		cases_rc("device", bench_preserve_device(b), -ENOENT);
		cases_rc("device-of-it",
			 luo_preserve(b->session, other.vfio.fd,
				      TOKEN_DEVICE),
			 0);
	}
	bench_close_session(b);
	bench_close(&other);
}

static void unmarked_hwpt(struct bench *b)
{
	uint32_t other;

	if (lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid,
					       b->ioas, &other)) ||
	    lost(cases_tag("mark"), hwpt_mark(b->iommufd, other, TOKEN_HWPT)))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("device", bench_preserve_device(b), -EINVAL);
	/* A device that is not preserved may be attached to a preserved HWPT */
	cases_rc("attach", vfio_attach(&b->vfio, other), 0);
	cases_rc("device-moved", bench_preserve_device(b), 0);
}

/* One device on a marked HWPT, one on another: the first is kept alone. */
static void two_devices(struct bench *b)
{
	struct vfio second;
	uint32_t other;

	if (!cases_device(1) ||
	    lost(cases_tag("add"), bench_add(b, &second, cases_device(1))))
		return;
	if (lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, second.devid,
					       b->ioas, &other)) ||
	    lost(cases_tag("attach"), vfio_attach(&second, other)) ||
	    !cases_mark(b))
		goto out;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("first", bench_preserve_device(b), 0);
	cases_rc("second",
		 luo_preserve(b->session, second.fd, TOKEN_DEVICE + 1),
		 -EINVAL);
	cases_rc("second-attach", vfio_attach(&second, b->hwpt), 0);
	cases_rc("second-moved",
		 luo_preserve(b->session, second.fd, TOKEN_DEVICE + 1), 0);
	bench_close_session(b);
out:
	vfio_close(&second);
}

/* Opened and no more, then bound and no more. */
static void not_claimed(struct bench *b)
{
	struct vfio second = { .fd = -1 };
	const char *bdf = cases_device(1);
	int fd;

	if (!bdf || !cases_mark(b))
		return;
	fd = vfio_cdev_open(bdf);
	if (lost(cases_tag("open"), fd))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("opened", luo_preserve(b->session, fd, TOKEN_DEVICE),
		 -EPERM);
	if (lost(cases_tag("bind"),
		 vfio_start(&second, bdf, fd, b->iommufd)))
		return;
	cases_rc("bound", luo_preserve(b->session, fd, TOKEN_DEVICE), -EINVAL);
	cases_rc("attach", vfio_attach(&second, b->hwpt), 0);
	cases_rc("detach", vfio_detach(&second), 0);
	cases_rc("detached", luo_preserve(b->session, fd, TOKEN_DEVICE),
		 -EINVAL);
	cases_rc("attach-again", vfio_attach(&second, b->hwpt), 0);
	cases_rc("attached", luo_preserve(b->session, fd, TOKEN_DEVICE), 0);
	bench_close_session(b);
	vfio_close(&second);
}

/* A second file of a device that somebody has: nothing can be done with it. */
static void opened_twice(struct bench *b)
{
	struct vfio second;
	int fd = vfio_cdev_open(b->vfio.bdf);

	if (lost(cases_tag("open"), fd) || !cases_mark(b))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("second", luo_preserve(b->session, fd, TOKEN_DEVICE), -EPERM);
	cases_rc("first", bench_preserve_device(b), 0);
	cases_rc("bind", vfio_start(&second, b->vfio.bdf, fd, b->iommufd),
		 -EINVAL);
	cases_rc("second-again",
		 luo_preserve(b->session, fd, TOKEN_DEVICE + 1), -EPERM);
	close(fd);
}

static void twice_one(struct bench *b, const char *what, int fd, int session,
		      uint64_t token, uint64_t more)
{
	char text[64];
	int copy = dup(fd);

	snprintf(text, sizeof(text), "%s-token", what);
	cases_rc(text, luo_preserve(b->session, fd, token), -EEXIST);
	snprintf(text, sizeof(text), "%s-again", what);
	cases_rc(text, luo_preserve(b->session, fd, more), -EBUSY);
	snprintf(text, sizeof(text), "%s-copy", what);
	cases_rc(text, luo_preserve(b->session, copy, more), -EBUSY);
	snprintf(text, sizeof(text), "%s-elsewhere", what);
	cases_rc(text, luo_preserve(session, fd, token), -EBUSY);
	close(copy);
}

static void twice(struct bench *b)
{
	int other = session_two();

	if (other < 0 || lost(cases_tag("all"), bench_preserve(b)))
		return;
	twice_one(b, "memory", b->memfd, other, TOKEN_MEMORY, TOKEN_MORE);
	twice_one(b, "iommufd", b->iommufd, other, TOKEN_IOMMUFD, TOKEN_MORE);
	twice_one(b, "device", b->vfio.fd, other, TOKEN_DEVICE, TOKEN_MORE);
	/* Refused there, and nothing of the attempt is left */
	close(other);
	bench_close_session(b);
	b->session = luo_create(luo_open(), "bench-3");
	cases_rc("then-memory", bench_preserve_memory(b), 0);
	cases_rc("then-iommufd", bench_preserve_iommufd(b), 0);
	cases_rc("then-device", bench_preserve_device(b), 0);
}

/* What was preserved in a session that is closed counts for nothing. */
static void closed_between(struct bench *b)
{
	if (!cases_mark(b))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	bench_close_session(b);
	b->session = luo_create(luo_open(), "bench-2");
	cases_rc("iommufd", bench_preserve_iommufd(b), -EINVAL);
	cases_rc("memory-again", bench_preserve_memory(b), 0);
	cases_rc("iommufd-again", bench_preserve_iommufd(b), 0);
	bench_close_session(b);
	b->session = luo_create(luo_open(), "bench-3");
	cases_rc("device", bench_preserve_device(b), -ENOENT);
}

/* Kinds of files that cannot be preserved. */
static void other_files(struct bench *b)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC);
	int ends[2];

	cases_rc("null", luo_preserve(b->session, null, 1), -ENOENT);
	cases_rc("event", luo_preserve(b->session, event, 1), -ENOENT);
	if (!lost(cases_tag("pipe"), pipe(ends) ? -errno : 0)) {
		cases_rc("pipe-end", luo_preserve(b->session, ends[0], 1),
			 -ENOENT);
		close(ends[0]);
		close(ends[1]);
	}
	cases_rc("session", luo_preserve(b->session, b->session, 1), -ENOENT);
	cases_rc("none", luo_preserve(b->session, -1, 1), -EBADF);
	close(null);
	close(event);
}

static void empty_iommufd(struct bench *b)
{
	int other = iommufd_open();

	if (lost(cases_tag("open"), other))
		return;
	cases_rc("iommufd", luo_preserve(b->session, other, TOKEN_IOMMUFD),
		 -EINVAL);
	close(other);
}

static const struct bench_case list[] = {
	{ "no-mark", no_mark },
	{ "iommufd-first", iommufd_first },
	{ "device-first", device_first },
	{ "memory-elsewhere", memory_elsewhere },
	{ "device-elsewhere", device_elsewhere },
	{ "other-iommufd", other_iommufd },
	{ "unmarked-hwpt", unmarked_hwpt },
	{ "two-devices", two_devices },
	{ "not-claimed", not_claimed },
	{ "opened-twice", opened_twice },
	{ "twice", twice },
	{ "closed-between", closed_between },
	{ "other-files", other_files },
	{ "empty-iommufd", empty_iommufd },
	{ NULL, NULL },
};

static int run(unsigned int stage)
{
	(void)stage;
	return cases_run(list);
}

static const struct scenario order = {
	.name = "order",
	.description = "the order and place in which files can be preserved",
	.stages = { run },
};
SCENARIO(order);
