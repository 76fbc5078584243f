/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A handover to be broken, of any type of IOMMU
 *
 * fuzz.c changes it, reads it and looks at the outcome; fuzz-handover.c writes what
 * is the same for all types. A driver's file has its units, its payloads and the
 * tables that its hardware walks.
 */
#ifndef __IOMMU_LIVEUPDATE_FUZZ_H
#define __IOMMU_LIVEUPDATE_FUZZ_H

#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/kho/abi/iommu.h>
#include <linux/prandom.h>
#include <linux/xarray.h>

#include "../internal.h"
#include "../records.h"

struct fuzz;
struct iommufd_lu_ser;
struct vfio_pci_lu_ser;

/* Segments and registers that no machine of a test has */
#define FUZZ_SEGMENT	0x4242
#define FUZZ_BASE	0xfed0000000ULL
/* Not more of each */
#define FUZZ_UNITS	3
#define FUZZ_DOMAINS	7
#define FUZZ_DEVICES	9
#define FUZZ_ATTACHMENTS 12
#define FUZZ_IOMMUFDS	2
#define FUZZ_PAGES	64
#define FUZZ_REGIONS	128
#define FUZZ_CHANGES	3
#define FUZZ_TABLES	4

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
	/* What the hardware walks: FUZZ_TABLES kinds, as the driver counts */
	FUZZ_TABLE,
	FUZZ_KINDS = FUZZ_TABLE + FUZZ_TABLES,
};

struct fuzz_device {
	u8 unit;
	u16 rid;
};

/* First those of all devices without a PASID, in their order */
struct fuzz_attachment {
	u8 device;
	u8 domain;
	u32 hw_id;
	u32 pasid;
};

/**
 * struct fuzz_type - A handover of one type of IOMMU
 * @ops:         The driver's
 * @size:        Of what the driver has instead of &struct fuzz, which comes first
 * @table_name:  What its tables are called
 * @unit_name:   What is special about a unit
 * @segment:     Of a unit
 * @pasid_units: In these units entries of PASIDs are looked for
 * @units:       How many
 * @domains:     How many
 * @devices:     How many
 * @attachments: How many
 * @frees:       How many pages are freed of one that is whole
 * @unit_slot:   Slots that are used, with gaps; ascending, as all of these
 * @domain_slot: The same
 * @device_slot: The same
 * @attachment_slot: The same
 * @device:      What the devices are
 * @attachment:  What the attachments are
 * @unfit:       Why can it not be tried here? NULL when it can
 * @start:       Make what the driver has beside the handover
 * @stop:        Undo @start, as far as that came
 * @fill_unit:   Registers, root table and payload of a unit
 * @fill_domain: Payload and user's flags of a domain
 * @fill_device: Payload of a device, and its own tables
 * @fill_entry:  Write what the hardware finds of an attachment
 * @prepare:     Before a handover is read
 * @adopt:       Let the driver go on with what was read
 * @there:       Does the hardware find all that is of an attachment?
 * @same:        Is what only the driver reads of an attachment as it was?
 * @domain_differs: Is a domain's record another one, where that decides where the
 *               DMA of an attachment goes?
 * @check_tables: Is all that the hardware walks as it was, or nothing?
 * @put_back:    Undo @prepare and @adopt
 */
struct fuzz_type {
	const struct iommu_liveupdate_ops *ops;
	size_t size;
	const char *table_name[FUZZ_TABLES];
	const char *unit_name[FUZZ_UNITS];
	u16 segment[FUZZ_UNITS];
	unsigned int pasid_units;
	unsigned int units;
	unsigned int domains;
	unsigned int devices;
	unsigned int attachments;
	unsigned int frees;
	const u32 *unit_slot;
	const u32 *domain_slot;
	const u32 *device_slot;
	const u32 *attachment_slot;
	const struct fuzz_device *device;
	const struct fuzz_attachment *attachment;

	const char *(*unfit)(void);
	void (*start)(struct kunit *test);
	void (*stop)(struct fuzz *fuzz);
	void (*fill_unit)(struct kunit *test, unsigned int i,
			  struct iommu_lu_unit_ser *ser);
	u32 (*fill_domain)(struct fuzz *fuzz, unsigned int i,
			   struct iommu_lu_domain_ser *ser);
	void (*fill_device)(struct kunit *test, unsigned int i,
			    struct iommu_lu_device_ser *ser);
	void (*fill_entry)(struct kunit *test, unsigned int i);

	void (*prepare)(struct fuzz *fuzz);
	void (*adopt)(struct fuzz *fuzz);
	bool (*there)(struct fuzz *fuzz, unsigned int i);
	bool (*same)(struct fuzz *fuzz, unsigned int i,
		     const struct iommu_lu_attachment *att);
	bool (*domain_differs)(unsigned int i, const u8 *a, const u8 *b);
	void (*check_tables)(struct fuzz *fuzz, unsigned int unit);
	void (*put_back)(struct fuzz *fuzz);
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
	const struct fuzz_type *type;
	struct rnd_state rnd;
	struct iommu_lu_ser *ser;
	struct iommu_lu_records units;
	struct iommu_lu_records domains;
	struct iommu_lu_records devices;
	struct iommu_lu_records attachments;
	struct iommu_lu_pages_ser *tables[FUZZ_UNITS];
	struct iommu_lu_pages_ser *list[FUZZ_DOMAINS];
	void *top[FUZZ_DOMAINS];
	struct iommufd_lu_ser *iommufd[FUZZ_IOMMUFDS];
	struct vfio_pci_lu_ser *vfio[FUZZ_DEVICES];
	bool adopted[FUZZ_UNITS];
	bool was_there[FUZZ_ATTACHMENTS];

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

static inline struct fuzz *this_fuzz(void)
{
	return kunit_get_current_test()->priv;
}

static inline unsigned int fuzz_unit_of(const struct fuzz_type *type,
					unsigned int attachment)
{
	return type->device[type->attachment[attachment].device].unit;
}

/* -1 for none */
static inline int fuzz_attachment_at(const struct fuzz_type *type,
				     unsigned int device, u32 pasid)
{
	for (unsigned int i = 0; i < type->attachments; i++)
		if (type->attachment[i].device == device &&
		    type->attachment[i].pasid == pasid)
			return i;
	return -1;
}

/* -1 for none */
static inline int fuzz_device_at(const struct fuzz_type *type, unsigned int unit,
				 u16 rid)
{
	for (unsigned int i = 0; i < type->devices; i++)
		if (type->device[i].unit == unit && type->device[i].rid == rid)
			return i;
	return -1;
}

/* fuzz.c */
void fuzz_complain(struct fuzz *fuzz, const char *what, unsigned int nr);
int fuzz_init(struct kunit *test, const struct fuzz_type *type);
void fuzz_exit(struct kunit *test);
void fuzz_whole(struct kunit *test);
void fuzz_changed(struct kunit *test);

/* fuzz-handover.c */
void *fuzz_new_table(struct kunit *test, unsigned int unit, unsigned int order);
void fuzz_add_region(struct kunit *test, unsigned int kind, unsigned int nr,
		     void *at, size_t len);
void fuzz_write(struct kunit *test);
void fuzz_forget(struct fuzz *fuzz);
void fuzz_seal(struct fuzz *fuzz, const struct fuzz_region *region);

/* Each driver's suite has these two */
#define FUZZ_CASES(name)						\
	static void name##_whole_test(struct kunit *test)		\
	{								\
		fuzz_whole(test);					\
	}								\
									\
	static void name##_changed_test(struct kunit *test)		\
	{								\
		fuzz_changed(test);					\
	}								\
									\
	static const struct kunit_attributes name##_slow = {		\
		.speed = KUNIT_SPEED_VERY_SLOW,				\
	};								\
									\
	static struct kunit_case name##_cases[] = {			\
		KUNIT_CASE(name##_whole_test),				\
		KUNIT_CASE_ATTR(name##_changed_test, name##_slow),	\
		{},							\
	}

#endif /* __IOMMU_LIVEUPDATE_FUZZ_H */
