/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A handover to be broken
 */
#ifndef __INTEL_LIVEUPDATE_FUZZ_H
#define __INTEL_LIVEUPDATE_FUZZ_H

#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/xarray.h>

#include "../liveupdate/internal.h"
#include "../liveupdate/records.h"

struct context_entry;
struct intel_iommu;
struct iommufd_lu_ser;
struct root_entry;
struct vfio_pci_lu_ser;

/* Segments and registers that no machine of a test has */
#define FUZZ_SEGMENT	0x4242
#define FUZZ_BASE	0xfed0000000ULL
#define FUZZ_UNITS	2
#define FUZZ_DOMAINS	5
#define FUZZ_DEVICES	7
#define FUZZ_IOMMUFDS	2
#define FUZZ_PAGES	48
#define FUZZ_REGIONS	64
#define FUZZ_CHANGES	3

/* Slots that are used: two blocks of domains, with gaps */
static const u32 unit_slot[FUZZ_UNITS] = { 0, 2 };
static const u32 domain_slot[FUZZ_DOMAINS] = { 0, 1, 7, 29, 33 };

/* Unit, domain, requester ID; two on one domain, and one domain on two units */
static const struct {
	u8 unit;
	u8 domain;
	u16 rid;
	u16 did;
} device_is[FUZZ_DEVICES] = {
	{ 0, 0, 0x0108, 2 }, { 0, 0, 0x0109, 2 }, { 0, 1, 0x0300, 3 },
	{ 0, 2, 0x03ff, 4 }, { 1, 2, 0x0008, 2 }, { 1, 3, 0x4100, 3 },
	{ 1, 4, 0xfff8, 200 },
};

enum fuzz_kind {
	FUZZ_START,
	FUZZ_BLOCK,
	FUZZ_UNIT,
	FUZZ_DOMAIN,
	FUZZ_DEVICE,
	FUZZ_ATTACHMENT,
	FUZZ_UNIT_PAGES,
	FUZZ_DOMAIN_PAGES,
	FUZZ_IOMMUFD,
	FUZZ_VFIO,
	FUZZ_KINDS,
};

/* Memory that KHO would know of */
struct fuzz_page {
	void *virt;
	void *copy;
	size_t size;
	bool gone;
	/* Of the hardware: adopting it may change it */
	bool table;
};

/* What is changed: a record, a header, a list */
struct fuzz_region {
	enum fuzz_kind kind;
	unsigned int nr;
	u8 *at;
	const u8 *copy;
	size_t len;
};

struct fuzz_change {
	const struct fuzz_region *region;
	unsigned int offset;
	unsigned int len;
	bool sealed;
	u8 was[PAGE_SIZE];
};

struct fuzz {
	struct rnd_state rnd;
	struct iommu_lu_ser *ser;
	struct iommu_lu_records units;
	struct iommu_lu_records domains;
	struct iommu_lu_records devices;
	struct iommu_lu_records attachments;
	struct iommu_lu_pages_ser *tables[FUZZ_UNITS];
	struct iommu_lu_pages_ser *list[FUZZ_DOMAINS];
	struct root_entry *root[FUZZ_UNITS];
	struct context_entry *context[FUZZ_UNITS][256];
	void *top[FUZZ_DOMAINS];
	struct iommufd_lu_ser *iommufd[FUZZ_IOMMUFDS];
	struct vfio_pci_lu_ser *vfio[FUZZ_DEVICES];
	struct intel_iommu *iommu[FUZZ_UNITS];
	bool adopted[FUZZ_UNITS];

	struct fuzz_page page[FUZZ_PAGES];
	unsigned int nr_pages;
	struct xarray pages;
	struct fuzz_region region[FUZZ_REGIONS];
	unsigned int nr_regions;
	struct fuzz_change change[FUZZ_CHANGES];
	unsigned int nr_changes;

	struct iommu_lu_in in;
	unsigned int round;
	unsigned int frees;
	unsigned int wrong;
	/* Outcomes, for all rounds: a test that rejects nothing is none */
	unsigned int went_on;
	unsigned int blocked;
	unsigned int refused[FUZZ_KINDS];
};

static inline struct fuzz *this_fuzz(void)
{
	return kunit_get_current_test()->priv;
}

/* liveupdate-fuzz.c */
void fuzz_complain(struct fuzz *fuzz, const char *what, unsigned int nr);

/* liveupdate-fuzz-handover.c */
void fuzz_write(struct kunit *test);
void fuzz_forget(struct fuzz *fuzz);
void fuzz_seal(struct fuzz *fuzz, const struct fuzz_region *region);
void fuzz_fill_entry(struct context_entry *entry,
		     u32 did, phys_addr_t top, u8 top_level);

#endif /* __INTEL_LIVEUPDATE_FUZZ_H */
