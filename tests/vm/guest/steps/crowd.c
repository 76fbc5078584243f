// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"
#include "vm.h"
#include "iommufd.h"
#include "luo.h"
#include "report.h"

#define BYTES (1ull << 20)

static struct member {
	int memfd;
	int iommufd;
	int session;
} member[CROWD_MAX];
static unsigned int members;

static const char *session_name(unsigned int i)
{
	static char text[32];

	snprintf(text, sizeof(text), "crowd-%u", i);
	return text;
}

/* Each HWPT on an IOAS of its own, at another place. */
static int add_hwpt(int iommufd, int memfd, uint32_t devid, unsigned int nth)
{
	uint32_t ioas, hwpt;
	int rc;

	rc = ioas_alloc(iommufd, &ioas);
	if (!rc)
		rc = ioas_map_file(iommufd, ioas, memfd, 0, BYTES,
				   (uint64_t)(nth + 1) << 30);
	if (!rc)
		rc = hwpt_alloc(iommufd, devid, ioas, &hwpt);
	return rc ? rc : hwpt_mark(iommufd, hwpt, TOKEN_HWPT + nth);
}

static int build(struct member *m, const char *bdf)
{
	uint32_t devid;
	int fd, rc;

	m->session = -1;
	m->memfd = bench_memfd(BYTES);
	if (m->memfd < 0)
		return m->memfd;
	m->iommufd = iommufd_open();
	if (m->iommufd < 0)
		return m->iommufd;
	fd = vfio_cdev_open(bdf);
	if (fd < 0)
		return fd;
	rc = vfio_bind(fd, m->iommufd, &devid);
	for (unsigned int i = 0; !rc && i < CROWD_HWPTS; i++)
		rc = add_hwpt(m->iommufd, m->memfd, devid, i);
	close(fd);
	return rc;
}

static int preserve(struct member *m, unsigned int i)
{
	int rc;

	m->session = luo_create(luo_open(), session_name(i));
	if (m->session < 0)
		return m->session;
	rc = luo_preserve(m->session, m->memfd, TOKEN_MEMORY);
	return rc ? rc : luo_preserve(m->session, m->iommufd, TOKEN_IOMMUFD);
}

bool crowd_make(unsigned int count, const char *bdf)
{
	int rc = 0;

	for (members = 0; members < count && !rc; members++) {
		uint64_t number = members;
		struct member *m = &member[members];

		rc = build(m, bdf);
		if (!rc && pwrite(m->memfd, &number, sizeof(number), 0) !=
				   sizeof(number))
			rc = -errno;
		if (!rc)
			rc = preserve(m, members);
	}
	return check("crowd-made", !rc, "%u of %u: %s", members, count,
		     errno_name(rc));
}

bool crowd_shuffle(void)
{
	int rc = 0;

	for (unsigned int i = 0; i < members; i += 2)
		close(member[i].session);
	for (unsigned int i = 0; i < members && !rc; i += 2)
		rc = preserve(&member[i], i);
	return check("crowd-shuffled", !rc, "%s", errno_name(rc));
}

/* Every token leads to another HWPT, none of them to a wrong one. */
static int destroy_all(int iommufd)
{
	uint32_t id[CROWD_HWPTS];
	int rc = 0;

	for (unsigned int i = 0; !rc && i < CROWD_HWPTS; i++) {
		rc = hwpt_restore(iommufd, TOKEN_HWPT + i, &id[i]);
		for (unsigned int j = 0; !rc && j < i; j++)
			if (id[i] == id[j])
				rc = -EEXIST;
	}
	for (unsigned int i = 0; !rc && i < CROWD_HWPTS; i++)
		rc = iommufd_destroy(iommufd, id[i]);
	return rc;
}

static int take_apart(unsigned int i)
{
	int session, memfd, iommufd, rc;
	uint64_t number = ~0ull;

	session = luo_retrieve_session(luo_open(), session_name(i));
	if (session < 0)
		return session;
	memfd = luo_retrieve(session, TOKEN_MEMORY);
	iommufd = luo_retrieve(session, TOKEN_IOMMUFD);
	if (memfd < 0 || iommufd < 0)
		return memfd < 0 ? memfd : iommufd;
	if (pread(memfd, &number, sizeof(number), 0) != sizeof(number) ||
	    number != i)
		return -EBADMSG;
	if (luo_finish(session) != -EBUSY)
		return -EPROTO;
	rc = destroy_all(iommufd);
	if (!rc)
		rc = luo_finish(session);
	close(iommufd);
	close(memfd);
	close(session);
	return rc;
}

bool crowd_take_apart(unsigned int count)
{
	unsigned int i;
	int rc = 0;

	/* Not in the order in which they were made. */
	for (i = 0; i < count && !rc; i++)
		rc = take_apart(count - 1 - i);
	return check("crowd-apart", !rc, "%u of %u: %s", i, count,
		     errno_name(rc));
}
