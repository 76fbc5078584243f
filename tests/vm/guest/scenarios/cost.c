// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a live update costs, in instructions, for a machine that counts them.
 * One session, one iommufd, and as many devices, domains and mappings as the
 * arguments say; nothing is transferred. The host judges the numbers, but
 * for one: retrieving must cost far less than making the same anew.
 *
 * mib:      mapped by each domain; a small memfd, over and over again
 * domains:  how many; the devices share them out
 * devices:  how many of the machine's are kept
 * huge:     2 MiB pages in the memfd, and in the tables
 * torn:     table pages that are never next to each other: a second domain,
 *           which is not kept, is filled in turn with the first
 * stock:    on a kernel that has none of this, or as if it were one: the memfd
 *           alone is kept, as 7.3 can
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counts.h"
#include "vm.h"
#include "iommufd.h"
#include "kexec.h"
#include "luo.h"
#include "meter.h"
#include "report.h"
#include "scenario.h"
#include "textfile.h"
#include "vmstat.h"
#include "words.h"

#define SESSION "cost"
#define RNG_ID 0x1af41044u
#define DEVICES_COST 64
#define DOMAINS_COST 256
#define MIB (1ull << 20)
#define IOVA_START (8ull << 30)
#define DEBUGFS "/sys/kernel/debug/iommu/"
#define SHMEM_HUGE "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

/* For more than a few MiB. Measured: 500 times, for 64 MiB. */
#define LESS 20
/* What one page of the last level maps. */
#define PIECE (2 * MIB)

/* In the first bytes of the memory. */
struct handed {
	uint64_t jump;
};

static struct {
	uint64_t bytes; /* of the memfd */
	uint64_t mapped; /* by each domain */
	unsigned int domains;
	unsigned int devices;
	bool huge;
	bool torn;
	bool stock;
} plan;

static char bdf[DEVICES_COST][BDF_BYTES];
static struct vfio vfio[DEVICES_COST];
static uint32_t hwpt[DOMAINS_COST];
static uint32_t ioas[DOMAINS_COST];
static int memfd = -1, iommufd = -1, session = -1;
static struct handed *handed;

/* Instructions: for the translations, and to get them back. */
static uint64_t made, restored;

static uint64_t lap_start;

static void lap_begin(void)
{
	lap_start = meter();
}

static uint64_t lap_end(const char *name)
{
	uint64_t count = meter() - lap_start;

	value(name, count);
	return count;
}

static int plan_read(void)
{
	uint64_t most = arg_number("memory", 64) * MIB;

	plan.mapped = arg_number("mib", 64) * MIB;
	plan.bytes = plan.mapped < most ? plan.mapped : most;
	plan.domains = arg_number("domains", 1);
	plan.devices = arg_number("devices", 1);
	plan.torn = arg_number("torn", 0);
	plan.huge = arg_number("huge", 0);
	plan.stock = arg_number("stock", 0);
	if (!plan.domains || plan.domains > DOMAINS_COST || !plan.devices ||
	    plan.devices > DEVICES_COST)
		return -EINVAL;
	for (unsigned int i = 0; i < plan.devices; i++) {
		int rc = pci_find(RNG_ID, i, bdf[i]);

		if (rc)
			return rc;
	}
	return 0;
}

static int memory_map(void)
{
	void *base = mmap(NULL, plan.bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			  memfd, 0);

	if (base == MAP_FAILED)
		return -errno;
	handed = base;
	return 0;
}

static int memory_make(void)
{
	int rc;

	rc = put_text(SHMEM_HUGE, plan.huge ? "force" : "never");
	/* Without huge pages there is no such file. */
	if (rc && plan.huge)
		return rc;
	memfd = memfd_create("cost", MFD_CLOEXEC);
	if (memfd < 0 || ftruncate(memfd, plan.bytes))
		return -errno;
	rc = memory_map();
	if (!rc)
		memset(handed, 0x5a, plan.bytes);
	return rc;
}

/* All of one domain: the work that a live update spares. */
static int domain_make(unsigned int nth)
{
	int rc = plan.huge ? ioas_alloc_huge(iommufd, &ioas[nth]) :
			     ioas_alloc(iommufd, &ioas[nth]);

	for (uint64_t at = 0; !rc && at < plan.mapped; at += plan.bytes)
		rc = ioas_map_file(iommufd, ioas[nth], memfd, 0, plan.bytes,
				   IOVA_START + at);
	return rc ? rc : hwpt_alloc(iommufd, vfio[0].devid, ioas[nth],
				    &hwpt[nth]);
}

/* The same in pieces, each followed by one of a domain that is in the way. */
static int domain_make_torn(unsigned int nth)
{
	uint32_t other, other_hwpt;
	int rc;

	rc = ioas_alloc(iommufd, &ioas[nth]);
	if (!rc)
		rc = ioas_alloc(iommufd, &other);
	if (!rc)
		rc = hwpt_alloc(iommufd, vfio[0].devid, ioas[nth], &hwpt[nth]);
	if (!rc)
		rc = hwpt_alloc(iommufd, vfio[0].devid, other, &other_hwpt);
	for (uint64_t at = 0; !rc && at < plan.mapped; at += PIECE) {
		rc = ioas_map_file(iommufd, ioas[nth], memfd, at % plan.bytes,
				   PIECE, IOVA_START + at);
		if (!rc)
			rc = ioas_map_file(iommufd, other, memfd,
					   at % plan.bytes, PIECE,
					   IOVA_START + at);
	}
	return rc;
}

static int domains_make(const char *name)
{
	int rc = 0;

	lap_begin();
	for (unsigned int i = 0; !rc && i < plan.domains; i++)
		rc = plan.torn ? domain_make_torn(i) : domain_make(i);
	made = lap_end(name);
	return rc;
}

static int attach_all(const char *name)
{
	int rc = 0;

	lap_begin();
	for (unsigned int i = 0; !rc && i < plan.devices; i++)
		rc = vfio_attach(&vfio[i], hwpt[i % plan.domains]);
	lap_end(name);
	return rc;
}

static int devices_open(void)
{
	int rc = 0;

	iommufd = iommufd_open();
	if (iommufd < 0)
		return iommufd;
	for (unsigned int i = 0; !rc && i < plan.devices; i++) {
		int fd;

		rc = pci_bind(bdf[i], "vfio-pci");
		if (rc)
			return rc;
		fd = vfio_cdev_open(bdf[i]);
		rc = fd < 0 ? fd : vfio_start(&vfio[i], bdf[i], fd, iommufd);
	}
	return rc;
}

static int build(const char *mapped, const char *attached)
{
	int rc = devices_open();

	if (!rc)
		rc = domains_make(mapped);
	return rc ? rc : attach_all(attached);
}

/*
 * Each line is the name of a step, cycles, how often. Only a kernel with trace
 * events has them, as the bench's is; it misses them if they are not there.
 */
static int say_steps(const char *when)
{
	char line[80], name[32], full[48];
	unsigned long long cycles;
	FILE *f;

	f = fopen(DEBUGFS "liveupdate_steps", "re");
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %llu", name, &cycles) != 2)
			continue;
		snprintf(full, sizeof(full), "%s_%s", when, name);
		value(full, cycles);
	}
	fclose(f);
	return 0;
}

/* What KHO alone takes for as many pages. */
static int say_floor(uint64_t pages)
{
	unsigned long long preserve = 0, unpreserve = 0;
	char number[24];
	int rc, got;
	FILE *f;

	/* Only a kernel for measuring has it. */
	if (access(DEBUGFS "liveupdate_floor", F_OK))
		return 0;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)pages);
	rc = put_text(DEBUGFS "liveupdate_floor", number);
	if (rc)
		return rc;
	f = fopen(DEBUGFS "liveupdate_floor", "re");
	if (!f)
		return -errno;
	got = fscanf(f, "%*u %llu %llu", &preserve, &unpreserve);
	fclose(f);
	value("floor_preserve", preserve);
	value("floor_unpreserve", unpreserve);
	return got == 2 ? 0 : -ENODATA;
}

/* What the kernel holds for the next one. */
static int say_kept(const char *when)
{
	struct counts now;
	char name[32];
	int rc = counts_read(&now);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), "kept_blocks_%s", when);
	value(name, now.n[COUNT_OUT_BLOCKS]);
	snprintf(name, sizeof(name), "kept_pages_%s", when);
	value(name, now.n[COUNT_KHO]);
	return 0;
}

static int preserve_memory(void)
{
	int rc;

	session = luo_create(luo_open(), SESSION);
	if (session < 0)
		return session;
	lap_begin();
	rc = luo_preserve(session, memfd, TOKEN_MEMORY);
	lap_end("preserve_memory");
	return rc;
}

static int preserve(void)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && i < plan.domains; i++)
		rc = hwpt_mark(iommufd, hwpt[i], TOKEN_HWPT + i);
	lap_begin();
	if (!rc)
		rc = luo_preserve(session, iommufd, TOKEN_IOMMUFD);
	lap_end("preserve_iommufd");
	lap_begin();
	for (unsigned int i = 0; !rc && i < plan.devices; i++)
		rc = luo_preserve(session, vfio[i].fd, TOKEN_DEVICE + i);
	lap_end("preserve_devices");
	return rc;
}

static int cost_old(unsigned int stage)
{
	int64_t was = vmstat_iommu_pages(), tables;

	if (lost("plan", plan_read()) || lost("memory", memory_make()))
		return -1;
	if (!plan.stock && lost("build", build("build_old", "attach_old")))
		return -1;
	tables = vmstat_iommu_pages() - was;
	value("table_pages", tables);
	if (!plan.stock && lost("floor", say_floor(tables)))
		return -1;
	if (lost("preserve-memory", preserve_memory()))
		return -1;
	if (!plan.stock && (lost("kept-memory", say_kept("before")) ||
			    lost("preserve", preserve()) ||
			    lost("kept", say_kept("after")) ||
			    lost("steps", say_steps("old"))))
		return -1;
	if (lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	event("freeze");
	handed->jump = meter();
	return lost("jump", kexec_jump());
}

static int retrieve_memory(void)
{
	lap_begin();
	session = luo_retrieve_session(luo_open(), SESSION);
	if (session < 0)
		return session;
	memfd = luo_retrieve(session, TOKEN_MEMORY);
	lap_end("retrieve_memory");
	return memfd < 0 ? memfd : memory_map();
}

static int retrieve_hwpts(uint32_t *old)
{
	int rc = 0;

	lap_begin();
	iommufd = luo_retrieve(session, TOKEN_IOMMUFD);
	if (iommufd < 0)
		return iommufd;
	for (unsigned int i = 0; !rc && i < plan.domains; i++)
		rc = hwpt_restore(iommufd, TOKEN_HWPT + i, &old[i]);
	restored = lap_end("retrieve_iommufd");
	return rc;
}

static int retrieve_devices(void)
{
	int rc = 0, fd[DEVICES_COST];

	for (unsigned int i = 0; i < plan.devices; i++)
		rc = rc ? rc : pci_bind(bdf[i], "vfio-pci");
	if (rc)
		return rc;
	lap_begin();
	for (unsigned int i = 0; i < plan.devices; i++) {
		fd[i] = luo_retrieve(session, TOKEN_DEVICE + i);
		if (fd[i] < 0)
			return fd[i];
	}
	lap_end("retrieve_devices");
	lap_begin();
	for (unsigned int i = 0; !rc && i < plan.devices; i++)
		rc = vfio_start(&vfio[i], bdf[i], fd[i], iommufd);
	lap_end("bind_devices");
	return rc;
}

static int take_back(void)
{
	static uint32_t old[DOMAINS_COST];
	int rc;

	rc = retrieve_hwpts(old);
	if (!rc)
		rc = retrieve_devices();
	if (!rc)
		rc = domains_make("rebuild");
	if (!rc)
		rc = attach_all("swap");
	lap_begin();
	for (unsigned int i = 0; !rc && i < plan.domains; i++)
		rc = iommufd_destroy(iommufd, old[i]);
	lap_end("destroy");
	if (!rc)
		rc = say_steps("new");
	return rc;
}

/* Here: the host waits for the end of the process, which would do it later. */
static void close_all(void)
{
	lap_begin();
	for (unsigned int i = 0; i < plan.devices; i++)
		vfio_close(&vfio[i]);
	close(iommufd);
	lap_end("close");
}

static int cost_new(unsigned int stage)
{
	int rc;

	(void)stage;
	if (lost("plan", plan_read()) || lost("memory", retrieve_memory()))
		return -1;
	value("blackout", meter_started() - handed->jump);
	rc = plan.stock ? build("rebuild", "swap") : take_back();
	if (lost("take-back", rc))
		return -1;
	lap_begin();
	rc = luo_finish(session);
	lap_end("finish");
	check_rc("finish", rc, 0);
	if (!plan.stock && !plan.huge)
		check("restore-is-less", restored < made / LESS,
		      "%llu, and %llu to build it anew",
		      (unsigned long long)restored, (unsigned long long)made);
	close_all();
	return 0;
}

static const struct scenario cost = {
	.name = "cost",
	.description = "counts the instructions of each step",
	.stages = { cost_old, cost_new },
};
SCENARIO(cost);
