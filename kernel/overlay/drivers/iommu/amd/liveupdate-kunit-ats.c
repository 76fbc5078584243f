// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device behind AMD-Vi that asks for translations goes on asking
 *
 * No unit that QEMU emulates answers.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu_amd.h>
#include <linux/pci.h>

#include "../liveupdate/page-list.h"
#include "../liveupdate/pages.h"
#include "amd_iommu.h"
#include "liveupdate.h"
#include "liveupdate-fake.h"

#define RID	0x108

struct ats_test {
	struct amd_fake fake;
	struct amd_fake_device dev;
	struct iommu_domain *domain;
	/* What the core would have */
	struct iommu_lu_unit unit;
	struct iommu_lu_unit_ser unit_ser;
	struct iommu_lu_device lu;
	struct iommu_lu_device_ser ser;
	struct iommu_lu_attachment att;
	struct iommu_lu_attachment_ser att_ser;
};

static size_t stub_size(phys_addr_t phys)
{
	return 0;
}

static int stub_preserve(void *virt)
{
	return 0;
}

static void stub_unpreserve(void *virt)
{
}

static struct dev_table_entry *entry_of(struct ats_test *at)
{
	return &at->fake.seg[0].dev_table[RID];
}

static bool ats_on(const struct ats_test *at)
{
	return at->dev.ats_ctrl & PCI_ATS_CTRL_ENABLE;
}

static void block(struct ats_test *at)
{
	struct iommu_domain *blocked = amd_iommu_ops.blocked_domain;

	blocked->ops->attach_dev(blocked, &at->dev.pdev.dev, NULL);
}

/* The old kernel: the device is attached, and its record written */
static void preserve(struct kunit *test)
{
	struct ats_test *at = test->priv;
	struct device *dev = &at->dev.pdev.dev;

	KUNIT_ASSERT_EQ(test, at->domain->ops->attach_dev(at->domain, dev, NULL),
			0);
	KUNIT_ASSERT_EQ(test, amd_lu_preserve_unit(&at->unit), 0);
	KUNIT_ASSERT_EQ(test, amd_lu_preserve_device(&at->unit, &at->lu, dev), 0);
	amd_lu_unpreserve_device(&at->unit, &at->lu);
	amd_lu_unpreserve_unit(&at->unit);
	iommu_lu_pages_drop(&at->unit.pages);
}

/* The new kernel: the entry is live, the device at work, and nobody knows it yet */
static void boot(struct ats_test *at)
{
	struct dev_table_entry live = *entry_of(at);
	u16 ctrl = at->dev.ats_ctrl;

	block(at);
	*entry_of(at) = live;
	at->dev.ats_ctrl = ctrl;
	at->dev.writes = 0;
}

static int restore(struct ats_test *at)
{
	return amd_liveupdate_ops.restore_attachment(&at->unit, &at->att,
						     at->domain,
						     &at->dev.pdev.dev);
}

static void unrestore(struct ats_test *at)
{
	amd_liveupdate_ops.unrestore_attachment(&at->unit, &at->att, at->domain,
						&at->dev.pdev.dev);
}

static void ats_goes_on_test(struct kunit *test)
{
	struct ats_test *at = test->priv;
	struct dev_table_entry live;

	preserve(test);
	KUNIT_EXPECT_TRUE(test, ats_on(at));
	KUNIT_EXPECT_TRUE(test, amd_lu_has_ats(&at->lu));
	boot(at);
	live = *entry_of(at);
	KUNIT_EXPECT_TRUE(test, live.data[1] & DTE_FLAG_IOTLB);

	KUNIT_ASSERT_EQ(test, restore(at), 0);
	KUNIT_EXPECT_MEMEQ(test, entry_of(at), &live, sizeof(live));
	KUNIT_EXPECT_TRUE(test, ats_on(at));
	KUNIT_EXPECT_TRUE(test, at->dev.data.ats_enabled);
	KUNIT_EXPECT_TRUE(test, at->dev.pdev.ats_enabled);

	unrestore(at);
	KUNIT_EXPECT_FALSE(test, at->dev.data.ats_enabled);
	KUNIT_EXPECT_FALSE(test, ats_on(at));
	KUNIT_EXPECT_MEMEQ(test, entry_of(at), &live, sizeof(live));
}

/* The next kernel uses no ATS: the entry is not what it would write */
static void ats_unused_test(struct kunit *test)
{
	struct ats_test *at = test->priv;
	struct dev_table_entry live;

	preserve(test);
	boot(at);
	live = *entry_of(at);
	at->dev.pdev.ats_cap = 0;
	KUNIT_EXPECT_EQ(test, restore(at), -EINVAL);
	KUNIT_EXPECT_MEMEQ(test, entry_of(at), &live, sizeof(live));
	KUNIT_EXPECT_NULL(test, at->dev.data.domain);
	KUNIT_EXPECT_EQ(test, at->dev.writes, 0);

	/* What the core does then; what the device has cached is of no use */
	amd_liveupdate_ops.block_attachment(&at->unit, &at->att);
	KUNIT_EXPECT_EQ(test, entry_of(at)->data[0], DTE_FLAG_V);
	KUNIT_EXPECT_EQ(test, entry_of(at)->data[1], 0);
}

/* Attached to something else meanwhile: what was turned on is turned off again */
static void ats_undone_test(struct kunit *test)
{
	struct ats_test *at = test->priv;

	preserve(test);
	boot(at);
	entry_of(at)->data[1] ^= 1;
	KUNIT_EXPECT_EQ(test, restore(at), -EINVAL);
	KUNIT_EXPECT_FALSE(test, at->dev.data.ats_enabled);
	KUNIT_EXPECT_FALSE(test, ats_on(at));
}

/* It was off, though the device has it: it stays off */
static void ats_off_test(struct kunit *test)
{
	struct ats_test *at = test->priv;

	at->dev.data.flags = 0;
	preserve(test);
	KUNIT_EXPECT_FALSE(test, amd_lu_has_ats(&at->lu));
	boot(at);
	at->dev.data.flags = AMD_IOMMU_DEVICE_FLAG_ATS_SUP;
	KUNIT_ASSERT_EQ(test, restore(at), 0);
	KUNIT_EXPECT_FALSE(test, at->dev.data.ats_enabled);
	KUNIT_EXPECT_EQ(test, at->dev.writes, 0);
	unrestore(at);
	KUNIT_EXPECT_EQ(test, at->dev.writes, 0);
}

static void start_records(struct ats_test *at)
{
	at->unit.iommu = &at->fake.iommu[0].iommu;
	at->unit.ser = &at->unit_ser;
	iommu_lu_pages_init(&at->unit.pages, IOMMU_LU_MAGIC_UNITS, 0);
	at->lu.ser = &at->ser;
	at->ser.source_id = RID;
	at->att.ser = &at->att_ser;
	at->att.device = &at->lu;
	at->att_ser.pasid = IOMMU_LU_NO_PASID;
}

static int ats_test_init(struct kunit *test)
{
	struct ats_test *at;

	if (!kho_is_enabled())
		kunit_skip(test, "KHO is off");
	at = kunit_kzalloc(test, sizeof(*at), GFP_KERNEL);
	if (!at)
		return -ENOMEM;
	test->priv = at;
	amd_fake_start(test, &at->fake);
	amd_fake_device(&at->dev, &at->fake.iommu[0], RID);
	amd_fake_ats(&at->dev);
	start_records(at);
	kunit_activate_static_stub(test, iommu_preserved_size, stub_size);
	kunit_activate_static_stub(test, iommu_page_preserve, stub_preserve);
	kunit_activate_static_stub(test, iommu_page_unpreserve, stub_unpreserve);
	at->domain = amd_iommu_ops.domain_alloc_paging_flags(&at->dev.pdev.dev, 0,
							     NULL);
	if (IS_ERR(at->domain))
		return PTR_ERR(at->domain);
	at->domain->type = IOMMU_DOMAIN_UNMANAGED;
	at->domain->owner = &amd_iommu_ops;
	return 0;
}

static void ats_test_exit(struct kunit *test)
{
	struct ats_test *at = test->priv;

	if (!at)
		return;
	if (!IS_ERR_OR_NULL(at->domain)) {
		block(at);
		amd_iommu_domain_free(at->domain);
	}
	amd_fake_stop(&at->fake);
}

static struct kunit_case ats_cases[] = {
	KUNIT_CASE(ats_goes_on_test),
	KUNIT_CASE(ats_unused_test),
	KUNIT_CASE(ats_undone_test),
	KUNIT_CASE(ats_off_test),
	{},
};

static struct kunit_suite ats_suite = {
	.name = "iommu_liveupdate_amd_ats",
	.init = ats_test_init,
	.exit = ats_test_exit,
	.test_cases = ats_cases,
};

kunit_test_suite(ats_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of ATS behind AMD-Vi across a live update");
