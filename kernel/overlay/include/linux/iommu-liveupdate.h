/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU state across a live update
 */
#ifndef __LINUX_IOMMU_LIVEUPDATE_H
#define __LINUX_IOMMU_LIVEUPDATE_H

#include <linux/rcupdate.h>
#include <linux/types.h>

struct device;
struct iommu_device;
struct iommu_domain;
struct iommu_lu_device_ser;
struct iommu_lu_domain_ser;
struct iommu_lu_unit_ser;
struct iommufd_ctx;
struct kimage;
struct liveupdate_file_handler;
struct liveupdate_file_op_args;

/**
 * struct iommu_lu_unit - An IOMMU with kept devices
 * @iommu:    The IOMMU. In the new kernel set when its driver adopts it.
 * @index:    Slot of the record
 * @ser:      The record
 * @users:    Kept devices below it, in the old kernel
 * @rejected: In the new kernel, its record cannot be trusted
 * @priv:     For the driver
 */
struct iommu_lu_unit {
	struct iommu_device *iommu;
	u32 index;
	struct iommu_lu_unit_ser *ser;
	unsigned int users;
	bool rejected;
	void *priv;
};

/**
 * enum iommu_lu_state - Where an object is on its way, in the order of that
 * @IOMMU_LU_PRESERVED: Old kernel, fixed until unpreserve
 * @IOMMU_LU_INCOMING:  New kernel, not in the hands of a user yet
 * @IOMMU_LU_CLAIMED:   New kernel, its user has it back, not finished
 * @IOMMU_LU_REJECTED:  New kernel, its record cannot be trusted
 * @IOMMU_LU_FINISHED:  New kernel, like any other again
 */
enum iommu_lu_state {
	IOMMU_LU_PRESERVED,
	IOMMU_LU_INCOMING,
	IOMMU_LU_CLAIMED,
	IOMMU_LU_REJECTED,
	IOMMU_LU_FINISHED,
};

/**
 * struct iommu_lu_device - A kept device, at dev->iommu->lu
 * @index:  Slot of the record
 * @ser:    The record
 * @unit:   Its IOMMU
 * @domain: Its domain
 * @state:  Where it is on its way
 * @linked: In the new kernel, dev->iommu->lu points or has pointed here
 * @dev:    In the new kernel, the device for which that is so now
 * @found:  In the new kernel, its unit had an entry of that requester ID
 * @rcu:    Readers of dev->iommu->lu that hold no lock
 */
struct iommu_lu_device {
	u32 index;
	struct iommu_lu_device_ser *ser;
	struct iommu_lu_unit *unit;
	struct iommu_lu_domain *domain;
	enum iommu_lu_state state;
	bool linked;
	bool found;
	struct device *dev;
	struct rcu_head rcu;
};

/**
 * struct iommu_lu_domain - A kept domain, at domain->lu
 * @index:   Slot of the record
 * @ser:     The record
 * @domain:  The domain. In the new kernel NULL until somebody needs it.
 * @state:   Where it is on its way
 * @owner:   The iommufd that may take over devices on it, in the new kernel
 * @devices: In the old kernel, kept devices on it. In the new one, those of
 *           them that have not been found.
 * @used:    In the new kernel, there is a device record that names it
 * @proven:  In the new kernel, and a unit's entry leads to its table
 */
struct iommu_lu_domain {
	u32 index;
	struct iommu_lu_domain_ser *ser;
	struct iommu_domain *domain;
	enum iommu_lu_state state;
	void *owner;
	unsigned int devices;
	bool used;
	bool proven;
};

/* A piece of a domain: from @iova on it leads to @len bytes at @phys */
typedef int (*iommu_lu_run_fn)(void *arg, u64 iova, phys_addr_t phys, u64 len);

/**
 * struct iommu_liveupdate_ops - What an IOMMU driver does for a live update
 * @preserve_unit:     Keep the tables of a unit that all its devices share and
 *                     fill in @unit->ser. Called for the unit's first device.
 * @unpreserve_unit:   Undo @preserve_unit, after the last device.
 * @preserve_device:   Keep what leads from the unit's root to @domain for
 *                     @dev; fill in attach_id.
 * @unpreserve_device: Undo @preserve_device.
 * @preserve_domain:   Keep the page table and fill in everything but the state.
 *                     The table does not change until @unpreserve_domain.
 * @unpreserve_domain: Undo @preserve_domain.
 * @domain_runs:       Tell @fn where @len bytes from @iova on lead, piece by
 *                     piece, until it returns an error. The range does not
 *                     change meanwhile. -ENOENT when not all of it is mapped.
 * @restore_domain:    Make a domain of a record, without reading the table; set
 *                     its owner.
 * @restore_device:    Record @dev as attached to the restored @domain without
 *                     changing the live entry, or fail having changed nothing.
 * @block_device:      Block the DMA of a requester ID of an adopted unit, of
 *                     which there may be no device.
 * @domain_in_use:     True while a device is attached to @domain.
 * @release_domain:    Give back what @restore_domain reserved; @domain is
 *                     unused and is freed next.
 *
 * All may sleep. What preserves and unpreserves is called with lu_out.lock of
 * drivers/iommu/liveupdate/core.c held, @domain_runs with neither, the rest with that
 * of struct iommu_lu_in.
 */
struct iommu_liveupdate_ops {
	int (*preserve_unit)(struct iommu_lu_unit *unit);
	void (*unpreserve_unit)(struct iommu_lu_unit *unit);
	int (*preserve_device)(struct iommu_lu_unit *unit, struct device *dev,
			       struct iommu_domain *domain,
			       struct iommu_lu_device_ser *ser);
	void (*unpreserve_device)(struct iommu_lu_unit *unit,
				  const struct iommu_lu_device_ser *ser);
	int (*preserve_domain)(struct iommu_domain *domain,
			       struct iommu_lu_domain_ser *ser);
	void (*unpreserve_domain)(struct iommu_domain *domain);
	int (*domain_runs)(struct iommu_domain *domain, u64 iova, u64 len,
			   iommu_lu_run_fn fn, void *arg);
	struct iommu_domain *
	(*restore_domain)(const struct iommu_lu_domain_ser *ser);
	int (*restore_device)(struct iommu_domain *domain, struct device *dev,
			      const struct iommu_lu_device_ser *ser);
	void (*block_device)(struct iommu_lu_unit *unit, u16 rid);
	bool (*domain_in_use)(struct iommu_domain *domain);
	void (*release_domain)(struct iommu_domain *domain);
};

#ifdef CONFIG_IOMMU_LIVEUPDATE

/* Old kernel, for the file handlers of iommufd and vfio */
int iommu_lu_register(struct liveupdate_file_handler *fh);
int iommu_lu_preserve_domain(struct iommu_domain *domain, phys_addr_t user,
			     u32 *index);
void iommu_lu_unpreserve_domain(struct iommu_domain *domain);
int iommu_lu_domain_runs(struct iommu_domain *domain, u64 iova, u64 len,
			 iommu_lu_run_fn fn, void *arg);
int iommu_lu_preserve_device(struct device *dev, phys_addr_t user);
void iommu_lu_unpreserve_device(struct device *dev);
int iommu_lu_freeze(void);
void iommu_lu_unfreeze(void);

/* Old kernel, for the IOMMU core and drivers */
bool iommu_lu_device_fixed(struct device *dev);
bool iommu_lu_device_kept(struct device *dev);
bool iommu_lu_attach_refused(struct device *dev);
bool iommu_lu_jumping(void);

/* New kernel, for IOMMU drivers */
struct iommu_lu_unit *
iommu_lu_adopt_unit(struct iommu_device *iommu,
		    const struct iommu_liveupdate_ops *ops, u32 type,
		    phys_addr_t base, u32 segment);
struct iommu_lu_device *iommu_lu_find_device(u32 segment, u16 rid);
const struct iommu_lu_domain_ser *
iommu_lu_device_domain(const struct iommu_lu_device *lu);
void iommu_lu_reject_device(struct iommu_lu_device *lu, const char *why);
int iommu_lu_claim_page(phys_addr_t phys);
void iommu_lu_units_settled(void);

/* New kernel, for the IOMMU core */
void iommu_lu_probe_device(struct device *dev, bool alone);
struct iommu_domain *iommu_lu_initial_domain(struct device *dev,
					     struct iommu_domain *domain);
bool iommu_lu_domain_restored(struct iommu_domain *domain);
bool iommu_lu_remove_device(struct device *dev, struct iommu_domain *domain);
void iommu_lu_forget_device(struct device *dev);
bool iommu_lu_may_claim(struct device *dev, struct iommu_domain *domain,
			void *owner);
void iommu_lu_claimed(struct device *dev);
bool iommu_lu_unclaim(struct device *dev, struct iommu_domain *domain);

/* New kernel, for the file handlers */
struct iommu_domain *iommu_lu_take_domain(u32 index, phys_addr_t user,
					  void *owner);
void iommu_lu_untake_domain(struct iommu_domain *domain);
bool iommu_lu_record_in_use(u32 index);
void iommu_lu_abandon_record(u32 index, phys_addr_t user);
bool iommu_lu_domain_in_use(struct iommu_domain *domain);
int iommu_lu_release_domain(struct iommu_domain *domain);
bool iommu_lu_handover(void);
bool iommu_lu_device_incoming(struct device *dev);
bool iommu_lu_device_live(struct device *dev);
bool iommu_lu_device_of(struct device *dev, phys_addr_t user);
struct device *iommu_lu_get_device(u32 segment, u16 rid);
void iommu_lu_finish_device(struct device *dev);
bool iommu_lu_orphans(void);

/* iommufd, for the file handlers of devices bound to one */
bool iommufd_lu_preserved_with(struct iommufd_ctx *ictx,
			       const struct liveupdate_file_op_args *args);

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline bool iommu_lu_device_fixed(struct device *dev)
{
	return false;
}

static inline bool iommu_lu_attach_refused(struct device *dev)
{
	return false;
}

static inline bool iommu_lu_jumping(void)
{
	return false;
}

static inline bool iommu_lu_device_kept(struct device *dev)
{
	return false;
}

static inline void iommu_lu_units_settled(void)
{
}

static inline void iommu_lu_probe_device(struct device *dev, bool alone)
{
}

static inline void iommu_lu_claimed(struct device *dev)
{
}

static inline bool iommu_lu_unclaim(struct device *dev,
				    struct iommu_domain *domain)
{
	return false;
}

static inline struct iommu_domain *
iommu_lu_initial_domain(struct device *dev, struct iommu_domain *domain)
{
	return domain;
}

static inline bool iommu_lu_domain_restored(struct iommu_domain *domain)
{
	return false;
}

static inline bool iommu_lu_remove_device(struct device *dev,
					  struct iommu_domain *domain)
{
	return false;
}

static inline void iommu_lu_forget_device(struct device *dev)
{
}

static inline bool iommu_lu_may_claim(struct device *dev,
				      struct iommu_domain *domain, void *owner)
{
	return false;
}

static inline bool iommu_lu_device_incoming(struct device *dev)
{
	return false;
}

static inline bool iommu_lu_device_live(struct device *dev)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __LINUX_IOMMU_LIVEUPDATE_H */
