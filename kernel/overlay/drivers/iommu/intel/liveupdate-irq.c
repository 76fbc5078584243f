// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d interrupt remapping across a live update
 */
#define pr_fmt(fmt) "DMAR-IR: liveupdate: " fmt

#include <linux/bitmap.h>
#include <linux/dmar.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>

#include <asm/pci-direct.h>

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

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iommu_liveupdate."

/* For hosts whose users may raise any interrupt anyway */
static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Keep devices although nothing remaps the interrupts they ask for; unsafe unless their users are trusted");

/* Which format the entries have; it cannot be changed while remapping is on */
#define IRTA_EIME	BIT_ULL(11)

/**
 * intel_lu_preserve_irq - Keep the memory of a unit's interrupt remapping table
 * @iommu: The unit
 *
 * Context: May sleep.
 * Return: 0; -EOPNOTSUPP when there is none, unless the administrator allows that;
 * or the error of iommu_page_preserve().
 */
int intel_lu_preserve_irq(struct intel_iommu *iommu)
{
	if (!iommu->ir_table && !allow_unsafe_interrupts) {
		pr_err("%s: without interrupt remapping a device could raise any interrupt of the next kernel\n",
		       iommu->name);
		return -EOPNOTSUPP;
	}
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
	pr_warn("%s: the format of the interrupt table changes\n", iommu->name);
	return false;
}

/* Interrupt requests were not remapped with devices at work */
static bool irq_was_off;

static void stop_function(u8 bus, u8 slot, u8 func)
{
	u16 cmd = read_pci_config_16(bus, slot, func, PCI_COMMAND);
	u8 type = read_pci_config_byte(bus, slot, func, PCI_HEADER_TYPE);

	if (cmd & PCI_COMMAND_MASTER &&
	    (type & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_NORMAL)
		write_pci_config_16(bus, slot, func, PCI_COMMAND,
				    cmd & ~PCI_COMMAND_MASTER);
}

static void stop_slot(u8 bus, u8 slot)
{
	/* A virtual function has no vendor, and need not have a function 0 beside it */
	for (unsigned int func = 0; func < 8; func++)
		if (read_pci_config(bus, slot, func, PCI_CLASS_REVISION) != ~0U)
			stop_function(bus, slot, func);
}

/**
 * intel_lu_before_irq_off - Interrupt remapping is about to be turned off
 * @iommu: The unit
 *
 * At boot, because its set-up failed or because the new table has another format,
 * with devices at work that could then raise any interrupt by a DMA write. PCI
 * has not found them yet, so all functions that can be reached are stopped where
 * they are, and the unit does not go on, see intel_lu_irq_was_off().
 *
 * Context: Any; does something only at boot, before PCI is up.
 */
void intel_lu_before_irq_off(struct intel_iommu *iommu)
{
	u32 sts = readl(iommu->reg + DMAR_GSTS_REG);

	if (system_state >= SYSTEM_SCHEDULING || !is_kho_boot() ||
	    !(sts & DMA_GSTS_TES) || !(sts & DMA_GSTS_IRES) || irq_was_off)
		return;
	irq_was_off = true;
	pr_err("%s: remapping has to be turned off, so all devices are stopped\n",
	       iommu->name);
	if (!early_pci_allowed())
		return;
	for (unsigned int bus = 0; bus < 256; bus++)
		for (unsigned int slot = 0; slot < 32; slot++)
			stop_slot(bus, slot);
}

/**
 * intel_lu_irq_was_off - Were interrupt requests not remapped for some time?
 *
 * Context: Boot.
 * Return: true when devices that came over were stopped for that.
 */
bool intel_lu_irq_was_off(void)
{
	return irq_was_off;
}

/**
 * intel_lu_settle_irqs - Let virtual functions that came over have interrupts
 *
 * They are there before this driver looks at any device. It expects them to come
 * later, and gives them the domain of their physical function then.
 *
 * Context: init_dmars(), with the domains of all physical functions set.
 */
void __init intel_lu_settle_irqs(void)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
		if (pdev->is_virtfn)
			dev_set_msi_domain(&pdev->dev,
					   dev_get_msi_domain(&pci_physfn(pdev)->dev));
}
