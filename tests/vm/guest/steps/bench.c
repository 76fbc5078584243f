// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "vm.h"
#include "iommufd.h"
#include "luo.h"

int bench_memfd(uint64_t bytes)
{
	int fd = memfd_create("bench", MFD_CLOEXEC);
	void *p;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, bytes))
		goto fail;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		goto fail;
	memset(p, 0x5a, bytes);
	munmap(p, bytes);
	return fd;

fail:
	close(fd);
	return -ENOMEM;
}

static int bind(struct bench *b, struct vfio *v, const char *bdf)
{
	int fd = vfio_cdev_open(bdf);

	v->fd = -1;
	return fd < 0 ? fd : vfio_start(v, bdf, fd, b->iommufd);
}

int bench_add(struct bench *b, struct vfio *v, const char *bdf)
{
	int rc = bind(b, v, bdf);

	return rc ? rc : vfio_attach(v, b->hwpt);
}

static int build(struct bench *b, const char *bdf)
{
	int rc;

	b->memfd = bench_memfd(BENCH_BYTES);
	if (b->memfd < 0)
		return b->memfd;
	b->iommufd = iommufd_open();
	if (b->iommufd < 0)
		return b->iommufd;
	rc = ioas_alloc(b->iommufd, &b->ioas);
	if (!rc)
		rc = ioas_map_file(b->iommufd, b->ioas, b->memfd, 0,
				   BENCH_BYTES, BENCH_IOVA);
	if (!rc)
		rc = bind(b, &b->vfio, bdf);
	if (!rc)
		rc = hwpt_alloc(b->iommufd, b->vfio.devid, b->ioas, &b->hwpt);
	return rc ? rc : vfio_attach(&b->vfio, b->hwpt);
}

int bench_open(struct bench *b, const char *bdf)
{
	return bench_open_as(b, bdf, "bench");
}

int bench_open_as(struct bench *b, const char *bdf, const char *session)
{
	int luo = luo_open(), rc;

	memset(b, 0, sizeof(*b));
	b->memfd = -1;
	b->iommufd = -1;
	b->session = -1;
	b->vfio.fd = -1;
	if (luo < 0)
		return luo;
	b->session = luo_create(luo, session);
	if (b->session < 0)
		return b->session;
	rc = build(b, bdf);
	if (rc)
		bench_close(b);
	return rc;
}

void bench_close_session(struct bench *b)
{
	if (b->session >= 0)
		close(b->session);
	b->session = -1;
}

void bench_close(struct bench *b)
{
	bench_close_session(b);
	vfio_close(&b->vfio);
	if (b->iommufd >= 0)
		close(b->iommufd);
	if (b->memfd >= 0)
		close(b->memfd);
	b->iommufd = -1;
	b->memfd = -1;
}

int bench_preserve_memory(struct bench *b)
{
	return luo_preserve(b->session, b->memfd, TOKEN_MEMORY);
}

int bench_preserve_iommufd(struct bench *b)
{
	return luo_preserve(b->session, b->iommufd, TOKEN_IOMMUFD);
}

int bench_preserve_device(struct bench *b)
{
	return luo_preserve(b->session, b->vfio.fd, TOKEN_DEVICE);
}

int bench_preserve(struct bench *b)
{
	int rc = hwpt_mark(b->iommufd, b->hwpt, TOKEN_HWPT);

	if (!rc)
		rc = bench_preserve_memory(b);
	if (!rc)
		rc = bench_preserve_iommufd(b);
	return rc ? rc : bench_preserve_device(b);
}
