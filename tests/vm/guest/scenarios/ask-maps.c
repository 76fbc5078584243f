// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an IOAS maps, as its owner is told: all of it and piece by piece, of each
 * kind, before and after it is preserved. No kexec here; ask.c has that, bars.c
 * what is mapped of devices.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cases.h"
#include "iommufd.h"
#include "report.h"
#include "scenario.h"
#include "uapi.h"

#define PAGE 4096ull
#define READ_IOVA (BENCH_IOVA + (1ull << 30))
#define MEMORY_IOVA_2 (READ_IOVA + 64 * PAGE)
#define COPY_IOVA (BENCH_IOVA - (1ull << 30))
#define MAPS 8

#define RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

static unsigned char own[4 * PAGE] __attribute__((aligned(4096)));

/* All that the bench's memfd was mapped for, unless a case says otherwise. */
static struct iommu_lu_map map_of(struct bench *b, uint64_t iova,
				  uint64_t length, uint64_t start, uint32_t prot)
{
	struct stat st = {};

	lost(cases_tag("stat"), fstat(b->memfd, &st) ? -errno : 0);
	return (struct iommu_lu_map){
		.iova = iova,
		.length = length,
		.start = start,
		.type = IOMMU_LU_MAP_FILE,
		.prot = prot,
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
}

static void say_other(char *text, size_t bytes, const struct iommu_lu_map *a,
		      const struct iommu_lu_map *want)
{
	snprintf(text, bytes,
		 "%#llx+%#llx from %#llx of %u, prot %u, file %#llx:%llu; to be %#llx+%#llx from %#llx of %u",
		 (unsigned long long)a->iova, (unsigned long long)a->length,
		 (unsigned long long)a->start, a->type, a->prot,
		 (unsigned long long)a->dev, (unsigned long long)a->ino,
		 (unsigned long long)want->iova,
		 (unsigned long long)want->length,
		 (unsigned long long)want->start, want->type);
}

/* In calls with room for @room each. */
static void check_maps(struct bench *b, const char *name,
		       const struct iommu_lu_map *want, unsigned int count,
		       uint32_t room)
{
	struct iommu_lu_map map[MAPS + 1];
	char text[240] = "", on[40];
	unsigned int nr = 0;
	uint64_t iova = 0;
	uint32_t got;
	int more;

	memset(map, 0x55, sizeof(map));
	do {
		got = room;
		more = ioas_maps(b->iommufd, b->ioas, &iova, &map[nr], &got);
		if (more < 0 || got > room)
			break;
		nr += got;
	} while (more && got && nr + room <= MAPS);
	for (unsigned int i = 0; i < count && i < nr && !*text; i++)
		if (memcmp(&map[i], &want[i], sizeof(map[i])))
			say_other(text, sizeof(text), &map[i], &want[i]);
	check(cases_tag(name), more == 0 && nr == count && !*text,
	      "%s, %u maps of %u%s", errno_name(more < 0 ? more : 0), nr, count,
	      text);
	snprintf(on, sizeof(on), "%s-on", name);
	if (nr)
		check(cases_tag(on),
		      iova == map[nr - 1].iova + map[nr - 1].length, "%#llx",
		      (unsigned long long)iova);
}

static void one(struct bench *b)
{
	struct iommu_lu_map want = map_of(b, BENCH_IOVA, BENCH_BYTES, 0, RW);

	check_maps(b, "one", &want, 1, MAPS);
	lost(cases_tag("unmap"),
	     ioas_unmap(b->iommufd, b->ioas, BENCH_IOVA, BENCH_BYTES));
	check_maps(b, "none", NULL, 0, MAPS);
}

/* A part of the file to be read only, memory by its address, a copy of a part. */
static bool map_kinds(struct bench *b, struct iommu_lu_map want[4])
{
	if (lost(cases_tag("read-only"),
		 ioas_map_file_read(b->iommufd, b->ioas, b->memfd, 3 * PAGE,
				    2 * PAGE, READ_IOVA)) ||
	    lost(cases_tag("memory"),
		 ioas_map_memory(b->iommufd, b->ioas, own + PAGE, 2 * PAGE,
				 MEMORY_IOVA_2)) ||
	    lost(cases_tag("copy"),
		 ioas_copy(b->iommufd, b->ioas, COPY_IOVA, b->ioas,
			   BENCH_IOVA + 8 * PAGE, 16 * PAGE)))
		return false;
	want[0] = map_of(b, COPY_IOVA, 16 * PAGE, 8 * PAGE, RW);
	want[1] = map_of(b, BENCH_IOVA, BENCH_BYTES, 0, RW);
	want[2] = map_of(b, READ_IOVA, 2 * PAGE, 3 * PAGE,
			 IOMMU_IOAS_MAP_READABLE);
	want[3] = (struct iommu_lu_map){
		.iova = MEMORY_IOVA_2,
		.length = 2 * PAGE,
		.start = (uintptr_t)own + PAGE,
		.type = IOMMU_LU_MAP_MEMORY,
		.prot = RW,
	};
	return true;
}

static void kinds(struct bench *b)
{
	struct iommu_lu_map want[4];

	if (!map_kinds(b, want))
		return;
	check_maps(b, "all", want, 4, MAPS);
	check_maps(b, "exactly", want, 4, 4);
	check_maps(b, "three", want, 4, 3);
	check_maps(b, "one-by-one", want, 4, 1);
	lost(cases_tag("unmap"),
	     ioas_unmap(b->iommufd, b->ioas, BENCH_IOVA, BENCH_BYTES));
	want[1] = want[0];
	check_maps(b, "unmapped", want + 1, 3, 1);
}

/* From @iova on, with room for one. */
static void check_from(struct bench *b, const char *name, uint64_t iova,
		       uint32_t room, int more, uint32_t nr, uint64_t first,
		       uint64_t next)
{
	struct iommu_lu_map map = {};
	uint64_t at = iova;
	uint32_t got = room;
	int rc = ioas_maps(b->iommufd, b->ioas, &at, &map, &got);

	check(cases_tag(name),
	      rc == more && got == nr && map.iova == first && at == next,
	      "%d, %u maps, the first at %#llx, on at %#llx", rc, got,
	      (unsigned long long)map.iova, (unsigned long long)at);
}

static void where(struct bench *b)
{
	const uint64_t end = BENCH_IOVA + BENCH_BYTES, last = end - 1;
	struct iommu_lu_map want[4];

	check_from(b, "start", BENCH_IOVA, 1, 0, 1, BENCH_IOVA, end);
	check_from(b, "middle", BENCH_IOVA + 77, 1, 0, 1, BENCH_IOVA, end);
	check_from(b, "last-byte", last, 1, 0, 1, BENCH_IOVA, end);
	check_from(b, "behind", end, 1, 0, 0, 0, end);
	check_from(b, "very-end", UINT64_MAX, 1, 0, 0, 0, UINT64_MAX);
	check_from(b, "no-room", 0, 0, 1, 0, 0, 0);
	check_from(b, "no-room-behind", end, 0, 0, 0, 0, end);
	check_from(b, "much-room", 0, UINT32_MAX, 0, 1, BENCH_IOVA, end);
	if (map_kinds(b, want))
		check_from(b, "between", end, 1, 1, 1, READ_IOVA,
			   READ_IOVA + 2 * PAGE);
}

static void preserved(struct bench *b)
{
	struct iommu_lu_map want[2];

	if (lost(cases_tag("read-only"),
		 ioas_map_file_read(b->iommufd, b->ioas, b->memfd, 3 * PAGE,
				    2 * PAGE, READ_IOVA)))
		return;
	want[0] = map_of(b, BENCH_IOVA, BENCH_BYTES, 0, RW);
	want[1] = map_of(b, READ_IOVA, 2 * PAGE, 3 * PAGE,
			 IOMMU_IOAS_MAP_READABLE);
	if (lost(cases_tag("preserve"), bench_preserve(b)))
		return;
	check_maps(b, "preserved", want, 2, 1);
	bench_close_session(b);
	check_maps(b, "closed", want, 2, MAPS);
}

static int maps_call(struct bench *b, const void *cmd)
{
	return ioctl(b->iommufd, IOMMU_IOAS_LU_MAPS, cmd) ? -errno : 0;
}

static void refused(struct bench *b)
{
	struct iommu_lu_map map;
	struct {
		struct iommu_ioas_lu_maps maps;
		uint64_t more;
	} cmd = {
		.maps = {
			.size = sizeof(cmd),
			.ioas_id = b->ioas,
			.nr = 1,
			.maps = (uintptr_t)&map,
		},
	};

	cases_rc("long", maps_call(b, &cmd), 0);
	cmd.more = 1;
	cases_rc("longer", maps_call(b, &cmd), -E2BIG);
	cmd.maps.size = sizeof(cmd.maps) - 8;
	cases_rc("short", maps_call(b, &cmd), -EINVAL);
	cmd.maps.size = sizeof(cmd.maps);
	cmd.maps.ioas_id = 0x7fffffff;
	cases_rc("no-object", maps_call(b, &cmd), -ENOENT);
	cmd.maps.ioas_id = b->hwpt;
	cases_rc("no-ioas", maps_call(b, &cmd), -ENOENT);
	cmd.maps.ioas_id = b->ioas;
	cmd.maps.iova = 0;
	cmd.maps.nr = 1;
	cmd.maps.maps = 8;
	cases_rc("nowhere", maps_call(b, &cmd), -EFAULT);
	cases_rc("call-nowhere", maps_call(b, (void *)8), -EFAULT);
}

static const struct bench_case list[] = {
	{ "one", one },
	{ "kinds", kinds },
	{ "where", where },
	{ "preserved", preserved },
	{ "refused", refused },
	{ NULL, NULL },
};

static int run(unsigned int stage)
{
	(void)stage;
	return cases_run(list);
}

static const struct scenario ask_maps = {
	.name = "ask-maps",
	.description = "what an IOAS maps, as its owner is told",
	.stages = { run },
};
SCENARIO(ask_maps);
