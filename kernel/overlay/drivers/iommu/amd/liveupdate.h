/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __AMD_IOMMU_LIVEUPDATE_H
#define __AMD_IOMMU_LIVEUPDATE_H

#include <linux/iommu-liveupdate.h>
#include <linux/string.h>
#include <linux/types.h>

#include "amd_iommu.h"

/* iommu.c */
extern const struct pt_iommu_driver_ops amd_hw_driver_ops_v1;
extern const struct iommu_domain_ops amdv1_ops;
void iommu_flush_dte_sync(struct amd_iommu *iommu, u16 devid);
void amd_iommu_flush_tlb_domid(struct amd_iommu *iommu, u32 dom_id);
int pdev_enable_cap_ats(struct pci_dev *pdev);
void pdev_disable_cap_ats(struct pci_dev *pdev);
int pdom_attach_iommu(struct amd_iommu *iommu, struct protection_domain *pdom);
void pdom_detach_iommu(struct amd_iommu *iommu, struct protection_domain *pdom);

#ifdef CONFIG_IOMMU_LIVEUPDATE

/* In amd_iommu::flags: translation was never off since the previous kernel */
#define AMD_IOMMU_FLAG_LU_LIVE	BIT(31)

/* The largest device table is for all 2^16 requester IDs */
#define AMD_LU_TABLE_ORDER	9

static inline struct amd_iommu *to_amd_iommu(struct iommu_device *iommu)
{
	return container_of(iommu, struct amd_iommu, iommu);
}

/* Not more than the table has room for */
static inline unsigned int amd_lu_entries(const struct amd_iommu_pci_seg *seg)
{
	return seg->dev_table_size / sizeof(struct dev_table_entry);
}

/* Does an entry lead to a page table? */
static inline bool amd_lu_leads(const struct dev_table_entry *dte)
{
	return READ_ONCE(dte->data[0]) & (DTE_MODE_MASK | DTE_FLAG_GV);
}

extern const struct iommu_liveupdate_ops amd_liveupdate_ops;

/* liveupdate-entry.c */
void amd_lu_fill_blocked(struct dev_table_entry *dte,
			 const struct amd_iommu_pci_seg *seg, u16 devid);
void amd_lu_fill_entry(struct dev_table_entry *dte,
		       const struct amd_iommu_pci_seg *seg,
		       const struct iommu_lu_attachment *att);
void amd_lu_write_lower(struct dev_table_entry *dte, u128 val);
void amd_lu_write_upper(struct dev_table_entry *dte, u128 val);
void amd_lu_block_entry(struct amd_iommu_pci_seg *seg, u16 devid);
bool amd_lu_has_ats(const struct iommu_lu_device *lu);
bool amd_lu_irq_chip(const struct amd_iommu_pci_seg *seg, u16 devid);
const char *amd_lu_shared_rid(const struct amd_iommu_pci_seg *seg, u16 devid);

/* liveupdate-table.c */
u64 amd_lu_efr(struct amd_iommu *iommu);
u64 amd_lu_efr2(struct amd_iommu *iommu);
void amd_lu_quiet(struct amd_iommu *iommu);
int amd_lu_preserve_unit(struct iommu_lu_unit *unit);
void amd_lu_unpreserve_unit(struct iommu_lu_unit *unit);
int amd_lu_preserve_device(struct iommu_lu_unit *unit,
			   struct iommu_lu_device *lu, struct device *dev);
void amd_lu_unpreserve_device(struct iommu_lu_unit *unit,
			      struct iommu_lu_device *lu);
int amd_lu_preserve_attachment(struct iommu_lu_unit *unit,
			       struct iommu_lu_attachment *att,
			       struct device *dev, struct iommu_domain *domain);
void amd_lu_unpreserve_attachment(struct iommu_lu_unit *unit,
				  struct iommu_lu_attachment *att);
void amd_lu_jump(struct iommu_lu_unit *unit);
#if IS_ENABLED(CONFIG_KUNIT)
bool amd_lu_memory_encrypted(void);
#endif

/* liveupdate-adopt.c */
bool amd_lu_stays_on(struct amd_iommu *iommu);
void amd_lu_take_tables(void);
void amd_lu_adopt(void);
bool amd_lu_gives_up(void);
bool amd_lu_live(const struct amd_iommu_pci_seg *seg);
bool amd_lu_ignore_entry(struct amd_iommu *iommu, u16 devid);
const char *amd_lu_unit_error(const struct iommu_lu_unit *unit);
#if IS_ENABLED(CONFIG_KUNIT)
extern struct xarray amd_lu_units;
const char *amd_lu_take_unit(struct amd_iommu *iommu,
			     struct iommu_lu_unit *unit);
void amd_lu_flush_entry(struct amd_iommu_pci_seg *seg, u16 devid, u32 domid);
void amd_lu_adopt_tables(void);
#endif

/* hitless.c */
int amd_replace_hitless(struct protection_domain *domain, struct device *dev);

#define amd_lu_ops	(&amd_liveupdate_ops)

#else

static inline bool amd_lu_stays_on(struct amd_iommu *iommu)
{
	return false;
}

static inline void amd_lu_take_tables(void)
{
}

static inline void amd_lu_adopt(void)
{
}

static inline bool amd_lu_gives_up(void)
{
	return false;
}

static inline bool amd_lu_live(const struct amd_iommu_pci_seg *seg)
{
	return false;
}

static inline bool amd_lu_ignore_entry(struct amd_iommu *iommu, u16 devid)
{
	return false;
}

static inline int amd_replace_hitless(struct protection_domain *domain,
				      struct device *dev)
{
	return 1;
}

#define amd_lu_ops	NULL

#endif
#endif
