// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of a device table: what they have to be, and how they are written
 */
#include <linux/atomic.h>
#include <linux/bitfield.h>
#include <linux/kho/abi/iommu_amd.h>

#include "amd_iommu.h"
#include "liveupdate.h"

/**
 * DOC: Device table entries
 *
 * An entry without V lets everything pass: no entry of a segment with kept devices
 * ever is one. What is blocked has V and no TV.
 *
 * An entry is 32 bytes, which the hardware reads at once and processors write in
 * halves. V, TV, the table and the domain ID are in the lower one, interrupts are in
 * the upper one. So an entry is blocked, or made to lead elsewhere, by one write.
 *
 * What is blocked has no I either, which is in the lower half too. So a device that
 * has ATS cannot use what it has cached of its translations any more: requests that
 * it has translated itself are aborted. A device is told to forget what it has cached
 * when its domain is replaced, as in every kernel.
 */

/**
 * amd_lu_fill_blocked - What an entry is that lets nothing pass
 * @dte:   Set to that, without what is about interrupts
 * @seg:   The segment
 * @devid: The device
 */
void amd_lu_fill_blocked(struct dev_table_entry *dte,
			 const struct amd_iommu_pci_seg *seg, u16 devid)
{
	const struct dev_table_entry *firmware;

	dte->data128[0] = DTE_FLAG_V;
	dte->data128[1] = 0;
	firmware = amd_iommu_get_ivhd_dte_flags(seg->id, devid);
	if (firmware) {
		dte->data128[0] |= firmware->data128[0];
		dte->data128[1] |= firmware->data128[1];
	}
}

/**
 * amd_lu_has_ats - Does a device ask for translations?
 * @lu: The device
 *
 * Return: true when its entry has I.
 */
bool amd_lu_has_ats(const struct iommu_lu_device *lu)
{
	return iommu_lu_payload(lu->ser, const struct iommu_lu_amd_device_ser)
		->flags & IOMMU_LU_AMD_ATS;
}

/**
 * amd_lu_fill_entry - What the entry of an attachment has to be
 * @dte: Set to that, without what is about interrupts
 * @seg: The segment
 * @att: The attachment
 */
void amd_lu_fill_entry(struct dev_table_entry *dte,
		       const struct amd_iommu_pci_seg *seg,
		       const struct iommu_lu_attachment *att)
{
	const struct iommu_lu_domain_ser *ser = att->domain->ser;
	const struct iommu_lu_amd_domain_ser *amd =
		iommu_lu_payload(ser, const struct iommu_lu_amd_domain_ser);

	amd_lu_fill_blocked(dte, seg, att->device->ser->source_id);
	dte->data[0] |= DTE_FLAG_TV | DTE_FLAG_IR | DTE_FLAG_IW | ser->top |
			FIELD_PREP(DTE_MODE_MASK, amd->pt.top_level + 1);
	dte->data[1] |= FIELD_PREP(DTE_DOMID_MASK, att->ser->hw_id) |
			(amd_lu_has_ats(att->device) ? DTE_FLAG_IOTLB : 0);
}

static void write_half(u128 *half, u128 val)
{
	u128 old = *half;

	while (!try_cmpxchg128(half, &old, val))
		;
}

/**
 * amd_lu_write_lower - Change where an entry leads
 * @dte: The entry
 * @val: Its lower half from now on
 */
void amd_lu_write_lower(struct dev_table_entry *dte, u128 val)
{
	write_half(&dte->data128[0], val);
}

/**
 * amd_lu_write_upper - Change what an entry says about interrupts
 * @dte: The entry
 * @val: Its upper half from now on
 */
void amd_lu_write_upper(struct dev_table_entry *dte, u128 val)
{
	write_half(&dte->data128[1], val);
}

/**
 * amd_lu_block_entry - Let an entry pass no DMA any more
 * @seg:   The segment
 * @devid: The device
 *
 * Interrupts stay as they are. Caches are to be flushed by the caller.
 */
void amd_lu_block_entry(struct amd_iommu_pci_seg *seg, u16 devid)
{
	struct dev_table_entry *dte = &seg->dev_table[devid], blocked;

	amd_lu_fill_blocked(&blocked, seg, devid);
	amd_lu_write_lower(dte, blocked.data128[0]);
	/* The levels of a guest table are there */
	if (dte->data[2] & ~DTE_DATA2_INTR_MASK) {
		blocked.data128[1] = dte->data128[1];
		blocked.data[2] &= DTE_DATA2_INTR_MASK;
		amd_lu_write_upper(dte, blocked.data128[1]);
	}
}

static bool in_map(const struct list_head *map,
		   const struct amd_iommu_pci_seg *seg, u16 devid)
{
	const struct devid_map *entry;

	list_for_each_entry(entry, map, list)
		if (PCI_SBDF_TO_DEVID(entry->devid) == devid &&
		    PCI_SBDF_TO_SEGID(entry->devid) == seg->id)
			return true;
	return false;
}

/**
 * amd_lu_irq_chip - Is an entry that of an IOAPIC or a HPET?
 * @seg:   The segment
 * @devid: The entry
 *
 * Return: true when interrupts of the machine itself go through it.
 */
bool amd_lu_irq_chip(const struct amd_iommu_pci_seg *seg, u16 devid)
{
	return in_map(&ioapic_map, seg, devid) || in_map(&hpet_map, seg, devid);
}

/**
 * amd_lu_shared_rid - Does something else have the entry of a device too?
 * @seg:   The segment
 * @devid: The device
 *
 * Return: what it is, or NULL.
 */
const char *amd_lu_shared_rid(const struct amd_iommu_pci_seg *seg, u16 devid)
{
	if (amd_lu_irq_chip(seg, devid))
		return "an IOAPIC or a HPET has its requester ID";
	if (devid <= seg->last_bdf && seg->alias_table[devid] != devid)
		return "the firmware says that it has another requester ID";
	return NULL;
}
