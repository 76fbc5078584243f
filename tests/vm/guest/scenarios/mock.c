// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kinds of HWPT and of memory that the emulated hardware does not have, from
 * the device that iommufd has for its own tests. Needs a kernel with
 * CONFIG_IOMMUFD_TEST. No kexec here.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"
#include "counts.h"
#include "vm.h"
#include "iommufd.h"
#include "luo.h"
#include "report.h"
#include "scenario.h"
#include "uapi.h"

/* From drivers/iommu/iommufd/iommufd_test.h, which is not installed */
#define MOCK_CMD _IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)
#define MOCK_OP_DOMAIN 2
#define MOCK_OP_DMABUF_GET 22
#define MOCK_HWPT_DATA 0xdead
#define MOCK_IOVA (1ull << 24)
#define PAGE 4096ull

struct mock_cmd {
	uint32_t size;
	uint32_t op;
	uint32_t id;
	uint32_t reserved;
	union {
		struct {
			uint32_t stdev;
			uint32_t hwpt;
			uint32_t device;
		} domain;
		struct {
			uint32_t length;
			uint32_t open_flags;
		} dmabuf;
		unsigned char bytes[64];
	};
};

static int iommufd;
static uint32_t ioas, device, automatic;

static int mock(struct mock_cmd *cmd, uint32_t op, uint32_t id)
{
	int rc;

	cmd->size = sizeof(*cmd);
	cmd->op = op;
	cmd->id = id;
	rc = ioctl(iommufd, MOCK_CMD, cmd);
	return rc < 0 ? -errno : rc;
}

/* 7.3 opens the file and forgets to say which: it is the lowest that is free. */
static int dmabuf_get(void)
{
	struct mock_cmd cmd = { .dmabuf = { .length = PAGE } };
	int lowest = dup(iommufd), rc;

	close(lowest);
	rc = mock(&cmd, MOCK_OP_DMABUF_GET, 0);
	return rc ? rc : lowest;
}

static int nested_alloc(uint32_t parent, uint32_t *ret_id)
{
	/* A value for its cache, and the usual kind of table */
	uint32_t data[2] = { 0xbadbeef, 0 };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = device,
		.pt_id = parent,
		.data_type = MOCK_HWPT_DATA,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)data,
	};
	int rc = ioctl(iommufd, IOMMU_HWPT_ALLOC, &cmd) ? -errno : 0;

	if (!rc)
		*ret_id = cmd.out_hwpt_id;
	return rc;
}

static void marks(void)
{
	uint32_t parent, nested = 0, dirty;

	check_rc("automatic", hwpt_mark(iommufd, automatic, 1), -EOPNOTSUPP);
	if (!lost("parent-alloc",
		  hwpt_alloc_flags(iommufd, device, ioas,
				   IOMMU_HWPT_ALLOC_NEST_PARENT, 0,
				   &parent))) {
		check_rc("parent", hwpt_mark(iommufd, parent, 1), -EOPNOTSUPP);
		if (!lost("nested-alloc", nested_alloc(parent, &nested))) {
			check_rc("nested", hwpt_mark(iommufd, nested, 1),
				 -EOPNOTSUPP);
			check_rc("nested-unmark", hwpt_unmark(iommufd, nested),
				 -EOPNOTSUPP);
		}
		check_rc("parent-unmark", hwpt_unmark(iommufd, parent),
			 -ENOENT);
	}
	if (lost("dirty-alloc",
		 hwpt_alloc_flags(iommufd, device, ioas,
				  IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0, &dirty)))
		return;
	/* It may be marked: what its IOMMU can do is found out by preserve */
	check_rc("dirty", hwpt_mark(iommufd, dirty, 1), 0);
	check_rc("dirty-unmark", hwpt_unmark(iommufd, dirty), 0);
	check_rc("dirty-destroy", iommufd_destroy(iommufd, dirty), 0);
}

static void memory(int session)
{
	uint32_t hwpt;
	int dmabuf;

	if (lost("hwpt", hwpt_alloc(iommufd, device, ioas, &hwpt)) ||
	    lost("mark", hwpt_mark(iommufd, hwpt, 1)))
		return;
	/* Nothing in its way but its IOMMU, which is none that we know */
	check_rc("other-iommu", luo_preserve(session, iommufd, TOKEN_IOMMUFD),
		 -EOPNOTSUPP);
	dmabuf = dmabuf_get();
	if (lost("dmabuf", dmabuf))
		return;
	check_rc("dmabuf-map", ioas_map_file(iommufd, ioas, dmabuf, 0, PAGE,
					     MOCK_IOVA),
		 0);
	check_rc("dmabuf-file", luo_preserve(session, dmabuf, TOKEN_MEMORY),
		 -ENOENT);
	check_rc("dmabuf-iommufd",
		 luo_preserve(session, iommufd, TOKEN_IOMMUFD), -EINVAL);
	check_rc("dmabuf-unmap", ioas_unmap(iommufd, ioas, MOCK_IOVA, PAGE),
		 0);
	close(dmabuf);
}

static int run(unsigned int stage)
{
	struct counts before;
	struct mock_cmd cmd = { 0 };
	int session;

	(void)stage;
	if (lost("counts", counts_read(&before)))
		return -1;
	iommufd = iommufd_open();
	session = luo_create(luo_open(), "mock");
	if (lost("iommufd", iommufd) || lost("session", session) ||
	    lost("ioas", ioas_alloc(iommufd, &ioas)) ||
	    lost("mock", mock(&cmd, MOCK_OP_DOMAIN, ioas)))
		return -1;
	device = cmd.domain.device;
	automatic = cmd.domain.hwpt;
	marks();
	memory(session);
	close(session);
	close(iommufd);
	counts_check("undone", &before);
	return 0;
}

static const struct scenario mock_scenario = {
	.name = "mock",
	.description = "HWPTs and memory that the emulated hardware has not",
	.stages = { run },
};
SCENARIO(mock_scenario);
