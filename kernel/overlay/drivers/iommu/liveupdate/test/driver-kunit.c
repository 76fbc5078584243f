// SPDX-License-Identifier: GPL-2.0-only
/*
 * Take a driver unlike VT-d through a whole live update
 *
 * Both kernels are played by this one. What the old one gives to KHO is what KHO
 * has more than before; stubs hand that to the new one, once. The table pages are
 * held by one more reference, so that it can be seen which of them were freed.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/cleanup.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/kho_radix_tree.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "../../iommu-pages.h"
#include "../internal.h"
#include "../page-list.h"
#include "../pages.h"
#include "driver.h"
#include "kunit.h"

/* What is preserved: order, and whether the new kernel has taken it */
#define PAGE_TAKEN	BIT(8)

struct driver_test {
	struct iommu_lu_out out;
	struct iommu_lu_in in;
	struct iommu_lu_ser *ser;
	struct td_unit unit[TD_UNITS];
	struct td_domain domain[TD_DOMAINS];
	u32 domain_slot[TD_DOMAINS];
	struct td_device dev[TD_DEVICES];
	struct iommu_lu_device *lu[TD_DEVICES];
	struct pci_sysdata sysdata;
	struct iommu_lu_unit *in_unit[TD_UNITS];

	struct kho_radix_tree kho;
	struct xarray before;
	struct xarray pages;
};

/* Device, domain, PASID, ID: two on one domain, one device on two */
static const struct {
	u8 dev;
	u8 domain;
	u32 pasid;
	u32 hw_id;
} att_is[] = {
	{ 0, 0, IOMMU_LU_NO_PASID, 0x10007 },
	{ 1, 0, IOMMU_LU_NO_PASID, 0x10007 },
	{ 1, 1, TD_PASID, 0x10008 },
	{ 2, 2, IOMMU_LU_NO_PASID, 0x10007 },
};

/* Which unit a device is behind */
static const u8 unit_of[TD_DEVICES] = { 0, 0, 1 };

static struct driver_test *this_test(void)
{
	return kunit_get_current_test()->priv;
}

/* ---- What KHO says ------------------------------------------------------- */

static int see_key(unsigned long key, void *data)
{
	unsigned int order = 64 - PAGE_SHIFT - (fls64(key) - 1);
	struct driver_test *dt = this_test();
	struct xarray *pages = data;
	unsigned long pfn = PHYS_PFN(key << (PAGE_SHIFT + order));

	if (pages != &dt->before && xa_load(&dt->before, pfn))
		return 0;
	return xa_err(xa_store(pages, pfn, xa_mk_value(order), GFP_KERNEL));
}

static void look(struct kunit *test, struct xarray *pages)
{
	const struct kho_radix_walk_cb cb = { .leaf = see_key };
	struct driver_test *dt = test->priv;

	KUNIT_ASSERT_EQ(test, kho_radix_walk_tree(&dt->kho, &cb, pages), 0);
}

static size_t stub_size(phys_addr_t phys)
{
	void *page = xa_load(&this_test()->pages, PHYS_PFN(phys));

	if (!page || !PAGE_ALIGNED(phys) || xa_to_value(page) & PAGE_TAKEN)
		return 0;
	return PAGE_SIZE << xa_to_value(page);
}

static void take(phys_addr_t phys)
{
	struct xarray *pages = &this_test()->pages;
	void *page = xa_load(pages, PHYS_PFN(phys));

	xa_store(pages, PHYS_PFN(phys),
		 xa_mk_value(xa_to_value(page) | PAGE_TAKEN), GFP_KERNEL);
}

static void stub_free(void *virt)
{
	KUNIT_EXPECT_NE(kunit_get_current_test(), stub_size(virt_to_phys(virt)), 0);
	take(virt_to_phys(virt));
}

/* It can be freed once more than the old kernel does */
static void *stub_restore(phys_addr_t phys)
{
	struct folio *folio = virt_to_folio(phys_to_virt(phys));

	if (!stub_size(phys))
		return NULL;
	take(phys);
	folio_get(folio);
	iommu_lu_kunit_account(folio, 1);
	return phys_to_virt(phys);
}

static bool taken(struct driver_test *dt, phys_addr_t phys)
{
	void *page = xa_load(&dt->pages, PHYS_PFN(phys));

	return page && xa_to_value(page) & PAGE_TAKEN;
}

/* ---- The old kernel ------------------------------------------------------ */

static void make_devices(struct driver_test *dt)
{
	dt->sysdata.domain = TD_SEGMENT;
	for (unsigned int i = 0; i < TD_DEVICES; i++) {
		struct td_device *dev = &dt->dev[i];

		dev->source_id = TD_SOURCE(i);
		dev->bus.sysdata = &dt->sysdata;
		dev->bus.number = 7;
		dev->pdev.bus = &dev->bus;
		dev->pdev.devfn = 8 * i;
		dev->pdev.vendor = 0x1234;
		dev->pdev.device = 0x11e0 + i;
		dev->pdev.dev.iommu = &dev->iommu;
		dev->iommu.iommu_dev = &dt->unit[unit_of[i]].iommu;
	}
}

static void make_machine(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct td_entry *root;

	root = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE << TD_ROOT_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, root);
	for (unsigned int i = 0; i < TD_UNITS; i++) {
		dt->unit[i].iommu.ops = &td_iommu_ops;
		dt->unit[i].index = i;
		dt->unit[i].root = root;
	}
	make_devices(dt);
	for (unsigned int i = 0; i < TD_DOMAINS; i++)
		KUNIT_ASSERT_EQ(test, td_domain_init(&dt->domain[i]), 0);
	dt->domain[2].unit = &dt->unit[1].iommu;
	for (unsigned int i = 0; i < ARRAY_SIZE(att_is); i++) {
		unsigned int d = att_is[i].dev;

		KUNIT_ASSERT_EQ(test, td_add_entry(&dt->unit[unit_of[d]],
						   &dt->dev[d], att_is[i].pasid,
						   att_is[i].hw_id,
						   &dt->domain[att_is[i].domain]),
				0);
	}
}

static void preserve_all(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct iommu_lu_out *out = &dt->out;

	guard(mutex)(&out->lock);
	for (unsigned int i = 0; i < TD_DOMAINS; i++)
		KUNIT_ASSERT_EQ(test, iommu_lu_out_domain(out, &dt->domain[i].domain,
							  0x1000 * (i + 1),
							  &dt->domain_slot[i]), 0);
	for (unsigned int i = 0; i < TD_DEVICES; i++) {
		dt->lu[i] = iommu_lu_out_device(out);
		KUNIT_ASSERT_FALSE(test, IS_ERR(dt->lu[i]));
		KUNIT_ASSERT_EQ(test, iommu_lu_out_fill_device(out, dt->lu[i],
							       &dt->dev[i].pdev.dev,
							       0), 0);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(att_is); i++) {
		unsigned int d = att_is[i].dev;

		KUNIT_ASSERT_EQ(test, iommu_lu_out_attachment(out, dt->lu[d],
							      &dt->dev[d].pdev.dev,
							      &dt->domain[att_is[i].domain].domain,
							      att_is[i].pasid), 0);
	}
}

static void unpreserve_all(struct driver_test *dt)
{
	guard(mutex)(&dt->out.lock);
	for (unsigned int i = TD_DEVICES; i--;)
		iommu_lu_out_undo_device(&dt->out, dt->lu[i]);
	for (unsigned int i = TD_DOMAINS; i--;)
		iommu_lu_out_undo_domain(&dt->out, &dt->domain[i].domain);
}

/* ---- The new kernel ------------------------------------------------------ */

static void read_all(struct kunit *test)
{
	struct driver_test *dt = test->priv;

	look(test, &dt->pages);
	/* In the new kernel nothing knows of what the old one had in memory */
	for (unsigned int i = 0; i < TD_UNITS; i++)
		dt->unit[i].iommu.lu = NULL;
	mutex_init(&dt->in.lock);
	iommu_lu_in_init(&dt->in);
	scoped_guard(mutex, &dt->in.lock)
		KUNIT_ASSERT_EQ(test, iommu_lu_in_read(&dt->in,
						       virt_to_phys(dt->ser)), 0);
}

static void adopt_all(struct kunit *test)
{
	struct driver_test *dt = test->priv;

	dt->in.ops[IOMMU_LU_TYPE_TEST] = &td_lu_ops;
	for (unsigned int i = 0; i < TD_UNITS; i++) {
		struct iommu_lu_unit *unit;

		scoped_guard(mutex, &dt->in.lock)
			unit = iommu_lu_in_unit(&dt->in, &td_lu_ops,
						TD_BASE + PAGE_SIZE * i,
						TD_SEGMENT);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, unit);
		KUNIT_ASSERT_EQ(test, td_adopt(&dt->unit[i], unit), 0);
		iommu_lu_unit_settled(unit);
		dt->in_unit[i] = unit;
	}
}

static struct iommu_lu_device *in_device(struct driver_test *dt, unsigned int i)
{
	return iommu_lu_in_device(&dt->in, TD_SEGMENT, PCI_DEVID(7, 8 * i));
}

static struct iommu_lu_domain *in_domain(struct driver_test *dt, unsigned int i)
{
	return xa_load(&dt->in.domain_slots, dt->domain_slot[i]);
}

static const char *attach(struct driver_test *dt, unsigned int i)
{
	guard(mutex)(&dt->in.lock);
	return iommu_lu_in_attach(&dt->in, in_device(dt, i),
				  &dt->dev[i].pdev.dev);
}

static unsigned int attached(struct driver_test *dt, unsigned int i)
{
	struct iommu_domain *domain = in_domain(dt, i)->domain;

	return domain ? to_td_domain(domain)->attached : 0;
}

/* All devices leave a domain, it is released: is it free, or lost? */
static void release(struct kunit *test, unsigned int i, bool whole)
{
	struct driver_test *dt = test->priv;
	struct iommu_domain *domain = in_domain(dt, i)->domain;
	u64 *top = dt->domain[i].top;

	KUNIT_ASSERT_NOT_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, iommu_lu_in_release_domain(&dt->in, domain),
			-EBUSY);
	to_td_domain(domain)->attached = 0;
	KUNIT_EXPECT_EQ(test, iommu_lu_in_release_domain(&dt->in, domain), 0);
	KUNIT_EXPECT_TRUE(test, to_td_domain(domain)->released);
	kfree(to_td_domain(domain));

	KUNIT_EXPECT_EQ(test, taken(dt, virt_to_phys(top)), whole);
	for (unsigned int leaf = 1; leaf < TD_LEAVES; leaf++)
		KUNIT_EXPECT_EQ(test, taken(dt, top[leaf * 200]), whole);
}

/* Nobody else has freed, or taken, a page of this domain */
static void expect_untouched(struct kunit *test, unsigned int i)
{
	struct driver_test *dt = test->priv;
	u64 *top = dt->domain[i].top;

	KUNIT_EXPECT_FALSE(test, taken(dt, virt_to_phys(top)));
	for (unsigned int leaf = 0; leaf < TD_LEAVES; leaf++)
		KUNIT_EXPECT_FALSE(test, taken(dt, top[leaf * 200]));
}

static void forget_all(struct driver_test *dt)
{
	struct iommu_lu_domain *lu;
	unsigned long i;

	xa_for_each(&dt->in.domain_slots, i, lu) {
		if (!lu->domain)
			continue;
		kfree(to_td_domain(lu->domain));
		lu->domain = NULL;
	}
	if (dt->in.ser) {
		guard(mutex)(&dt->in.lock);
		iommu_lu_in_release(&dt->in);
	}
	/* The old kernel goes on, to undo what it did */
	for (unsigned int u = 0; u < TD_DEVICES; u++)
		dt->unit[unit_of[u]].iommu.lu = dt->lu[u]->unit;
}

/* ---- Tests --------------------------------------------------------------- */

static void driver_whole_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	phys_addr_t root = virt_to_phys(dt->unit[0].root);

	read_all(test);
	/* Before there are records: the size, and nothing but the size */
	KUNIT_EXPECT_TRUE(test, iommu_lu_early_kept(root, PAGE_SIZE << TD_ROOT_ORDER));
	KUNIT_EXPECT_FALSE(test, iommu_lu_early_kept(root, PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, iommu_lu_early_kept(root + PAGE_SIZE, PAGE_SIZE));

	adopt_all(test);
	/* One of them has the root table, the one that was kept first */
	KUNIT_EXPECT_EQ(test, dt->in_unit[0]->ser->root_unit,
			dt->in_unit[1]->index);
	KUNIT_EXPECT_EQ(test, dt->in_unit[1]->ser->root_unit,
			dt->in_unit[1]->index);
	for (unsigned int i = 0; i < TD_DEVICES; i++)
		KUNIT_EXPECT_NULL(test, attach(dt, i));
	KUNIT_EXPECT_EQ(test, attached(dt, 0), 2);
	KUNIT_EXPECT_EQ(test, attached(dt, 1), 1);
	KUNIT_EXPECT_EQ(test, attached(dt, 2), 1);
	KUNIT_EXPECT_PTR_EQ(test, in_domain(dt, 2)->unit, dt->in_unit[1]);
	for (unsigned int i = 0; i < ARRAY_SIZE(att_is); i++)
		KUNIT_EXPECT_NOT_NULL(test,
				      td_find_entry(&dt->unit[0],
						    TD_SOURCE(att_is[i].dev),
						    att_is[i].pasid));

	release(test, 0, true);
	expect_untouched(test, 1);
	expect_untouched(test, 2);
	release(test, 1, true);
	release(test, 2, true);
}

/* While a device is blocked for its reset, its driver does not know its domain */
static void driver_reset_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct device *dev = &dt->dev[2].pdev.dev;
	struct iommu_domain *domain;

	read_all(test);
	adopt_all(test);
	KUNIT_EXPECT_NULL(test, attach(dt, 2));
	domain = in_domain(dt, 2)->domain;
	KUNIT_ASSERT_NOT_NULL(test, domain);
	dev->iommu->lu = in_device(dt, 2);

	iommu_lu_reset_begins(dev, domain);
	to_td_domain(domain)->attached = 0;
	KUNIT_EXPECT_EQ(test, iommu_lu_in_release_domain(&dt->in, domain),
			-EBUSY);
	KUNIT_EXPECT_FALSE(test, to_td_domain(domain)->released);
	to_td_domain(domain)->attached = 1;
	iommu_lu_reset_ends(dev);
	KUNIT_EXPECT_EQ(test, in_domain(dt, 2)->resets, 0);
	dev->iommu->lu = NULL;
	if (!to_td_domain(domain)->released)
		release(test, 2, true);
}

/* Only what came over, and is alone in its group, is attached to a restored domain */
static void driver_attach_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct device *dev = &dt->dev[2].pdev.dev;
	struct iommu_domain own = {}, *domain;
	struct iommu_lu_device *lu;
	struct list_head member, other;
	LIST_HEAD(group);

	read_all(test);
	adopt_all(test);
	list_add(&member, &group);
	KUNIT_EXPECT_NULL(test, attach(dt, 2));
	domain = in_domain(dt, 2)->domain;
	KUNIT_ASSERT_NOT_NULL(test, domain);

	KUNIT_EXPECT_TRUE(test, iommu_lu_attach_refused(dev, &group, domain));
	KUNIT_EXPECT_TRUE(test, iommu_lu_attach_skipped(dev, domain));
	KUNIT_EXPECT_FALSE(test, iommu_lu_attach_skipped(dev, &own));
	lu = in_device(dt, 2);
	dev->iommu->lu = lu;
	lu->state = IOMMU_LU_REJECTED;
	KUNIT_EXPECT_TRUE(test, iommu_lu_attach_refused(dev, &group, domain));
	KUNIT_EXPECT_TRUE(test, iommu_lu_attach_skipped(dev, domain));
	lu->state = IOMMU_LU_CLAIMED;
	KUNIT_EXPECT_FALSE(test, iommu_lu_attach_refused(dev, &group, domain));
	KUNIT_EXPECT_FALSE(test, iommu_lu_attach_skipped(dev, domain));
	list_add_tail(&other, &group);
	KUNIT_EXPECT_TRUE(test, iommu_lu_attach_refused(dev, &group, domain));
	KUNIT_EXPECT_FALSE(test, iommu_lu_attach_refused(dev, &group, &own));
	lu->state = IOMMU_LU_INCOMING;
	dev->iommu->lu = NULL;
	release(test, 2, true);
}

/* A table entry leads to a live table, a record, a page of a file */
static void driver_odd_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	u64 *own = &dt->domain[0].top[0], good = *own;
	void *block, *file;

	file = kho_alloc_preserve(PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	read_all(test);
	adopt_all(test);
	for (unsigned int i = 0; i < TD_DEVICES; i++)
		KUNIT_EXPECT_NULL(test, attach(dt, i));
	block = xa_load(&dt->in.devices.blocks, 0);

	for (unsigned int i = 0; i < TD_DOMAINS; i++) {
		own = &dt->domain[i].top[0];
		good = *own;
		*own = i == 0 ? dt->domain[1].top[200] :
		       i == 1 ? virt_to_phys(block) : virt_to_phys(file);
		release(test, i, false);
		*own = good;
		if (!i)
			expect_untouched(test, 1);
		KUNIT_EXPECT_FALSE(test, taken(dt, virt_to_phys(block)));
		KUNIT_EXPECT_FALSE(test, taken(dt, virt_to_phys(file)));
	}
	kho_unpreserve_free(file);
}

/* A page twice in one table: as many as there should be, and one missing */
static void driver_twice_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	u64 *top = dt->domain[0].top, good = top[0];

	read_all(test);
	adopt_all(test);
	for (unsigned int i = 0; i < TD_DEVICES; i++)
		KUNIT_EXPECT_NULL(test, attach(dt, i));
	top[0] = top[200];
	release(test, 0, false);
	top[0] = good;
	release(test, 1, true);
}

/* Two lists have one page: neither domain gives anything back */
static void driver_two_owners_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct iommu_lu_domain *lu = dt->domain[1].domain.lu;
	struct iommu_lu_pages_ser *list = lu->pages.first;
	u64 good = list->entry[1];

	list->entry[1] = dt->domain[0].top[200];
	iommu_lu_pages_seal(&lu->pages);
	read_all(test);
	adopt_all(test);
	for (unsigned int i = 0; i < TD_DEVICES; i++)
		KUNIT_EXPECT_NULL(test, attach(dt, i));
	release(test, 0, false);
	release(test, 1, false);
	release(test, 2, true);
	list->entry[1] = good;
}

/* The second attachment fails: the first is undone, the device is on nothing */
static void driver_reject_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct iommu_lu_device *lu;

	read_all(test);
	adopt_all(test);
	KUNIT_EXPECT_NULL(test, attach(dt, 0));
	td_fail_restore_pasid = true;
	KUNIT_EXPECT_NOT_NULL(test, attach(dt, 1));
	td_fail_restore_pasid = false;
	KUNIT_EXPECT_EQ(test, attached(dt, 0), 1);
	KUNIT_EXPECT_EQ(test, attached(dt, 1), 0);

	lu = in_device(dt, 1);
	scoped_guard(mutex, &dt->in.lock) {
		iommu_lu_reject_device(lu, "the test says so");
		iommu_lu_block_device(&dt->in, lu);
	}
	KUNIT_EXPECT_NULL(test, td_find_entry(&dt->unit[0], TD_SOURCE(1),
					      IOMMU_LU_NO_PASID));
	KUNIT_EXPECT_NULL(test, td_find_entry(&dt->unit[0], TD_SOURCE(1),
					      TD_PASID));
	KUNIT_EXPECT_NOT_NULL(test, td_find_entry(&dt->unit[0], TD_SOURCE(0),
						  IOMMU_LU_NO_PASID));
}

/* One ID of two domains in one unit: none of their devices goes on */
static void driver_id_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct iommu_lu_attachment *att;
	struct td_entry *entry;

	att = list_last_entry(&dt->lu[1]->attachments,
			      struct iommu_lu_attachment, link);
	att->ser->hw_id = 0x10007;
	iommu_lu_record_seal(&dt->out.attachments, att->index);
	entry = td_find_entry(&dt->unit[0], TD_SOURCE(1), TD_PASID);
	entry->hw_id = 0x10007;

	read_all(test);
	adopt_all(test);
	KUNIT_EXPECT_EQ(test, in_device(dt, 0)->state, IOMMU_LU_REJECTED);
	KUNIT_EXPECT_EQ(test, in_device(dt, 1)->state, IOMMU_LU_REJECTED);
	/* The same number in another unit is another ID */
	KUNIT_EXPECT_EQ(test, in_device(dt, 2)->state, IOMMU_LU_INCOMING);
	KUNIT_EXPECT_NULL(test, attach(dt, 2));
}

/* What is not PCI is told apart, and refused */
static void driver_bus_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;

	dt->lu[0]->ser->bus = IOMMU_LU_BUS_PCI + 1;
	iommu_lu_record_seal(&dt->out.devices, dt->lu[0]->index);
	read_all(test);
	adopt_all(test);
	KUNIT_EXPECT_NULL(test, in_device(dt, 0));
	KUNIT_EXPECT_NULL(test, attach(dt, 1));
}

/* A unit that nobody has in hand, in hand, given up, and in hand again */
static void driver_settle_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct iommu_lu_domain *lu;
	struct iommu_domain *domain;

	read_all(test);
	adopt_all(test);
	lu = in_domain(dt, 2);
	iommu_lu_unit_unsettled(dt->in_unit[1]);
	scoped_guard(mutex, &dt->in.lock) {
		KUNIT_EXPECT_TRUE(test, iommu_lu_any_pending(&dt->in));
		domain = iommu_lu_domain_instantiate(&dt->in, lu);
		KUNIT_EXPECT_PTR_EQ(test, domain, ERR_PTR(-EINVAL));
	}
	iommu_lu_unit_settled(dt->in_unit[1]);
	scoped_guard(mutex, &dt->in.lock) {
		KUNIT_EXPECT_FALSE(test, iommu_lu_any_pending(&dt->in));
		domain = iommu_lu_domain_instantiate(&dt->in, lu);
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, domain);
	}
}

/* The unit that has the shared root in its list is not believed: nor is the other */
static void driver_root_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;
	struct iommu_lu_unit *unit;

	dt->lu[2]->unit->ser->segment++;
	iommu_lu_record_seal(&dt->out.units, dt->lu[2]->unit->index);
	read_all(test);
	scoped_guard(mutex, &dt->in.lock) {
		unit = iommu_lu_in_unit(&dt->in, &td_lu_ops, TD_BASE,
					TD_SEGMENT);
		KUNIT_EXPECT_PTR_EQ(test, unit, ERR_PTR(-EINVAL));
	}
	dt->lu[2]->unit->ser->segment--;
}

/* Preserve and unpreserve leave KHO as it was, whatever unit goes first */
static void driver_undo_test(struct kunit *test)
{
	struct driver_test *dt = test->priv;

	read_all(test);
	KUNIT_EXPECT_FALSE(test, xa_empty(&dt->pages));
}

static int td_init(struct kunit *test)
{
	struct driver_test *dt;

	if (!kho_is_enabled())
		kunit_skip(test, "KHO is off");
	dt = kunit_kzalloc(test, sizeof(*dt), GFP_KERNEL);
	if (!dt)
		return -ENOMEM;
	test->priv = dt;
	xa_init(&dt->before);
	xa_init(&dt->pages);
	iommu_lu_kunit_kho(test, &dt->kho);
	make_machine(test);
	look(test, &dt->before);

	mutex_init(&dt->out.lock);
	INIT_LIST_HEAD(&dt->out.unit_list);
	INIT_LIST_HEAD(&dt->out.domain_list);
	dt->ser = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(dt->ser))
		return PTR_ERR(dt->ser);
	iommu_lu_out_start(&dt->out, dt->ser);
	preserve_all(test);
	kunit_activate_static_stub(test, iommu_preserved_size, stub_size);
	kunit_activate_static_stub(test, iommu_preserved_free, stub_free);
	kunit_activate_static_stub(test, iommu_page_restore, stub_restore);
	iommu_lu_quiet = true;
	return 0;
}

static void td_exit(struct kunit *test)
{
	struct driver_test *dt = test->priv;

	iommu_lu_quiet = false;
	if (!dt || IS_ERR_OR_NULL(dt->ser))
		return;
	forget_all(dt);
	unpreserve_all(dt);
	iommu_lu_out_end(&dt->out);
	kho_unpreserve_free(dt->ser);
	/* All that was preserved is not any more */
	xa_destroy(&dt->pages);
	look(test, &dt->pages);
	KUNIT_EXPECT_TRUE(test, xa_empty(&dt->pages));
	xa_destroy(&dt->pages);
	xa_destroy(&dt->before);
	for (unsigned int i = 0; i < TD_DOMAINS; i++)
		td_domain_free_tables(&dt->domain[i]);
	iommu_free_pages(dt->unit[0].root);
}

static struct kunit_case driver_cases[] = {
	KUNIT_CASE(driver_whole_test),
	KUNIT_CASE(driver_reset_test),
	KUNIT_CASE(driver_attach_test),
	KUNIT_CASE(driver_odd_test),
	KUNIT_CASE(driver_twice_test),
	KUNIT_CASE(driver_two_owners_test),
	KUNIT_CASE(driver_reject_test),
	KUNIT_CASE(driver_id_test),
	KUNIT_CASE(driver_bus_test),
	KUNIT_CASE(driver_settle_test),
	KUNIT_CASE(driver_root_test),
	KUNIT_CASE(driver_undo_test),
	{},
};

static struct kunit_suite driver_suite = {
	.name = "iommu_liveupdate_driver",
	.init = td_init,
	.exit = td_exit,
	.test_cases = driver_cases,
};

kunit_test_suite(driver_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of the IOMMU live update core with a driver of its own");
