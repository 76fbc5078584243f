// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arrays of records that cross a live update
 *
 * The old kernel grows an array a page at a time and reuses freed slots, the
 * lowest first. Records are in their final form from the start: the array can
 * be handed over at any moment. The new kernel reads the same pages in place
 * and gives them back when the handover is over.
 *
 * Nothing here locks; the callers do.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/crc32.h>
#include <linux/error-injection.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "pages.h"
#include "records.h"

/* A bound for what is believed, not for what can be kept: 64 Mi devices */
#define MAX_BLOCKS	BIT(19)

static u32 slots_per_block(u32 slot_size)
{
	return (PAGE_SIZE - sizeof(struct iommu_lu_block_ser)) / slot_size;
}

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE_KUNIT_TEST)
bool iommu_lu_quiet;
#endif

/**
 * iommu_lu_records_init - Start an empty array
 * @records:   The array
 * @magic:     What is in it, IOMMU_LU_MAGIC_*
 * @slot_size: Size of a slot in bytes
 * @array:     In preserved memory, zero, will lead to the first block
 */
void iommu_lu_records_init(struct iommu_lu_records *records, u32 magic,
			   u32 slot_size, struct iommu_lu_array_ser *array)
{
	records->magic = magic;
	records->slot_size = slot_size;
	records->nr_blocks = 0;
	xa_init(&records->blocks);
	ida_init(&records->used);
	records->array = array;
}

/**
 * iommu_lu_records_destroy - Undo iommu_lu_records_init()
 * @records: The array, with no slot in use
 *
 * Context: May sleep.
 */
void iommu_lu_records_destroy(struct iommu_lu_records *records)
{
	struct iommu_lu_block_ser *block;
	unsigned long i;

	WARN_ON(!ida_is_empty(&records->used));
	*records->array = (struct iommu_lu_array_ser){};
	xa_for_each(&records->blocks, i, block)
		kho_unpreserve_free(block);
	xa_destroy(&records->blocks);
	ida_destroy(&records->used);
	records->nr_blocks = 0;
}

VISIBLE_IF_KUNIT noinline int
iommu_lu_records_grow(struct iommu_lu_records *records)
{
	struct iommu_lu_block_ser *block, *last;
	int ret;

	KUNIT_STATIC_STUB_REDIRECT(iommu_lu_records_grow, records);

	block = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(block))
		return PTR_ERR(block);
	block->magic = records->magic;
	block->index = records->nr_blocks;
	block->slot_size = records->slot_size;
	block->nr_slots = slots_per_block(records->slot_size);

	ret = xa_insert(&records->blocks, records->nr_blocks, block,
			GFP_KERNEL);
	if (ret) {
		kho_unpreserve_free(block);
		return ret;
	}

	if (records->nr_blocks) {
		last = xa_load(&records->blocks, records->nr_blocks - 1);
		last->next = virt_to_phys(block);
	} else {
		records->array->first = virt_to_phys(block);
	}
	records->nr_blocks++;
	records->array->nr_blocks = records->nr_blocks;
	return 0;
}
ALLOW_ERROR_INJECTION(iommu_lu_records_grow, ERRNO);

/**
 * iommu_lu_record_alloc - Take a slot into use
 * @records: The array
 * @index:   Set to the number of the slot
 *
 * The slot is zeroed but for its first word, which says that it is in use. It is
 * worth nothing until iommu_lu_record_seal().
 *
 * Context: May sleep.
 * Return: the slot, or an error pointer: -ENOMEM, or -ENOSPC when the array
 * has reached the size another kernel would still believe.
 */
void *iommu_lu_record_alloc(struct iommu_lu_records *records, u32 *index)
{
	u32 per_block = slots_per_block(records->slot_size);
	struct iommu_lu_record_ser *slot;
	int id, ret;

	id = ida_alloc_max(&records->used, per_block * MAX_BLOCKS - 1,
			   GFP_KERNEL);
	if (id < 0)
		return ERR_PTR(id);

	/* The lowest free number is never more than one block beyond the end */
	if (id / per_block >= records->nr_blocks) {
		ret = iommu_lu_records_grow(records);
		if (ret) {
			ida_free(&records->used, id);
			return ERR_PTR(ret);
		}
	}

	slot = iommu_lu_record(records, id);
	memset(slot, 0, records->slot_size);
	slot->state = IOMMU_LU_IN_USE;
	*index = id;
	return slot;
}

/* A block at the end that nothing is in goes, so that undo is exact */
static void records_shrink(struct iommu_lu_records *records)
{
	u32 per_block = slots_per_block(records->slot_size);
	struct iommu_lu_block_ser *last;
	u32 first;

	while (records->nr_blocks) {
		first = (records->nr_blocks - 1) * per_block;
		if (ida_find_first_range(&records->used, first,
					 first + per_block - 1) >= 0)
			return;

		records->nr_blocks--;
		if (records->nr_blocks) {
			last = xa_load(&records->blocks,
				       records->nr_blocks - 1);
			last->next = 0;
		} else {
			records->array->first = 0;
		}
		records->array->nr_blocks = records->nr_blocks;
		kho_unpreserve_free(xa_erase(&records->blocks,
					     records->nr_blocks));
	}
}

/**
 * iommu_lu_record_free - Take a slot out of use
 * @records: The array
 * @index:   Number of the slot
 *
 * Context: May sleep.
 */
void iommu_lu_record_free(struct iommu_lu_records *records, u32 index)
{
	memset(iommu_lu_record(records, index), 0, records->slot_size);
	ida_free(&records->used, index);
	records_shrink(records);
}

/* Of all but the start, and of the place: a record does not move */
static u32 record_crc(const struct iommu_lu_records *records,
		      const struct iommu_lu_record_ser *slot, u32 index)
{
	return crc32c(index, &slot->type,
		      records->slot_size - offsetof(typeof(*slot), type));
}

/**
 * iommu_lu_record_seal - A record is filled in and does not change any more
 * @records: The array
 * @index:   Number of the slot
 */
void iommu_lu_record_seal(struct iommu_lu_records *records, u32 index)
{
	struct iommu_lu_record_ser *slot = iommu_lu_record(records, index);

	slot->crc = record_crc(records, slot, index);
}

/**
 * iommu_lu_record_error - Is a slot what the previous kernel has written?
 * @records: The array, from iommu_lu_records_parse()
 * @index:   Number of the slot, in the array
 *
 * Return: what is wrong with it, or NULL.
 */
const char *iommu_lu_record_error(struct iommu_lu_records *records, u32 index)
{
	struct iommu_lu_record_ser *slot = iommu_lu_record(records, index);

	if (!slot->state)
		return memchr_inv(slot, 0, records->slot_size) ?
			"is free but not empty" : NULL;
	if (slot->state != IOMMU_LU_IN_USE)
		return "has a state that is not known";
	if (slot->crc != record_crc(records, slot, index))
		return "has a wrong CRC";
	return NULL;
}

/**
 * iommu_lu_record - Find a slot
 * @records: The array
 * @index:   Number of the slot, may come from the other kernel
 *
 * Return: the slot, or NULL when the array has none of that number.
 */
void *iommu_lu_record(struct iommu_lu_records *records, u32 index)
{
	u32 per_block = slots_per_block(records->slot_size);
	struct iommu_lu_block_ser *block;

	block = xa_load(&records->blocks, index / per_block);
	if (!block)
		return NULL;
	return block->slots + (size_t)(index % per_block) * records->slot_size;
}

/**
 * iommu_lu_records_end - One more than the highest slot number
 * @records: The array
 *
 * Return: the number.
 */
u32 iommu_lu_records_end(struct iommu_lu_records *records)
{
	return records->nr_blocks * slots_per_block(records->slot_size);
}

static const char *block_error(const struct iommu_lu_records *records, u64 phys,
			       bool last)
{
	const struct iommu_lu_block_ser *block;

	if (iommu_preserved_size(phys) != PAGE_SIZE)
		return "is not a preserved page";
	block = phys_to_virt(phys);
	if (block->magic != records->magic)
		return "is something else";
	if (block->index != records->nr_blocks)
		return "is in the wrong place";
	if (block->slot_size != records->slot_size ||
	    block->nr_slots != slots_per_block(records->slot_size))
		return "has slots of another size";
	if (!block->next != last)
		return last ? "should be the last" : "should not be the last";
	return NULL;
}

/**
 * iommu_lu_records_used - How many slots are in use
 * @records: The array
 *
 * Return: the number, 0 also for an array that was never started.
 */
unsigned int iommu_lu_records_used(struct iommu_lu_records *records)
{
	unsigned int used = 0;
	u32 end;

	if (!records->nr_blocks)
		return 0;
	end = iommu_lu_records_end(records);
	for (u32 i = 0; i < end; i++)
		used += *(u32 *)iommu_lu_record(records, i) == IOMMU_LU_IN_USE;
	return used;
}

/**
 * iommu_lu_records_parse - Read an array of the previous kernel
 * @records:   The array
 * @magic:     What is in it, IOMMU_LU_MAGIC_*
 * @slot_size: Size of a slot that is expected, in bytes
 * @array:     Where the array is, not trusted
 * @pages:     By page frame, what is in use for something; the blocks are added
 *
 * Only the blocks are checked, what is in the slots is for the caller.
 *
 * Context: May sleep.
 * Return: 0, -EINVAL for blocks that make no sense, -ENOMEM. On error the
 * array is empty.
 */
int iommu_lu_records_parse(struct iommu_lu_records *records, u32 magic,
			   u32 slot_size,
			   const struct iommu_lu_array_ser *array,
			   struct xarray *pages)
{
	u32 nr = array->nr_blocks;
	u64 phys = array->first;
	const char *why = NULL;
	int ret = -EINVAL;

	iommu_lu_records_init(records, magic, slot_size, NULL);
	if (array->reserved || nr > MAX_BLOCKS || !phys != !nr)
		why = "makes no sense as the first of so many";
	for (; !why && records->nr_blocks < nr; records->nr_blocks++) {
		struct iommu_lu_block_ser *block;

		why = block_error(records, phys, records->nr_blocks + 1 == nr);
		if (why)
			break;
		block = phys_to_virt(phys);
		/* Also finds a loop, and what is a block of another array */
		ret = xa_insert(pages, PHYS_PFN(phys), xa_mk_value(0),
				GFP_KERNEL);
		if (ret == -EBUSY)
			why = "is there twice";
		if (!ret)
			ret = xa_insert(&records->blocks, records->nr_blocks,
					block, GFP_KERNEL);
		if (ret)
			break;
		phys = block->next;
		ret = -EINVAL;
	}
	if (!why && records->nr_blocks == nr)
		return 0;

	if (why)
		iommu_lu_err("block %u of %u of array %#x at %#llx %s\n",
			     records->nr_blocks, nr, magic, phys, why);
	xa_destroy(&records->blocks);
	records->nr_blocks = 0;
	return why ? -EINVAL : ret;
}

/**
 * iommu_lu_records_release - Free an array of the previous kernel
 * @records: The array, from iommu_lu_records_parse()
 */
void iommu_lu_records_release(struct iommu_lu_records *records)
{
	struct iommu_lu_block_ser *block;
	unsigned long i;

	xa_for_each(&records->blocks, i, block)
		iommu_preserved_free(block);
	xa_destroy(&records->blocks);
	records->nr_blocks = 0;
}
