// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each page that came over has one owner
 *
 * What the previous kernel says of its pages is a claim. Here is noted whose each
 * of them is: of a record, or of a unit or domain, by their lists. Where two claim
 * one page it is not known which of them lies, so neither is believed.
 *
 * At boot the pages of records and units are claimed, and of each domain the top:
 * what the time between the kernels may be spent on. All other pages of domains
 * follow when the first of them is released. A table is then freed in two passes:
 * first it is walked, and each page has to be its own, each once, as many as it
 * has; only when all that is so, what is in its list is freed. When anything is odd
 * all of the table is lost until the next kexec.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "internal.h"
#include "page-list.h"
#include "pages.h"

/* Values of struct iommu_lu_in::pages, ORed with the slot; 0 for the rest */
#define CLAIM_SEEN	BIT(27)
#define CLAIM_UNIT	BIT(28)
#define CLAIM_DOMAIN	BIT(29)
#define CLAIM_SLOT	(CLAIM_SEEN - 1)

/**
 * iommu_lu_reject_unit - Do not believe the record of a unit
 * @unit: The unit
 * @why:  What is wrong, for the log
 */
void iommu_lu_reject_unit(struct iommu_lu_unit *unit, const char *why)
{
	unit->rejected = true;
	iommu_lu_err("unit record %u is not used: %s\n", unit->index, why);
}

/**
 * iommu_lu_reject_domain - Do not believe the record of a domain
 * @lu:  The domain
 * @why: What is wrong, for the log
 */
void iommu_lu_reject_domain(struct iommu_lu_domain *lu, const char *why)
{
	lu->state = IOMMU_LU_REJECTED;
	lu->odd = true;
	iommu_lu_err("domain record %u is not used: %s\n", lu->index, why);
}

/*
 * A domain that is in use goes on: the hardware has walked its table all the time.
 * But its pages are never given back.
 */
static void doubt_domain(struct iommu_lu_domain *lu, const char *why)
{
	if (lu->domain) {
		lu->odd = true;
		iommu_lu_err("domain record %u: %s\n", lu->index, why);
	} else if (lu->state != IOMMU_LU_REJECTED) {
		iommu_lu_reject_domain(lu, why);
	}
}

/* Which of the two is true? Neither is believed. */
static void doubt_claimant(struct iommu_lu_in *in, unsigned long claim)
{
	static const char why[] = "a page of it is used for something else";
	u32 index = claim & CLAIM_SLOT;

	if (claim & CLAIM_UNIT)
		iommu_lu_reject_unit(xa_load(&in->unit_slots, index), why);
	if (claim & CLAIM_DOMAIN)
		doubt_domain(xa_load(&in->domain_slots, index), why);
}

/**
 * iommu_lu_claim - Note whose a page is
 * @in:    The handover
 * @phys:  The page, not trusted
 * @order: log2 of its size in pages
 * @claim: Whose, 0 for one of the records
 *
 * Context: May sleep.
 * Return: 0; -EINVAL when that is no preserved block of that size; -EBUSY when it
 * is somebody else's, who is not believed any more; -ENOMEM.
 */
int iommu_lu_claim(struct iommu_lu_in *in, phys_addr_t phys, unsigned int order,
		   unsigned long claim)
{
	gfp_t gfp = GFP_KERNEL;
	void *old;

	/* Off the black-out nothing is lost for want of a little memory */
	if (in->all_claimed)
		gfp |= __GFP_NOFAIL;
	if (order > MAX_PAGE_ORDER ||
	    iommu_preserved_size(phys) != PAGE_SIZE << order)
		return -EINVAL;
	old = xa_cmpxchg(&in->pages, PHYS_PFN(phys), NULL, xa_mk_value(claim),
			 gfp);
	if (!old)
		return 0;
	if (xa_is_err(old))
		return xa_err(old);
	doubt_claimant(in, xa_to_value(old));
	return -EBUSY;
}

struct claimant {
	struct iommu_lu_in *in;
	unsigned long claim;
	/* The first entry, which is claimed already or has to be this one */
	phys_addr_t first;
	bool have_first;
};

static int claim_list_page(void *arg, phys_addr_t phys, unsigned int order)
{
	struct claimant *who = arg;

	return iommu_lu_claim(who->in, phys, order, 0);
}

static int claim_unit_page(void *arg, phys_addr_t phys, unsigned int order)
{
	struct claimant *who = arg;

	return iommu_lu_claim(who->in, phys, order, who->claim);
}

/**
 * iommu_lu_claim_unit - Claim all pages of a unit
 * @in:   The handover
 * @unit: The unit
 *
 * Context: May sleep.
 * Return: what is wrong with them, or NULL.
 */
const char *iommu_lu_claim_unit(struct iommu_lu_in *in,
				struct iommu_lu_unit *unit)
{
	const struct iommu_lu_unit_ser *ser = unit->ser;
	struct claimant who = { in, CLAIM_UNIT | unit->index };
	const char *why;

	unit->pages.kind = IOMMU_LU_MAGIC_UNITS;
	unit->pages.owner = unit->index;
	why = iommu_lu_pages_read(&unit->pages, ser->pages, ser->nr_pages,
				  claim_list_page, claim_unit_page, &who);
	if (why || ser->root_unit != unit->index)
		return why;
	if (!unit->pages.nr ||
	    unit->pages.first->entry[0] != (ser->root | ser->root_order))
		return "its root table is not in its list";
	return NULL;
}

/**
 * iommu_lu_owned_by_unit - Is a page in the list of a unit?
 * @unit: The unit
 * @phys: The page
 *
 * Return: true when it is, or in that of the unit that has its root table.
 */
bool iommu_lu_owned_by_unit(const struct iommu_lu_unit *unit, phys_addr_t phys)
{
	void *claim = xa_load(&unit->in->pages, PHYS_PFN(phys));

	return claim == xa_mk_value(CLAIM_UNIT | unit->index) ||
	       claim == xa_mk_value(CLAIM_UNIT | unit->ser->root_unit);
}

/**
 * iommu_lu_claim_top - Claim the top page of a domain
 * @in: The handover
 * @lu: The domain
 *
 * Context: May sleep.
 * Return: what is wrong with it, or NULL.
 */
const char *iommu_lu_claim_top(struct iommu_lu_in *in,
			       struct iommu_lu_domain *lu)
{
	int ret = iommu_lu_claim(in, lu->ser->top, lu->ser->top_order,
				 CLAIM_DOMAIN | lu->index);

	if (!ret)
		return NULL;
	return ret == -ENOMEM ? "out of memory" :
				"its top page is not preserved, or something else";
}

/* The top was claimed at boot, and comes first */
static int claim_table(void *arg, phys_addr_t phys, unsigned int order)
{
	struct claimant *who = arg;

	if (who->have_first)
		return iommu_lu_claim(who->in, phys, order, who->claim);
	who->have_first = true;
	return phys == who->first ? 0 : -EINVAL;
}

static void claim_domain(struct iommu_lu_in *in, struct iommu_lu_domain *lu)
{
	struct claimant who = {
		.in = in,
		.claim = CLAIM_DOMAIN | lu->index,
		.first = lu->ser->top,
	};
	const char *why;

	if (lu->odd)
		return;
	lu->pages.kind = IOMMU_LU_MAGIC_DOMAINS;
	lu->pages.owner = lu->index;
	why = iommu_lu_pages_read(&lu->pages, lu->ser->pages,
				  lu->ser->nr_pages, claim_list_page,
				  claim_table, &who);
	if (why)
		doubt_domain(lu, why);
}

static void claim_all(struct iommu_lu_in *in)
{
	struct iommu_lu_domain *lu;
	unsigned long i;

	if (in->all_claimed)
		return;
	in->all_claimed = true;
	xa_for_each(&in->domain_slots, i, lu)
		claim_domain(in, lu);
}

struct table_walk {
	struct iommu_lu_in *in;
	unsigned long claim;
	u64 nr;
};

/* Each its own, and each once */
static int see_table(void *arg, phys_addr_t phys)
{
	struct table_walk *walk = arg;
	void *old;

	old = xa_cmpxchg(&walk->in->pages, PHYS_PFN(phys),
			 xa_mk_value(walk->claim),
			 xa_mk_value(walk->claim | CLAIM_SEEN), GFP_KERNEL);
	if (old != xa_mk_value(walk->claim))
		return -EINVAL;
	walk->nr++;
	return 0;
}

/**
 * iommu_lu_claim_tables - Is all that a page table consists of its own?
 * @in:  The handover, not over
 * @lu:  The domain, in no use any more
 * @ops: Its driver's
 *
 * Context: May sleep.
 * Return: true when its list can be freed.
 */
bool iommu_lu_claim_tables(struct iommu_lu_in *in, struct iommu_lu_domain *lu,
			   const struct iommu_liveupdate_ops *ops)
{
	struct table_walk walk = { in, CLAIM_DOMAIN | lu->index };

	claim_all(in);
	if (lu->odd)
		return false;
	if (ops->visit_tables(lu->domain, see_table, &walk) ||
	    walk.nr != lu->pages.nr)
		lu->odd = true;
	return !lu->odd;
}
