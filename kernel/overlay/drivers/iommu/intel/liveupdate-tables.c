// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the hardware of VT-d walks, in the old kernel: which tables are kept, and
 * what is cleared in them before the jump
 */
#define pr_fmt(fmt) "DMAR: liveupdate: " fmt

#include <linux/dmar.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kho/abi/iommu_vtd.h>
#include <linux/pci.h>
#include <linux/syscore_ops.h>
#include <linux/tboot.h>
#include <linux/xarray.h>

#include "../liveupdate/pages.h"
#include "iommu.h"
#include "liveupdate.h"
#include "liveupdate-entry.h"
#include "pasid.h"

/**
 * struct intel_lu_unit - What the old kernel remembers of a kept unit
 * @iommu:   The unit
 * @users:   By context table, how many kept devices need it
 * @sources: By requester ID, &struct intel_lu_source of the kept devices
 */
struct intel_lu_unit {
	struct intel_iommu *iommu;
	u16 users[INTEL_LU_TABLES];
	struct xarray sources;
};

/**
 * struct intel_lu_source - A kept device
 * @dir:    Its PASID directory, NULL in legacy mode
 * @nr:     How many entries that has
 * @pasids: The entries of its PASID tables that are kept
 */
struct intel_lu_source {
	struct pasid_dir_entry *dir;
	unsigned int nr;
	struct xarray pasids;
};

/* ---- The unit ------------------------------------------------------------ */

static void unit_fill(struct iommu_lu_unit *unit, struct intel_iommu *iommu)
{
	struct iommu_lu_vtd_unit_ser *vtd =
		iommu_lu_payload(unit->ser, struct iommu_lu_vtd_unit_ser);

	unit->ser->base = iommu->reg_phys;
	unit->ser->segment = iommu->segment;
	unit->ser->root = virt_to_phys(iommu->root_entry);
	vtd->mode = sm_supported(iommu) ? IOMMU_LU_VTD_SCALABLE :
					  IOMMU_LU_VTD_LEGACY;
	vtd->cap = iommu->cap;
	vtd->ecap = iommu->ecap;
}

/**
 * intel_lu_preserve_unit - See struct iommu_liveupdate_ops
 * @unit: The unit
 *
 * Return: 0; -EOPNOTSUPP; or the error of iommu_page_preserve().
 */
int intel_lu_preserve_unit(struct iommu_lu_unit *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(unit->iommu);
	struct intel_lu_unit *lu;
	int ret;

	if (iommu->drhd->ignored || tboot_enabled())
		return -EOPNOTSUPP;

	lu = kzalloc_obj(*lu);
	if (!lu)
		return -ENOMEM;
	lu->iommu = iommu;
	xa_init(&lu->sources);

	ret = iommu_page_preserve(iommu->root_entry);
	if (ret)
		goto err_free;
	ret = intel_lu_preserve_irq(iommu);
	if (ret)
		goto err_root;
	ret = iommu_lu_unit_add_page(unit, iommu->root_entry, 0);
	if (ret)
		goto err_irq;

	unit_fill(unit, iommu);
	unit->priv = lu;
	return 0;

err_irq:
	intel_lu_unpreserve_irq(iommu);
err_root:
	iommu_page_unpreserve(iommu->root_entry);
err_free:
	kfree(lu);
	return ret;
}

/**
 * intel_lu_unpreserve_unit - Undo intel_lu_preserve_unit()
 * @unit: The unit
 */
void intel_lu_unpreserve_unit(struct iommu_lu_unit *unit)
{
	struct intel_lu_unit *lu = unit->priv;

	WARN_ON(!xa_empty(&lu->sources));
	intel_lu_unpreserve_irq(lu->iommu);
	iommu_page_unpreserve(lu->iommu->root_entry);
	xa_destroy(&lu->sources);
	kfree(lu);
}

/* ---- Its tables ---------------------------------------------------------- */

static int page_keep(struct iommu_lu_unit *unit, void *page, unsigned int order)
{
	int ret;

	ret = iommu_page_preserve(page);
	if (ret)
		return ret;
	ret = iommu_lu_unit_add_page(unit, page, order);
	if (ret)
		iommu_page_unpreserve(page);
	return ret;
}

static void page_drop(struct iommu_lu_unit *unit, void *page)
{
	iommu_lu_unit_del_page(unit, page);
	iommu_page_unpreserve(page);
}

static unsigned int table_of(struct intel_iommu *iommu, u16 rid)
{
	return intel_lu_table(iommu, PCI_BUS_NUM(rid), rid & 0xff);
}

/* The table starts with the entry of the lowest function it is for */
static struct context_entry *context_table(struct intel_iommu *iommu, u16 rid)
{
	u8 devfn = sm_supported(iommu) ? rid & 0x80 : 0;

	guard(spinlock)(&iommu->lock);
	return iommu_context_addr(iommu, PCI_BUS_NUM(rid), devfn, 0);
}

static int table_get(struct iommu_lu_unit *unit, u16 rid)
{
	struct intel_lu_unit *lu = unit->priv;
	struct context_entry *table;
	unsigned int index = table_of(lu->iommu, rid);
	int ret;

	if (!lu->users[index]) {
		table = context_table(lu->iommu, rid);
		if (!table)
			return -ENODEV;
		ret = page_keep(unit, table, 0);
		if (ret)
			return ret;
	}
	lu->users[index]++;
	return 0;
}

static void table_put(struct iommu_lu_unit *unit, u16 rid)
{
	struct intel_lu_unit *lu = unit->priv;

	if (!--lu->users[table_of(lu->iommu, rid)])
		page_drop(unit, context_table(lu->iommu, rid));
}

/* ---- Devices ------------------------------------------------------------- */

static bool other_pasids(const struct intel_lu_source *source)
{
	for (unsigned int i = 0; i < source->nr; i++) {
		struct pasid_entry *table =
			get_pasid_table_from_pde(&source->dir[i]);

		/* The first one is that of requests without a PASID */
		for (unsigned int n = !i; table && n < PASID_TBL_ENTRIES; n++)
			if (pasid_pte_is_present(&table[n]))
				return true;
	}
	return false;
}

/*
 * What cannot be handed over yet, row B14. Page requests that somebody answers
 * cannot be: nobody would, for some time.
 */
static bool device_supported(struct device_domain_info *info,
			     const struct intel_lu_source *source)
{
	return !info->iopf_refcount && !dev_is_real_dma_subdevice(info->dev) &&
	       !other_pasids(source);
}

static unsigned int dir_order(const struct intel_lu_source *source)
{
	return get_order(source->nr * sizeof(*source->dir));
}

static void device_fill(struct iommu_lu_device *lu,
			struct device_domain_info *info,
			const struct intel_lu_source *source)
{
	struct iommu_lu_vtd_device_ser *vtd =
		iommu_lu_payload(lu->ser, struct iommu_lu_vtd_device_ser);

	vtd->flags = intel_lu_device_flags(info);
	if (!source->dir)
		return;
	vtd->dir = virt_to_phys(source->dir);
	vtd->dir_order = dir_order(source);
}

static void source_free(struct intel_lu_source *source)
{
	xa_destroy(&source->pasids);
	kfree(source);
}

static struct intel_lu_source *source_alloc(struct device_domain_info *info)
{
	struct intel_lu_source *source = kzalloc_obj(*source);

	if (!source)
		return ERR_PTR(-ENOMEM);
	xa_init(&source->pasids);
	if (info->pasid_table) {
		source->dir = info->pasid_table->table;
		source->nr = info->pasid_table->max_pasid >> PASID_PDE_SHIFT;
	}
	if (device_supported(info, source))
		return source;
	source_free(source);
	return ERR_PTR(-EOPNOTSUPP);
}

/**
 * intel_lu_preserve_device - See struct iommu_liveupdate_ops
 * @unit: The unit
 * @lu:   The device
 * @dev:  The device itself
 *
 * Return: 0; -EOPNOTSUPP; -ENODEV when it has no context entry; -ENOMEM.
 */
int intel_lu_preserve_device(struct iommu_lu_unit *unit,
			     struct iommu_lu_device *lu, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_lu_unit *units = unit->priv;
	u16 rid = lu->ser->source_id;
	struct intel_lu_source *source;
	int ret;

	source = source_alloc(info);
	if (IS_ERR(source))
		return PTR_ERR(source);
	ret = table_get(unit, rid);
	if (ret)
		goto err_free;
	device_fill(lu, info, source);
	if (source->dir) {
		ret = page_keep(unit, source->dir, dir_order(source));
		if (ret)
			goto err_table;
	}
	ret = xa_insert(&units->sources, rid, source, GFP_KERNEL);
	if (ret)
		goto err_dir;
	return 0;

err_dir:
	if (source->dir)
		page_drop(unit, source->dir);
err_table:
	table_put(unit, rid);
err_free:
	source_free(source);
	return ret;
}

/**
 * intel_lu_unpreserve_device - Undo intel_lu_preserve_device()
 * @unit: The unit
 * @lu:   The device
 */
void intel_lu_unpreserve_device(struct iommu_lu_unit *unit,
				struct iommu_lu_device *lu)
{
	struct intel_lu_unit *units = unit->priv;
	u16 rid = lu->ser->source_id;
	struct intel_lu_source *source = xa_erase(&units->sources, rid);

	WARN_ON(!xa_empty(&source->pasids));
	if (source->dir)
		page_drop(unit, source->dir);
	table_put(unit, rid);
	source_free(source);
}

/* ---- Attachments --------------------------------------------------------- */

/* Is any of the entries of a PASID table kept? */
static bool leaf_kept(struct intel_lu_source *source, unsigned int pde)
{
	unsigned long index = pde << PASID_PDE_SHIFT;

	return xa_find(&source->pasids, &index, index + PASID_TBL_ENTRIES - 1,
		       XA_PRESENT);
}

static int leaf_keep(struct iommu_lu_unit *unit, struct intel_lu_source *source,
		     unsigned int pde)
{
	struct pasid_entry *table;

	if (leaf_kept(source, pde))
		return 0;
	table = get_pasid_table_from_pde(&source->dir[pde]);
	return table ? page_keep(unit, table, 0) : -ENODEV;
}

static void leaf_drop(struct iommu_lu_unit *unit, struct intel_lu_source *source,
		      unsigned int pde)
{
	if (!leaf_kept(source, pde))
		page_drop(unit, get_pasid_table_from_pde(&source->dir[pde]));
}

static int pasid_keep(struct iommu_lu_unit *unit, struct intel_lu_source *source,
		      u32 pasid)
{
	unsigned int pde = pasid >> PASID_PDE_SHIFT;
	int ret;

	if (pde >= source->nr)
		return -EINVAL;
	ret = leaf_keep(unit, source, pde);
	if (ret)
		return ret;
	ret = xa_insert(&source->pasids, pasid, xa_mk_value(1), GFP_KERNEL);
	if (ret)
		leaf_drop(unit, source, pde);
	return ret;
}

/**
 * intel_lu_preserve_attachment - See struct iommu_liveupdate_ops
 * @unit:   The unit
 * @att:    The attachment
 * @dev:    The device
 * @domain: What it is attached to
 *
 * Return: 0; -EINVAL when it is attached to another domain; -EOPNOTSUPP; -ENODEV
 * when it has no entry; -ENOMEM.
 */
int intel_lu_preserve_attachment(struct iommu_lu_unit *unit,
				 struct iommu_lu_attachment *att,
				 struct device *dev,
				 struct iommu_domain *domain)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_lu_unit *lu = unit->priv;
	struct intel_lu_source *source =
		xa_load(&lu->sources, att->device->ser->source_id);
	int ret = 0;

	if (att->ser->pasid != IOMMU_LU_NO_PASID)
		return -EOPNOTSUPP;
	if (info->domain != to_dmar_domain(domain))
		return -EINVAL;
	if (source->dir)
		ret = pasid_keep(unit, source, IOMMU_NO_PASID);
	if (ret)
		return ret;
	att->ser->hw_id = domain_id_iommu(info->domain, info->iommu);
	return 0;
}

/**
 * intel_lu_unpreserve_attachment - Undo intel_lu_preserve_attachment()
 * @unit: The unit
 * @att:  The attachment
 */
void intel_lu_unpreserve_attachment(struct iommu_lu_unit *unit,
				    struct iommu_lu_attachment *att)
{
	struct intel_lu_unit *lu = unit->priv;
	struct intel_lu_source *source =
		xa_load(&lu->sources, att->device->ser->source_id);
	u32 pasid = IOMMU_NO_PASID;

	if (!source->dir)
		return;
	xa_erase(&source->pasids, pasid);
	leaf_drop(unit, source, pasid >> PASID_PDE_SHIFT);
}

/* ---- The jump ------------------------------------------------------------ */

static bool clear_leaf(struct intel_iommu *iommu, struct intel_lu_source *source,
		       struct pasid_entry *table, unsigned int first)
{
	bool cleared = false;

	for (unsigned int i = intel_lu_next_pasid(table, 0);
	     i < PASID_TBL_ENTRIES; i = intel_lu_next_pasid(table, i + 1)) {
		if (xa_load(&source->pasids, first + i))
			continue;
		pasid_clear_present(&table[i]);
		pasid_clear_entry(&table[i]);
		__iommu_flush_cache(iommu, &table[i], sizeof(*table));
		cleared = true;
	}
	return cleared;
}

/* Also what was linked in since the device was preserved */
static bool clear_pasids(struct intel_iommu *iommu,
			 struct intel_lu_source *source)
{
	bool cleared = false;

	for (unsigned int pde = intel_lu_next_word(source->dir, 0, source->nr);
	     pde < source->nr;
	     pde = intel_lu_next_word(source->dir, pde + 1, source->nr)) {
		struct pasid_dir_entry *entry = &source->dir[pde];

		if (leaf_kept(source, pde)) {
			cleared |= clear_leaf(iommu, source,
					      get_pasid_table_from_pde(entry),
					      pde << PASID_PDE_SHIFT);
			continue;
		}
		WRITE_ONCE(entry->val, 0);
		__iommu_flush_cache(iommu, entry, sizeof(*entry));
		cleared = true;
	}
	return cleared;
}

/* Nearly all entries are clear: four of them in one look */
static unsigned int next_present(struct context_entry *table, unsigned int at)
{
	for (; at % 4 && at < INTEL_LU_ENTRIES; at++)
		if (context_present(&table[at]))
			return at;
	while (at < INTEL_LU_ENTRIES &&
	       !((table[at].lo | table[at + 1].lo |
		  table[at + 2].lo | table[at + 3].lo) & 1))
		at += 4;
	while (at < INTEL_LU_ENTRIES && !context_present(&table[at]))
		at++;
	return at;
}

/* Page requests would be written to memory of this kernel */
static bool clear_page_requests(struct intel_iommu *iommu,
				struct context_entry *entry)
{
	u64 lo = entry->lo;

	context_clear_sm_pre(entry);
	__iommu_flush_cache(iommu, entry, sizeof(*entry));
	return entry->lo != lo;
}

static bool clear_context(struct intel_lu_unit *lu, struct context_entry *entry,
			  u16 rid)
{
	struct intel_lu_source *source = xa_load(&lu->sources, rid);
	bool cleared;

	if (source && !source->dir)
		return false;
	if (source) {
		cleared = clear_page_requests(lu->iommu, entry);
		return clear_pasids(lu->iommu, source) || cleared;
	}
	context_clear_present(entry);
	context_clear_entry(entry);
	__iommu_flush_cache(lu->iommu, entry, sizeof(*entry));
	return true;
}

/* Returns true when there was something to clear */
static bool clear_table(struct intel_lu_unit *lu, unsigned int index)
{
	struct intel_iommu *iommu = lu->iommu;
	u64 *root = intel_lu_root(iommu->root_entry, index);
	struct context_entry *table;
	bool cleared = false;

	if (!(*root & 1))
		return false;

	if (!lu->users[index]) {
		WRITE_ONCE(*root, 0);
		__iommu_flush_cache(iommu, root, sizeof(*root));
		return true;
	}

	table = phys_to_virt(*root & VTD_PAGE_MASK);
	for (unsigned int at = next_present(table, 0); at < INTEL_LU_ENTRIES;
	     at = next_present(table, at + 1))
		cleared |= clear_context(lu, &table[at],
					 intel_lu_rid(iommu, index, at));
	return cleared;
}

static bool clear_tables(struct intel_lu_unit *lu)
{
	bool cleared = false;

	for (unsigned int index = 0; index < INTEL_LU_TABLES; index++)
		cleared |= clear_table(lu, index);
	return cleared;
}

static void flush_all(struct intel_iommu *iommu)
{
	iommu_flush_write_buffer(iommu);
	iommu->flush.flush_context(iommu, 0, 0, 0, DMA_CCMD_GLOBAL_INVL);
	if (sm_supported(iommu))
		qi_flush_pasid_cache(iommu, 0, QI_PC_GLOBAL, 0);
	iommu->flush.flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);
}

static void clear_unit(struct intel_lu_unit *lu)
{
	spin_lock(&lu->iommu->lock);
	clear_tables(lu);
	spin_unlock(&lu->iommu->lock);
	flush_all(lu->iommu);
}

/* All devices are shut down, all processors are still there */
static void intel_lu_syscore_shutdown(void *data)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	if (!iommu_lu_jumping())
		return;

	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_SHUTDOWN);
	guard(rwsem_read)(&dmar_global_lock);
	for_each_active_iommu(iommu, drhd)
		if (iommu->iommu.lu)
			clear_unit(iommu->iommu.lu->priv);
}

static const struct syscore_ops intel_lu_syscore_ops = {
	.shutdown = intel_lu_syscore_shutdown,
};

static struct syscore intel_lu_syscore = {
	.ops = &intel_lu_syscore_ops,
};

static int __init intel_lu_init(void)
{
	register_syscore(&intel_lu_syscore);
	return 0;
}
device_initcall(intel_lu_init);

/**
 * intel_lu_jump - See struct iommu_liveupdate_ops
 * @unit: The unit
 *
 * Context: The last step: one processor, interrupts off.
 */
void intel_lu_jump(struct iommu_lu_unit *unit)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_SHUTDOWN);
	struct intel_iommu *iommu = to_intel_iommu(unit->iommu);
	bool can_flush;

	/*
	 * A detach cannot be refused, and may have attached a default domain
	 * while the processors were being stopped. One that was stopped with a
	 * lock held never lets go of it.
	 */
	can_flush = !iommu->qi || !raw_spin_is_locked(&iommu->qi->q_lock);
	if (clear_tables(unit->priv) && can_flush)
		flush_all(iommu);
	intel_lu_block_irqs(iommu, can_flush);

	/* A fault must not be told to a processor that another kernel runs on */
	writel(DMA_FECTL_IM, iommu->reg + DMAR_FECTL_REG);
	readl(iommu->reg + DMAR_FECTL_REG);
}

/**
 * intel_lu_stays_on - Is translation to stay on into the next kernel?
 * @iommu: The unit
 *
 * Context: One processor, interrupts off.
 * Return: true for a unit that the next kernel takes over.
 */
bool intel_lu_stays_on(struct intel_iommu *iommu)
{
	return iommu_lu_jumping() && iommu->iommu.lu;
}
