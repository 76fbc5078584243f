// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI functions that came over from the previous kernel
 */
#include <linux/bsearch.h>
#include <linux/cleanup.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/kexec_handover.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/pm_runtime.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "liveupdate.h"
#include "pci.h"

/*
 * @CAME:     It was at work when this kernel began, and nobody has it in hand
 * @RESTORED: The IOMMU goes on translating for it
 * @CLAIMED:  Its owner has it again
 * @REJECTED: The IOMMU blocks it; it has to be reset
 * @DONE:     It is like any other
 */
enum pci_lu_state {
	PCI_LU_CAME,
	PCI_LU_RESTORED,
	PCI_LU_CLAIMED,
	PCI_LU_REJECTED,
	PCI_LU_DONE,
};

/*
 * @ser:   A copy of its record
 * @pdev:  What was found for it, or NULL
 * @users: How many kept devices it is or has below it
 * @held:  A reference keeps it from runtime suspend
 * @file:  A session has given out a file of it
 * @state: What has become of it
 */
struct pci_lu_function {
	struct pci_lu_function_ser ser;
	struct pci_dev *pdev;
	unsigned int users;
	bool held;
	bool file;
	enum pci_lu_state state;
};

struct pci_lu_in {
	struct rcu_head rcu;
	u32 nr;
	struct pci_lu_function functions[] __counted_by(nr);
};

/* Innermost but for what RCU and the allocator take */
static DEFINE_MUTEX(in_lock);
/* Looked at without a lock, changed with it; the order of its records stays */
static struct pci_lu_in __rcu *incoming;
/* Something came over that could not be read: then nothing at all is moved */
static bool unreadable;
/* All sessions are finished; what is left has to be reset */
static bool ended;
/* Have to be reset too, without a record of ours */
static DEFINE_XARRAY(reset_due);

/* ---- The table ----------------------------------------------------------- */

static __always_inline int compare_key(const void *key, const void *elem)
{
	const struct pci_lu_function *function = elem;
	unsigned long other = pci_lu_key(function->ser.segment,
					 function->ser.rid);

	return *(const unsigned long *)key < other ? -1 :
	       *(const unsigned long *)key > other;
}

static struct pci_lu_function *lookup(struct pci_lu_in *in, unsigned long key)
{
	return __inline_bsearch(&key, in->functions, in->nr,
				sizeof(*in->functions), compare_key);
}

static struct pci_lu_function *function_above(struct pci_lu_in *in,
					      struct pci_lu_function *function)
{
	if (function->ser.bridge == PCI_LU_NO_BRIDGE)
		return NULL;
	return lookup(in, pci_lu_key(function->ser.segment,
				     function->ser.bridge));
}

/*
 * Bus numbers grow on the way down, and no physical function is a virtual one, so
 * no way up goes on for ever.
 */
static bool above_recorded(struct pci_lu_in *in,
			   struct pci_lu_function *function)
{
	struct pci_lu_function *above = function_above(in, function);

	if (!above)
		return function->ser.bridge == PCI_LU_NO_BRIDGE;
	if (function->ser.flags & PCI_LU_VIRTFN)
		return above->ser.flags & PCI_LU_PHYSFN;
	return above->ser.hdr_type == PCI_HEADER_TYPE_BRIDGE &&
	       PCI_BUS_NUM(above->ser.rid) < PCI_BUS_NUM(function->ser.rid);
}

static struct pci_lu_in *copy_table(const struct pci_lu_ser *ser)
{
	const struct pci_lu_function_ser *table = phys_to_virt(ser->table);
	struct pci_lu_in *in = kvzalloc_flex(*in, functions, ser->nr);
	struct pci_lu_function *pos;

	if (!in)
		return NULL;
	in->nr = ser->nr;
	for (u32 i = 0; i < in->nr; i++)
		in->functions[i].ser = table[i];
	for (u32 i = 0; i < in->nr; i++) {
		if (!above_recorded(in, &in->functions[i])) {
			kvfree(in);
			return ERR_PTR(-EINVAL);
		}
	}
	for (u32 i = 0; i < in->nr; i++) {
		if (!(in->functions[i].ser.flags & PCI_LU_DEVICE))
			continue;
		for (pos = &in->functions[i]; pos; pos = function_above(in, pos))
			pos->users++;
	}
	return in;
}

static const char *table_error(u64 phys)
{
	const struct pci_lu_ser *ser = phys_to_virt(phys);
	const char *why;

	if (kho_preserved_size(phys) != PAGE_SIZE)
		return "nothing was preserved";
	why = pci_lu_ser_error(ser);
	if (why)
		return why;
	if (ser->table &&
	    kho_preserved_size(ser->table) != (u64)ser->pages << PAGE_SHIFT)
		return "its table was not preserved";
	return pci_lu_table_error(ser);
}

/**
 * pci_lu_in_start - Read which functions came over
 * @phys: Where the header is, not trusted
 *
 * Context: Boot, before PCI looks for the first device.
 * Return: 0; -EINVAL when it makes no sense, and then everything on the bus stays
 * where it is and nothing that IOMMUs know is believed; -ENOMEM.
 */
int pci_lu_in_start(u64 phys)
{
	struct pci_lu_in *in = NULL;
	const char *why;

	scoped_class(iommu_lu_lap, lap, IOMMU_LU_STEP_ADOPT) {
		why = table_error(phys);
		if (!why)
			in = copy_table(phys_to_virt(phys));
	}
	if (in == ERR_PTR(-EINVAL))
		why = "a bridge has no record";
	if (why || !in) {
		WRITE_ONCE(unreadable, true);
		pr_err("PCI: live update: which functions stay as they are cannot be read: %s\n",
		       why ?: "out of memory");
		return why ? -EINVAL : -ENOMEM;
	}
	rcu_assign_pointer(incoming, in);
	return 0;
}

static struct pci_lu_in *locked_in(void)
{
	return rcu_dereference_protected(incoming, lockdep_is_held(&in_lock));
}

/* Of what is in the table and present, NULL for all others */
static struct pci_lu_function *locked_function(struct pci_dev *pdev)
{
	struct pci_lu_in *in = locked_in();
	struct pci_lu_function *function;

	function = in ? lookup(in, pci_lu_key_of(pdev)) : NULL;
	return function && function->pdev == pdev ? function : NULL;
}

/* ---- Functions turn up, and go ------------------------------------------- */

/**
 * pci_liveupdate_found - A function turns up
 * @pdev: The function; what it is has been read, and nothing was changed yet
 *
 * Only what is just the function of a record, behind just those bridges, is
 * taken for it.
 *
 * Context: With pci_rescan_remove_lock held, or boot.
 */
void pci_liveupdate_found(struct pci_dev *pdev)
{
	struct pci_lu_function *function, *above;
	struct pci_lu_in *in;

	if (!rcu_access_pointer(incoming))
		return;

	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_PROBE);
	guard(mutex)(&in_lock);
	in = locked_in();
	function = in ? lookup(in, pci_lu_key_of(pdev)) : NULL;
	if (!function || function->pdev)
		return;
	above = function_above(in, function);
	if (!pci_lu_record_fits(&function->ser, pdev) ||
	    (above && above->pdev != pci_lu_above(pdev))) {
		pci_err(pdev, "live update: another function was here before\n");
		return;
	}
	function->pdev = pdev;
}

/**
 * pci_liveupdate_hold_power - Keep a function that came over in D0
 * @pdev: The function, with runtime power management set up
 *
 * Nobody may have a driver for it, so nobody else says that it is in use.
 *
 * Context: When @pdev is set up.
 */
void pci_liveupdate_hold_power(struct pci_dev *pdev)
{
	struct pci_lu_function *function;

	if (!rcu_access_pointer(incoming))
		return;

	guard(mutex)(&in_lock);
	function = locked_function(pdev);
	if (!function || function->state >= PCI_LU_REJECTED)
		return;
	pm_runtime_get_noresume(&pdev->dev);
	function->held = true;
}

static void settle(struct pci_lu_function *function, enum pci_lu_state state)
{
	WRITE_ONCE(function->state, state);
	if (state == PCI_LU_DONE && function->held) {
		function->held = false;
		pm_runtime_put_noidle(&function->pdev->dev);
	}
}

/* One kept device less below all bridges above, which may be the last one */
static void let_go(struct pci_lu_in *in, struct pci_lu_function *function,
		   enum pci_lu_state state)
{
	settle(function, state);
	for (; function; function = function_above(in, function)) {
		function->users--;
		if (!function->users && function->state == PCI_LU_CAME)
			settle(function, PCI_LU_DONE);
	}
	pci_lu_removal_due();
}

/**
 * pci_liveupdate_gone - A function goes
 * @pdev: The function
 *
 * One that has to be reset still has to be when it comes back, unless the card
 * itself was taken away.
 *
 * Context: With pci_rescan_remove_lock held.
 */
void pci_liveupdate_gone(struct pci_dev *pdev)
{
	struct pci_lu_function *function;

	pci_lu_gone(pdev);
	/* What is not there any more has lost its orders */
	if (pci_dev_is_disconnected(pdev))
		xa_erase(&reset_due, pci_lu_key_of(pdev));
	if (!rcu_access_pointer(incoming))
		return;

	guard(mutex)(&in_lock);
	function = locked_function(pdev);
	if (!function)
		return;
	if (function->ser.flags & PCI_LU_DEVICE && function->users)
		let_go(locked_in(), function, PCI_LU_REJECTED);
	if (pci_dev_is_disconnected(pdev))
		WRITE_ONCE(function->state, PCI_LU_DONE);
	function->held = false;
	WRITE_ONCE(function->pdev, NULL);
}

/* ---- What is to stay as it is? ------------------------------------------- */

/* With the RCU read lock held; of what is in the table and present */
static struct pci_lu_function *seen_function(struct pci_dev *pdev)
{
	struct pci_lu_in *in = rcu_dereference(incoming);
	struct pci_lu_function *function;

	function = in ? lookup(in, pci_lu_key_of(pdev)) : NULL;
	return function && READ_ONCE(function->pdev) == pdev ? function : NULL;
}

static bool state_between(struct pci_dev *pdev, u8 flags,
			  enum pci_lu_state first, enum pci_lu_state last)
{
	struct pci_lu_function *function;
	enum pci_lu_state state;

	if (!rcu_access_pointer(incoming))
		return false;

	guard(rcu)();
	function = seen_function(pdev);
	if (!function || (function->ser.flags & flags) != flags)
		return false;
	state = READ_ONCE(function->state);
	return state >= first && state <= last;
}

/**
 * pci_liveupdate_incoming - Is a function to stay as the previous kernel left it?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true for a kept device and for the bridges above it, from the moment
 * they are found until the session is finished or the IOMMU rejects the device.
 */
bool pci_liveupdate_incoming(struct pci_dev *pdev)
{
	return state_between(pdev, 0, PCI_LU_CAME, PCI_LU_CLAIMED);
}

/**
 * pci_lu_incoming_above - Is a function to stay as it is for others?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true for a bridge above a kept device and for the physical function of
 * one, as long as pci_liveupdate_incoming() is.
 */
bool pci_lu_incoming_above(struct pci_dev *pdev)
{
	return pci_liveupdate_incoming(pdev) &&
	       !state_between(pdev, PCI_LU_DEVICE, PCI_LU_CAME, PCI_LU_DONE);
}

/**
 * pci_liveupdate_keep_vfs - Does a function go on with the VFs it had?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true for the physical function of a kept one, as long as
 * pci_liveupdate_incoming() is.
 */
bool pci_liveupdate_keep_vfs(struct pci_dev *pdev)
{
	return state_between(pdev, PCI_LU_PHYSFN, PCI_LU_CAME, PCI_LU_CLAIMED);
}

/**
 * pci_lu_in_physfn - Find physical functions of kept ones
 * @index: Where to look from; set to where to look next
 *
 * Context: Boot, with the functions found.
 * Return: a function, to be put, or NULL.
 */
struct pci_dev *pci_lu_in_physfn(u32 *index)
{
	struct pci_lu_function *function;
	struct pci_lu_in *in;

	guard(mutex)(&in_lock);
	in = locked_in();
	while (in && *index < in->nr) {
		function = &in->functions[(*index)++];
		if (function->ser.flags & PCI_LU_PHYSFN && function->pdev)
			return pci_dev_get(function->pdev);
	}
	return NULL;
}

/**
 * pci_liveupdate_unowned - Is a kept device at work, with its owner still to come?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true until its owner has claimed it.
 */
bool pci_liveupdate_unowned(struct pci_dev *pdev)
{
	return state_between(pdev, PCI_LU_DEVICE, PCI_LU_CAME, PCI_LU_RESTORED);
}

/**
 * pci_lu_in_session - Has a session given out a file of a function, or of its VFs?
 * @pdev: The function
 *
 * Context: Any.
 * Return: true from then on until the session is finished.
 */
bool pci_lu_in_session(struct pci_dev *pdev)
{
	struct pci_lu_function *function;
	struct pci_lu_in *in;

	if (!pci_liveupdate_incoming(pdev))
		return false;

	guard(rcu)();
	function = seen_function(pdev);
	if (!function || !(function->ser.flags & PCI_LU_PHYSFN))
		return function && READ_ONCE(function->file);
	in = rcu_dereference(incoming);
	for (u32 i = 0; i < in->nr; i++)
		if (function_above(in, &in->functions[i]) == function &&
		    READ_ONCE(in->functions[i].file))
			return true;
	return false;
}

/**
 * pci_liveupdate_keep_buses - Do all buses keep their numbers?
 *
 * A function that is at work has its number in tables of the IOMMU; another one
 * that is given it would use them. To move only what is not kept could still run
 * into what is.
 *
 * Context: Any.
 * Return: true while any function is to stay as it is; until the next kexec, when it
 * could not be read which these are.
 */
bool pci_liveupdate_keep_buses(void)
{
	return READ_ONCE(unreadable) ||
	       (rcu_access_pointer(incoming) && !READ_ONCE(ended));
}

/**
 * pci_lu_in_any - What is in the way of sleep?
 *
 * Context: May sleep.
 * Return: a function that came over and is not like any other yet, to be put, or
 * NULL.
 */
struct pci_dev *pci_lu_in_any(void)
{
	struct pci_dev *pdev;
	struct pci_lu_in *in;
	unsigned long key;
	void *entry;

	guard(mutex)(&in_lock);
	in = locked_in();
	for (u32 i = 0; in && i < in->nr; i++)
		if (in->functions[i].pdev &&
		    in->functions[i].state != PCI_LU_DONE)
			return pci_dev_get(in->functions[i].pdev);
	xa_for_each(&reset_due, key, entry) {
		pdev = pci_get_domain_bus_and_slot(key >> 16, PCI_BUS_NUM(key),
						   key & 0xff);
		if (pdev)
			return pdev;
	}
	return NULL;
}

/* ---- The IOMMU decides, and the owner ------------------------------------ */

/**
 * pci_liveupdate_came - Is it the device that the previous kernel has kept?
 * @pdev: The device
 *
 * Context: Any.
 * Return: true when PCI has a record of it, and it is still what and where it was.
 */
bool pci_liveupdate_came(struct pci_dev *pdev)
{
	struct pci_lu_function *function;

	guard(mutex)(&in_lock);
	function = locked_function(pdev);
	return function && function->ser.flags & PCI_LU_DEVICE &&
	       function->state == PCI_LU_CAME &&
	       pci_lu_record_unmoved(&function->ser, pdev);
}

static void move_on(struct pci_dev *pdev, enum pci_lu_state from,
		    enum pci_lu_state to)
{
	struct pci_lu_function *function;

	guard(mutex)(&in_lock);
	function = locked_function(pdev);
	if (function && function->state == from)
		WRITE_ONCE(function->state, to);
}

/**
 * pci_liveupdate_restored - The IOMMU goes on translating for a device
 * @pdev: The device, for which pci_liveupdate_came() is true
 *
 * Context: May sleep.
 */
void pci_liveupdate_restored(struct pci_dev *pdev)
{
	move_on(pdev, PCI_LU_CAME, PCI_LU_RESTORED);
}

static bool set_file(struct pci_dev *pdev, bool file)
{
	struct pci_lu_function *function;

	guard(mutex)(&in_lock);
	function = locked_function(pdev);
	if (function)
		WRITE_ONCE(function->file, file);
	return function;
}

/**
 * pci_liveupdate_retrieve - A session is about to give out a file of a device
 * @pdev: The device
 *
 * The session holds that file until it is finished, and the device is not removed
 * before.
 *
 * Context: May sleep.
 * Return: 0, or -ENODEV when it is removed already.
 */
int pci_liveupdate_retrieve(struct pci_dev *pdev)
{
	if (!set_file(pdev, true))
		return -ENODEV;
	if (!pci_lu_going(pdev))
		return 0;
	pci_liveupdate_unretrieve(pdev);
	return -ENODEV;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_retrieve);

/**
 * pci_liveupdate_unretrieve - Undo pci_liveupdate_retrieve()
 * @pdev: The device
 *
 * Context: May sleep.
 */
void pci_liveupdate_unretrieve(struct pci_dev *pdev)
{
	set_file(pdev, false);
	pci_lu_removal_due();
}
EXPORT_SYMBOL_GPL(pci_liveupdate_unretrieve);

/**
 * pci_liveupdate_claimed - The owner of a device has it again
 * @pdev: The device
 *
 * Context: May sleep.
 */
void pci_liveupdate_claimed(struct pci_dev *pdev)
{
	move_on(pdev, PCI_LU_RESTORED, PCI_LU_CLAIMED);
}

/**
 * pci_liveupdate_unclaimed - Undo pci_liveupdate_claimed()
 * @pdev: The device
 *
 * Context: May sleep.
 */
void pci_liveupdate_unclaimed(struct pci_dev *pdev)
{
	move_on(pdev, PCI_LU_CLAIMED, PCI_LU_RESTORED);
}

/**
 * pci_liveupdate_rejected - A device must not go on
 * @pdev: Any device that may have been told to write to memory by the previous
 *        kernel
 *
 * It is no bus master from here on, and is reset before it gets a driver.
 *
 * Context: May sleep.
 */
void pci_liveupdate_rejected(struct pci_dev *pdev)
{
	struct pci_lu_function *function;

	pci_clear_master(pdev);

	guard(mutex)(&in_lock);
	function = locked_function(pdev);
	if (function && function->ser.flags & PCI_LU_DEVICE &&
	    function->state < PCI_LU_REJECTED) {
		let_go(locked_in(), function, PCI_LU_REJECTED);
		return;
	}
	/* A few bytes; to forget it would let a driver start it again */
	if (!function)
		xa_store(&reset_due, pci_lu_key_of(pdev), xa_mk_value(1),
			 GFP_KERNEL | __GFP_NOFAIL);
}

/**
 * pci_liveupdate_finish - A device is like any other from now on
 * @pdev: The device
 *
 * Context: May sleep.
 */
void pci_liveupdate_finish(struct pci_dev *pdev)
{
	struct pci_lu_function *function;

	guard(mutex)(&in_lock);
	function = locked_function(pdev);
	if (function && function->ser.flags & PCI_LU_DEVICE &&
	    function->state < PCI_LU_REJECTED)
		let_go(locked_in(), function, PCI_LU_DONE);
}

/* ---- Blocked means quiet ------------------------------------------------- */

/**
 * pci_liveupdate_reset_due - Is a device to be reset before anybody uses it?
 * @pdev: The device
 *
 * Context: Any.
 * Return: true when it may still be told to write to memory that is not its any
 * more.
 */
bool pci_liveupdate_reset_due(struct pci_dev *pdev)
{
	return state_between(pdev, PCI_LU_DEVICE, PCI_LU_CAME, PCI_LU_CAME) ||
	       state_between(pdev, PCI_LU_DEVICE, PCI_LU_REJECTED,
			     PCI_LU_REJECTED) ||
	       xa_load(&reset_due, pci_lu_key_of(pdev));
}

static void reset_done(struct pci_dev *pdev)
{
	struct pci_lu_function *function;

	xa_erase(&reset_due, pci_lu_key_of(pdev));

	guard(mutex)(&in_lock);
	function = locked_function(pdev);
	if (function && function->state == PCI_LU_REJECTED)
		settle(function, PCI_LU_DONE);
}

/* Many a device comes back from D3hot as it was, so that is the last resort */
static void power_reset_last(struct pci_dev *pdev)
{
	u8 *methods = pdev->reset_methods, power = 0;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < PCI_NUM_RESET_METHODS && methods[i]; i++) {
		if (!strcmp(pci_reset_fn_methods[methods[i]].name, "pm"))
			power = methods[i];
		else
			methods[nr++] = methods[i];
	}
	if (power)
		methods[nr] = power;
}

/* With the bridge above locked, if there is one: it may be what resets */
static int reset_orders(struct pci_dev *pdev)
{
	int ret;

	/* From here on it is nobody's, and a reset is not refused */
	pci_liveupdate_rejected(pdev);
	power_reset_last(pdev);
	ret = pci_reset_function_locked(pdev);
	if (ret) {
		pci_err(pdev, "live update: it may still have old orders and cannot be reset, no driver is bound until it was off: %pe\n",
			ERR_PTR(ret));
		return ret;
	}
	reset_done(pdev);
	pci_info(pdev, "live update: reset, its old orders are gone\n");
	return 0;
}

/**
 * pci_liveupdate_quiesce - Reset a device before its driver is bound, if it is due
 * @pdev: The device
 *
 * A driver may set bus mastering before it resets the device itself, and with it
 * all that the previous owner wanted to be written.
 *
 * Context: With the lock of the device held, before the probe of a driver.
 * Return: 0; -EPROBE_DEFER when somebody has the lock of the bridge above, or for a
 * driver that would end virtual functions that are kept; or the error of a reset that
 * did not work: then no driver is to be bound, and the next try is made with the next
 * driver.
 */
int pci_liveupdate_quiesce(struct pci_dev *pdev)
{
	struct pci_dev *bridge;
	int ret;

	if (pci_lu_keeps_driver_off(pdev))
		return -EPROBE_DEFER;
	if (!pci_liveupdate_reset_due(pdev))
		return 0;
	if (pci_liveupdate_keep_vfs(pdev))
		return -EPROBE_DEFER;
	bridge = pci_upstream_bridge(pdev);
	if (bridge && !pci_dev_trylock(bridge))
		return -EPROBE_DEFER;
	ret = reset_orders(pdev);
	if (bridge)
		pci_dev_unlock(bridge);
	return ret;
}

/**
 * pci_liveupdate_leave - Reset what does not go on to the kernel after this one
 * @pdev: A function that is not preserved
 *
 * A device that nobody has claimed, or that was rejected, is no bus master any
 * more, and the next kernel knows nothing about it.
 *
 * Context: device_shutdown(), with the locks of the device and its parent held.
 */
void pci_liveupdate_leave(struct pci_dev *pdev)
{
	struct pci_dev *bridge = pci_upstream_bridge(pdev);

	if (!pci_liveupdate_unowned(pdev) && !pci_liveupdate_reset_due(pdev))
		return;
	if (bridge)
		pci_cfg_access_lock(bridge);
	reset_orders(pdev);
	if (bridge)
		pci_cfg_access_unlock(bridge);
}

/* ---- The end ------------------------------------------------------------- */

/**
 * pci_lu_in_end - All sessions are finished
 *
 * What has to be reset is remembered until then.
 *
 * Context: May sleep.
 */
void pci_lu_in_end(void)
{
	struct pci_lu_in *in;
	bool due = false;

	guard(mutex)(&in_lock);
	in = locked_in();
	for (u32 i = 0; in && i < in->nr; i++) {
		struct pci_lu_function *function = &in->functions[i];

		if (function->ser.flags & PCI_LU_DEVICE &&
		    function->state < PCI_LU_REJECTED) {
			if (function->pdev)
				pci_clear_master(function->pdev);
			let_go(in, function, PCI_LU_REJECTED);
		}
		due |= function->state == PCI_LU_REJECTED;
	}
	WRITE_ONCE(ended, true);
	if (due || !in)
		return;
	RCU_INIT_POINTER(incoming, NULL);
	kvfree_rcu(in, rcu);
}
