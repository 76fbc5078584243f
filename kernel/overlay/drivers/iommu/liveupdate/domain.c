// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kept domains, in both kernels
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "internal.h"
#include "page-list.h"

/* ---- The old kernel ------------------------------------------------------ */

static int domain_unit(struct iommu_lu_out *out, struct iommu_lu_domain *lu,
		       struct iommu_domain *domain)
{
	const struct iommu_liveupdate_ops *ops = iommu_lu_domain_ops(domain);
	struct iommu_device *iommu;
	struct iommu_lu_unit *unit;

	lu->ser->unit = IOMMU_LU_NO_SLOT;
	iommu = ops->domain_unit ? ops->domain_unit(domain) : NULL;
	if (!iommu)
		return 0;
	unit = iommu_lu_unit_get(out, iommu);
	if (IS_ERR(unit))
		return PTR_ERR(unit);
	lu->unit = unit;
	lu->ser->unit = unit->index;
	return 0;
}

static int domain_fill(struct iommu_lu_out *out, struct iommu_lu_domain *lu,
		       struct iommu_domain *domain)
{
	const struct iommu_liveupdate_ops *ops = iommu_lu_domain_ops(domain);
	struct iommu_lu_domain_ser *ser = lu->ser;
	int ret;

	ser->env.type = ops->type;
	ser->env.version = ops->version;
	ser->env.payload_size = ops->domain_size;
	ret = domain_unit(out, lu, domain);
	if (ret)
		return ret;

	iommu_lu_pages_init(&lu->pages, IOMMU_LU_MAGIC_DOMAINS, lu->index);
	scoped_class(iommu_lu_lap, lap, IOMMU_LU_STEP_TABLES) {
		ret = ops->preserve_domain(lu, domain);
		iommu_lu_pages_seal(&lu->pages);
	}
	if (!ret) {
		ser->pages = iommu_lu_pages_phys(&lu->pages);
		ser->nr_pages = lu->pages.nr;
		return 0;
	}
	iommu_lu_pages_drop(&lu->pages);
	if (lu->unit)
		iommu_lu_unit_put(out, lu->unit);
	return ret;
}

/**
 * iommu_lu_out_domain - Write the record of a domain
 * @out:    What goes to the next kernel
 * @domain: The domain, with a driver that has ops
 * @user:   Physical address of what will name the record, in preserved memory
 * @index:  Set to the slot of its record
 *
 * Context: With the lock of @out held; may sleep.
 * Return: as iommu_lu_preserve_domain().
 */
int iommu_lu_out_domain(struct iommu_lu_out *out, struct iommu_domain *domain,
			phys_addr_t user, u32 *index)
{
	struct iommu_lu_domain *lu __free(kfree) = NULL;
	int ret;

	lockdep_assert_held(&out->lock);

	if (domain->lu)
		return -EBUSY;
	lu = kzalloc_obj(*lu);
	if (!lu)
		return -ENOMEM;
	lu->ser = iommu_lu_record_alloc(&out->domains, &lu->index);
	if (IS_ERR(lu->ser))
		return PTR_ERR(lu->ser);
	ret = domain_fill(out, lu, domain);
	if (ret) {
		iommu_lu_record_free(&out->domains, lu->index);
		return ret;
	}

	lu->ser->user = user;
	iommu_lu_record_seal(&out->domains, lu->index);
	lu->domain = domain;
	lu->state = IOMMU_LU_PRESERVED;
	*index = lu->index;
	list_add_tail(&lu->link, &out->domain_list);
	WRITE_ONCE(domain->lu, no_free_ptr(lu));
	return 0;
}

/**
 * iommu_lu_out_undo_domain - Undo iommu_lu_out_domain()
 * @out:    What goes to the next kernel
 * @domain: The domain, with nothing attached to it that is preserved
 *
 * Context: With the lock of @out held; may sleep.
 */
void iommu_lu_out_undo_domain(struct iommu_lu_out *out,
			      struct iommu_domain *domain)
{
	struct iommu_lu_domain *lu = domain->lu;

	lockdep_assert_held(&out->lock);

	if (WARN_ON(!lu || lu->state != IOMMU_LU_PRESERVED || lu->devices))
		return;

	list_del(&lu->link);
	WRITE_ONCE(domain->lu, NULL);
	iommu_lu_domain_ops(domain)->unpreserve_domain(lu, domain);
	iommu_lu_pages_drop(&lu->pages);
	if (lu->unit)
		iommu_lu_unit_put(out, lu->unit);
	iommu_lu_record_free(&out->domains, lu->index);
	/* Whoever attaches a device to it may look at this without our lock */
	kfree_rcu_mightsleep(lu);
}

/**
 * iommu_lu_preserve_domain - Keep a domain and its page table
 * @domain: The domain
 * @user:   Physical address of what will name the record, in preserved memory
 * @index:  Set to the slot of its record
 *
 * The caller makes sure that nothing is mapped or unmapped until
 * iommu_lu_unpreserve_domain().
 *
 * Context: From the preserve callback of a file handler registered with
 * iommu_lu_register(); may sleep.
 * Return: 0; -EOPNOTSUPP when the driver cannot do it for this domain; -EBUSY
 * when it is preserved already or itself came from the previous kernel;
 * -ENOMEM.
 */
int iommu_lu_preserve_domain(struct iommu_domain *domain, phys_addr_t user,
			     u32 *index)
{
	if (!iommu_lu_domain_ops(domain))
		return -EOPNOTSUPP;
	guard(mutex)(&iommu_lu_out.lock);
	return iommu_lu_out_domain(&iommu_lu_out, domain, user, index);
}
EXPORT_SYMBOL_GPL(iommu_lu_preserve_domain);

/**
 * iommu_lu_unpreserve_domain - Undo iommu_lu_preserve_domain()
 * @domain: The domain, with no preserved device on it
 *
 * Context: From the unpreserve callback of a file handler; may sleep.
 */
void iommu_lu_unpreserve_domain(struct iommu_domain *domain)
{
	guard(mutex)(&iommu_lu_out.lock);
	iommu_lu_out_undo_domain(&iommu_lu_out, domain);
}
EXPORT_SYMBOL_GPL(iommu_lu_unpreserve_domain);

/**
 * iommu_lu_domain_runs - Where does a range of IOVAs lead?
 * @domain: The domain
 * @iova:   The first one
 * @len:    How many bytes
 * @fn:     Told of one contiguous piece after the other, until it returns an
 *          error
 * @arg:    For @fn
 *
 * The caller makes sure that the range does not change meanwhile.
 *
 * Context: May sleep if @fn does.
 * Return: 0; -EOPNOTSUPP when the driver cannot preserve this domain; -ENOENT
 * when not all of the range is mapped; or the error of @fn.
 */
int iommu_lu_domain_runs(struct iommu_domain *domain, u64 iova, u64 len,
			 iommu_lu_run_fn fn, void *arg)
{
	const struct iommu_liveupdate_ops *ops = iommu_lu_domain_ops(domain);

	if (!ops)
		return -EOPNOTSUPP;
	return ops->domain_runs(domain, iova, len, fn, arg);
}
EXPORT_SYMBOL_GPL(iommu_lu_domain_runs);

/**
 * iommu_lu_domain_clear - Let a range of IOVAs lead nowhere
 * @domain: The domain
 * @iova:   The first one
 * @len:    How many bytes, a whole map
 *
 * Unlike iommu_unmap() this frees none of its pages, which may be preserved.
 *
 * Context: May sleep; with the range changed by nobody else.
 * Return: false when the driver cannot preserve this domain, and nothing was done.
 */
bool iommu_lu_domain_clear(struct iommu_domain *domain, u64 iova, u64 len)
{
	const struct iommu_liveupdate_ops *ops = iommu_lu_domain_ops(domain);

	if (!ops)
		return false;
	ops->domain_clear(domain, iova, len);
	return true;
}
EXPORT_SYMBOL_GPL(iommu_lu_domain_clear);

/* ---- The new kernel ------------------------------------------------------ */

/* A unit that the domain is used with, NULL for none */
static struct iommu_lu_unit *any_unit(struct iommu_lu_in *in,
				      const struct iommu_lu_domain *lu)
{
	struct iommu_lu_unit *unit;
	unsigned long i;

	if (lu->unit)
		return lu->unit->iommu ? lu->unit : NULL;
	xa_for_each(&in->unit_slots, i, unit)
		if (unit->iommu && unit->ser->env.type == lu->ser->env.type)
			return unit;
	return NULL;
}

/* Is there a unit that may lead devices to this domain without our doing? */
static bool unit_pending(struct iommu_lu_in *in,
			 const struct iommu_lu_domain *lu)
{
	if (!lu->unit)
		return iommu_lu_any_pending(in);
	return !iommu_lu_in_hand(lu->unit);
}

/**
 * iommu_lu_domain_instantiate - Make a domain of its record, when first needed
 * @in: The handover
 * @lu: The record
 *
 * Context: With the lock of the handover held.
 * Return: the domain; -ENOMEM, after which it can be tried again; another error
 * when it cannot be restored.
 */
struct iommu_domain *
iommu_lu_domain_instantiate(struct iommu_lu_in *in, struct iommu_lu_domain *lu)
{
	struct iommu_domain *domain;
	const char *why;

	lockdep_assert_held(&in->lock);

	if (lu->domain)
		return lu->domain;
	if (lu->state != IOMMU_LU_INCOMING || unit_pending(in, lu))
		return ERR_PTR(-EINVAL);
	/* Its table would be walked when it is released */
	if (lu->used && !lu->proven)
		why = "no device is on its table";
	else
		why = iommu_lu_domain_error(in, lu);
	if (why) {
		iommu_lu_reject_domain(lu, why);
		return ERR_PTR(-EINVAL);
	}

	domain = in->ops[lu->ser->env.type]->restore_domain(any_unit(in, lu),
							    lu);
	/* Out of memory is no fault of the record's */
	if (domain == ERR_PTR(-ENOMEM))
		return domain;
	if (IS_ERR(domain)) {
		iommu_lu_reject_domain(lu, "it cannot be restored");
		return domain;
	}
	domain->lu = lu;
	lu->domain = domain;
	return domain;
}

/* The first of two passes, see claims.c; the second one needs no lock */
static void take_tables(struct iommu_lu_in *in, struct iommu_lu_domain *lu,
			struct iommu_lu_pages *tables)
{
	*tables = (struct iommu_lu_pages){};
	if (lu->ser && iommu_lu_claim_tables(in, lu,
					     iommu_lu_domain_ops(lu->domain))) {
		*tables = lu->pages;
		return;
	}
	pr_err("domain %u: its page table is not given back, it is odd\n",
	       lu->index);
}

static void free_tables(struct iommu_lu_pages *tables)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_FREE);

	iommu_lu_pages_free(tables);
}

/**
 * iommu_lu_in_domain_used - Is a device attached to a restored domain?
 * @in:     The handover
 * @domain: The domain
 *
 * While a device is reset it is on the blocking domain, and the IOMMU's driver
 * does not know that it comes back to this one.
 *
 * Context: With the lock of the handover held; else a device that leaves for a
 * reset, or is back from one, could be missed in both places.
 * Return: true when there is one, or one comes back after its reset.
 */
bool iommu_lu_in_domain_used(struct iommu_lu_in *in,
			     struct iommu_domain *domain)
{
	lockdep_assert_held(&in->lock);

	return domain->lu->resets ||
	       iommu_lu_domain_ops(domain)->domain_in_use(domain);
}

static int release(struct iommu_lu_in *in, struct iommu_domain *domain,
		   struct iommu_lu_pages *tables)
{
	const struct iommu_liveupdate_ops *ops = iommu_lu_domain_ops(domain);
	struct iommu_lu_domain *lu = domain->lu;

	lockdep_assert_held(&in->lock);

	if (iommu_lu_in_domain_used(in, domain))
		return -EBUSY;
	iommu_lu_block_unseen(in, lu);
	take_tables(in, lu, tables);
	ops->release_domain(domain);
	domain->lu = NULL;
	lu->domain = NULL;
	lu->state = IOMMU_LU_FINISHED;
	/* After the end of the handover nobody else knows of it */
	if (!lu->ser)
		kfree(lu);
	return 0;
}

/**
 * iommu_lu_in_release_domain - Give a restored domain back
 * @in:     The handover
 * @domain: The domain, in no use
 *
 * Context: May sleep.
 * Return: 0, or -EBUSY when a device is attached to it.
 */
int iommu_lu_in_release_domain(struct iommu_lu_in *in,
			       struct iommu_domain *domain)
{
	struct iommu_lu_pages tables;
	int ret;

	scoped_guard(mutex, &in->lock)
		ret = release(in, domain, &tables);
	if (!ret)
		free_tables(&tables);
	return ret;
}

/**
 * iommu_lu_free_unclaimed - Free domains that nobody has taken
 * @in: The handover, which ends
 *
 * A domain that was needed for a device which was then rejected, and that nobody
 * has taken, has no other owner. With a device on it, it stays.
 *
 * Context: With the lock of the handover held.
 */
void iommu_lu_free_unclaimed(struct iommu_lu_in *in)
{
	struct iommu_lu_pages tables;
	struct iommu_lu_domain *lu;
	unsigned long i;

	xa_for_each(&in->domain_slots, i, lu) {
		struct iommu_domain *domain = lu->domain;

		if (!domain || lu->owner || release(in, domain, &tables))
			continue;
		free_tables(&tables);
		iommu_domain_free(domain);
	}
}

/* ---- The new kernel, for the handlers of files --------------------------- */

/**
 * iommu_lu_take_domain - Take over a domain
 * @index: Slot of its record, from the previous kernel
 * @user:  Physical address of what names the record
 * @owner: Who may from now on claim the devices on it
 *
 * Context: May sleep.
 * Return: the domain, to be given back with iommu_lu_release_domain() and then
 * iommu_domain_free(); -ENOENT when @user has no such record; -EBUSY when it is
 * taken; -EINVAL when it cannot be restored; -ENOMEM.
 */
struct iommu_domain *iommu_lu_take_domain(u32 index, phys_addr_t user,
					  void *owner)
{
	struct iommu_domain *domain;
	struct iommu_lu_domain *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = xa_load(&iommu_lu_in.domain_slots, index);
	if (!lu || !lu->ser || lu->ser->user != user)
		return ERR_PTR(-ENOENT);
	if (lu->owner)
		return ERR_PTR(-EBUSY);
	domain = iommu_lu_domain_instantiate(&iommu_lu_in, lu);
	if (IS_ERR(domain))
		return domain;
	lu->owner = owner;
	lu->state = IOMMU_LU_CLAIMED;
	return domain;
}
EXPORT_SYMBOL_GPL(iommu_lu_take_domain);

/**
 * iommu_lu_untake_domain - Undo iommu_lu_take_domain()
 * @domain: The domain
 *
 * Context: May sleep.
 */
void iommu_lu_untake_domain(struct iommu_domain *domain)
{
	guard(mutex)(&iommu_lu_in.lock);
	domain->lu->owner = NULL;
	domain->lu->state = IOMMU_LU_INCOMING;
}
EXPORT_SYMBOL_GPL(iommu_lu_untake_domain);

/**
 * iommu_lu_record_in_use - May a device be at work on a domain nobody has taken?
 * @index: Slot of the domain's record, from the previous kernel
 *
 * Context: May sleep.
 * Return: true when one is attached to it, or an IOMMU that may lead there is in
 * nobody's hands.
 */
bool iommu_lu_record_in_use(u32 index)
{
	struct iommu_lu_domain *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = xa_load(&iommu_lu_in.domain_slots, index);
	if (!lu || !lu->ser)
		return iommu_lu_any_pending(&iommu_lu_in);
	return unit_pending(&iommu_lu_in, lu) ||
	       (lu->domain &&
		iommu_lu_in_domain_used(&iommu_lu_in, lu->domain));
}
EXPORT_SYMBOL_GPL(iommu_lu_record_in_use);

/**
 * iommu_lu_abandon_record - Nobody will take a domain any more
 * @index: Slot of its record, from the previous kernel, not in use
 * @user:  Physical address of what names the record; of another's domain nothing
 *         is changed
 *
 * A kept device of this domain that was not found yet is blocked.
 *
 * Context: May sleep.
 */
void iommu_lu_abandon_record(u32 index, phys_addr_t user)
{
	struct iommu_lu_domain *lu;

	guard(mutex)(&iommu_lu_in.lock);
	lu = xa_load(&iommu_lu_in.domain_slots, index);
	if (lu && lu->ser && lu->ser->user == user && !lu->owner)
		iommu_lu_block_unseen(&iommu_lu_in, lu);
}
EXPORT_SYMBOL_GPL(iommu_lu_abandon_record);

/**
 * iommu_lu_domain_in_use - Is a device attached to a restored domain?
 * @domain: The domain
 *
 * Context: May sleep.
 * Return: true when there is one, or one comes back after its reset.
 */
bool iommu_lu_domain_in_use(struct iommu_domain *domain)
{
	guard(mutex)(&iommu_lu_in.lock);
	return iommu_lu_in_domain_used(&iommu_lu_in, domain);
}
EXPORT_SYMBOL_GPL(iommu_lu_domain_in_use);

/**
 * iommu_lu_release_domain - Give a restored domain back
 * @domain: The domain, from iommu_lu_take_domain(), with no device on it
 *
 * What follows is iommu_domain_free(). Its tables are freed here, in two passes.
 * A kept device of this domain that was not found yet is blocked: what it is
 * attached to goes away.
 *
 * Context: May sleep.
 * Return: 0, or -EBUSY when a device is attached to it.
 */
int iommu_lu_release_domain(struct iommu_domain *domain)
{
	return iommu_lu_in_release_domain(&iommu_lu_in, domain);
}
EXPORT_SYMBOL_GPL(iommu_lu_release_domain);

/**
 * iommu_lu_name_domain - Tell under which name its owner knows a domain
 * @domain: The domain, preserved or taken over by the caller
 * @token:  The name
 *
 * Nothing depends on it, it is for those who look at what there is.
 *
 * Context: May sleep.
 */
void iommu_lu_name_domain(struct iommu_domain *domain, u64 token)
{
	struct iommu_lu_domain *lu = domain->lu;

	guard(mutex)(lu->state == IOMMU_LU_PRESERVED ? &iommu_lu_out.lock :
						       &iommu_lu_in.lock);
	lu->token = token;
	lu->named = true;
}
EXPORT_SYMBOL_GPL(iommu_lu_name_domain);

/**
 * iommu_lu_domain_kept - Is a domain on its way through a live update?
 * @domain: The domain, or NULL
 *
 * Context: Any; for whoever holds what keeps the domain alive.
 * Return: true when it is preserved, or was restored and not destroyed yet.
 */
bool iommu_lu_domain_kept(struct iommu_domain *domain)
{
	return domain && READ_ONCE(domain->lu);
}

/**
 * iommu_lu_domain_restored - Did a domain come from the previous kernel?
 * @domain: The domain, or NULL
 *
 * Context: Any.
 * Return: true for a restored domain.
 */
bool iommu_lu_domain_restored(struct iommu_domain *domain)
{
	struct iommu_lu_domain *lu;

	guard(rcu)();
	lu = domain ? READ_ONCE(domain->lu) : NULL;
	return lu && lu->state != IOMMU_LU_PRESERVED;
}
