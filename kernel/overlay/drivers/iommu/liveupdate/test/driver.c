// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOMMU as different from VT-d as one can be
 *
 * Its units share one contiguous root table of several pages, know devices by
 * more than 16 bits, have entries for PASIDs, and domains of one unit only. Page
 * tables have a top of more than a page. It has no hardware: what that would read
 * is memory, and driver-kunit.c looks at it.
 */
#include <linux/io.h>
#include <linux/kho/abi/iommu.h>
#include <linux/slab.h>

#include "../../iommu-pages.h"
#include "../pages.h"
#include "driver.h"

#define TD_VERSION	9

/* Payloads */
struct td_unit_ser {
	u64 features;
};

struct td_domain_ser {
	u32 leaves;
};

struct td_attachment_ser {
	u32 slot;
};

#define TD_FEATURES	0x7e57ULL

bool td_fail_restore_pasid;

/**
 * td_find_entry - Find an entry of the hardware
 * @unit:      The unit
 * @source_id: Of which device
 * @pasid:     Of which PASID
 *
 * Return: the entry, or NULL.
 */
struct td_entry *td_find_entry(struct td_unit *unit, u32 source_id, u32 pasid)
{
	for (unsigned int i = 0; i < TD_ENTRIES; i++)
		if (unit->root[i].present &&
		    unit->root[i].source_id == source_id &&
		    unit->root[i].pasid == pasid)
			return &unit->root[i];
	return NULL;
}

/**
 * td_add_entry - Attach a device
 * @unit:   The unit
 * @dev:    The device
 * @pasid:  The PASID
 * @hw_id:  The ID of the domain
 * @domain: The domain
 *
 * Return: 0 or -ENOSPC.
 */
int td_add_entry(struct td_unit *unit, struct td_device *dev, u32 pasid,
		 u32 hw_id, struct td_domain *domain)
{
	for (unsigned int i = 0; i < TD_ENTRIES; i++) {
		if (unit->root[i].present)
			continue;
		unit->root[i] = (struct td_entry){
			.source_id = dev->source_id,
			.pasid = pasid,
			.hw_id = hw_id,
			.present = 1,
			.top = virt_to_phys(domain->top),
		};
		domain->attached++;
		return 0;
	}
	return -ENOSPC;
}

/**
 * td_domain_init - Make a page table
 * @domain: The domain
 *
 * Return: 0 or -ENOMEM.
 */
int td_domain_init(struct td_domain *domain)
{
	domain->top = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE << TD_TOP_ORDER);
	if (!domain->top)
		return -ENOMEM;
	domain->domain.owner = &td_iommu_ops;
	for (unsigned int i = 0; i < TD_LEAVES; i++) {
		void *leaf = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE);

		if (!leaf)
			return -ENOMEM;
		/* In both pages of the top */
		domain->top[i * 200] = virt_to_phys(leaf);
	}
	return 0;
}

/**
 * td_domain_free_tables - Undo td_domain_init()
 * @domain: The domain
 */
void td_domain_free_tables(struct td_domain *domain)
{
	for (unsigned int i = 0; i < TD_LEAVES; i++)
		if (domain->top[i * 200])
			iommu_free_pages(phys_to_virt(domain->top[i * 200]));
	iommu_free_pages(domain->top);
}

static u32 td_source_id(struct iommu_device *iommu, struct device *dev)
{
	return to_td_device(dev)->source_id;
}

static struct iommu_device *td_domain_unit(struct iommu_domain *domain)
{
	return to_td_domain(domain)->unit;
}

/* ---- The old kernel ------------------------------------------------------ */

/* Which unit has the root table in its list is known by who has no users yet */
static unsigned int root_users;

static int td_preserve_unit(struct iommu_lu_unit *lu)
{
	struct td_unit *unit = to_td_unit(lu->iommu);
	int ret;

	if (!root_users) {
		ret = iommu_page_preserve(unit->root);
		if (ret)
			return ret;
		ret = iommu_lu_unit_add_page(lu, unit->root, TD_ROOT_ORDER);
		if (ret) {
			iommu_page_unpreserve(unit->root);
			return ret;
		}
	}
	root_users++;
	lu->ser->base = TD_BASE + PAGE_SIZE * unit->index;
	lu->ser->segment = TD_SEGMENT;
	lu->ser->root = virt_to_phys(unit->root);
	lu->ser->root_order = TD_ROOT_ORDER;
	iommu_lu_payload(lu->ser, struct td_unit_ser)->features = TD_FEATURES;
	return 0;
}

static void td_unpreserve_unit(struct iommu_lu_unit *lu)
{
	if (!--root_users)
		iommu_page_unpreserve(to_td_unit(lu->iommu)->root);
}

static int td_preserve_page(struct iommu_lu_domain *lu, void *virt,
			    unsigned int order)
{
	int ret = iommu_page_preserve(virt);

	if (ret)
		return ret;
	ret = iommu_lu_pages_add(&lu->pages, virt_to_phys(virt), order);
	if (ret)
		iommu_page_unpreserve(virt);
	return ret;
}

static void td_unpreserve_leaves(u64 *top, unsigned int nr)
{
	while (nr--)
		iommu_page_unpreserve(phys_to_virt(top[nr * 200]));
	iommu_page_unpreserve(top);
}

static int td_preserve_domain(struct iommu_lu_domain *lu,
			      struct iommu_domain *domain)
{
	u64 *top = to_td_domain(domain)->top;
	int ret;

	ret = td_preserve_page(lu, top, TD_TOP_ORDER);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < TD_LEAVES; i++) {
		ret = td_preserve_page(lu, phys_to_virt(top[i * 200]), 0);
		if (ret) {
			td_unpreserve_leaves(top, i);
			return ret;
		}
	}
	lu->ser->code = IOMMU_LU_CODE_IO_PGTABLE;
	lu->ser->pgsizes = SZ_4K;
	lu->ser->top = virt_to_phys(top);
	lu->ser->top_order = TD_TOP_ORDER;
	iommu_lu_payload(lu->ser, struct td_domain_ser)->leaves = TD_LEAVES;
	return 0;
}

static void td_unpreserve_domain(struct iommu_lu_domain *lu,
				 struct iommu_domain *domain)
{
	td_unpreserve_leaves(to_td_domain(domain)->top, TD_LEAVES);
}

static int td_preserve_attachment(struct iommu_lu_unit *lu,
				  struct iommu_lu_attachment *att,
				  struct device *dev,
				  struct iommu_domain *domain)
{
	struct td_unit *unit = to_td_unit(lu->iommu);
	struct td_entry *entry;

	entry = td_find_entry(unit, to_td_device(dev)->source_id,
			      att->ser->pasid);
	if (!entry)
		return -EINVAL;
	att->ser->hw_id = entry->hw_id;
	iommu_lu_payload(att->ser, struct td_attachment_ser)->slot =
		entry - unit->root;
	return 0;
}

static void td_unpreserve_attachment(struct iommu_lu_unit *lu,
				     struct iommu_lu_attachment *att)
{
}

static void td_jump(struct iommu_lu_unit *lu)
{
}

static int td_domain_runs(struct iommu_domain *domain, u64 iova, u64 len,
			  iommu_lu_run_fn fn, void *arg)
{
	return -EOPNOTSUPP;
}

/* ---- The new kernel ------------------------------------------------------ */

static const char *td_unit_error(const struct iommu_lu_unit *lu)
{
	if (iommu_lu_payload(lu->ser, const struct td_unit_ser)->features !=
	    TD_FEATURES)
		return "its features are not known";
	return NULL;
}

static const char *td_domain_error(const struct iommu_lu_domain *lu)
{
	if (lu->ser->code != IOMMU_LU_CODE_IO_PGTABLE ||
	    lu->ser->top_order != TD_TOP_ORDER ||
	    iommu_lu_payload(lu->ser, const struct td_domain_ser)->leaves !=
		    TD_LEAVES)
		return "it has another table";
	return NULL;
}

static struct iommu_domain *td_restore_domain(struct iommu_lu_unit *lu,
					      const struct iommu_lu_domain *from)
{
	struct td_domain *domain;

	/* A domain of one unit comes back on that one */
	if (from->unit && from->unit != lu)
		return ERR_PTR(-EINVAL);
	domain = kzalloc_obj(*domain);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->domain.owner = &td_iommu_ops;
	domain->top = phys_to_virt(from->ser->top);
	return &domain->domain;
}

static int td_restore_attachment(struct iommu_lu_unit *lu,
				 struct iommu_lu_attachment *att,
				 struct iommu_domain *domain,
				 struct device *dev)
{
	if (att->ser->pasid != IOMMU_LU_NO_PASID && td_fail_restore_pasid)
		return -EINVAL;
	to_td_domain(domain)->attached++;
	return 0;
}

static void td_unrestore_attachment(struct iommu_lu_unit *lu,
				    struct iommu_lu_attachment *att,
				    struct iommu_domain *domain,
				    struct device *dev)
{
	to_td_domain(domain)->attached--;
}

static void td_block_attachment(struct iommu_lu_unit *lu,
				struct iommu_lu_attachment *att)
{
	struct td_entry *entry;

	entry = td_find_entry(to_td_unit(lu->iommu),
			      att->device->ser->source_id, att->ser->pasid);
	if (entry)
		entry->present = 0;
}

static bool td_domain_in_use(struct iommu_domain *domain)
{
	return to_td_domain(domain)->attached;
}

static int td_visit_tables(struct iommu_domain *domain, iommu_lu_table_fn fn,
			   void *arg)
{
	u64 *top = to_td_domain(domain)->top;
	int ret;

	ret = fn(arg, virt_to_phys(top));
	for (unsigned int i = 0; !ret && i < TD_LEAVES; i++)
		ret = fn(arg, top[i * 200]);
	return ret;
}

static void td_release_domain(struct iommu_domain *domain)
{
	to_td_domain(domain)->released = true;
}

static const char *td_entry_error(const struct td_entry *entry,
				  const struct iommu_lu_attachment *att)
{
	if (entry->hw_id != att->ser->hw_id ||
	    entry->top != att->domain->ser->top)
		return "its entry is not as recorded";
	return NULL;
}

/**
 * td_adopt - Go on with what is as recorded
 * @unit: The unit, its root table where the hardware says
 * @lu:   Its record, believed
 *
 * Return: 0, or -EINVAL when its root table is not its own.
 */
int td_adopt(struct td_unit *unit, struct iommu_lu_unit *lu)
{
	struct iommu_lu_attachment *att;
	struct td_entry *entry;
	const char *why;
	int ret;

	if (!iommu_lu_unit_owns(lu, virt_to_phys(unit->root), TD_ROOT_ORDER))
		return -EINVAL;
	lu->iommu = &unit->iommu;
	for (entry = unit->root; entry < unit->root + TD_ENTRIES; entry++) {
		if (!entry->present)
			continue;
		att = iommu_lu_entry_seen(lu, entry->source_id, entry->pasid);
		if (!att)
			continue;
		why = td_entry_error(entry, att);
		ret = why ? 0 : iommu_lu_take_id(lu, att);
		if (ret && ret != -EEXIST)
			why = "its ID is taken";
		if (why)
			iommu_lu_reject_device(att->device, why);
	}
	for (entry = unit->root; entry < unit->root + TD_ENTRIES; entry++) {
		if (!entry->present)
			continue;
		att = iommu_lu_entry_seen(lu, entry->source_id, entry->pasid);
		if (att && !iommu_lu_keep_entry(lu, att))
			entry->present = 0;
	}
	return 0;
}

const struct iommu_liveupdate_ops td_lu_ops = {
	.type			= IOMMU_LU_TYPE_TEST,
	.version		= TD_VERSION,
	.unit_size		= sizeof(struct td_unit_ser),
	.domain_size		= sizeof(struct td_domain_ser),
	.attachment_size	= sizeof(struct td_attachment_ser),
	.source_id		= td_source_id,
	.domain_unit		= td_domain_unit,
	.preserve_unit		= td_preserve_unit,
	.unpreserve_unit	= td_unpreserve_unit,
	.preserve_domain	= td_preserve_domain,
	.unpreserve_domain	= td_unpreserve_domain,
	.preserve_attachment	= td_preserve_attachment,
	.unpreserve_attachment	= td_unpreserve_attachment,
	.jump			= td_jump,
	.domain_runs		= td_domain_runs,
	.unit_error		= td_unit_error,
	.domain_error		= td_domain_error,
	.restore_domain		= td_restore_domain,
	.restore_attachment	= td_restore_attachment,
	.unrestore_attachment	= td_unrestore_attachment,
	.block_attachment	= td_block_attachment,
	.domain_in_use		= td_domain_in_use,
	.visit_tables		= td_visit_tables,
	.release_domain		= td_release_domain,
};

const struct iommu_ops td_iommu_ops = {
	.lu_ops = &td_lu_ops,
};
