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
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mm.h>

#include "iommu-pages-liveupdate.h"
#include "liveupdate-records.h"

/* A bound for what is believed, not for what can be kept: 64 Mi devices */
#define MAX_BLOCKS	BIT(19)

static u32 slots_per_block(u32 slot_size)
{
	return (PAGE_SIZE - sizeof(struct iommu_lu_block_ser)) / slot_size;
}

/**
 * iommu_lu_records_init - Start an empty array
 * @records:   The array
 * @slot_size: Size of a slot in bytes
 * @head:      In preserved memory, will hold the address of the first block
 */
void iommu_lu_records_init(struct iommu_lu_records *records, u32 slot_size,
			   u64 *head)
{
	records->slot_size = slot_size;
	records->nr_blocks = 0;
	xa_init(&records->blocks);
	ida_init(&records->used);
	records->head = head;
	*head = 0;
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
	*records->head = 0;
	xa_for_each(&records->blocks, i, block)
		kho_unpreserve_free(block);
	xa_destroy(&records->blocks);
	ida_destroy(&records->used);
	records->nr_blocks = 0;
}

VISIBLE_IF_KUNIT int iommu_lu_records_grow(struct iommu_lu_records *records)
{
	struct iommu_lu_block_ser *block, *last;
	int ret;

	KUNIT_STATIC_STUB_REDIRECT(iommu_lu_records_grow, records);

	block = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(block))
		return PTR_ERR(block);
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
		*records->head = virt_to_phys(block);
	}
	records->nr_blocks++;
	return 0;
}

/**
 * iommu_lu_record_alloc - Take a slot into use
 * @records: The array
 * @index:   Set to the number of the slot
 *
 * The slot is zeroed but for its first word, which says that it is in use.
 *
 * Context: May sleep.
 * Return: the slot, or an error pointer: -ENOMEM, or -ENOSPC when the array
 * has reached the size another kernel would still believe.
 */
void *iommu_lu_record_alloc(struct iommu_lu_records *records, u32 *index)
{
	u32 per_block = slots_per_block(records->slot_size);
	u32 *slot;
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
	*slot = IOMMU_LU_IN_USE;
	*index = id;
	return slot;
}

/**
 * iommu_lu_record_free - Take a slot out of use
 * @records: The array
 * @index:   Number of the slot
 */
void iommu_lu_record_free(struct iommu_lu_records *records, u32 index)
{
	memset(iommu_lu_record(records, index), 0, records->slot_size);
	ida_free(&records->used, index);
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
 * @slot_size: Size of a slot that is expected, in bytes
 * @head:      Physical address of the first block, not trusted
 *
 * Only the blocks are checked, what is in the slots is for the caller.
 *
 * Context: May sleep.
 * Return: 0, -EINVAL for blocks that make no sense, -ENOMEM. On error the
 * array is empty.
 */
int iommu_lu_records_parse(struct iommu_lu_records *records, u32 slot_size,
			   u64 head)
{
	struct iommu_lu_block_ser *block;
	unsigned int mark_at = 1;
	u64 mark = 0;
	int ret;

	records->slot_size = slot_size;
	records->nr_blocks = 0;
	records->head = NULL;
	xa_init(&records->blocks);
	ida_init(&records->used);

	for (u64 phys = head; phys; phys = block->next) {
		ret = -EINVAL;
		if (!iommu_page_preserved(phys) || phys == mark ||
		    records->nr_blocks == MAX_BLOCKS) {
			pr_err("bad block address %#llx\n", phys);
			goto err;
		}

		/* As the gaps between marks grow, a loop comes back to one */
		if (records->nr_blocks == mark_at) {
			mark = phys;
			mark_at *= 2;
		}

		block = phys_to_virt(phys);
		if (block->slot_size != slot_size ||
		    block->nr_slots != slots_per_block(slot_size)) {
			pr_err("block %#llx has %u slots of %u bytes\n", phys,
			       block->nr_slots, block->slot_size);
			goto err;
		}

		ret = xa_insert(&records->blocks, records->nr_blocks, block,
				GFP_KERNEL);
		if (ret)
			goto err;
		records->nr_blocks++;
	}
	return 0;

err:
	xa_destroy(&records->blocks);
	records->nr_blocks = 0;
	return ret;
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
		kho_restore_free(block);
	xa_destroy(&records->blocks);
	records->nr_blocks = 0;
}
