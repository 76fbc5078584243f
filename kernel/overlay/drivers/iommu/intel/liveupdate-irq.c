// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d interrupt remapping across a live update
 */
#define pr_fmt(fmt) "DMAR-IR: liveupdate: " fmt

#include <linux/bitmap.h>
#include <linux/dmar.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>

#include "../liveupdate/pages.h"
#include "iommu.h"
#include "liveupdate.h"

/**
 * DOC: VT-d interrupts and live update
 *
 * A kept device has its interrupts turned off in the gap. That stops what keeps
 * to the rules; but a DMA write to the interrupt range is an interrupt request
 * as well, and where such a write goes is up to whoever programs the device. So
 * remapping stays on, with a table that is empty and whose memory nobody reuses:
 * each request is blocked, none leads to a vector or to a posted descriptor.
 *
 * The new kernel goes over to its own table without turning remapping off. The
 * old table is in no record: it stays reserved until the next kexec, which is
 * 1 MiB for each unit with kept devices, and does not add up.
 */

/* Which format the entries have; it cannot be changed while remapping is on */
#define IRTA_EIME	BIT_ULL(11)

/**
 * intel_lu_preserve_irq - Keep the memory of a unit's interrupt remapping table
 * @iommu: The unit
 *
 * Context: May sleep.
 * Return: 0 or the error of iommu_page_preserve().
 */
int intel_lu_preserve_irq(struct intel_iommu *iommu)
{
	if (!iommu->ir_table)
		return 0;
	return iommu_page_preserve(iommu->ir_table->base);
}

/**
 * intel_lu_unpreserve_irq - Undo intel_lu_preserve_irq()
 * @iommu: The unit
 *
 * Context: May sleep.
 */
void intel_lu_unpreserve_irq(struct intel_iommu *iommu)
{
	if (iommu->ir_table)
		iommu_page_unpreserve(iommu->ir_table->base);
}

/**
 * intel_lu_block_irqs - Block every interrupt request that a unit remaps
 * @iommu: The unit
 * @flush: The invalidation queue can be used
 *
 * Context: One processor, interrupts off, the kernel is about to jump.
 */
void intel_lu_block_irqs(struct intel_iommu *iommu, bool flush)
{
	struct irte *irte;
	unsigned int i;

	if (!iommu->ir_table)
		return;

	for_each_set_bit(i, iommu->ir_table->bitmap, INTR_REMAP_TABLE_ENTRIES) {
		irte = &iommu->ir_table->base[i];
		/* The present bit first: without it the rest is not read */
		WRITE_ONCE(irte->low, 0);
		WRITE_ONCE(irte->high, 0);
		__iommu_flush_cache(iommu, irte, sizeof(*irte));
	}
	if (flush)
		qi_global_iec(iommu);
}

/**
 * intel_lu_keeps_irq - Is remapping to stay on while the table is exchanged?
 * @iommu:  The unit, with remapping on since the previous kernel
 * @x2apic: The format of the new table
 *
 * Context: Boot, before the first interrupt.
 * Return: true when a device may be at work behind @iommu.
 */
bool intel_lu_keeps_irq(struct intel_iommu *iommu, bool x2apic)
{
	u64 irta;

	if (!is_kho_boot() ||
	    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES))
		return false;

	irta = readq(iommu->reg + DMAR_IRTA_REG);
	if (!!(irta & IRTA_EIME) == x2apic)
		return true;
	pr_warn("%s: the format of the interrupt table changes, remapping is off for a moment\n",
		iommu->name);
	return false;
}
