// SPDX-License-Identifier: GPL-2.0-only
/*
 * Units of AMD-Vi without hardware, for tests
 *
 * Registers are memory, so nothing happens when one is written. A unit takes all
 * commands: they stay in its command buffer, and each wait for them is over at once.
 */
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#include "../iommu-pages.h"
#include "amd_iommu.h"
#include "liveupdate.h"
#include "liveupdate-fake.h"

#define MMIO_BYTES	(4 * PAGE_SIZE)

static void *new_memory(struct kunit *test, size_t size)
{
	void *virt = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, virt);
	return virt;
}

static void start_segment(struct kunit *test, struct amd_fake *fake,
			  unsigned int i)
{
	struct amd_iommu_pci_seg *seg = &fake->seg[i];

	seg->id = FAKE_SEGMENT + i;
	seg->last_bdf = FAKE_ENTRIES - 1;
	seg->dev_table_size = FAKE_TABLE_SIZE;
	init_llist_head(&seg->dev_data_list);
	INIT_LIST_HEAD(&seg->unity_map);
	seg->rlookup_table = new_memory(test, FAKE_ENTRIES * sizeof(void *));
	seg->alias_table = new_memory(test, FAKE_ENTRIES * sizeof(u16));
	for (unsigned int rid = 0; rid < FAKE_ENTRIES; rid++)
		seg->alias_table[rid] = rid;
	seg->dev_table = iommu_alloc_pages_sz(GFP_KERNEL, FAKE_TABLE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, seg->dev_table);
	for (unsigned int rid = 0; rid < FAKE_ENTRIES; rid++)
		seg->dev_table[rid].data[0] = DTE_FLAG_V;
	list_add_tail(&seg->list, &amd_iommu_pci_seg_list);
}

static void start_unit(struct kunit *test, struct amd_fake *fake,
		       unsigned int i)
{
	struct amd_iommu *iommu = &fake->iommu[i];

	raw_spin_lock_init(&iommu->lock);
	iommu->index = i;
	iommu->mmio_phys = FAKE_BASE + i * MMIO_BYTES;
	iommu->mmio_base = (u8 __iomem *)new_memory(test, MMIO_BYTES);
	iommu->pci_seg = &fake->seg[i / 2];
	iommu->iommu.ops = &amd_iommu_ops;
	iommu->cmd_buf = new_memory(test, CMD_BUFFER_SIZE);
	fake->sem[i] = S64_MAX;
	iommu->cmd_sem = &fake->sem[i];
	writeq(FAKE_CONTROL, iommu->mmio_base + MMIO_CONTROL_OFFSET);
	writeq(FEATURE_IA, iommu->mmio_base + MMIO_EXT_FEATURES);
	amd_fake_set_base(iommu, iommu->pci_seg->dev_table);
	list_add_tail(&iommu->list, &amd_iommu_list);
}

/**
 * amd_fake_start - Let the driver have units
 * @test: The test; it is skipped where the driver has some
 * @fake: Zeroed
 */
void amd_fake_start(struct kunit *test, struct amd_fake *fake)
{
	if (!list_empty(&amd_iommu_list) ||
	    !list_empty(&amd_iommu_pci_seg_list))
		kunit_skip(test, "the machine has AMD-Vi");
	fake->efr = amd_iommu_efr;
	fake->vasize = amd_iommu_hpt_vasize;
	fake->remap = amd_iommu_irq_remap;
	fake->there = true;
	amd_iommu_efr = FEATURE_IA;
	amd_iommu_hpt_vasize = 64;
	amd_iommu_irq_remap = true;
	fake->ioapic.devid = PCI_SEG_DEVID_TO_SBDF(FAKE_SEGMENT, FAKE_IOAPIC);
	list_add(&fake->ioapic.list, &ioapic_map);
	for (unsigned int i = 0; i < FAKE_SEGMENTS; i++)
		start_segment(test, fake, i);
	for (unsigned int i = 0; i < FAKE_UNITS; i++)
		start_unit(test, fake, i);
}

/**
 * amd_fake_stop - Undo amd_fake_start(), as far as that came
 * @fake: The machine
 */
void amd_fake_stop(struct amd_fake *fake)
{
	if (!fake->there)
		return;
	INIT_LIST_HEAD(&amd_iommu_list);
	INIT_LIST_HEAD(&amd_iommu_pci_seg_list);
	for (unsigned int i = 0; i < FAKE_SEGMENTS; i++)
		iommu_free_pages(fake->seg[i].dev_table);
	list_del(&fake->ioapic.list);
	amd_iommu_pdom_id_destroy();
	amd_iommu_efr = fake->efr;
	amd_iommu_hpt_vasize = fake->vasize;
	amd_iommu_irq_remap = fake->remap;
}

static int config_read(struct pci_bus *bus, unsigned int devfn, int where,
		       int size, u32 *val)
{
	struct amd_fake_device *dev =
		container_of(bus, struct amd_fake_device, bus);

	*val = where == FAKE_ATS + PCI_ATS_CTRL ? dev->ats_ctrl : 0;
	return PCIBIOS_SUCCESSFUL;
}

static int config_write(struct pci_bus *bus, unsigned int devfn, int where,
			int size, u32 val)
{
	struct amd_fake_device *dev =
		container_of(bus, struct amd_fake_device, bus);

	if (where == FAKE_ATS + PCI_ATS_CTRL)
		dev->ats_ctrl = val;
	dev->writes++;
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = {
	.read	= config_read,
	.write	= config_write,
};

/**
 * amd_fake_device - Make a device behind a unit
 * @dev:   Zeroed
 * @iommu: Its unit, to which the firmware says that it belongs
 * @rid:   Its requester ID
 */
void amd_fake_device(struct amd_fake_device *dev, struct amd_iommu *iommu,
		     u16 rid)
{
	struct iommu_dev_data *data = &dev->data;

	dev->sysdata.domain = iommu->pci_seg->id;
	dev->bus.sysdata = &dev->sysdata;
	dev->bus.number = PCI_BUS_NUM(rid);
	dev->bus.ops = &config_ops;
	dev->pdev.bus = &dev->bus;
	dev->pdev.devfn = rid & 0xff;
	dev->pdev.dev.bus = &pci_bus_type;
	dev->pdev.dev.init_name = "fake";
	dev->pdev.dev.iommu = &dev->param;
	dev->param.iommu_dev = &iommu->iommu;
	dev->param.priv = data;
	mutex_init(&data->mutex);
	spin_lock_init(&data->dte_lock);
	data->dev = &dev->pdev.dev;
	data->devid = rid;
	iommu->pci_seg->rlookup_table[rid] = iommu;
}

/**
 * amd_fake_ats - Let a device have ATS, and the driver use it
 * @dev: The device, attached to nothing
 */
void amd_fake_ats(struct amd_fake_device *dev)
{
	dev->pdev.ats_cap = FAKE_ATS;
	dev->data.flags = AMD_IOMMU_DEVICE_FLAG_ATS_SUP;
}

/**
 * amd_fake_drain - A unit has done all its commands
 * @iommu: The unit
 */
void amd_fake_drain(struct amd_iommu *iommu)
{
	memset(iommu->cmd_buf, 0, CMD_BUFFER_SIZE);
	iommu->cmd_buf_head = 0;
	iommu->cmd_buf_tail = 0;
}

static u32 command_id(const struct iommu_cmd *cmd, u8 type)
{
	switch (type) {
	case CMD_INV_DEV_ENTRY:
	case CMD_INV_IRT:
	case CMD_INV_IOTLB_PAGES:
		return cmd->data[0] & 0xffff;
	case CMD_INV_IOMMU_PAGES:
		return cmd->data[1] & 0xffff;
	default:
		return 0;
	}
}

/**
 * amd_fake_command - Was a unit told something since it was drained?
 * @iommu: The unit
 * @from:  Which command to look at first
 * @type:  CMD_*
 * @id:    Of which device or domain; 0 where there is none
 *
 * Return: its place, or -ENOENT.
 */
int amd_fake_command(const struct amd_iommu *iommu, unsigned int from, u8 type,
		     u32 id)
{
	const struct iommu_cmd *cmd = (const struct iommu_cmd *)iommu->cmd_buf;

	for (unsigned int i = from; i < iommu->cmd_buf_tail / sizeof(*cmd); i++)
		if (cmd[i].data[1] >> 28 == type &&
		    command_id(&cmd[i], type) == id)
			return i;
	return -ENOENT;
}

/**
 * amd_fake_set_base - Let a unit walk a table
 * @iommu: The unit
 * @table: A device table of the usual size
 */
void amd_fake_set_base(struct amd_iommu *iommu, void *table)
{
	writeq(iommu_virt_to_phys(table) | ((FAKE_TABLE_SIZE >> PAGE_SHIFT) - 1),
	       iommu->mmio_base + MMIO_DEV_TABLE_OFFSET);
}
