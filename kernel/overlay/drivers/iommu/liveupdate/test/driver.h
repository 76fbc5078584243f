/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An IOMMU as different from VT-d as one can be
 */
#ifndef __IOMMU_LIVEUPDATE_TEST_DRIVER_H
#define __IOMMU_LIVEUPDATE_TEST_DRIVER_H

#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/pci.h>

#define TD_UNITS	2
#define TD_DOMAINS	3
#define TD_DEVICES	3
#define TD_LEAVES	4
#define TD_ROOT_ORDER	3
#define TD_TOP_ORDER	1
#define TD_BASE		0xfee1000000ULL
#define TD_SEGMENT	0x17
/* More than 16 bits */
#define TD_SOURCE(n)	(0x00410000U + (n))
#define TD_PASID	0x4242U

/* An entry of the root table: what the hardware would read */
struct td_entry {
	u32 source_id;
	u32 pasid;
	u32 hw_id;
	u32 present;
	u64 top;
};

#define TD_ENTRIES	((PAGE_SIZE << TD_ROOT_ORDER) / sizeof(struct td_entry))

/* A table that io-pgtable would make: a top of two pages, leaves below it */
struct td_domain {
	struct iommu_domain domain;
	u64 *top;
	struct iommu_device *unit;
	unsigned int attached;
	bool released;
};

struct td_unit {
	struct iommu_device iommu;
	unsigned int index;
	struct td_entry *root;
};

/* A PCI device without a bus that anybody knows */
struct td_device {
	struct pci_dev pdev;
	struct pci_bus bus;
	struct dev_iommu iommu;
	u32 source_id;
};

#define to_td_domain(d)	container_of(d, struct td_domain, domain)
#define to_td_unit(i)	container_of(i, struct td_unit, iommu)
#define to_td_device(d)	container_of(to_pci_dev(d), struct td_device, pdev)

extern const struct iommu_ops td_iommu_ops;
extern const struct iommu_liveupdate_ops td_lu_ops;
extern bool td_fail_restore_pasid;

struct td_entry *td_find_entry(struct td_unit *unit, u32 source_id, u32 pasid);
int td_add_entry(struct td_unit *unit, struct td_device *dev, u32 pasid,
		 u32 hw_id, struct td_domain *domain);
int td_domain_init(struct td_domain *domain);
void td_domain_free_tables(struct td_domain *domain);
int td_adopt(struct td_unit *unit, struct iommu_lu_unit *lu);

#endif /* __IOMMU_LIVEUPDATE_TEST_DRIVER_H */
