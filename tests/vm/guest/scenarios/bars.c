// SPDX-License-Identifier: GPL-2.0-only
/*
 * BARs that are mapped when an iommufd is preserved: whose they may be, and what
 * takes them away. The bench's device is a drive; the peer's BAR is mapped for it.
 * peer.c has what such a map is good for.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cases.h"
#include "iommufd.h"
#include "kexec.h"
#include "klog.h"
#include "luo.h"
#include "peer.h"
#include "report.h"
#include "scenario.h"
#include "uapi.h"
#include "vm.h"

#define OWN_BAR 0
#define OWN_BYTES 4096ull
/* Device Control of PCI Express, and the bit there that resets the function */
#define EXP_CTL 8
#define EXP_CTL_FLR 0x8000

static struct peer peer;
static unsigned int this_stage;

/* Bound to that iommufd, and its BAR mapped in the bench's. */
static bool mapped(struct bench *b, int iommufd)
{
	return !lost(cases_tag("peer"), peer_bind(&peer, -1, iommufd)) &&
	       !lost(cases_tag("map"), peer_map(&peer, b->iommufd, b->ioas));
}

static int preserve_peer(struct bench *b)
{
	return luo_preserve(b->session, peer.vfio.fd, TOKEN_PEER);
}

/* The last line that a refusal leaves says which range it was. */
static void check_log(const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "IOVA %#llx, %llu bytes: %s",
		 (unsigned long long)PEER_IOVA, (unsigned long long)PEER_BYTES,
		 why);
	check(cases_tag("log"), klog_has(text), "%s", text);
}

static void check_jump(int want)
{
	if (!lost(cases_tag("load"), kexec_load_stage(this_stage + 1)))
		cases_rc("jump", kexec_jump(), want);
}

/* The iommufd, with what it needs; then it is to give @want. */
static void preserve(struct bench *b, int want)
{
	if (!cases_mark(b))
		return;
	cases_rc("memory", bench_preserve_memory(b), 0);
	cases_rc("iommufd", bench_preserve_iommufd(b), want);
}

/* A file of its own kind, of which stat() would tell the same. */
static void check_maps(struct bench *b)
{
	struct iommu_lu_map map[2] = {};
	uint64_t iova = BENCH_IOVA + BENCH_BYTES;
	uint32_t nr = 2;
	int rc = ioas_maps(b->iommufd, b->ioas, &iova, map, &nr);

	check(cases_tag("maps"),
	      !rc && nr == 1 && map[0].iova == PEER_IOVA &&
		      map[0].length == PEER_BYTES && !map[0].start &&
		      map[0].type == IOMMU_LU_MAP_DMABUF && map[0].ino,
	      "%d, %u maps, the first at %#llx of %u", rc, nr,
	      (unsigned long long)map[0].iova, map[0].type);
}

static void same_session(struct bench *b)
{
	if (mapped(b, b->iommufd) &&
	    !lost(cases_tag("attach"), vfio_attach(&peer.vfio, b->hwpt))) {
		cases_rc("change-process", ioas_change_process(b->iommufd), 0);
		preserve(b, 0);
		cases_rc("device", bench_preserve_device(b), 0);
		cases_rc("peer", preserve_peer(b), 0);
		check_maps(b);
		cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, PEER_IOVA,
					     PEER_BYTES), -EBUSY);
	}
	bench_close_session(b);
	peer_close(&peer);
}

/* Everything but the peer: found out when the kernel is to end, and not before. */
static void not_preserved(struct bench *b)
{
	if (mapped(b, b->iommufd)) {
		preserve(b, 0);
		cases_rc("device", bench_preserve_device(b), 0);
		check_jump(-ENOENT);
		check_log("it is a BAR of a device that is not preserved");
	}
	bench_close_session(b);
	peer_close(&peer);
}

static void other_iommufd(struct bench *b)
{
	int other = iommufd_open();

	if (!lost(cases_tag("open"), other) && mapped(b, other)) {
		preserve(b, -EINVAL);
		check_log("it is no BAR of a device that is bound to this iommufd");
		cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, PEER_IOVA,
					     PEER_BYTES), 0);
		cases_rc("without", bench_preserve_iommufd(b), 0);
	}
	bench_close_session(b);
	peer_close(&peer);
	close(other);
}

/* The peer is on its way through a live update as well, by itself. */
static void other_session(struct bench *b)
{
	struct bench other;

	if (lost(cases_tag("bench"), bench_open_as(&other, peer.bdf, "bench-2")))
		return;
	peer.vfio = other.vfio;
	cases_rc("enable", vfio_enable(&peer.vfio), 0);
	cases_rc("map", peer_map(&peer, b->iommufd, b->ioas), 0);
	cases_rc("there", bench_preserve(&other), 0);
	preserve(b, -EINVAL);
	check_log("it is no BAR of a device that is bound to this iommufd");
	bench_close_session(b);
	bench_close(&other);
	peer.vfio.fd = -1;
}

/* What leads nowhere does no harm, and does not need its device. */
static void gone_before(struct bench *b)
{
	if (mapped(b, b->iommufd)) {
		cases_rc("disable", peer_memory(&peer, false), 0);
		preserve(b, 0);
		cases_rc("device", bench_preserve_device(b), 0);
	}
	bench_close_session(b);
	peer_close(&peer);
}

/*
 * Its user may take it away at any time. The tables that led there are preserved:
 * that none of their pages is lost or free is seen when the case is over.
 */
static void gone_after(struct bench *b)
{
	if (mapped(b, b->iommufd) &&
	    !lost(cases_tag("attach"), vfio_attach(&peer.vfio, b->hwpt))) {
		preserve(b, 0);
		cases_rc("device", bench_preserve_device(b), 0);
		cases_rc("peer", preserve_peer(b), 0);
		cases_rc("disable", peer_memory(&peer, false), 0);
	}
	bench_close_session(b);
	cases_rc("unmap", ioas_unmap(b->iommufd, b->ioas, PEER_IOVA,
				     PEER_BYTES), 0);
	peer_close(&peer);
}

/* Until it is preserved itself the session does not hold its file. */
static void closed_after(struct bench *b)
{
	if (mapped(b, b->iommufd)) {
		preserve(b, 0);
		peer_close(&peer);
		cases_rc("device", bench_preserve_device(b), 0);
	}
	bench_close_session(b);
	peer_close(&peer);
}

static void function_reset(struct bench *b)
{
	unsigned int at = pci_capability(b->vfio.bdf, PCI_CAP_EXPRESS);
	uint16_t ctl = 0;

	cases_rc("read", vfio_read16(&b->vfio, at + EXP_CTL, &ctl), 0);
	cases_rc("flr", vfio_write16(&b->vfio, at + EXP_CTL, ctl | EXP_CTL_FLR),
		 0);
}

/*
 * A reset that is refused takes nothing away, in whichever way it is asked for:
 * what leads nowhere any more would not need its device, and the kernel would end.
 */
static void own_bar(struct bench *b)
{
	int fd;

	if (lost(cases_tag("enable"), vfio_enable(&b->vfio)))
		return;
	fd = vfio_dmabuf(&b->vfio, OWN_BAR, OWN_BYTES);
	if (lost(cases_tag("dmabuf"), fd))
		return;
	cases_rc("map", ioas_map_file(b->iommufd, b->ioas, fd, 0, OWN_BYTES,
				      PEER_IOVA), 0);
	close(fd);
	preserve(b, 0);
	cases_rc("device", bench_preserve_device(b), 0);
	cases_rc("reset", vfio_reset(&b->vfio), -EBUSY);
	function_reset(b);
	bench_close_session(b);
	b->session = luo_create(luo_open(), "bench-2");
	cases_rc("memory-again", bench_preserve_memory(b), 0);
	cases_rc("iommufd-again", bench_preserve_iommufd(b), 0);
	check_jump(-ENOENT);
	bench_close_session(b);
	cases_rc("reset-then", vfio_reset(&b->vfio), 0);
}

static const struct bench_case list[] = {
	{ "same-session", same_session },
	{ "not-preserved", not_preserved },
	{ "other-iommufd", other_iommufd },
	{ "other-session", other_session },
	{ "gone-before", gone_before },
	{ "gone-after", gone_after },
	{ "closed-after", closed_after },
	{ "own-bar", own_bar },
	{ NULL, NULL },
};

static int run(unsigned int stage)
{
	this_stage = stage;
	if (lost("peer", peer_find(&peer)))
		return -1;
	return cases_run(list);
}

static const struct scenario bars = {
	.name = "bars",
	.description = "whose BARs may be mapped, and what takes them away",
	.stages = { run },
};
SCENARIO(bars);
