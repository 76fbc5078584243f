/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __INTEL_IOMMU_LIVEUPDATE_H
#define __INTEL_IOMMU_LIVEUPDATE_H

#include <linux/iommu-liveupdate.h>
#include <linux/types.h>

struct context_entry;
struct device;
struct device_domain_info;
struct dmar_domain;
struct intel_iommu;
struct iommu_domain;
struct iommu_liveupdate_ops;
struct iommu_lu_unit;

/* iommu.c */
struct dmar_domain *paging_domain_alloc(void);

#ifdef CONFIG_IOMMU_LIVEUPDATE

extern const struct iommu_liveupdate_ops intel_liveupdate_ops;

void intel_lu_before_disable(struct intel_iommu *iommu);
void intel_lu_restore_unit(struct intel_iommu *iommu, bool skip_disable);
bool intel_lu_keeps_tables(struct intel_iommu *iommu);
const char *intel_lu_unit_error(const struct iommu_lu_unit *unit);
bool intel_lu_stays_on(struct intel_iommu *iommu);
void intel_lu_settled(void);

/* hitless.c */
void intel_context_entry_fill(struct device_domain_info *info,
			      struct dmar_domain *domain, u16 did,
			      struct context_entry *entry);
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

#endif
#endif
