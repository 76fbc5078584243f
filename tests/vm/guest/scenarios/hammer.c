// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every change that is refused is tried from several threads at once, from
 * preserve until the processors stop, while the devices do DMA. What the
 * threads saw is in guest memory, the only thing they have that is preserved.
 * Others change what is next to it and not preserved: tables over the same
 * memory, a device on the same bus.
 *
 * lu.args: threads:N for the calls, beside one for new tables and one that
 * checks plain memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "iommufd.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "traffic.h"
#include "type1.h"
#include "words.h"

#define SESSION "hammer"
#define THREADS 4
#define THREADS_MAX 32
#define CALLS_BEFORE 1000
#define OTHER_IOVA (1ull << 30)
#define SLOTS_FEW 8192
#define READS_FEW 256
/* Plain memory that comes and goes, so that a page freed too soon is used. */
#define PLAIN_BYTES (16ull << 20)
/* The lowest and the highest, of tables that no device is on. */
#define TOKEN_LOWEST 0ull
#define TOKEN_HIGHEST UINT64_MAX
#define SPARES 2

/* What is left in control->note. */
enum {
	CALLS,
	WRONG,
	WRONG_CALL,
	WRONG_ANSWER,
	LOOKS,
	DAMAGED,
	MOVES,
	TABLES
};

static struct vm vm;
/*
 * A device on the bus of the preserved ones, and the HWPTs it changes between.
 */
static struct vfio mover = { .fd = -1 };
static uint32_t mover_hwpt;
static const uint64_t spare_tokens[SPARES] = { TOKEN_LOWEST, TOKEN_HIGHEST };
static void *anonymous;

static const struct vfio *kept(void)
{
	return &vm.device[0].vfio;
}

static int call_map(void)
{
	return ioas_map_memory(vm.iommufd, vm.ioas, anonymous,
			       PAGE_BYTES, OTHER_IOVA);
}

static int call_map_file(void)
{
	return ioas_map_file(vm.iommufd, vm.ioas, vm.memory.fd, 0,
			     PAGE_BYTES, OTHER_IOVA);
}

static int call_copy(void)
{
	return ioas_copy(vm.iommufd, vm.ioas, OTHER_IOVA, vm.ioas,
			 MEMORY_IOVA, PAGE_BYTES);
}

static int call_unmap(void)
{
	return ioas_unmap(vm.iommufd, vm.ioas, MEMORY_IOVA,
			  vm.memory.layout->bytes);
}

static int call_unmap_all(void)
{
	return ioas_unmap(vm.iommufd, vm.ioas, 0, UINT64_MAX);
}

static int call_type1_map(void)
{
	return type1_map(vm.iommufd, anonymous, PAGE_BYTES, OTHER_IOVA);
}

static int call_type1_unmap(void)
{
	return type1_unmap_all(vm.iommufd);
}

static int call_destroy_hwpt(void)
{
	return iommufd_destroy(vm.iommufd, vm.hwpt);
}

static int call_destroy_ioas(void)
{
	return iommufd_destroy(vm.iommufd, vm.ioas);
}

static int call_mark(void)
{
	return hwpt_mark(vm.iommufd, vm.hwpt, TOKEN_HWPT + 7);
}

static int call_unmark(void)
{
	return hwpt_unmark(vm.iommufd, vm.hwpt);
}

static int call_attach(void)
{
	return vfio_attach(kept(), mover_hwpt);
}

static int call_attach_same(void)
{
	return vfio_attach(kept(), vm.hwpt);
}

static int call_detach(void)
{
	return vfio_detach(kept());
}

static int call_reset(void)
{
	return vfio_reset(kept());
}

static int call_hot_reset(void)
{
	return vfio_hot_reset(kept());
}

static int call_sysfs_reset(void)
{
	return pci_write_file(kept()->bdf, "reset", "1");
}

static int call_remove(void)
{
	return pci_write_file(kept()->bdf, "remove", "1");
}

static int call_unbind(void)
{
	return pci_write_file(kept()->bdf, "driver/unbind", kept()->bdf);
}

static int call_disable(void)
{
	return pci_write_file(kept()->bdf, "enable", "0");
}

static int call_group_type(void)
{
	return pci_write_file(kept()->bdf, "iommu_group/type", "identity");
}

static int call_dirty(void)
{
	return hwpt_dirty_tracking(vm.iommufd, vm.hwpt, true);
}

static int call_punch(void)
{
	return fallocate(vm.memory.fd,
			 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 vm.memory.layout->bytes) ? -errno : 0;
}

static int call_truncate(void)
{
	return ftruncate(vm.memory.fd, PAGE_BYTES) ? -errno : 0;
}

static int call_drop(void)
{
	return madvise(vm.memory.base, vm.memory.layout->bytes,
		       MADV_REMOVE) ? -errno : 0;
}

/* Back and forth, until the kernel refuses to attach. */
static int call_move(void)
{
	int rc = vfio_attach(&mover, mover_hwpt);

	if (!rc)
		rc = vfio_detach(&mover);
	if (!rc)
		__atomic_add_fetch(&vm.control->note[MOVES], 1,
				   __ATOMIC_RELAXED);
	return rc;
}

static const struct call {
	const char *name;
	int (*call)(void);
	int want;
	/* Another answer that is as good, if not 0 */
	int or;
} calls[] = {
	{ "map", call_map, -EBUSY, 0 },
	{ "map-file", call_map_file, -EBUSY, 0 },
	{ "copy", call_copy, -EBUSY, 0 },
	{ "unmap", call_unmap, -EBUSY, 0 },
	{ "unmap-all", call_unmap_all, -EBUSY, 0 },
	{ "type1-map", call_type1_map, -EBUSY, 0 },
	{ "type1-unmap", call_type1_unmap, -EBUSY, 0 },
	{ "destroy-hwpt", call_destroy_hwpt, -EBUSY, 0 },
	{ "destroy-ioas", call_destroy_ioas, -EBUSY, 0 },
	{ "mark", call_mark, -EBUSY, 0 },
	{ "unmark", call_unmark, -EBUSY, 0 },
	{ "attach", call_attach, -EBUSY, 0 },
	{ "attach-same", call_attach_same, -EBUSY, 0 },
	{ "detach", call_detach, -EBUSY, 0 },
	{ "reset", call_reset, -EBUSY, 0 },
	{ "hot-reset", call_hot_reset, -ENODEV, -EBUSY },
	{ "sysfs-reset", call_sysfs_reset, -EBUSY, 0 },
	{ "remove", call_remove, -EBUSY, 0 },
	{ "unbind", call_unbind, -EBUSY, 0 },
	{ "disable", call_disable, -EBUSY, 0 },
	{ "group-type", call_group_type, -EPERM, 0 },
	{ "dirty", call_dirty, -EOPNOTSUPP, 0 },
	{ "punch", call_punch, -EPERM, 0 },
	{ "truncate", call_truncate, -EPERM, 0 },
	{ "drop", call_drop, -EPERM, 0 },
	/* Another thread is faster, or it is too late */
	{ "move", call_move, 0, -EBUSY },
};

#define CALLS_COUNT (sizeof(calls) / sizeof(calls[0]))

static void try_call(unsigned int i)
{
	uint64_t *note = vm.control->note;
	const struct call *c = &calls[i];
	int rc = c->call();

	__atomic_add_fetch(&note[CALLS], 1, __ATOMIC_RELAXED);
	if (rc == c->want || (c->or && rc == c->or))
		return;
	if (!__atomic_fetch_add(&note[WRONG], 1, __ATOMIC_RELAXED)) {
		note[WRONG_CALL] = i;
		note[WRONG_ANSWER] = -rc;
	}
}

/* Each thread begins somewhere else. */
static void *hammer_main(void *first)
{
	for (uintptr_t i = (uintptr_t)first;; i++)
		try_call(i % CALLS_COUNT);
	return NULL;
}

/* Tables over the same maps, made and thrown away: slow, so apart. */
static void *tables_main(void *unused)
{
	uint64_t *note = vm.control->note;
	uint32_t hwpt;

	while (!hwpt_alloc(vm.iommufd, mover.devid, vm.ioas, &hwpt) &&
	       !iommufd_destroy(vm.iommufd, hwpt))
		note[TABLES]++;
	return unused;
}

/* What is written must be there a moment later: no device writes to it. */
static void *plain_main(void *unused)
{
	uint64_t *note = vm.control->note;
	const uint64_t words = PLAIN_BYTES / sizeof(uint64_t);

	for (uint64_t turn = 1;; turn++) {
		uint64_t *p = mmap(NULL, PLAIN_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			continue;
		for (uint64_t i = 0; i < words; i++)
			p[i] = turn * words + i;
		sched_yield();
		for (uint64_t i = 0; i < words; i++)
			note[DAMAGED] += p[i] != turn * words + i;
		note[LOOKS]++;
		munmap(p, PLAIN_BYTES);
	}
	return unused;
}

static int start_threads(void)
{
	unsigned int count = arg_number("threads", THREADS);
	pthread_t thread;
	int rc;

	if (count > THREADS_MAX)
		count = THREADS_MAX;
	anonymous = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rc = -pthread_create(&thread, NULL, plain_main, NULL);
	if (!rc)
		rc = -pthread_create(&thread, NULL, tables_main, NULL);
	for (unsigned int i = 0; !rc && i < count; i++)
		rc = -pthread_create(&thread, NULL, hammer_main,
				     (void *)(uintptr_t)(i * CALLS_COUNT /
							 count));
	return rc;
}

/* Bound to the same iommufd; its table is over a part of the same memory. */
static int mover_start(void)
{
	char bdf[INTRUDERS_MAX][BDF_BYTES];
	uint32_t ioas;
	int rc, fd;

	if (!machine_intruders(bdf))
		return -ENODEV;
	rc = pci_bind(bdf[0], "vfio-pci");
	if (rc)
		return rc;
	fd = vfio_cdev_open(bdf[0]);
	if (fd < 0)
		return fd;
	rc = vfio_start(&mover, bdf[0], fd, vm.iommufd);
	if (!rc)
		rc = ioas_alloc(vm.iommufd, &ioas);
	if (!rc)
		rc = ioas_map_file(vm.iommufd, ioas, vm.memory.fd, 0,
				   PAGE_BYTES, OTHER_IOVA);
	return rc ? rc : hwpt_alloc(vm.iommufd, mover.devid, ioas,
				    &mover_hwpt);
}

static int spares_mark(void)
{
	uint32_t hwpt;
	int rc = 0;

	for (int i = 0; !rc && i < SPARES; i++) {
		rc = hwpt_alloc(vm.iommufd, vm.device[0].vfio.devid,
				vm.ioas, &hwpt);
		if (!rc)
			rc = hwpt_mark(vm.iommufd, hwpt, spare_tokens[i]);
	}
	return rc;
}

static int hammer_old(unsigned int stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	plan.bytes = arg_number("mem", 256) << 20;
	plan.slots = SLOTS_FEW;
	plan.reads = READS_FEW;
	if (owner_begin(&vm, &plan) ||
	    lost("type1", ioas_compatible(vm.iommufd, vm.ioas)) ||
	    lost("mover", mover_start()) || lost("spares", spares_mark()) ||
	    owner_preserve(&vm) || owner_load(&vm, stage) ||
	    lost("threads", start_threads()))
		return -1;
	/* All of them are under way before the kexec begins */
	for (int i = 0; i < 20000; i++) {
		if (vm.control->note[CALLS] >= CALLS_BEFORE &&
		    vm.control->note[TABLES])
			break;
		usleep(1000);
	}
	return owner_jump();
}

static void check_notes(void)
{
	const uint64_t *note = vm.control->note;

	value("hammer_calls", note[CALLS]);
	value("hammer_moves", note[MOVES]);
	value("hammer_looks", note[LOOKS]);
	value("hammer_tables", note[TABLES]);
	check("hammer-called",
	      note[CALLS] >= CALLS_BEFORE && note[TABLES] && note[MOVES],
	      "%llu calls, %llu tables, %llu moves",
	      (unsigned long long)note[CALLS],
	      (unsigned long long)note[TABLES],
	      (unsigned long long)note[MOVES]);
	check("hammer-refused", !note[WRONG], "%llu wrong, the first: %s said %s",
	      (unsigned long long)note[WRONG],
	      calls[note[WRONG_CALL] % CALLS_COUNT].name,
	      errno_name(-(int)note[WRONG_ANSWER]));
	check("plain-memory", !note[DAMAGED], "%llu words damaged in %llu looks",
	      (unsigned long long)note[DAMAGED],
	      (unsigned long long)note[LOOKS]);
}

static int spares_release(void)
{
	uint32_t hwpt;
	char name[40];
	int rc;

	for (int i = 0; i < SPARES; i++) {
		snprintf(name, sizeof(name), "spare-%d", i);
		rc = hwpt_restore(vm.iommufd, spare_tokens[i], &hwpt);
		if (!rc)
			rc = iommufd_destroy(vm.iommufd, hwpt);
		if (!check_rc(name, rc, 0))
			return -1;
	}
	return 0;
}

static int hammer_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (owner_arrive(&vm, SESSION))
		return -1;
	check_notes();
	rc = owner_reclaim(&vm) || owner_swap(&vm) || spares_release() ||
	     owner_release(&vm);
	return owner_end(&vm, rc);
}

static const struct scenario hammer = {
	.name = "hammer",
	.description = "every refused call from threads that run into the kexec",
	.stages = { hammer_old, hammer_new },
};
SCENARIO(hammer);
