/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Units of AMD-Vi without hardware, for tests
 */
#ifndef __AMD_LIVEUPDATE_FAKE_H
#define __AMD_LIVEUPDATE_FAKE_H

#include <kunit/test.h>
#include <linux/pci.h>

#include "../iommu-priv.h"
#include "amd_iommu.h"

/* Segments and registers that no machine of a test has */
#define FAKE_SEGMENT	0x4242
#define FAKE_BASE	0xfee2000000ULL
#define FAKE_SEGMENTS	2
/* Two in the first segment, which share its table, and one in the second */
#define FAKE_UNITS	3
#define FAKE_ENTRIES	512
#define FAKE_TABLE_SIZE	(FAKE_ENTRIES * sizeof(struct dev_table_entry))
/* Of the IOAPIC of the first segment */
#define FAKE_IOAPIC	0xa0
/* All that a unit has in its control register when it is in use */
#define FAKE_CONTROL	(BIT_ULL(CONTROL_IOMMU_EN) |	\
			 BIT_ULL(CONTROL_CMDBUF_EN) |	\
			 BIT_ULL(CONTROL_EVT_LOG_EN) |	\
			 BIT_ULL(CONTROL_EVT_INT_EN) |	\
			 BIT_ULL(CONTROL_COMWAIT_EN) |	\
			 BIT_ULL(CONTROL_PPRLOG_EN) |	\
			 BIT_ULL(CONTROL_PPRINT_EN) |	\
			 BIT_ULL(CONTROL_GALOG_EN) |	\
			 BIT_ULL(CONTROL_GAINT_EN) |	\
			 BIT_ULL(CONTROL_COHERENT_EN))

/* Where a device that has ATS has that in its configuration space */
#define FAKE_ATS	0x100

/*
 * A PCI device without a bus that anybody knows. Of its configuration space it has what
 * turns ATS on, and counts what is written.
 */
struct amd_fake_device {
	u16 ats_ctrl;
	unsigned int writes;
	struct pci_dev pdev;
	struct pci_bus bus;
	struct pci_sysdata sysdata;
	struct dev_iommu param;
	struct iommu_dev_data data;
};

/**
 * struct amd_fake - What the driver would have found
 * @seg:    Segments, in the driver's list
 * @iommu:  Units, in the driver's list
 * @sem:    What each unit says to all waits: it is done
 * @ioapic: The only device of the firmware's that has interrupts alone
 * @efr:    The driver's own, to be put back
 * @vasize: The same
 * @remap:  The same
 * @there:  All is set up
 */
struct amd_fake {
	struct amd_iommu_pci_seg seg[FAKE_SEGMENTS];
	struct amd_iommu iommu[FAKE_UNITS];
	u64 sem[FAKE_UNITS];
	struct devid_map ioapic;
	u64 efr;
	u8 vasize;
	bool remap;
	bool there;
};

void amd_fake_start(struct kunit *test, struct amd_fake *fake);
void amd_fake_stop(struct amd_fake *fake);
void amd_fake_device(struct amd_fake_device *dev, struct amd_iommu *iommu,
		     u16 rid);
void amd_fake_ats(struct amd_fake_device *dev);
void amd_fake_drain(struct amd_iommu *iommu);
int amd_fake_command(const struct amd_iommu *iommu, unsigned int from, u8 type,
		     u32 id);
void amd_fake_set_base(struct amd_iommu *iommu, void *table);

static inline u64 amd_fake_read(const struct amd_iommu *iommu, u32 reg)
{
	return readq(iommu->mmio_base + reg);
}

#endif /* __AMD_LIVEUPDATE_FAKE_H */
