// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd across a live update
 */
#define pr_fmt(fmt) "iommufd: liveupdate: " fmt

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/crc32.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate-devices.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "io_pagetable.h"
#include "iommufd_private.h"
#include "liveupdate.h"

/**
 * DOC: iommufd live update
 *
 * A user marks the HWPTs to keep and then preserves the iommufd in a session.
 * Preserve proves (liveupdate-maps.c) that everything these HWPTs map may be
 * written to while no kernel is there to stop it. The IOAS of each of them is then
 * fixed, nothing can be mapped or unmapped, and the page tables are given to the
 * IOMMU core. Closing the session lifts all this in reverse.
 *
 * In the new kernel the iommufd is retrieved as a new file with one object for
 * each kept HWPT. Its page table is immutable, it is on an empty IOAS that
 * refuses to be mapped. The devices are still attached to it, and the iommufd
 * may claim them. The user attaches them elsewhere, destroys these HWPTs and
 * finishes the session.
 *
 * Unhappy paths:
 *
 * - Retrieve fails for lack of memory: all is as before, it can be repeated.
 * - Retrieve fails for good: LUO remembers the error, the domains stay as they
 *   are, and nobody can claim the devices on them. Their DMA goes on into memory
 *   that nobody else gets. The session cannot be finished as long as a device is
 *   on one of them.
 * - The user dies after retrieve: LUO holds the file. Another one can retrieve
 *   the session and gets the same file, with the same HWPT IDs.
 *
 * Locks: lu->lock is outside of the locks of io_pagetable, and inside of those
 * of LUO. It is taken when a HWPT is destroyed, so no object is destroyed with
 * it held.
 */

/**
 * struct iommufd_lu - At iommufd_ctx::lu, made when it is first needed
 * @lock:      Protects all of this and the marks
 * @tokens:    Token to the iommufd_hwpt_paging marked with it or restored by it
 * @preserved: The file is preserved: marks are fixed
 * @restored:  How many restored HWPTs are left
 */
struct iommufd_lu {
	/* Protects all of this and the marks */
	struct mutex lock;
	struct xarray tokens;
	bool preserved;
	unsigned int restored;
};

/**
 * struct iommufd_lu_hwpt - At iommufd_hwpt_paging::lu, the mark
 * @ictx:     Whose HWPT it is
 * @token:    The user's name for it
 * @restored: It came from the previous kernel
 */
struct iommufd_lu_hwpt {
	struct iommufd_ctx *ictx;
	u64 token;
	bool restored;
};

static struct iommufd_lu *lu_get(struct iommufd_ctx *ictx)
{
	struct iommufd_lu *lu, *other;

	/* Pairs with the cmpxchg() below */
	lu = smp_load_acquire(&ictx->lu);
	if (lu)
		return lu;

	lu = kzalloc_obj(*lu, GFP_KERNEL_ACCOUNT);
	if (!lu)
		return ERR_PTR(-ENOMEM);
	mutex_init(&lu->lock);
	xa_init(&lu->tokens);
	/* Somebody else may have been faster */
	other = cmpxchg(&ictx->lu, NULL, lu);
	if (other) {
		kfree(lu);
		return other;
	}
	return lu;
}

/**
 * iommufd_lu_release - The iommufd is closed
 * @ictx: The iommufd, its objects destroyed
 */
void iommufd_lu_release(struct iommufd_ctx *ictx)
{
	if (!ictx->lu)
		return;
	WARN_ON(!xa_empty(&ictx->lu->tokens));
	xa_destroy(&ictx->lu->tokens);
	mutex_destroy(&ictx->lu->lock);
	kfree(ictx->lu);
}

/* ---- Marks --------------------------------------------------------------- */

static struct iommufd_hwpt_paging *get_markable(struct iommufd_ctx *ictx,
						u32 id)
{
	struct iommufd_object *obj;
	int rc;

	obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	if (obj->type == IOMMUFD_OBJ_HWPT_PAGING)
		return container_of(obj, struct iommufd_hwpt_paging,
				    common.obj);
	rc = obj->type == IOMMUFD_OBJ_HWPT_NESTED ? -EOPNOTSUPP : -EINVAL;
	iommufd_put_object(ictx, obj);
	return ERR_PTR(rc);
}

static int mark(struct iommufd_ctx *ictx, struct iommufd_lu *lu,
		struct iommufd_hwpt_paging *hwpt, u64 token)
{
	struct iommufd_lu_hwpt *lu_hwpt;
	int rc;

	guard(mutex)(&lu->lock);
	if (xa_load(&lu->tokens, token))
		return -EADDRINUSE;
	if (lu->preserved || hwpt->lu)
		return -EBUSY;

	lu_hwpt = kzalloc_obj(*lu_hwpt, GFP_KERNEL_ACCOUNT);
	if (!lu_hwpt)
		return -ENOMEM;
	lu_hwpt->ictx = ictx;
	lu_hwpt->token = token;

	rc = xa_insert(&lu->tokens, token, hwpt, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(lu_hwpt);
		return rc;
	}
	hwpt->lu = lu_hwpt;
	return 0;
}

static void unmark(struct iommufd_lu *lu, struct iommufd_hwpt_paging *hwpt)
{
	lockdep_assert_held(&lu->lock);

	xa_erase(&lu->tokens, hwpt->lu->token);
	if (hwpt->lu->restored)
		lu->restored--;
	kfree(hwpt->lu);
	hwpt->lu = NULL;
}

/**
 * iommufd_lu_preserve - ioctl(IOMMU_HWPT_LU_PRESERVE)
 * @ucmd: The command
 *
 * Return: 0 or an error, see &struct iommu_hwpt_lu_preserve.
 */
int iommufd_lu_preserve(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_lu_preserve *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_lu *lu;
	int rc;

	lu = lu_get(ucmd->ictx);
	if (IS_ERR(lu))
		return PTR_ERR(lu);
	hwpt = get_markable(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);

	if (hwpt->common.fault || hwpt->nest_parent || hwpt->auto_domain)
		rc = -EOPNOTSUPP;
	else
		rc = mark(ucmd->ictx, lu, hwpt, cmd->token);
	iommufd_put_object(ucmd->ictx, &hwpt->common.obj);
	return rc;
}

/**
 * iommufd_lu_unpreserve - ioctl(IOMMU_HWPT_LU_UNPRESERVE)
 * @ucmd: The command
 *
 * Return: 0 or an error, see &struct iommu_hwpt_lu_unpreserve.
 */
int iommufd_lu_unpreserve(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_lu_unpreserve *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_lu *lu;
	int rc = 0;

	lu = lu_get(ucmd->ictx);
	if (IS_ERR(lu))
		return PTR_ERR(lu);
	hwpt = get_markable(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);

	scoped_guard(mutex, &lu->lock) {
		if (!hwpt->lu || hwpt->lu->restored)
			rc = -ENOENT;
		else if (lu->preserved)
			rc = -EBUSY;
		else
			unmark(lu, hwpt);
	}
	iommufd_put_object(ucmd->ictx, &hwpt->common.obj);
	return rc;
}

/**
 * iommufd_lu_restore - ioctl(IOMMU_HWPT_LU_RESTORE)
 * @ucmd: The command
 *
 * Return: 0 or an error, see &struct iommu_hwpt_lu_restore.
 */
int iommufd_lu_restore(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_lu_restore *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_lu *lu;

	lu = lu_get(ucmd->ictx);
	if (IS_ERR(lu))
		return PTR_ERR(lu);

	scoped_guard(mutex, &lu->lock) {
		hwpt = xa_load(&lu->tokens, cmd->token);
		if (!hwpt || !hwpt->lu->restored)
			return -ENOENT;
		cmd->out_hwpt_id = hwpt->common.obj.id;
	}
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

/**
 * iommufd_lu_busy - Must an object not be destroyed?
 * @ictx: The iommufd
 * @id:   The object
 *
 * A restored HWPT has users that no reference tells of: devices that nobody has
 * claimed yet. This is for a plain answer; the destroy checks again.
 *
 * Return: true for a restored HWPT with a device on it.
 */
bool iommufd_lu_busy(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;
	struct iommufd_hwpt_paging *hwpt;
	bool busy = false;

	/* Pairs with the cmpxchg() in lu_get() */
	if (!smp_load_acquire(&ictx->lu))
		return false;
	obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return false;

	hwpt = container_of(obj, struct iommufd_hwpt_paging, common.obj);
	scoped_guard(mutex, &ictx->lu->lock)
		if (hwpt->lu && hwpt->lu->restored)
			busy = iommu_lu_domain_in_use(hwpt->common.domain);
	iommufd_put_object(ictx, obj);
	return busy;
}

/* The domain stays, its HWPT does not */
static void forget_hwpt(struct iommu_domain *domain)
{
	domain->cookie_type = IOMMU_COOKIE_NONE;
	domain->iommufd_hwpt = NULL;
}

/**
 * iommufd_lu_hwpt_destroy - A HWPT goes away
 * @hwpt: The HWPT, with no user
 */
void iommufd_lu_hwpt_destroy(struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_lu *lu;

	if (!hwpt->lu)
		return;

	lu = hwpt->lu->ictx->lu;
	guard(mutex)(&lu->lock);
	if (hwpt->lu->restored) {
		/* Better lose it than free a table that is walked */
		if (iommu_lu_release_domain(hwpt->common.domain)) {
			forget_hwpt(hwpt->common.domain);
			hwpt->common.domain = NULL;
		}
	}
	unmark(lu, hwpt);
}

/* ---- The old kernel ------------------------------------------------------ */

/**
 * iommufd_lu_preserved_with - Is an iommufd preserved in this session?
 * @ictx: The iommufd
 * @args: What LUO gave to a preserve callback
 *
 * Return: true when it is, before what is being preserved now.
 */
bool iommufd_lu_preserved_with(struct iommufd_ctx *ictx,
			       const struct liveupdate_file_op_args *args)
{
	return liveupdate_depend(args, ictx->file);
}
EXPORT_SYMBOL_NS_GPL(iommufd_lu_preserved_with, "IOMMUFD");

static int preserve_hwpt(const struct liveupdate_file_op_args *args,
			 struct iommufd_hwpt_paging *hwpt,
			 struct iommufd_lu_hwpt_ser *ser)
{
	u32 domain;
	int rc;

	if (hwpt->lu->restored)
		return -EBUSY;
	/* It may be on its way out already */
	if (!refcount_inc_not_zero(&hwpt->common.obj.users))
		return -EBUSY;

	rc = iommufd_lu_fix_ioas(args, hwpt);
	if (rc)
		goto err_users;
	rc = iommu_lu_preserve_domain(hwpt->common.domain, virt_to_phys(ser),
				      &domain);
	if (rc)
		goto err_unfix;

	ser->token = hwpt->lu->token;
	ser->domain = domain;
	iommu_lu_name_domain(hwpt->common.domain, ser->token);
	if (hwpt->enforce_cache_coherency)
		ser->flags |= IOMMUFD_LU_HWPT_ENFORCE_CC;
	if (hwpt->common.pasid_compat)
		ser->flags |= IOMMUFD_LU_HWPT_PASID;
	return 0;

err_unfix:
	iommufd_lu_unfix_ioas(hwpt->ioas);
err_users:
	refcount_dec(&hwpt->common.obj.users);
	return rc;
}

static void unpreserve_hwpts(struct iommufd_lu *lu, u64 nr)
{
	struct iommufd_hwpt_paging *hwpt;
	unsigned long token;

	xa_for_each(&lu->tokens, token, hwpt) {
		if (!nr--)
			break;
		iommu_lu_unpreserve_domain(hwpt->common.domain);
		iommufd_lu_unfix_ioas(hwpt->ioas);
		refcount_dec(&hwpt->common.obj.users);
	}
}

/* Of the place too: a record does not move */
static u32 ser_crc(const struct iommufd_lu_ser *ser)
{
	return crc32c(PHYS_PFN(__pa(ser)), &ser->size,
		      ser->size - offsetof(struct iommufd_lu_ser, size));
}

static int iommufd_lu_file_preserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = args->file->private_data;
	struct iommufd_lu *lu = lu_get(ictx);
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_lu_ser *ser;
	unsigned long token;
	size_t size, nr = 0;
	int rc;

	if (IS_ERR(lu))
		return PTR_ERR(lu);

	guard(mutex)(&lu->lock);
	xa_for_each(&lu->tokens, token, hwpt)
		nr++;
	if (!nr)
		return -EINVAL;

	size = struct_size(ser, hwpts, nr);
	ser = kho_alloc_preserve(size);
	if (IS_ERR(ser))
		return PTR_ERR(ser);
	ser->magic = IOMMUFD_LU_MAGIC;
	ser->size = size;

	xa_for_each(&lu->tokens, token, hwpt) {
		rc = preserve_hwpt(args, hwpt, &ser->hwpts[ser->nr_hwpts]);
		if (rc) {
			unpreserve_hwpts(lu, ser->nr_hwpts);
			kho_unpreserve_free(ser);
			return rc;
		}
		ser->nr_hwpts++;
	}

	ser->crc = ser_crc(ser);
	lu->preserved = true;
	args->serialized_data = virt_to_phys(ser);
	return 0;
}

static void iommufd_lu_file_unpreserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = args->file->private_data;
	struct iommufd_lu_ser *ser = phys_to_virt(args->serialized_data);
	struct iommufd_lu *lu = ictx->lu;

	guard(mutex)(&lu->lock);
	unpreserve_hwpts(lu, ser->nr_hwpts);
	lu->preserved = false;
	kho_unpreserve_free(ser);
}

static int iommufd_lu_file_freeze(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = args->file->private_data;
	struct iommufd_hwpt_paging *hwpt;
	unsigned long token;
	int rc;

	scoped_guard(mutex, &ictx->lu->lock) {
		xa_for_each(&ictx->lu->tokens, token, hwpt) {
			rc = iommufd_lu_check_bars(ictx, hwpt->ioas);
			if (rc)
				return rc;
		}
	}
	return iommu_lu_freeze();
}

static void iommufd_lu_file_unfreeze(struct liveupdate_file_op_args *args)
{
	iommu_lu_unfreeze();
}

/* ---- The new kernel ------------------------------------------------------ */

static const char *hwpt_error(const struct iommufd_lu_ser *ser, u64 nr)
{
	const struct iommufd_lu_hwpt_ser *hwpt = &ser->hwpts[nr];

	if (hwpt->flags & ~IOMMUFD_LU_HWPT_FLAGS)
		return "a HWPT has bits that are not known";
	if (nr && hwpt->token <= hwpt[-1].token)
		return "the tokens are not in order";
	return NULL;
}

/**
 * iommufd_lu_ser_error - Is it what an iommufd of the previous kernel has left?
 * @ser: Preserved memory, not trusted
 * @max: Its size
 *
 * Return: what is wrong with it, or NULL.
 */
const char *iommufd_lu_ser_error(const struct iommufd_lu_ser *ser, size_t max)
{
	const char *why = NULL;

	if (max < sizeof(*ser) || ser->magic != IOMMUFD_LU_MAGIC)
		return "it is something else";
	if (!ser->nr_hwpts || ser->size > max ||
	    ser->size != struct_size(ser, hwpts, ser->nr_hwpts))
		return "its size makes no sense";
	if (ser->crc != ser_crc(ser))
		return "it has a wrong CRC";
	for (u64 i = 0; !why && i < ser->nr_hwpts; i++)
		why = hwpt_error(ser, i);
	return why;
}

static struct iommufd_lu_ser *get_ser(u64 phys)
{
	size_t max = kho_preserved_size(phys);
	const char *why;

	if (!max)
		why = "nothing was preserved";
	else
		why = iommufd_lu_ser_error(phys_to_virt(phys), max);
	if (!why)
		return phys_to_virt(phys);
	pr_err("no iommufd at %#llx: %s\n", phys, why);
	return NULL;
}

static struct iommufd_hwpt_paging *
restore_hwpt(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas,
	     struct iommufd_lu_hwpt_ser *ser)
{
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_lu_hwpt *lu_hwpt;
	struct iommu_domain *domain;
	int rc = -ENOMEM;

	lu_hwpt = kzalloc_obj(*lu_hwpt, GFP_KERNEL_ACCOUNT);
	if (!lu_hwpt)
		return ERR_PTR(-ENOMEM);
	lu_hwpt->ictx = ictx;
	lu_hwpt->token = ser->token;
	lu_hwpt->restored = true;

	hwpt = __iommufd_object_alloc(ictx, hwpt, IOMMUFD_OBJ_HWPT_PAGING,
				      common.obj);
	if (IS_ERR(hwpt)) {
		rc = PTR_ERR(hwpt);
		goto err_free;
	}

	/* A token that comes twice fails here */
	rc = xa_insert(&ictx->lu->tokens, ser->token, hwpt, GFP_KERNEL_ACCOUNT);
	if (rc)
		goto err_abort;
	domain = iommu_lu_take_domain(ser->domain, virt_to_phys(ser), ictx);
	if (IS_ERR(domain)) {
		rc = PTR_ERR(domain);
		goto err_erase;
	}
	iommu_lu_name_domain(domain, ser->token);

	INIT_LIST_HEAD(&hwpt->hwpt_item);
	hwpt->ioas = ioas;
	hwpt->lu = lu_hwpt;
	hwpt->enforce_cache_coherency = ser->flags & IOMMUFD_LU_HWPT_ENFORCE_CC;
	hwpt->common.pasid_compat = ser->flags & IOMMUFD_LU_HWPT_PASID;
	hwpt->common.domain = domain;
	domain->iommufd_hwpt = &hwpt->common;
	domain->cookie_type = IOMMU_COOKIE_IOMMUFD;
	return hwpt;

err_erase:
	xa_erase(&ictx->lu->tokens, ser->token);
err_abort:
	iommufd_object_abort(ictx, &hwpt->common.obj);
err_free:
	kfree(lu_hwpt);
	return ERR_PTR(rc);
}

/* Nobody has seen these objects yet, and their domains live on */
static void unrestore_hwpts(struct iommufd_ctx *ictx)
{
	struct iommufd_hwpt_paging *hwpt;
	unsigned long token;

	xa_for_each(&ictx->lu->tokens, token, hwpt) {
		forget_hwpt(hwpt->common.domain);
		iommu_lu_untake_domain(hwpt->common.domain);
		xa_erase(&ictx->lu->tokens, token);
		kfree(hwpt->lu);
		iommufd_object_abort(ictx, &hwpt->common.obj);
	}
}

static int restore_hwpts(struct iommufd_ctx *ictx, struct iommufd_lu_ser *ser)
{
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_ioas *ioas;
	unsigned long token;

	ioas = iommufd_ioas_alloc(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	ioas->iopt.lu_fixed = 1;
	iommufd_object_finalize(ictx, &ioas->obj);

	for (u64 i = 0; i < ser->nr_hwpts; i++) {
		hwpt = restore_hwpt(ictx, ioas, &ser->hwpts[i]);
		if (IS_ERR(hwpt)) {
			unrestore_hwpts(ictx);
			return PTR_ERR(hwpt);
		}
	}

	xa_for_each(&ictx->lu->tokens, token, hwpt) {
		refcount_inc(&ioas->obj.users);
		iommufd_object_finalize(ictx, &hwpt->common.obj);
		ictx->lu->restored++;
	}
	return 0;
}

static struct file *restore_file(struct iommufd_lu_ser *ser)
{
	struct iommufd_lu *lu;
	struct file *file;
	int rc;

	file = anon_inode_getfile("[iommufd]", &iommufd_fops, NULL, O_RDWR);
	if (IS_ERR(file))
		return file;

	rc = iommufd_fops.open(file_inode(file), file);
	if (rc)
		goto err_put;
	lu = lu_get(file->private_data);
	if (IS_ERR(lu)) {
		rc = PTR_ERR(lu);
		goto err_put;
	}
	scoped_guard(mutex, &lu->lock)
		rc = restore_hwpts(file->private_data, ser);
	if (rc)
		goto err_put;
	return file;

err_put:
	fput(file);
	return ERR_PTR(rc);
}

static int iommufd_lu_file_retrieve(struct liveupdate_file_op_args *args)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_RETRIEVE);
	struct iommufd_lu_ser *ser = get_ser(args->serialized_data);
	struct file *file;

	if (!ser)
		return -EINVAL;

	file = restore_file(ser);
	if (IS_ERR(file)) {
		args->again = file == ERR_PTR(-ENOMEM) ||
			      file == ERR_PTR(-ENFILE);
		return PTR_ERR(file);
	}

	args->file = file;
	return 0;
}

static bool any_domain_in_use(const struct iommufd_lu_ser *ser)
{
	for (u64 i = 0; i < ser->nr_hwpts; i++)
		if (iommu_lu_record_in_use(ser->hwpts[i].domain))
			return true;
	return false;
}

static bool iommufd_lu_file_can_finish(struct liveupdate_file_op_args *args)
{
	struct iommufd_lu_ser *ser;
	struct iommufd_ctx *ictx;

	if (args->retrieve_status > 0) {
		ictx = args->file->private_data;
		guard(mutex)(&ictx->lu->lock);
		return !ictx->lu->restored;
	}
	/* Somebody has to take it apart first, if there is something to take */
	if (!args->retrieve_status)
		return false;
	ser = get_ser(args->serialized_data);
	return ser ? !any_domain_in_use(ser) : !iommu_lu_orphans();
}

static void iommufd_lu_file_finish(struct liveupdate_file_op_args *args)
{
	struct iommufd_lu_ser *ser = get_ser(args->serialized_data);

	if (!ser)
		return;
	/* Before the next one gives back the memory they may still write to */
	if (args->retrieve_status <= 0)
		for (u64 i = 0; i < ser->nr_hwpts; i++)
			iommu_lu_abandon_record(ser->hwpts[i].domain,
						virt_to_phys(&ser->hwpts[i]));
	kho_restore_free(ser);
}

/* ---- The handler --------------------------------------------------------- */

static bool iommufd_lu_file_can_preserve(struct liveupdate_file_handler *fh,
					 struct file *file)
{
	return file->f_op == &iommufd_fops;
}

static const struct liveupdate_file_ops iommufd_lu_ops = {
	.can_preserve = iommufd_lu_file_can_preserve,
	.preserve = iommufd_lu_file_preserve,
	.unpreserve = iommufd_lu_file_unpreserve,
	.freeze = iommufd_lu_file_freeze,
	.unfreeze = iommufd_lu_file_unfreeze,
	.retrieve = iommufd_lu_file_retrieve,
	.can_finish = iommufd_lu_file_can_finish,
	.finish = iommufd_lu_file_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler iommufd_lu_handler = {
	.ops = &iommufd_lu_ops,
	.compatible = IOMMUFD_LU_COMPATIBLE,
};

/**
 * iommufd_lu_init - Register with LUO
 *
 * Context: Module init, before a user can open an iommufd.
 * Return: 0, also when live update is off, or an error.
 */
int iommufd_lu_init(void)
{
	int rc = liveupdate_register_file_handler(&iommufd_lu_handler);

	if (rc == -EOPNOTSUPP)
		return 0;
	if (rc)
		goto err;
	rc = iommu_lu_register(&iommufd_lu_handler);
	if (rc)
		goto err_handler;
	return 0;

err_handler:
	liveupdate_unregister_file_handler(&iommufd_lu_handler);
err:
	pr_err("cannot register: %pe\n", ERR_PTR(rc));
	return rc;
}

/**
 * iommufd_lu_exit - Undo iommufd_lu_init()
 *
 * LUO holds this module as long as it has a file of it. What nobody has asked
 * for yet waits in LUO until the module is loaded again.
 */
void iommufd_lu_exit(void)
{
	liveupdate_unregister_file_handler(&iommufd_lu_handler);
}
