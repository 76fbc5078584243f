// SPDX-License-Identifier: GPL-2.0-only
/*
 * After the kexec, from the first file on to the last finish: each call on a
 * session and its files that is not part of the usual sequence, in two sessions
 * side by side, with the transfers going on. A third session has no iommufd.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "iommufd.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"

#define SESSION_A "calls-a"
#define SESSION_B "calls-b"
#define SESSION_BARE "calls-bare"
#define BARE_BYTES (16ull << 20)
#define OTHER_IOVA (7ull << 30)
#define TOKEN_UNKNOWN 0x4711ull
/* The IDs of an iommufd's first few objects. */
#define IDS 8

/* The card's VM, the drive's VM. */
static struct vm a, b;

static int create(struct vm *vm, const char *session, enum owner_part part,
		  uint64_t bytes)
{
	struct vm_plan plan;

	owner_plan(&plan, session);
	owner_plan_only(&plan, part);
	plan.bytes = bytes;
	return owner_create(vm, &plan) || owner_translate(vm) ? -1 : 0;
}

static int preserve_bare(void)
{
	int session = luo_create(luo_open(), SESSION_BARE);
	int fd = bench_memfd(BARE_BYTES);

	if (lost("bare-session", session) || lost("bare-memfd", fd))
		return -1;
	return lost("bare", luo_preserve(session, fd, TOKEN_MEMORY)) ? -1 : 0;
}

static int incoming_old(unsigned int stage)
{
	if (create(&a, SESSION_A, CARDS, 256 << 20) ||
	    create(&b, SESSION_B, DRIVES, 64 << 20))
		return -1;
	snprintf(b.suffix, sizeof(b.suffix), "-b");
	if (owner_start(&a) || owner_start(&b))
		return -1;
	owner_ready();
	if (owner_warm(&a) || owner_warm(&b) || owner_preserve(&a) ||
	    owner_preserve(&b) || preserve_bare() || owner_load(&a, stage))
		return -1;
	pump_stop(&b.pump);
	return owner_jump();
}

static const char *name_on(const char *when, const char *what)
{
	static char text[8][64];
	static unsigned int turn;
	char *out = text[turn++ % 8];

	snprintf(out, sizeof(text[0]), "%s%s", what, when);
	return out;
}

static void check_open(const char *when, const char *name, int fd)
{
	check_rc(name_on(when, name), fd < 0 ? fd : 0, -EBUSY);
	if (fd >= 0)
		close(fd);
}

/* Sessions and files of them, asked for once more or under another name. */
static void try_names(void)
{
	struct stat one, two;
	int luo = luo_open(), fd;

	check_rc("session-twice", luo_retrieve_session(luo, SESSION_A),
		 -EINVAL);
	check_rc("session-unknown", luo_retrieve_session(luo, "nobody"),
		 -ENOENT);
	check_rc("file-unknown", luo_retrieve(a.session, TOKEN_UNKNOWN),
		 -ENOENT);
	check_rc("preserve-in-retrieved",
		 luo_preserve(a.session, a.memory.fd, TOKEN_UNKNOWN), -EINVAL);
	fd = luo_retrieve(a.session, TOKEN_MEMORY);
	if (lost("memory-twice", fd))
		return;
	check("memory-twice",
	      !fstat(fd, &one) && !fstat(a.memory.fd, &two) &&
		      one.st_ino == two.st_ino,
	      "the same file");
	close(fd);
}

static int punch(int fd)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 4096) ?
		       -errno :
		       0;
}

static int resize(int fd, uint64_t bytes)
{
	return ftruncate(fd, bytes) ? -errno : 0;
}

static void try_memory(void)
{
	check_rc("memory-punch", punch(a.memory.fd), -EPERM);
	check_rc("memory-shrink", resize(a.memory.fd, 4096), -EPERM);
	check_rc("memory-grow",
		 resize(a.memory.fd, a.memory.layout->bytes * 2), -EPERM);
}

/* Through sysfs, with no driver and then with vfio-pci on the device. */
static void try_sysfs(const char *when, const char *bdf)
{
	check_rc(name_on(when, "reset"), pci_write_file(bdf, "reset", "1"),
		 -EBUSY);
	check_rc(name_on(when, "remove"),
		 pci_write_file(bdf, "remove", "1"), -EBUSY);
	check_rc(name_on(when, "group-type"),
		 pci_write_file(bdf, "iommu_group/type", "identity"), -EPERM);
	check_rc(name_on(when, "override"),
		 pci_write_file(bdf, "driver_override", "vfio-pci"), 0);
	check_rc(name_on(when, "rescan"), pci_rescan(), 0);
}

/* Nobody has asked for the device yet. */
static int try_unbound(const char *bdf)
{
	try_sysfs("-unbound", bdf);
	check_rc("native-unbound", pci_offer(bdf, PCI_NATIVE), -EBUSY);
	check_rc("device-unbound", luo_retrieve(a.session, TOKEN_DEVICE),
		 -EAGAIN);
	/* A driver that leaves DMA to its user, as vfio-pci does, may bind. */
	check_rc("stub", pci_bind(bdf, "pci-stub"), 0);
	check_rc("device-stub", luo_retrieve(a.session, TOKEN_DEVICE),
		 -EAGAIN);
	return lost("vfio-pci", pci_bind(bdf, "vfio-pci")) ? -1 : 0;
}

static void try_opens(const char *when, const char *bdf)
{
	int other = iommufd_open();

	if (lost("iommufd", other))
		return;
	check_open(when, "open", vfio_cdev_open(bdf));
	check_open(when, "open-group", vfio_group_open(bdf, other));
	close(other);
}

/*
 * The device before its iommufd; that of the other session before the memory it
 * maps, and before its session has a second owner.
 */
static int try_order(void)
{
	int session, other, none = iommufd_open();
	struct vfio *v = &a.device[0].vfio;
	uint32_t devid;

	if (lost("device-first", vm_retrieve_device(&a, 0)) ||
	    lost("iommufd", none))
		return -1;
	session = luo_retrieve_session(luo_open(), SESSION_B);
	if (lost("session-b", session))
		return -1;
	other = luo_retrieve(session, TOKEN_IOMMUFD);
	if (lost("iommufd-first", other))
		return -1;
	/* Who has the right iommufd still has to take the session's file. */
	if (lost("iommufd", vm_retrieve_iommufd(&a)))
		return -1;
	check_open("", "open-group-retrieved",
		   vfio_group_open(a.device[0].state->bdf, a.iommufd));
	check_rc("attach-unbound", vfio_attach(v, 1), -EINVAL);
	check_rc("bind-new", vfio_bind(v->fd, none, &devid), -EBUSY);
	check_rc("bind-other-session", vfio_bind(v->fd, other, &devid),
		 -EBUSY);
	check_rc("finish-iommufd", luo_finish(session), -EBUSY);
	close(none);
	close(other);
	/* Unfinished, so that it can be retrieved again. */
	close(session);
	return 0;
}

/* The only IOAS there is, as long as nobody has made another. */
static uint32_t restored_ioas(void)
{
	for (uint32_t id = 1; id < IDS; id++)
		if (!ioas_unmap(a.iommufd, id, 0, UINT64_MAX))
			return id;
	return 0;
}

static void try_ioas(void)
{
	static unsigned char page[4096] __attribute__((aligned(4096)));
	uint32_t ioas = restored_ioas(), own, hwpt;

	if (!check("restored-ioas", ioas, "%u", ioas) ||
	    lost("ioas", ioas_alloc(a.iommufd, &own)) ||
	    lost("map", ioas_map_memory(a.iommufd, own, page, 4096,
					OTHER_IOVA)))
		return;
	check_rc("ioas-map", ioas_map_memory(a.iommufd, ioas, page, 4096,
					     OTHER_IOVA),
		 -EBUSY);
	check_rc("ioas-map-file",
		 ioas_map_file(a.iommufd, ioas, a.memory.fd, 0, 4096,
			       OTHER_IOVA),
		 -EBUSY);
	check_rc("ioas-copy-to",
		 ioas_copy(a.iommufd, ioas, OTHER_IOVA, own, OTHER_IOVA, 4096),
		 -EBUSY);
	check_rc("ioas-copy-from",
		 ioas_copy(a.iommufd, own, MEMORY_IOVA, ioas, MEMORY_IOVA,
			   4096),
		 -ENOENT);
	check_rc("ioas-unmap",
		 ioas_unmap(a.iommufd, ioas, MEMORY_IOVA, 4096), -ENOENT);
	check_rc("ioas-destroy", iommufd_destroy(a.iommufd, ioas), -EBUSY);
	/* What is made on it maps nothing, and will not. */
	check_rc("ioas-hwpt",
		 hwpt_alloc(a.iommufd, a.device[0].vfio.devid, ioas, &hwpt),
		 0);
	check_rc("ioas-hwpt-destroy", iommufd_destroy(a.iommufd, hwpt), 0);
	lost("unmap", ioas_unmap(a.iommufd, own, OTHER_IOVA, 4096));
	lost("destroy", iommufd_destroy(a.iommufd, own));
}

static void try_hwpt(uint32_t hwpt)
{
	uint32_t id = 0;
	bool same = true;

	for (int i = 0; i < 5; i++)
		same &= !hwpt_restore(a.iommufd, TOKEN_HWPT, &id) &&
			id == hwpt;
	check("restore-same", same, "%u, %u once", id, hwpt);
	check_rc("restore-unknown",
		 hwpt_restore(a.iommufd, TOKEN_UNKNOWN, &id), -ENOENT);
	check_rc("mark-again", hwpt_mark(a.iommufd, hwpt, TOKEN_UNKNOWN),
		 -EBUSY);
	check_rc("mark-same", hwpt_mark(a.iommufd, hwpt, TOKEN_HWPT),
		 -EADDRINUSE);
	check_rc("unmark", hwpt_unmark(a.iommufd, hwpt), -ENOENT);
	check_rc("dirty-tracking", hwpt_dirty_tracking(a.iommufd, hwpt, true),
		 -EOPNOTSUPP);
	check_rc("dirty-bitmap",
		 hwpt_dirty_bitmap(a.iommufd, hwpt, MEMORY_IOVA, 1 << 20),
		 -EOPNOTSUPP);
	check_rc("destroy-in-use", iommufd_destroy(a.iommufd, hwpt), -EBUSY);
	check_rc("attach-unknown", vfio_attach(&a.device[0].vfio, 0x7fffffff),
		 -ENOENT);
}

/* What belongs to one session still does not fit into the next. */
static void try_new_session(const char *when)
{
	int next = luo_create(luo_open(), "calls-next");

	if (lost("next-session", next))
		return;
	check_rc(name_on(when, "next-memory"),
		 luo_preserve(next, a.memory.fd, TOKEN_MEMORY), -EBUSY);
	check_rc(name_on(when, "next-iommufd"),
		 luo_preserve(next, a.iommufd, TOKEN_IOMMUFD), -EBUSY);
	check_rc(name_on(when, "next-device"),
		 luo_preserve(next, a.device[0].vfio.fd, TOKEN_DEVICE),
		 -EBUSY);
	check_rc(name_on(when, "next-finish"), luo_finish(next), -EINVAL);
	close(next);
}

/* A device of the same owner that did not come over, and is blocked there. */
static void try_other_device(uint32_t hwpt)
{
	char bdf[INTRUDERS_MAX][BDF_BYTES];
	struct vfio v;
	uint32_t ioas = 0;
	int fd;

	if (!check("other-device", machine_intruders(bdf), "there is one") ||
	    lost("other-device", pci_bind(bdf[0], "vfio-pci")))
		return;
	fd = vfio_cdev_open(bdf[0]);
	if (lost("other-device", fd) ||
	    lost("other-device", vfio_start(&v, bdf[0], fd, a.iommufd)))
		return;
	check_rc("other-device-restored", vfio_attach(&v, hwpt), -EBUSY);
	lost("ioas", ioas_alloc(a.iommufd, &ioas));
	check_rc("other-device-own", vfio_attach(&v, ioas), 0);
	check_rc("other-device-swap", vfio_attach(&v, hwpt), -EBUSY);
	vfio_close(&v);
	lost("destroy", iommufd_destroy(a.iommufd, ioas));
	lost("unbind", pci_unbind(bdf[0]));
}

static int try_bound(const char *bdf)
{
	struct vfio *v = &a.device[0].vfio;
	uint32_t devid, hwpt;

	try_opens("-bound", bdf);
	check_rc("remove-bound", pci_write_file(bdf, "remove", "1"), -EBUSY);
	check_rc("bind-twice", vfio_bind(v->fd, a.iommufd, &devid), -EINVAL);
	if (lost("restore", hwpt_restore(a.iommufd, TOKEN_HWPT, &hwpt)))
		return -1;
	try_ioas();
	try_hwpt(hwpt);
	try_other_device(hwpt);
	try_new_session("-bound");
	check_rc("finish-bound", luo_finish(a.session), -EBUSY);
	return 0;
}

/* Off the restored HWPT, which is gone, but not finished. */
static int try_swapped(void)
{
	uint32_t hwpt, id;

	if (lost("restore", hwpt_restore(a.iommufd, TOKEN_HWPT, &hwpt)))
		return -1;
	check_rc("mark-new-same-token",
		 hwpt_mark(a.iommufd, a.hwpt, TOKEN_HWPT), -EADDRINUSE);
	check_rc("finish-swapped", luo_finish(a.session), -EBUSY);
	check_rc("destroy", iommufd_destroy(a.iommufd, hwpt), 0);
	check_rc("restore-destroyed", hwpt_restore(a.iommufd, TOKEN_HWPT, &id),
		 -ENOENT);
	try_new_session("-destroyed");
	try_opens("-destroyed", a.device[0].state->bdf);
	check_rc("memory-punch-destroyed", punch(a.memory.fd), -EPERM);
	return 0;
}

/* As if there never had been a live update; the next one could come. */
static int try_finished(void)
{
	const char *what = "";
	int rc;

	check_rc("finish", luo_finish(a.session), 0);
	check_rc("finish-twice", luo_finish(a.session), 0);
	check_rc("retrieve-finished", luo_retrieve(a.session, TOKEN_MEMORY),
		 -ENOENT);
	close(a.session);
	a.session = -1;
	check_rc("session-finished",
		 luo_retrieve_session(luo_open(), SESSION_A), -ENOENT);
	rc = fallocate(a.memory.fd, FALLOC_FL_KEEP_SIZE, 0, 4096) ? -errno : 0;
	check_rc("memory-thawed", rc, 0);

	a.session = luo_create(luo_open(), SESSION_A);
	if (lost("session-anew", a.session))
		return -1;
	check_rc("mark-anew", hwpt_mark(a.iommufd, a.hwpt, TOKEN_HWPT), 0);
	rc = vm_preserve(&a, &what);
	check("preserve-anew", !rc, "%s: %s", what, errno_name(rc));
	close(a.session);
	a.session = -1;
	check_rc("unmark-anew", hwpt_unmark(a.iommufd, a.hwpt), 0);
	return 0;
}

/* Without an iommufd in its session a memfd is what it always was. */
static void try_bare(void)
{
	int session = luo_retrieve_session(luo_open(), SESSION_BARE), fd;
	unsigned char byte = 0;

	if (lost("bare-session", session))
		return;
	fd = luo_retrieve(session, TOKEN_MEMORY);
	if (lost("bare-memory", fd))
		return;
	check("bare-content",
	      pread(fd, &byte, 1, BARE_BYTES - 1) == 1 && byte == 0x5a,
	      "the last byte is %#x", byte);
	check_rc("bare-punch", punch(fd), 0);
	check_rc("bare-grow", resize(fd, BARE_BYTES * 2), 0);
	check_rc("bare-shrink", resize(fd, BARE_BYTES / 2), 0);
	check_rc("bare-finish", luo_finish(session), 0);
	check_rc("bare-punch-finished", punch(fd), 0);
	close(session);
	close(fd);
}

/* The control: what was refused works once the session is finished. */
static void try_late(const char *bdf)
{
	int other = iommufd_open(), fd;

	if (lost("iommufd", other) ||
	    lost("vfio-pci", pci_bind(bdf, "vfio-pci")))
		return;
	fd = vfio_group_open(bdf, other);
	if (!lost("open-group-late", fd)) {
		check("open-group-late", true, "fd %d", fd);
		close(fd);
	}
	fd = vfio_cdev_open(bdf);
	if (!lost("open-late", fd)) {
		check("open-late", true, "fd %d", fd);
		close(fd);
	}
	close(other);
	check_rc("unbind-late", pci_unbind(bdf), 0);
	check_rc("reset-late", pci_write_file(bdf, "reset", "1"), 0);
	check_rc("native-late", pci_offer(bdf, PCI_NATIVE), 0);
	lost("unbind", pci_unbind(bdf));
	check_rc("remove-late", pci_write_file(bdf, "remove", "1"), 0);
	check_rc("rescan-late", pci_rescan(), 0);
	check("back-late", pci_id(bdf), "%s is there again", bdf);
}

static int take_b(void)
{
	if (owner_arrive(&b, SESSION_B))
		return -1;
	snprintf(b.suffix, sizeof(b.suffix), "-b");
	return owner_reclaim(&b) || owner_swap(&b) || owner_release(&b) ? -1 :
									  0;
}

static int incoming_new(unsigned int stage)
{
	const char *bdf;
	char name[BDF_BYTES];
	int64_t was;

	(void)stage;
	if (owner_arrive(&a, SESSION_A))
		return -1;
	was = a.control->iommu_pages;
	bdf = a.device[0].state->bdf;
	try_names();
	try_memory();
	if (try_unbound(bdf))
		return -1;
	try_sysfs("-vfio", bdf);
	try_opens("-vfio", bdf);
	if (try_order() || owner_reclaim(&a) || try_bound(bdf) ||
	    owner_swap(&a) || try_swapped() || try_finished() || take_b())
		return -1;
	try_bare();

	traffic_stop_host();
	owner_reads_done(&b);
	traffic_quiet(&a);
	traffic_quiet(&b);
	traffic_check(&a, "");
	traffic_check(&b, "");
	traffic_values(&a);
	snprintf(name, sizeof(name), "%s", bdf);
	if (owner_unbind(&a) || owner_unbind(&b))
		return -1;
	traffic_blobs(&a);
	owner_verify(&a);
	owner_verify(&b);
	owner_close(&a);
	owner_close(&b);
	try_late(name);
	owner_count(was);
	return 0;
}

static const struct scenario restored_calls = {
	.name = "restored-calls",
	.description = "each call on a kept device until it is finished",
	.stages = { incoming_old, incoming_new },
};
SCENARIO(restored_calls);
