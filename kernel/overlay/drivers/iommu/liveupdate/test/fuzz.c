// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feed broken handovers to what reads them
 *
 * A handover is written as the old kernel writes it, with the tables that the
 * hardware would walk. Then, round after round, something in it is changed, all of it
 * is read and adopted as in the new kernel, and it is put back as it was. After each
 * round every kept device either goes on exactly as it did or its entry blocks,
 * nobody else got an entry, and each page was freed once.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/lockdep.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "../../../vfio/pci/vfio_pci_liveupdate.h"
#include "../../iommufd/liveupdate.h"
#include "../pages.h"
#include "fuzz.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "liveupdate_fuzz."

/* KASAN makes each take 20 times as long */
static unsigned int rounds = IS_ENABLED(CONFIG_KASAN) ? 2000 : 20000;
module_param_named(count, rounds, uint, 0444);
MODULE_PARM_DESC(count, "How many broken handovers are read");

static ulong seed = 20260;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "What the changes are made from");

static const char *kind_name(const struct fuzz *fuzz, enum fuzz_kind kind)
{
	static const char *const name[FUZZ_TABLE] = {
		"start", "block", "unit", "domain", "device", "attachment",
		"unit pages", "domain pages", "iommufd", "vfio",
	};

	return kind < FUZZ_TABLE ? name[kind] :
				   fuzz->type->table_name[kind - FUZZ_TABLE];
}

/**
 * fuzz_complain - Fail, and say what was changed
 * @fuzz: The test
 * @what: What is wrong
 * @nr:   With which device, unit, ...
 */
void fuzz_complain(struct fuzz *fuzz, const char *what, unsigned int nr)
{
	struct kunit *test = kunit_get_current_test();

	/* The first ones say it all */
	if (fuzz->wrong++ > 4)
		return;
	KUNIT_FAIL(test, "round %u of seed %lu: %s (%u)", fuzz->round, seed,
		   what, nr);
	for (unsigned int i = 0; i < fuzz->nr_changes; i++) {
		const struct fuzz_change *change = &fuzz->change[i];

		kunit_err(test, "%s %u, byte %u, %u bytes, %s",
			  kind_name(fuzz, change->region->kind),
			  change->region->nr,
			  change->offset, change->len,
			  change->sealed ? "sealed" : "not sealed");
	}
}

/* ---- What KHO says ------------------------------------------------------- */

static struct fuzz_page *page_at(phys_addr_t phys)
{
	struct fuzz *fuzz = this_fuzz();
	struct fuzz_page *page = xa_load(&fuzz->pages, PHYS_PFN(phys));

	return page && !page->gone && PAGE_ALIGNED(phys) ? page : NULL;
}

static size_t stub_size(phys_addr_t phys)
{
	struct fuzz_page *page = page_at(phys);

	return page ? page->size : 0;
}

static void take_page(void *virt, const char *what)
{
	struct fuzz_page *page = page_at(virt_to_phys(virt));

	if (!page) {
		fuzz_complain(this_fuzz(), what, 0);
		return;
	}
	page->gone = true;
	this_fuzz()->frees++;
}

static void stub_free(void *virt)
{
	take_page(virt, "memory is freed that is not there");
}

static void *stub_restore(phys_addr_t phys)
{
	if (!page_at(phys))
		return NULL;
	take_page(phys_to_virt(phys), "");
	return phys_to_virt(phys);
}

/* ---- Changes ------------------------------------------------------------- */

static u32 rnd(struct fuzz *fuzz, u32 below)
{
	return prandom_u32_state(&fuzz->rnd) % below;
}

static void write_number(u8 *at, unsigned int len, u64 value)
{
	/* As on all machines that have such IOMMUs */
	memcpy(at, &value, len);
}

static u64 interesting(struct fuzz *fuzz, u64 was)
{
	struct fuzz_page *page = &fuzz->page[rnd(fuzz, fuzz->nr_pages)];
	u64 phys = virt_to_phys(page->virt);

	switch (rnd(fuzz, 12)) {
	case 0:
		return 0;
	case 1:
		return U64_MAX;
	case 2:
		return was + 1;
	case 3:
		return was - 1;
	case 4:
		return phys;
	/* An entry of a table that leads elsewhere */
	case 5 ... 6:
		return phys | ((was & ~PAGE_MASK) ?: 1);
	case 7:
		return phys + PAGE_SIZE / 2;
	case 8:
		return BIT_ULL(rnd(fuzz, 64));
	case 9:
		return rnd(fuzz, 256);
	case 10:
		return was + BIT_ULL(16);
	default:
		return was ^ BIT_ULL(rnd(fuzz, 64));
	}
}

static void change_bits(struct fuzz *fuzz, struct fuzz_change *change)
{
	const struct fuzz_region *region = change->region;

	change->offset = rnd(fuzz, region->len);
	change->len = 1;
	for (unsigned int i = 0; i <= rnd(fuzz, 2); i++)
		region->at[change->offset] ^= BIT(rnd(fuzz, 8));
}

static void change_number(struct fuzz *fuzz, struct fuzz_change *change)
{
	const struct fuzz_region *region = change->region;
	unsigned int len = 1U << (1 + rnd(fuzz, 3));
	u64 was = 0;

	if (region->kind >= FUZZ_TABLE)
		len = sizeof(u64);
	change->len = len;
	change->offset = rnd(fuzz, region->len / len) * len;
	memcpy(&was, region->at + change->offset, len);
	write_number(region->at + change->offset, len, interesting(fuzz, was));
}

static void change_to_zero(struct fuzz *fuzz, struct fuzz_change *change)
{
	change->offset = rnd(fuzz, change->region->len);
	change->len = change->region->len - change->offset;
	memset(change->region->at + change->offset, 0, change->len);
}

/* The content of another one of its kind, whole or from some byte on */
static void change_content(struct fuzz *fuzz, struct fuzz_change *change)
{
	const struct fuzz_region *region = change->region, *other;
	unsigned int at = rnd(fuzz, fuzz->nr_regions);

	for (unsigned int i = 0; i < fuzz->nr_regions; i++) {
		other = &fuzz->region[(at + i) % fuzz->nr_regions];
		if (other->kind != region->kind || other->len != region->len ||
		    other == region)
			continue;
		change->offset = rnd(fuzz, 2) ? 0 : rnd(fuzz, region->len);
		change->len = region->len - change->offset;
		memcpy(region->at + change->offset, other->at + change->offset,
		       change->len);
		return;
	}
	change_to_zero(fuzz, change);
}

static void make_change(struct fuzz *fuzz)
{
	struct fuzz_change *change = &fuzz->change[fuzz->nr_changes++];
	const struct fuzz_region *region;

	region = &fuzz->region[rnd(fuzz, fuzz->nr_regions)];
	change->region = region;
	change->sealed = rnd(fuzz, 2);
	memcpy(change->was, region->at, region->len);
	switch (rnd(fuzz, 8)) {
	case 0 ... 2:
		change_bits(fuzz, change);
		break;
	case 3 ... 5:
		change_number(fuzz, change);
		break;
	case 6:
		change_content(fuzz, change);
		break;
	default:
		change_to_zero(fuzz, change);
		break;
	}
	if (change->sealed)
		fuzz_seal(fuzz, region);
}

static void undo_changes(struct fuzz *fuzz)
{
	while (fuzz->nr_changes) {
		struct fuzz_change *change = &fuzz->change[--fuzz->nr_changes];

		memcpy(change->region->at, change->was, change->region->len);
	}
}

/* Is it, before anything is undone, really another one than the original? */
static bool changed(struct fuzz *fuzz, enum fuzz_kind kind, unsigned int nr,
		    size_t offset, size_t len)
{
	for (unsigned int i = 0; i < fuzz->nr_changes; i++) {
		const struct fuzz_region *region = fuzz->change[i].region;

		if (region->kind == kind && region->nr == nr &&
		    offset + len <= region->len &&
		    memcmp(region->at + offset, region->copy + offset, len))
			return true;
	}
	return false;
}

/* What decides where DMA goes, and bits that nobody knows: not the PCI IDs */
static bool device_differs(const u8 *a, const u8 *b)
{
	return memcmp(a + 8, b + 8, 26) || memcmp(a + 38, b + 38, 2) ||
	       memcmp(a + 48, b + 48, 16);
}

static bool attachment_differs(const u8 *a, const u8 *b)
{
	return memcmp(a + 8, b + 8, 56);
}

static bool differs(enum fuzz_kind kind, const u8 *a, const u8 *b)
{
	return kind == FUZZ_DEVICE ? device_differs(a, b) :
				     attachment_differs(a, b);
}

/* Does another record of its kind, sealed anew, now say what this one said? */
static bool said_by_another(struct fuzz *fuzz, enum fuzz_kind kind,
			    unsigned int nr)
{
	const struct fuzz_region *own = NULL;

	for (unsigned int i = 0; i < fuzz->nr_regions; i++)
		if (fuzz->region[i].kind == kind && fuzz->region[i].nr == nr)
			own = &fuzz->region[i];
	for (unsigned int i = 0; own && i < fuzz->nr_regions; i++) {
		const struct fuzz_region *region = &fuzz->region[i];

		if (region != own && region->kind == kind &&
		    !differs(kind, region->at, own->copy))
			return true;
	}
	return false;
}

/* ---- The new kernel ------------------------------------------------------ */

static struct iommu_lu_attachment *recorded(struct iommu_lu_device *lu,
					    u32 pasid)
{
	struct iommu_lu_attachment *att;

	list_for_each_entry(att, &lu->attachments, link)
		if (att->ser->pasid == pasid)
			return att;
	return NULL;
}

static bool same(struct fuzz *fuzz, unsigned int i,
		 const struct iommu_lu_attachment *att)
{
	const struct fuzz_type *type = fuzz->type;
	const struct fuzz_attachment *is = &type->attachment[i];
	const struct iommu_lu_device *lu = att->device;
	const struct iommu_lu_domain_ser *domain = att->domain->ser;

	return lu->unit->index == type->unit_slot[fuzz_unit_of(type, i)] &&
	       lu->unit->iommu && att->ser->hw_id == is->hw_id &&
	       att->domain->index == type->domain_slot[is->domain] &&
	       domain->top == virt_to_phys(fuzz->top[is->domain]) &&
	       !lu->ser->reserved && type->same(fuzz, i, att);
}

/* Otherwise all entries of the device are cleared when it is probed */
static bool passes_probe(struct fuzz *fuzz, unsigned int device,
			 struct iommu_lu_device *lu)
{
	const struct fuzz_type *type = fuzz->type;
	struct iommu_lu_attachment *att;

	list_for_each_entry(att, &lu->attachments, link) {
		int i = fuzz_attachment_at(type, device, att->ser->pasid);

		if (att->domain->state != IOMMU_LU_INCOMING)
			return false;
		/* Nothing looks for what is of a PASID */
		if (!att->kept &&
		    !(type->pasid_units & BIT(type->device[device].unit)))
			return false;
		if (att->kept && i >= 0 && type->there(fuzz, i))
			continue;
		fuzz_complain(fuzz, "a device goes on with less than its record says",
			      device);
		return false;
	}
	return true;
}

/* An attachment goes on as it did, or has no entry; true for the first */
static bool check_attachment(struct fuzz *fuzz, unsigned int i)
{
	const struct fuzz_type *type = fuzz->type;
	unsigned int device = type->attachment[i].device;
	unsigned int unit = fuzz_unit_of(type, i);
	struct iommu_lu_attachment *att;
	struct iommu_lu_device *lu;

	if (!fuzz->adopted[unit] || !type->there(fuzz, i))
		return false;
	if (!fuzz->was_there[i])
		fuzz_complain(fuzz, "there is an entry that was not there", i);
	lu = iommu_lu_in_device(&fuzz->in, type->segment[unit],
				type->device[device].rid);
	att = lu ? recorded(lu, type->attachment[i].pasid) : NULL;
	if (!att || lu->state != IOMMU_LU_INCOMING || !att->kept) {
		fuzz_complain(fuzz, "there is an entry without a record", i);
		return false;
	}
	if (!same(fuzz, i, att))
		fuzz_complain(fuzz, "an attachment is not as it was", i);
	return passes_probe(fuzz, device, lu);
}

static bool is_about(const struct fuzz_type *type,
		     const struct fuzz_region *region, unsigned int i)
{
	switch (region->kind) {
	case FUZZ_UNIT:
	case FUZZ_UNIT_PAGES:
		return region->nr == fuzz_unit_of(type, i);
	case FUZZ_DOMAIN:
		return region->nr == type->attachment[i].domain;
	case FUZZ_DEVICE:
		return region->nr == type->attachment[i].device;
	case FUZZ_ATTACHMENT:
		return region->nr == i;
	default:
		return false;
	}
}

/* What a change of one region, right CRC or not, has to lead to */
static bool change_blocks(struct fuzz *fuzz, const struct fuzz_change *change,
			  unsigned int i)
{
	const struct fuzz_region *region = change->region;
	enum fuzz_kind kind = region->kind;

	if (kind == FUZZ_START || kind == FUZZ_BLOCK)
		return changed(fuzz, kind, region->nr, 0, region->len);
	if (!is_about(fuzz->type, region, i))
		return false;
	/* Its own record is lost, and what that said is still known */
	if ((kind == FUZZ_DEVICE || kind == FUZZ_ATTACHMENT) &&
	    said_by_another(fuzz, kind, region->nr))
		return false;
	/* Not sealed after the last change: the CRC tells */
	if (!change->sealed && fuzz->nr_changes == 1)
		return changed(fuzz, kind, region->nr, 0, region->len);
	/* Sealed: what decides where DMA goes, and unknown bits */
	switch (kind) {
	case FUZZ_UNIT:
		return changed(fuzz, kind, region->nr, 8, region->len - 8);
	case FUZZ_DOMAIN:
		return fuzz->type->domain_differs(i, region->at, region->copy);
	case FUZZ_DEVICE:
	case FUZZ_ATTACHMENT:
		return differs(kind, region->at, region->copy);
	default:
		return false;
	}
}

/* What is wrong with a record has to be seen in what it is about */
static bool must_block(struct fuzz *fuzz, unsigned int i)
{
	for (unsigned int j = 0; j < fuzz->nr_changes; j++)
		if (change_blocks(fuzz, &fuzz->change[j], i))
			return true;
	return false;
}

static void check_files(struct fuzz *fuzz)
{
	for (unsigned int j = 0; j < fuzz->nr_changes; j++) {
		const struct fuzz_change *change = &fuzz->change[j];
		enum fuzz_kind kind = change->region->kind;
		unsigned int nr = change->region->nr;
		size_t len = change->region->len;
		const char *why = NULL;

		if (kind == FUZZ_IOMMUFD)
			why = iommufd_lu_ser_error(fuzz->iommufd[nr],
						   PAGE_SIZE);
		else if (kind == FUZZ_VFIO)
			why = vfio_pci_lu_ser_error(fuzz->vfio[nr], PAGE_SIZE);
		else
			continue;
		if (why)
			fuzz->refused[kind]++;
		else if (!change->sealed && fuzz->nr_changes == 1 &&
			 changed(fuzz, kind, nr, 0, len))
			fuzz_complain(fuzz, "a changed file is believed", nr);
	}
}

static void check_outcome(struct fuzz *fuzz)
{
	const struct fuzz_type *type = fuzz->type;

	for (unsigned int i = 0; i < type->attachments; i++) {
		unsigned int unit = fuzz_unit_of(type, i);

		if (!check_attachment(fuzz, i)) {
			fuzz->blocked[unit]++;
			continue;
		}
		fuzz->went_on[unit]++;
		if (must_block(fuzz, i))
			fuzz_complain(fuzz, "a changed record is believed", i);
	}
	for (unsigned int i = 0; i < type->units; i++)
		type->check_tables(fuzz, i);
	check_files(fuzz);
}

static void check_empty(struct fuzz *fuzz)
{
	struct iommu_lu_in *in = &fuzz->in;

	if (!xa_empty(&in->unit_slots) || !xa_empty(&in->domain_slots) ||
	    !xa_empty(&in->unit_bases) || !xa_empty(&in->pages) ||
	    !xa_empty(&in->device_slots) || !xa_empty(&in->device_rids) ||
	    !xa_empty(&in->units.blocks) || !xa_empty(&in->domains.blocks) ||
	    !xa_empty(&in->devices.blocks) || !xa_empty(&in->attachments.blocks))
		fuzz_complain(fuzz, "something is left", 0);
}

/* Reads, adopts and forgets what is there now; false when it was all refused */
static bool read_once(struct fuzz *fuzz)
{
	memset(&fuzz->in, 0, sizeof(fuzz->in));
	mutex_init(&fuzz->in.lock);
	iommu_lu_in_init(&fuzz->in);
	fuzz->frees = 0;
	memset(fuzz->adopted, 0, sizeof(fuzz->adopted));
	for (unsigned int i = 0; i < fuzz->type->attachments; i++)
		fuzz->was_there[i] = fuzz->type->there(fuzz, i);
	if (fuzz->type->prepare)
		fuzz->type->prepare(fuzz);
	if (iommu_lu_in_read(&fuzz->in, virt_to_phys(fuzz->ser))) {
		if (fuzz->frees)
			fuzz_complain(fuzz, "a refused handover was freed", 0);
		check_files(fuzz);
		check_empty(fuzz);
		return false;
	}
	fuzz->in.ops[fuzz->type->ops->type] = fuzz->type->ops;
	fuzz->type->adopt(fuzz);
	check_outcome(fuzz);
	iommu_lu_in_release(&fuzz->in);
	check_empty(fuzz);
	return true;
}

/* Tables of the hardware are the only thing that reading may have changed */
static void put_back(struct fuzz *fuzz)
{
	undo_changes(fuzz);
	fuzz->type->put_back(fuzz);
	for (unsigned int i = 0; i < fuzz->nr_pages; i++) {
		struct fuzz_page *page = &fuzz->page[i];

		page->gone = false;
		page->walked = false;
		if (page->table)
			memcpy(page->virt, page->copy, page->size);
		else if (fuzz->round % 256 == 0 &&
			 memcmp(page->virt, page->copy, page->size))
			fuzz_complain(fuzz, "reading has changed a page", i);
	}
}

static void expect_whole(struct kunit *test)
{
	struct fuzz *fuzz = test->priv;
	const struct fuzz_type *type = fuzz->type;
	unsigned int went_on = 0;

	memset(fuzz->went_on, 0, sizeof(fuzz->went_on));
	KUNIT_EXPECT_TRUE(test, read_once(fuzz));
	for (unsigned int i = 0; i < type->units; i++)
		went_on += fuzz->went_on[i];
	KUNIT_EXPECT_EQ(test, went_on, type->attachments);
	KUNIT_EXPECT_EQ(test, fuzz->frees, type->frees);
	for (unsigned int i = 0; i < FUZZ_IOMMUFDS; i++)
		KUNIT_EXPECT_NULL(test,
				  iommufd_lu_ser_error(fuzz->iommufd[i],
						       PAGE_SIZE));
	for (unsigned int i = 0; i < type->devices; i++)
		KUNIT_EXPECT_NULL(test,
				  vfio_pci_lu_ser_error(fuzz->vfio[i],
							PAGE_SIZE));
	put_back(fuzz);
}

/* ---- The tests ------------------------------------------------------------ */

/**
 * fuzz_whole - A handover that nobody has changed is taken over, all of it
 * @test: The test
 */
void fuzz_whole(struct kunit *test)
{
	expect_whole(test);
}

static unsigned int read_rounds(struct fuzz *fuzz)
{
	unsigned int unread = 0;

	/* The rounds above and below take the same locks; these look at memory */
	lockdep_off();
	for (fuzz->round = 1; fuzz->round <= rounds; fuzz->round++) {
		for (unsigned int i = 0; i <= rnd(fuzz, FUZZ_CHANGES); i++)
			make_change(fuzz);
		unread += !read_once(fuzz);
		put_back(fuzz);
		if (fuzz->round % 256 == 0)
			cond_resched();
	}
	lockdep_on();
	return unread;
}

static long slab_pages(void)
{
	rcu_barrier();
	return global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
}

/* Of what is changed at random, most matters, and not to everybody */
static void expect_both(struct kunit *test, unsigned int unread)
{
	struct fuzz *fuzz = test->priv;
	const struct fuzz_type *type = fuzz->type;

	kunit_info(test, "seed %lu: %u handovers, %u not read at all; files refused: %u iommufd, %u vfio\n",
		   seed, rounds, unread, fuzz->refused[FUZZ_IOMMUFD],
		   fuzz->refused[FUZZ_VFIO]);
	KUNIT_EXPECT_GT(test, unread, rounds / 20);
	for (unsigned int i = 0; i < type->units; i++) {
		kunit_info(test, "attachments, %s: %u went on, %u blocked\n",
			   type->unit_name[i], fuzz->went_on[i],
			   fuzz->blocked[i]);
		KUNIT_EXPECT_GT(test, fuzz->blocked[i], rounds / 4);
		KUNIT_EXPECT_GT(test, fuzz->went_on[i], rounds);
	}
	KUNIT_EXPECT_GT(test, fuzz->refused[FUZZ_IOMMUFD], rounds / 200);
	KUNIT_EXPECT_GT(test, fuzz->refused[FUZZ_VFIO], rounds / 20);
}

/**
 * fuzz_changed - What is changed blocks what it is about, and hurts nothing
 * @test: The test
 */
void fuzz_changed(struct kunit *test)
{
	struct fuzz *fuzz = test->priv;
	unsigned int unread;
	long slab;

	expect_whole(test);
	memset(fuzz->went_on, 0, sizeof(fuzz->went_on));
	slab = slab_pages();
	unread = read_rounds(fuzz);
	slab = slab_pages() - slab;

	KUNIT_EXPECT_EQ(test, fuzz->wrong, 0);
	expect_both(test, unread);
	/*
	 * One object of the smallest kind lost in each round would be more. KASAN
	 * keeps what was freed for a while.
	 */
	kunit_info(test, "slab pages %ld\n", slab);
	if (!IS_ENABLED(CONFIG_KASAN_GENERIC))
		KUNIT_EXPECT_LT(test, slab,
				64 + (long)(rounds / (PAGE_SIZE / 32)));
	expect_whole(test);
}

/**
 * fuzz_init - Write a handover of a driver's
 * @test: The test
 * @type: The driver
 *
 * Return: 0; -ENOMEM.
 */
int fuzz_init(struct kunit *test, const struct fuzz_type *type)
{
	const char *unfit = type->unfit();
	struct fuzz *fuzz;

	if (!kho_is_enabled())
		unfit = "KHO is off";
	if (unfit)
		kunit_skip(test, "%s", unfit);
	fuzz = kunit_kzalloc(test, type->size, GFP_KERNEL);
	if (!fuzz)
		return -ENOMEM;
	test->priv = fuzz;
	fuzz->type = type;
	xa_init(&fuzz->pages);
	prandom_seed_state(&fuzz->rnd, seed);
	type->start(test);
	fuzz_write(test);
	kunit_activate_static_stub(test, iommu_preserved_size, stub_size);
	kunit_activate_static_stub(test, iommu_preserved_free, stub_free);
	kunit_activate_static_stub(test, iommu_page_restore, stub_restore);
	iommu_lu_quiet = true;
	return 0;
}

/**
 * fuzz_exit - Undo fuzz_init(), as far as that came
 * @test: The test
 */
void fuzz_exit(struct kunit *test)
{
	struct fuzz *fuzz = test->priv;

	iommu_lu_quiet = false;
	if (!fuzz)
		return;
	fuzz->type->stop(fuzz);
	if (fuzz->ser)
		fuzz_forget(fuzz);
}
