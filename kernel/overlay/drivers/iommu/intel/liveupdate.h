/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __INTEL_IOMMU_LIVEUPDATE_H
#define __INTEL_IOMMU_LIVEUPDATE_H

#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/pci.h>
#include <linux/types.h>

#include "iommu.h"
#include "pasid.h"

struct iommu_lu_domain_ser;

/* iommu.c */
struct dmar_domain *paging_domain_alloc(void);
void iommu_enable_pci_ats(struct device_domain_info *info);
void iommu_disable_pci_ats(struct device_domain_info *info);

#ifdef CONFIG_IOMMU_LIVEUPDATE

/* In intel_iommu::flags: translation was never off since the previous kernel */
#define VTD_FLAG_LU_LIVE	BIT(31)

/*
 * A root table has two words for each bus. In legacy mode the first leads to the
 * context table of all its functions. In scalable mode each leads to that of half
 * of them, in which an entry takes the place of two.
 */
#define INTEL_LU_TABLES		512
#define INTEL_LU_ENTRIES	256

/* log2 of the pages of the largest PASID directory, which is for 2^20 PASIDs */
#define INTEL_LU_DIR_ORDER	5

static inline struct intel_iommu *to_intel_iommu(struct iommu_device *iommu)
{
	return container_of(iommu, struct intel_iommu, iommu);
}

static inline unsigned int intel_lu_table(struct intel_iommu *iommu, u8 bus,
					  u8 devfn)
{
	return bus << 1 | (sm_supported(iommu) && devfn >= 0x80);
}

static inline u64 *intel_lu_root(struct root_entry *root, unsigned int table)
{
	return table & 1 ? &root[table >> 1].hi : &root[table >> 1].lo;
}

/* Whose entry is at a place of a context table? */
static inline u16 intel_lu_rid(struct intel_iommu *iommu, unsigned int table,
			       unsigned int at)
{
	u8 devfn = sm_supported(iommu) ? (table & 1) << 7 | at >> 1 : at;

	return PCI_DEVID(table >> 1, devfn);
}

static inline u32 intel_lu_pasid_index(u32 pasid)
{
	return pasid == IOMMU_LU_NO_PASID ? IOMMU_NO_PASID : pasid;
}

extern const struct iommu_liveupdate_ops intel_liveupdate_ops;

/* liveupdate.c */
bool intel_lu_first_stage(const struct iommu_lu_domain_ser *ser);
bool intel_lu_flush_device(struct intel_iommu *iommu, u16 rid);
struct context_entry *intel_lu_stop_context(struct intel_iommu *iommu, u16 rid);

/* liveupdate-tables.c */
int intel_lu_preserve_unit(struct iommu_lu_unit *unit);
void intel_lu_unpreserve_unit(struct iommu_lu_unit *unit);
int intel_lu_preserve_device(struct iommu_lu_unit *unit,
			     struct iommu_lu_device *lu, struct device *dev);
void intel_lu_unpreserve_device(struct iommu_lu_unit *unit,
				struct iommu_lu_device *lu);
int intel_lu_preserve_attachment(struct iommu_lu_unit *unit,
				 struct iommu_lu_attachment *att,
				 struct device *dev,
				 struct iommu_domain *domain);
void intel_lu_unpreserve_attachment(struct iommu_lu_unit *unit,
				    struct iommu_lu_attachment *att);
void intel_lu_jump(struct iommu_lu_unit *unit);
bool intel_lu_stays_on(struct intel_iommu *iommu);

/* liveupdate-adopt.c */
void intel_lu_before_disable(struct intel_iommu *iommu);
void intel_lu_restore_unit(struct intel_iommu *iommu, bool skip_disable);
bool intel_lu_keeps_tables(struct intel_iommu *iommu);
const char *intel_lu_unit_error(const struct iommu_lu_unit *unit);
const char *intel_lu_adopt_attachment(struct intel_iommu *iommu,
				      struct iommu_lu_unit *unit,
				      struct iommu_lu_attachment *att);
void intel_lu_settled(void);

/* liveupdate-pasid.c */
const char *intel_lu_adopt_pasids(struct intel_iommu *iommu,
				  struct iommu_lu_unit *unit,
				  struct iommu_lu_device *lu);
bool intel_lu_settle_pasids(struct iommu_lu_unit *unit,
			    struct iommu_lu_device *lu);
int intel_lu_adopted(struct intel_iommu *iommu, u16 rid);
int intel_lu_alloc_pasid_table(struct device *dev);
void intel_lu_before_release(struct device_domain_info *info);
struct pasid_entry *intel_lu_pasid_entry(struct intel_iommu *iommu, u16 rid,
					 u32 pasid);
void intel_lu_block_pasid(struct intel_iommu *iommu, u16 rid, u32 pasid);

/* hitless.c */
int intel_replace_hitless(struct dmar_domain *domain, struct device *dev);

#if IS_ENABLED(CONFIG_KUNIT)
/* liveupdate-adopt.c */
int intel_lu_adopt_root(struct intel_iommu *iommu, struct iommu_lu_unit *unit,
			u64 rtaddr);
#endif

#define intel_lu_ops	(&intel_liveupdate_ops)

#else

static inline void intel_lu_before_disable(struct intel_iommu *iommu)
{
}

static inline void intel_lu_restore_unit(struct intel_iommu *iommu,
					 bool skip_disable)
{
}

static inline bool intel_lu_keeps_tables(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_lu_stays_on(struct intel_iommu *iommu)
{
	return false;
}

static inline void intel_lu_settled(void)
{
}

static inline int intel_lu_alloc_pasid_table(struct device *dev)
{
	return intel_pasid_alloc_table(dev);
}

static inline void intel_lu_before_release(struct device_domain_info *info)
{
}

static inline int intel_replace_hitless(struct dmar_domain *domain,
					struct device *dev)
{
	return 1;
}

#define intel_lu_ops	NULL

#endif

/* liveupdate-irq.c */
#if defined(CONFIG_IOMMU_LIVEUPDATE) && defined(CONFIG_IRQ_REMAP)

int intel_lu_preserve_irq(struct intel_iommu *iommu);
void intel_lu_unpreserve_irq(struct intel_iommu *iommu);
void intel_lu_block_irqs(struct intel_iommu *iommu, bool flush);
bool intel_lu_keeps_irq(struct intel_iommu *iommu, bool x2apic);
void intel_lu_before_irq_off(struct intel_iommu *iommu);
bool intel_lu_irq_was_off(void);
void intel_lu_settle_irqs(void);

#else

static inline int intel_lu_preserve_irq(struct intel_iommu *iommu)
{
	return -EOPNOTSUPP;
}

static inline void intel_lu_unpreserve_irq(struct intel_iommu *iommu)
{
}

static inline void intel_lu_block_irqs(struct intel_iommu *iommu, bool flush)
{
}

static inline bool intel_lu_keeps_irq(struct intel_iommu *iommu, bool x2apic)
{
	return false;
}

static inline void intel_lu_before_irq_off(struct intel_iommu *iommu)
{
}

static inline bool intel_lu_irq_was_off(void)
{
	return false;
}

static inline void intel_lu_settle_irqs(void)
{
}

#endif
#endif
