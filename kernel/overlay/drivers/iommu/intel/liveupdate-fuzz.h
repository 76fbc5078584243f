/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A handover to be broken
 */
#ifndef __INTEL_LIVEUPDATE_FUZZ_H
#define __INTEL_LIVEUPDATE_FUZZ_H

#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/prandom.h>
#include <linux/xarray.h>

#include "../liveupdate/internal.h"
#include "../liveupdate/records.h"

struct intel_iommu;
struct iommufd_lu_ser;
struct vfio_pci_lu_ser;

/* Segments and registers that no machine of a test has */
#define FUZZ_SEGMENT	0x4242
#define FUZZ_BASE	0xfed0000000ULL
#define FUZZ_UNITS	2
#define FUZZ_DOMAINS	7
#define FUZZ_DEVICES	9
#define FUZZ_ATTACHMENTS 12
#define FUZZ_IOMMUFDS	2
#define FUZZ_PAGES	64
#define FUZZ_REGIONS	128
#define FUZZ_CHANGES	3

/* The unit in scalable mode; the other one is in legacy mode */
#define FUZZ_SCALABLE	1

/* Slots that are used: two blocks of domains, with gaps */
static const u32 unit_slot[FUZZ_UNITS] = { 0, 2 };
static const u32 domain_slot[FUZZ_DOMAINS] = { 0, 1, 7, 29, 33, 34, 60 };

/* One of them is on two units, so it is of the second stage */
static const struct {
	u8 top_level;
	bool first_stage;
	bool snoop;
	bool incoherent;
} domain_is[FUZZ_DOMAINS] = {
	{ 2 }, { 3, .snoop = true }, { 2 },
	{ 3, .snoop = true, .incoherent = true }, { 2 },
	{ 3, .first_stage = true },
	{ 4, .first_stage = true, .snoop = true, .incoherent = true },
};

/* In both halves of a bus; with a PASID directory of one page, and of two */
static const struct {
	u8 unit;
	u8 dir_order;
	u16 rid;
	u32 flags;
} device_is[FUZZ_DEVICES] = {
	{ 0, 0, 0x0108 }, { 0, 0, 0x0109 }, { 0, 0, 0x0300 },
	{ 0, 0, 0x03ff, IOMMU_LU_VTD_ATS },
	{ 1, 0, 0x0008 },
	{ 1, 0, 0x4100, IOMMU_LU_VTD_ATS },
	{ 1, 1, 0xfff8, IOMMU_LU_VTD_PASID },
	{ 1, 0, 0x4180, IOMMU_LU_VTD_ATS | IOMMU_LU_VTD_PASID },
	{ 1, 0, 0x0009, IOMMU_LU_VTD_PASID },
};

/*
 * First those of all devices without a PASID, in their order; two on one domain in
 * each unit. Then one PASID in a table of its own, one of which the entry of the
 * directory is in the second page, and one in the table that is there anyway.
 */
static const struct {
	u8 device;
	u8 domain;
	u16 did;
	u32 pasid;
} attachment_is[FUZZ_ATTACHMENTS] = {
	{ 0, 0, 2, IOMMU_LU_NO_PASID }, { 1, 0, 2, IOMMU_LU_NO_PASID },
	{ 2, 1, 3, IOMMU_LU_NO_PASID }, { 3, 2, 4, IOMMU_LU_NO_PASID },
	{ 4, 2, 2, IOMMU_LU_NO_PASID }, { 5, 3, 3, IOMMU_LU_NO_PASID },
	{ 6, 4, 200, IOMMU_LU_NO_PASID }, { 7, 5, 5, IOMMU_LU_NO_PASID },
	{ 8, 5, 5, IOMMU_LU_NO_PASID },
	{ 7, 6, 6, 65 }, { 6, 2, 2, 0x8041 }, { 8, 6, 6, 1 },
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
	/* What the hardware walks */
	FUZZ_ROOT,
	FUZZ_CONTEXT,
	FUZZ_PASID_DIR,
	FUZZ_PASID_TABLE,
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
	/* An entry leads here: a second one must not */
	bool walked;
};

/* What is changed: a record, a header, a list, a table or an entry of it */
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
	u64 *root[FUZZ_UNITS];
	u64 *dir[FUZZ_DEVICES];
	void *top[FUZZ_DOMAINS];
	struct iommufd_lu_ser *iommufd[FUZZ_IOMMUFDS];
	struct vfio_pci_lu_ser *vfio[FUZZ_DEVICES];
	struct intel_iommu *iommu[FUZZ_UNITS];
	bool adopted[FUZZ_UNITS];
	bool was_there[FUZZ_ATTACHMENTS];
	bool sm_forced;

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
	unsigned int went_on[FUZZ_UNITS];
	unsigned int blocked[FUZZ_UNITS];
	unsigned int refused[FUZZ_KINDS];
};

static inline unsigned int unit_of(unsigned int attachment)
{
	return device_is[attachment_is[attachment].device].unit;
}

/* -1 for none */
static inline int attachment_at(unsigned int device, u32 pasid)
{
	for (unsigned int i = 0; i < FUZZ_ATTACHMENTS; i++)
		if (attachment_is[i].device == device &&
		    attachment_is[i].pasid == pasid)
			return i;
	return -1;
}

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
bool fuzz_there(struct fuzz *fuzz, unsigned int attachment);
void fuzz_check_tables(struct fuzz *fuzz, unsigned int unit);

#endif /* __INTEL_LIVEUPDATE_FUZZ_H */
