// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is immutable once it is preserved, by whatever route it is tried, and
 * that closing the session lifts it. No kexec here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "vm.h"
#include "iommufd.h"
#include "luo.h"
#include "report.h"
#include "scenario.h"
#include "type1.h"

#define PAGE 4096ull
#define OTHER_IOVA (6ull << 30)

static bool all_preserved(struct bench *b)
{
	return cases_rc("all", bench_preserve(b), 0);
}

static void maps(struct bench *b)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t other;

	if (lost(cases_tag("ioas"), ioas_alloc(b->iommufd, &other)) ||
	    lost(cases_tag("other"), ioas_map_file(b->iommufd, other, b->memfd,
						   0, PAGE, OTHER_IOVA)) ||
	    !all_preserved(b))
		return;
	cases_rc("map", ioas_map_memory(b->iommufd, b->ioas, p, PAGE,
					OTHER_IOVA),
		 -EBUSY);
	cases_rc("map-file", ioas_map_file(b->iommufd, b->ioas, b->memfd, 0,
					   PAGE, OTHER_IOVA),
		 -EBUSY);
	cases_rc("copy", ioas_copy(b->iommufd, b->ioas, OTHER_IOVA, other,
				   OTHER_IOVA, PAGE),
		 -EBUSY);
	/* From it everything may be taken */
	cases_rc("copy-from", ioas_copy(b->iommufd, other, BENCH_IOVA, b->ioas,
					BENCH_IOVA, BENCH_BYTES),
		 0);
	cases_rc("other-unmap", ioas_unmap(b->iommufd, other, BENCH_IOVA,
					   BENCH_BYTES),
		 0);
	bench_close_session(b);
	cases_rc("lifted-map", ioas_map_memory(b->iommufd, b->ioas, p, PAGE,
					       OTHER_IOVA),
		 0);
	cases_rc("lifted-file", ioas_map_file(b->iommufd, b->ioas, b->memfd, 0,
					      PAGE, OTHER_IOVA + PAGE),
		 0);
	cases_rc("lifted-copy", ioas_copy(b->iommufd, b->ioas,
					  OTHER_IOVA + 2 * PAGE, other,
					  OTHER_IOVA, PAGE),
		 0);
	munmap(p, PAGE);
}

static void unmaps(struct bench *b)
{
	if (lost(cases_tag("second"), ioas_map_file(b->iommufd, b->ioas,
						    b->memfd, 0, PAGE,
						    OTHER_IOVA)) ||
	    !all_preserved(b))
		return;
	cases_rc("whole", ioas_unmap(b->iommufd, b->ioas, BENCH_IOVA,
				     BENCH_BYTES),
		 -EBUSY);
	cases_rc("second", ioas_unmap(b->iommufd, b->ioas, OTHER_IOVA, PAGE),
		 -EBUSY);
	cases_rc("everything", ioas_unmap(b->iommufd, b->ioas, 0, UINT64_MAX),
		 -EBUSY);
	cases_rc("nothing", ioas_unmap(b->iommufd, b->ioas,
				       OTHER_IOVA + BENCH_BYTES, PAGE),
		 -ENOENT);
	bench_close_session(b);
	cases_rc("lifted", ioas_unmap(b->iommufd, b->ioas, 0, UINT64_MAX), 0);
}

static void destroys(struct bench *b)
{
	uint32_t other;

	if (lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid,
					       b->ioas, &other)) ||
	    !all_preserved(b))
		return;
	cases_rc("hwpt", iommufd_destroy(b->iommufd, b->hwpt), -EBUSY);
	cases_rc("ioas", iommufd_destroy(b->iommufd, b->ioas), -EBUSY);
	cases_rc("device", iommufd_destroy(b->iommufd, b->vfio.devid),
		 -EBUSY);
	/* Over the same maps, but not marked */
	cases_rc("other", iommufd_destroy(b->iommufd, other), 0);
	cases_rc("new", hwpt_alloc(b->iommufd, b->vfio.devid, b->ioas, &other),
		 0);
	cases_rc("new-destroy", iommufd_destroy(b->iommufd, other), 0);
	bench_close_session(b);
	cases_rc("lifted-detach", vfio_detach(&b->vfio), 0);
	cases_rc("lifted", iommufd_destroy(b->iommufd, b->hwpt), 0);
	cases_rc("lifted-ioas", iommufd_destroy(b->iommufd, b->ioas), 0);
}

static void attaches(struct bench *b)
{
	uint32_t other, spare;

	if (lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, b->vfio.devid,
					       b->ioas, &other)) ||
	    lost(cases_tag("ioas"), ioas_alloc(b->iommufd, &spare)) ||
	    !all_preserved(b))
		return;
	cases_rc("same", vfio_attach(&b->vfio, b->hwpt), -EBUSY);
	cases_rc("replace", vfio_attach(&b->vfio, other), -EBUSY);
	cases_rc("ioas-replace", vfio_attach(&b->vfio, spare), -EBUSY);
	cases_rc("detach", vfio_detach(&b->vfio), -EBUSY);
	bench_close_session(b);
	cases_rc("lifted-replace", vfio_attach(&b->vfio, other), 0);
	cases_rc("lifted-detach", vfio_detach(&b->vfio), 0);
	cases_rc("lifted-attach", vfio_attach(&b->vfio, b->hwpt), 0);
}

/* A device that is not preserved may be attached elsewhere at any time. */
static void attaches_other(struct bench *b)
{
	struct vfio second;
	uint32_t other;

	if (!cases_device(1) ||
	    lost(cases_tag("add"), bench_add(b, &second, cases_device(1))))
		return;
	if (!lost(cases_tag("hwpt"), hwpt_alloc(b->iommufd, second.devid,
						b->ioas, &other)) &&
	    all_preserved(b)) {
		cases_rc("replace", vfio_attach(&second, other), 0);
		cases_rc("detach", vfio_detach(&second), 0);
		cases_rc("attach", vfio_attach(&second, b->hwpt), 0);
		cases_rc("reset", vfio_reset(&second), 0);
	}
	bench_close_session(b);
	vfio_close(&second);
}

/* The older interface to the same IOAS. */
static void compatible(struct bench *b)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (lost(cases_tag("ioas"), ioas_compatible(b->iommufd, b->ioas)) ||
	    !all_preserved(b))
		return;
	cases_rc("map", type1_map(b->iommufd, p, PAGE, OTHER_IOVA), -EBUSY);
	cases_rc("unmap", type1_unmap(b->iommufd, BENCH_IOVA, BENCH_BYTES),
		 -EBUSY);
	/* This would cut the area in two */
	cases_rc("unmap-part", type1_unmap(b->iommufd, BENCH_IOVA + PAGE, PAGE),
		 -EBUSY);
	cases_rc("unmap-all", type1_unmap_all(b->iommufd), -EBUSY);
	bench_close_session(b);
	cases_rc("lifted-map", type1_map(b->iommufd, p, PAGE, OTHER_IOVA), 0);
	cases_rc("lifted-unmap", type1_unmap_all(b->iommufd), 0);
	munmap(p, PAGE);
}

/* This hardware has none; a table that has it on is not preserved. */
static void dirty_tracking(struct bench *b)
{
	if (!all_preserved(b))
		return;
	cases_rc("on", hwpt_dirty_tracking(b->iommufd, b->hwpt, true),
		 -EOPNOTSUPP);
	cases_rc("off", hwpt_dirty_tracking(b->iommufd, b->hwpt, false),
		 -EOPNOTSUPP);
	cases_rc("bitmap", hwpt_dirty_bitmap(b->iommufd, b->hwpt, BENCH_IOVA,
					     BENCH_BYTES),
		 -EOPNOTSUPP);
}

static void resets(struct bench *b)
{
	uint16_t before = 0, after = 0;

	if (lost(cases_tag("enable"), vfio_enable(&b->vfio)) ||
	    !all_preserved(b))
		return;
	vfio_read16(&b->vfio, PCI_COMMAND, &before);
	cases_rc("ioctl", vfio_reset(&b->vfio), -EBUSY);
	cases_rc("sysfs", pci_write_file(b->vfio.bdf, "reset", "1"), -EBUSY);
	/* On the root bus there is nothing else that could be reset */
	cases_rc("hot", vfio_hot_reset(&b->vfio), -ENODEV);
	vfio_read16(&b->vfio, PCI_COMMAND, &after);
	check(cases_tag("not-reset"),
	      before == after && (after & PCI_COMMAND_MASTER),
	      "command %#x, was %#x", after, before);
	bench_close_session(b);
	cases_rc("lifted-ioctl", vfio_reset(&b->vfio), 0);
	cases_rc("lifted-sysfs", pci_write_file(b->vfio.bdf, "reset", "1"), 0);
}

static int group_type(const char *bdf, const char *type)
{
	char file[40];

	snprintf(file, sizeof(file), "iommu_group/type");
	return pci_write_file(bdf, file, type);
}

static void check_driver(struct bench *b, const char *what)
{
	char name[40];

	pci_driver(b->vfio.bdf, name, sizeof(name));
	check(cases_tag(what), !strcmp(name, "vfio-pci"), "it has '%s'", name);
}

/*
 * Unbinding a driver waits for its files, with the device locked; it must not
 * even begin, or else reboot() would wait for it.
 */
static void unplugs(struct bench *b)
{
	const char *bdf = b->vfio.bdf;

	if (!all_preserved(b))
		return;
	cases_rc("remove", pci_write_file(bdf, "remove", "1"), -EBUSY);
	cases_rc("unbind", pci_write_file(bdf, "driver/unbind", bdf), -EBUSY);
	cases_rc("disable", pci_write_file(bdf, "enable", "0"), -EBUSY);
	cases_rc("enable", pci_write_file(bdf, "enable", "1"), -EBUSY);
	cases_rc("probe", pci_probe(bdf), 0);
	cases_rc("rescan", pci_write_file(bdf, "rescan", "1"), 0);
	cases_rc("group-identity", group_type(bdf, "identity"), -EPERM);
	cases_rc("group-dma", group_type(bdf, "DMA"), -EPERM);
	cases_rc("group-dma-fq", group_type(bdf, "DMA-FQ"), -EPERM);
	check_driver(b, "driver");
	cases_rc("replace", vfio_attach(&b->vfio, b->ioas), -EBUSY);
	bench_close_session(b);
	vfio_close(&b->vfio);
	cases_rc("lifted-unbind", pci_write_file(bdf, "driver/unbind", bdf), 0);
	cases_rc("lifted-bind", pci_bind(bdf, "vfio-pci"), 0);
}

/* A device that is not preserved can be removed meanwhile. */
static void unplugs_other(struct bench *b)
{
	const char *other = cases_device(1);

	if (!other || !all_preserved(b))
		return;
	cases_rc("unbind", pci_write_file(other, "driver/unbind", other), 0);
	cases_rc("native", pci_offer(other, PCI_NATIVE), 0);
	cases_rc("bind", pci_bind(other, "vfio-pci"), 0);
	cases_rc("attach", vfio_attach(&b->vfio, b->hwpt), -EBUSY);
}

static int file_rc(int rc)
{
	return rc < 0 ? -errno : 0;
}

static void memfd(struct bench *b)
{
	char byte = 1;
	void *p;

	if (!all_preserved(b))
		return;
	cases_rc("punch", file_rc(fallocate(b->memfd,
					    FALLOC_FL_PUNCH_HOLE |
						    FALLOC_FL_KEEP_SIZE,
					    PAGE, PAGE)),
		 -EPERM);
	cases_rc("allocate", file_rc(fallocate(b->memfd, 0, BENCH_BYTES, PAGE)),
		 -EPERM);
	cases_rc("shrink", file_rc(ftruncate(b->memfd, PAGE)), -EPERM);
	cases_rc("grow", file_rc(ftruncate(b->memfd, 2 * BENCH_BYTES)),
		 -EPERM);
	cases_rc("write-behind", file_rc(pwrite(b->memfd, &byte, 1,
						BENCH_BYTES)),
		 -EPERM);
	cases_rc("write-within", file_rc(pwrite(b->memfd, &byte, 1, 0)), 0);
	p = mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		 b->memfd, 0);
	cases_rc("remove", file_rc(madvise(p, PAGE, MADV_REMOVE)), -EPERM);
	munmap(p, BENCH_BYTES);
	bench_close_session(b);
	cases_rc("lifted-grow", file_rc(ftruncate(b->memfd, 2 * BENCH_BYTES)),
		 0);
	cases_rc("lifted-punch",
		 file_rc(fallocate(b->memfd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   PAGE, PAGE)),
		 0);
}

/* LUO holds the files: nothing is undone as long as the session is open. */
static void files_closed(struct bench *b)
{
	char bdf[BDF_BYTES];

	if (!all_preserved(b))
		return;
	snprintf(bdf, sizeof(bdf), "%s", b->vfio.bdf);
	vfio_close(&b->vfio);
	close(b->iommufd);
	close(b->memfd);
	b->iommufd = -1;
	b->memfd = -1;
	check_driver(b, "driver");
	cases_rc("unbind", pci_write_file(bdf, "driver/unbind", bdf), -EBUSY);
	cases_rc("reset", pci_write_file(bdf, "reset", "1"), -EBUSY);
	cases_rc("group-dma", group_type(bdf, "DMA"), -EPERM);
	bench_close_session(b);
	cases_rc("lifted-reset", pci_write_file(bdf, "reset", "1"), 0);
}

/* With pcie_ports=compat the bridge has no driver that would be in the way. */
static void bridge_driver(struct bench *b, const char *above)
{
	char driver[40];

	pci_driver(above, driver, sizeof(driver));
	if (!driver[0])
		return;
	cases_rc("unbind", pci_write_file(above, "driver/unbind", above),
		 -EBUSY);
	cases_rc("slot-power", pci_slot_power(b->vfio.bdf, false), -EBUSY);
}

/* A device below a bridge depends on what is done to that. */
static void bridge(struct bench *b)
{
	char above[BDF_BYTES];
	uint16_t before = 0, after = 0;

	if (lost(cases_tag("find"), pci_above(b->vfio.bdf, above)) ||
	    lost(cases_tag("enable"), vfio_enable(&b->vfio)) ||
	    !all_preserved(b))
		return;
	pci_read16(above, PCI_COMMAND, &before);
	cases_rc("remove", pci_write_file(above, "remove", "1"), -EBUSY);
	bridge_driver(b, above);
	/* Twice: as often as it may have been enabled before */
	cases_rc("disable", pci_write_file(above, "enable", "0"), -EBUSY);
	cases_rc("disable-again", pci_write_file(above, "enable", "0"), -EBUSY);
	cases_rc("enable", pci_write_file(above, "enable", "1"), -EBUSY);
	/* Where iommu.strict=1 is set the flush queue is only switched on */
	cases_rc("group-dma-fq", group_type(b->vfio.bdf, "DMA-FQ"), -EPERM);
	cases_rc("reset-below", pci_write_file(above, "reset_subordinate", "1"),
		 -ENOTTY);
	cases_rc("hot-reset", vfio_hot_reset(&b->vfio), -ENODEV);
	cases_rc("bus-reset", pci_write_file(b->vfio.bdf, "reset", "1"),
		 -EBUSY);
	pci_read16(above, PCI_COMMAND, &after);
	check(cases_tag("master"),
	      before == after && (after & PCI_COMMAND_MASTER),
	      "command %#x, was %#x", after, before);
	bench_close_session(b);
	cases_rc("lifted-reset", pci_write_file(b->vfio.bdf, "reset", "1"), 0);
}

static const struct bench_case bridge_list[] = {
	{ "bridge", bridge },
	{ NULL, NULL },
};

static const struct bench_case list[] = {
	{ "maps", maps },
	{ "unmaps", unmaps },
	{ "destroys", destroys },
	{ "attaches", attaches },
	{ "attaches-other", attaches_other },
	{ "compatible", compatible },
	{ "dirty-tracking", dirty_tracking },
	{ "resets", resets },
	{ "unplugs", unplugs },
	{ "unplugs-other", unplugs_other },
	{ "memfd", memfd },
	{ "files-closed", files_closed },
	{ NULL, NULL },
};

static int run(unsigned int stage)
{
	(void)stage;
	return cases_run(list);
}

static int run_bridge(unsigned int stage)
{
	(void)stage;
	return cases_run(bridge_list);
}

static const struct scenario fixed_bridge = {
	.name = "fixed-bridge",
	.description = "what preserve fixes of the bridge above a device",
	.stages = { run_bridge },
};
SCENARIO(fixed_bridge);

static const struct scenario fixed = {
	.name = "fixed",
	.description = "what preserve fixes, by every route",
	.stages = { run },
};
SCENARIO(fixed);
