/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU state across a live update
 */
#ifndef __LINUX_IOMMU_LIVEUPDATE_H
#define __LINUX_IOMMU_LIVEUPDATE_H

#include <linux/build_bug.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct dev_iommu;
struct device;
struct iommu_device;
struct iommu_domain;
struct iommu_group;
struct iommu_lu_attachment_ser;
struct iommu_lu_device_ser;
struct iommu_lu_in;
struct iommu_lu_domain_ser;
struct iommu_lu_pages_ser;
struct iommu_lu_unit_ser;
struct iommufd_ctx;
struct kimage;
struct liveupdate_file_handler;
struct liveupdate_file_op_args;
struct pci_dev;

/**
 * struct iommu_lu_pages - The pages that a unit or a domain owns
 * @kind:  IOMMU_LU_MAGIC_UNITS or _DOMAINS
 * @owner: Slot of the owner
 * @nr:    Entries
 * @first: The first page of the list, NULL for an empty one
 * @last:  The last one
 */
struct iommu_lu_pages {
	u32 kind;
	u32 owner;
	u64 nr;
	struct iommu_lu_pages_ser *first;
	struct iommu_lu_pages_ser *last;
};

/**
 * struct iommu_lu_unit - An IOMMU with kept devices
 * @iommu:    The IOMMU. In the new kernel set when its driver adopts it.
 * @index:    Slot of the record
 * @ser:      The record
 * @pages:    Its list of pages; in the new kernel as it was handed over
 * @link:     In the old kernel, all units
 * @users:    In the old kernel, what keeps it: devices, and domains that
 *            belong to it
 * @rejected: In the new kernel, its record cannot be trusted
 * @settled:  In the new kernel, its driver has it in hand
 * @sources:  In the new kernel, source ID to &struct iommu_lu_device, where that
 *            is not the PCI requester ID
 * @ids:      In the new kernel, by hardware ID, the slot of its domain
 * @in:       In the new kernel, the handover it is part of
 * @priv:     For the driver
 */
struct iommu_lu_unit {
	struct iommu_device *iommu;
	u32 index;
	struct iommu_lu_unit_ser *ser;
	struct iommu_lu_pages pages;
	struct list_head link;
	unsigned int users;
	bool rejected;
	bool settled;
	struct xarray sources;
	struct xarray ids;
	struct iommu_lu_in *in;
	void *priv;
};

/**
 * enum iommu_lu_state - Lifecycle state of a device or domain, ordered
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
 * @index:       Slot of the record
 * @ser:         The record
 * @unit:        Its IOMMU
 * @attachments: &struct iommu_lu_attachment of its own DMA and of its PASIDs
 * @state:       Lifecycle state
 * @found:       In the new kernel, its unit had an entry of its source ID
 * @linked:      In the new kernel, dev->iommu->lu points or has pointed here
 * @dev:         In the new kernel, the device for which that is so now
 * @returns_to:  In the new kernel, the restored domain that it left for a reset
 * @entries_left: In the new kernel, live entries that say what they would be made
 *               to say, and so were not written
 * @entries_written: In the new kernel, how often one was written
 * @rcu:         Readers of dev->iommu->lu that hold no lock
 */
struct iommu_lu_device {
	u32 index;
	struct iommu_lu_device_ser *ser;
	struct iommu_lu_unit *unit;
	struct list_head attachments;
	enum iommu_lu_state state;
	bool found;
	bool linked;
	struct device *dev;
	struct iommu_lu_domain *returns_to;
	unsigned int entries_left;
	unsigned int entries_written;
	struct rcu_head rcu;
};

/**
 * struct iommu_lu_attachment - DMA of a kept device that a domain translates
 * @index:  Slot of the record
 * @ser:    The record
 * @device: The device
 * @domain: The domain
 * @link:   At &struct iommu_lu_device.attachments
 * @kept:   In the new kernel, the hardware's entry is as recorded
 */
struct iommu_lu_attachment {
	u32 index;
	struct iommu_lu_attachment_ser *ser;
	struct iommu_lu_device *device;
	struct iommu_lu_domain *domain;
	struct list_head link;
	bool kept;
};

/**
 * struct iommu_lu_domain - A kept domain, at domain->lu
 * @index:   Slot of the record
 * @ser:     The record
 * @pages:   Its list of pages
 * @unit:    Its unit, NULL when it belongs to none
 * @domain:  The domain. In the new kernel NULL until somebody needs it.
 * @state:   Lifecycle state
 * @owner:   The iommufd that may take over devices on it, in the new kernel
 * @devices: In the old kernel, attachments to it. In the new one, those whose
 *           device has not been found.
 * @resets:  In the new kernel, devices that come back to it after a reset
 * @used:    In the new kernel, there is an attachment that names it
 * @proven:  In the new kernel, and a unit's entry leads to its table
 * @checked: In the new kernel, its driver has nothing to say against its payload
 * @named:   Its owner has told its name
 * @token:   Which is this one
 * @link:    In the old kernel, all domains
 * @odd:     In the new kernel, a page of it has another owner too, or its list
 *           makes no sense: none of its pages is ever given back
 */
struct iommu_lu_domain {
	u32 index;
	struct iommu_lu_domain_ser *ser;
	struct iommu_lu_pages pages;
	struct iommu_lu_unit *unit;
	struct iommu_domain *domain;
	enum iommu_lu_state state;
	void *owner;
	unsigned int devices;
	unsigned int resets;
	bool used;
	bool proven;
	bool checked;
	bool named;
	u64 token;
	struct list_head link;
	bool odd;
};

/* More levels than any page table has */
#define IOMMU_LU_LEVELS		8

/* A piece of a domain: from @iova on it leads to @len bytes at @phys */
typedef int (*iommu_lu_run_fn)(void *arg, u64 iova, phys_addr_t phys, u64 len);

/* A table page of a domain; an error ends the walk before it is read */
typedef int (*iommu_lu_table_fn)(void *arg, phys_addr_t phys);

/**
 * struct iommu_liveupdate_ops - What an IOMMU driver does for a live update
 * @type:              IOMMU_LU_TYPE_*
 * @version:           Version of its payloads
 * @unit_size:         Size of its payload of a unit, in bytes
 * @domain_size:       Size of its payload of a domain
 * @device_size:       Size of its payload of a device
 * @attachment_size:   Size of its payload of an attachment
 * @domain_pt:         Where &struct iommu_pt_ser is in its payload of a domain, if
 *                     generic_pt has made its table
 * @name:              Of the driver, for those who look at what there is
 * @source_id:         By which ID does @unit know @dev?
 * @domain_unit:       Optional. To which IOMMU does @domain belong? Without it,
 *                     or for NULL, it can be used with any.
 * @preserve_unit:     Keep what all devices of @unit share: list its pages with
 *                     iommu_lu_unit_add_page(), the root table first unless
 *                     another unit has it, and fill in the payload. Called for
 *                     the unit's first user.
 * @unpreserve_unit:   Undo @preserve_unit, after the last user. The list is
 *                     dropped by the core.
 * @preserve_domain:   Keep the page table, list its pages with
 *                     iommu_lu_pages_add(), the top first, and fill in code,
 *                     top, page sizes and payload. The table does not change
 *                     until @unpreserve_domain.
 * @unpreserve_domain: Undo @preserve_domain; the list is dropped by the core.
 * @preserve_device:   Optional. Keep what all attachments of @dev share, list its
 *                     pages with iommu_lu_unit_add_page(), and fill in the
 *                     payload. At least one attachment follows, or the undo.
 * @unpreserve_device: Undo @preserve_device.
 * @preserve_attachment: Keep what leads from the unit's root to the domain for
 *                     @dev or one of its PASIDs; fill in hw_id and payload.
 * @unpreserve_attachment: Undo @preserve_attachment.
 * @jump:              The last word to @unit: it is left as the next kernel has
 *                     to find it. Nothing can fail or sleep any more.
 * @domain_runs:       Tell @fn where @len bytes from @iova on lead, piece by
 *                     piece, until it returns an error. The range does not
 *                     change meanwhile. -ENOENT when not all of it is mapped.
 * @domain_clear:      Let @len bytes from @iova on lead nowhere, in hardware too,
 *                     and free no page of the table. The range is a map, and
 *                     nobody else changes it meanwhile.
 * @unit_error:        What is wrong with the payload of a unit that was found?
 * @domain_error:      What is wrong with the payload of a domain?
 * @restore_domain:    Make a domain of a record, without reading the table; set
 *                     its owner. @unit is one that it is used with, or NULL.
 * @restore_attachment: Record @dev as attached to the restored @domain without
 *                     changing the live entry, of which iommu_lu_entry_left() is
 *                     told, or fail having changed nothing.
 * @unrestore_attachment: Undo @restore_attachment; the entry is blocked next.
 * @block_attachment:  Block the DMA of an attachment of an adopted unit, for
 *                     which there may be no device.
 * @domain_in_use:     True while a device is attached to @domain.
 * @visit_tables:      Tell @fn of each table page of the restored @domain before
 *                     that is read, the top first.
 * @domain_levels:     Optional. Count the tables of each level of the preserved
 *                     @domain but level 0 in @nr, which is zero and has
 *                     %IOMMU_LU_LEVELS elements; return the level of the top.
 * @release_domain:    Give back what @restore_domain and @restore_attachment
 *                     reserved; @domain is unused and is freed next. Its tables
 *                     are freed by the core.
 *
 * All may sleep but @jump, which is called with interrupts off on the only CPU
 * that is left. What preserves and unpreserves, and @domain_levels, is called with
 * lu_out.lock of drivers/iommu/liveupdate/ held, @domain_runs and @domain_clear
 * with neither, the rest with the lock of struct iommu_lu_in.
 */
struct iommu_liveupdate_ops {
	u16 type;
	u16 version;
	u8 unit_size;
	u8 domain_size;
	u8 device_size;
	u8 attachment_size;
	u8 domain_pt;
	const char *name;

	u32 (*source_id)(struct iommu_device *iommu, struct device *dev);
	struct iommu_device *(*domain_unit)(struct iommu_domain *domain);

	int (*preserve_unit)(struct iommu_lu_unit *unit);
	void (*unpreserve_unit)(struct iommu_lu_unit *unit);
	int (*preserve_domain)(struct iommu_lu_domain *lu,
			       struct iommu_domain *domain);
	void (*unpreserve_domain)(struct iommu_lu_domain *lu,
				  struct iommu_domain *domain);
	int (*preserve_device)(struct iommu_lu_unit *unit,
			       struct iommu_lu_device *lu, struct device *dev);
	void (*unpreserve_device)(struct iommu_lu_unit *unit,
				  struct iommu_lu_device *lu);
	int (*preserve_attachment)(struct iommu_lu_unit *unit,
				   struct iommu_lu_attachment *att,
				   struct device *dev,
				   struct iommu_domain *domain);
	void (*unpreserve_attachment)(struct iommu_lu_unit *unit,
				      struct iommu_lu_attachment *att);
	void (*jump)(struct iommu_lu_unit *unit);
	int (*domain_runs)(struct iommu_domain *domain, u64 iova, u64 len,
			   iommu_lu_run_fn fn, void *arg);
	void (*domain_clear)(struct iommu_domain *domain, u64 iova, u64 len);

	const char *(*unit_error)(const struct iommu_lu_unit *unit);
	const char *(*domain_error)(const struct iommu_lu_domain *lu);
	struct iommu_domain *(*restore_domain)(struct iommu_lu_unit *unit,
					       const struct iommu_lu_domain *lu);
	int (*restore_attachment)(struct iommu_lu_unit *unit,
				  struct iommu_lu_attachment *att,
				  struct iommu_domain *domain,
				  struct device *dev);
	void (*unrestore_attachment)(struct iommu_lu_unit *unit,
				     struct iommu_lu_attachment *att,
				     struct iommu_domain *domain,
				     struct device *dev);
	void (*block_attachment)(struct iommu_lu_unit *unit,
				 struct iommu_lu_attachment *att);
	bool (*domain_in_use)(struct iommu_domain *domain);
	int (*visit_tables)(struct iommu_domain *domain, iommu_lu_table_fn fn,
			    void *arg);
	unsigned int (*domain_levels)(struct iommu_domain *domain, u64 *nr);
	void (*release_domain)(struct iommu_domain *domain);
};

/* The parts of a record that only its driver reads */
#define iommu_lu_payload(ser, type)					\
	({								\
		static_assert(sizeof(type) <= sizeof((ser)->payload));	\
		(type *)(ser)->payload;					\
	})

/* iommu.c */
bool iommu_group_has_pasids(struct iommu_group *group);

#ifdef CONFIG_IOMMU_LIVEUPDATE

/* Old kernel, for the file handlers of iommufd and vfio */
int iommu_lu_register(struct liveupdate_file_handler *fh);
int iommu_lu_preserve_domain(struct iommu_domain *domain, phys_addr_t user,
			     u32 *index);
void iommu_lu_unpreserve_domain(struct iommu_domain *domain);
void iommu_lu_name_domain(struct iommu_domain *domain, u64 token);
int iommu_lu_domain_runs(struct iommu_domain *domain, u64 iova, u64 len,
			 iommu_lu_run_fn fn, void *arg);
bool iommu_lu_domain_clear(struct iommu_domain *domain, u64 iova, u64 len);
int iommu_lu_preserve_device(struct device *dev, phys_addr_t user);
void iommu_lu_unpreserve_device(struct device *dev);
int iommu_lu_freeze_device(struct device *dev);
int iommu_lu_freeze(void);
void iommu_lu_unfreeze(void);

/* Old kernel, for the IOMMU core and drivers */
int iommu_lu_unit_add_page(struct iommu_lu_unit *unit, void *virt,
			   unsigned int order);
void iommu_lu_unit_del_page(struct iommu_lu_unit *unit, void *virt);
int iommu_lu_pages_add(struct iommu_lu_pages *pages, phys_addr_t phys,
		       unsigned int order);
bool iommu_lu_device_fixed(struct device *dev);
bool iommu_lu_reset_refused(struct pci_dev *pdev);
bool iommu_lu_attach_refused(struct device *dev, const struct list_head *group,
			     struct iommu_domain *domain);
bool iommu_lu_jumping(void);
void iommu_lu_jump(void);

/* New kernel, for IOMMU drivers: before LUO is up, and after */
bool iommu_lu_early_kept(phys_addr_t phys, size_t size);
struct iommu_lu_unit *
iommu_lu_adopt_unit(struct iommu_device *iommu,
		    const struct iommu_liveupdate_ops *ops, phys_addr_t base,
		    u32 segment);
bool iommu_lu_unit_owns(struct iommu_lu_unit *unit, phys_addr_t phys,
			unsigned int order);
struct iommu_lu_attachment *iommu_lu_entry_seen(struct iommu_lu_unit *unit,
						u32 source_id, u32 pasid);
int iommu_lu_take_id(struct iommu_lu_unit *unit,
		     struct iommu_lu_attachment *att);
bool iommu_lu_keep_entry(struct iommu_lu_unit *unit,
			 struct iommu_lu_attachment *att);
void iommu_lu_entry_left(struct iommu_lu_attachment *att);
void iommu_lu_entry_written(struct device *dev);
void iommu_lu_reject_device(struct iommu_lu_device *lu, const char *why);
void iommu_lu_abandon_unit(struct iommu_lu_unit *unit);
void iommu_lu_unit_settled(struct iommu_lu_unit *unit);
void iommu_lu_unit_unsettled(struct iommu_lu_unit *unit);
void iommu_lu_type_settled(u16 type);

/* New kernel, for the IOMMU core */
void iommu_lu_probe_device(struct device *dev, const struct list_head *group);
struct iommu_domain *iommu_lu_attach_restored(struct device *dev,
					      const struct list_head *group);
bool iommu_lu_attach_skipped(struct device *dev, struct iommu_domain *domain);
bool iommu_lu_may_unblock(struct device *dev);
void iommu_lu_attached(struct device *dev, struct iommu_domain *domain);
void iommu_lu_reset_begins(struct device *dev, struct iommu_domain *domain);
void iommu_lu_reset_ends(struct device *dev);
bool iommu_lu_domain_kept(struct iommu_domain *domain);
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

static inline bool iommu_lu_reset_refused(struct pci_dev *pdev)
{
	return false;
}

/* Not even evaluated, so that the code is that of the source in each instruction */
#define iommu_lu_attach_refused(...)	false

static inline bool iommu_lu_jumping(void)
{
	return false;
}

static inline void iommu_lu_jump(void)
{
}

static inline void iommu_lu_probe_device(struct device *dev,
					 const struct list_head *group)
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
iommu_lu_attach_restored(struct device *dev, const struct list_head *group)
{
	return NULL;
}

static inline bool iommu_lu_attach_skipped(struct device *dev,
					   struct iommu_domain *domain)
{
	return false;
}

static inline bool iommu_lu_may_unblock(struct device *dev)
{
	return false;
}

static inline void iommu_lu_attached(struct device *dev,
				     struct iommu_domain *domain)
{
}

static inline void iommu_lu_reset_begins(struct device *dev,
					 struct iommu_domain *domain)
{
}

static inline void iommu_lu_reset_ends(struct device *dev)
{
}

static inline bool iommu_lu_domain_kept(struct iommu_domain *domain)
{
	return false;
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

/**
 * iommu_lu_free_dev_iommu - Free what the IOMMU core knows of a device
 * @param: What was at dev->iommu
 *
 * Whoever asks whether a device came over may look at it without a lock.
 *
 * Context: May sleep.
 */
static inline void iommu_lu_free_dev_iommu(struct dev_iommu *param)
{
	if (IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE))
		kfree_rcu_mightsleep(param);
	else
		kfree(param);
}

#endif /* __LINUX_IOMMU_LIVEUPDATE_H */
