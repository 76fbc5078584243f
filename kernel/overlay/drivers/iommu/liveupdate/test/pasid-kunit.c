// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device with a PASID attached is not preserved, and a preserved one gets none
 *
 * No device that QEMU emulates has PASIDs, so this one has no hardware. Its group
 * is a real one, and all calls are those that iommufd and vfio-pci make.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "../../iommu-pages.h"
#include "../../iommu-priv.h"
#include "../internal.h"
#include "driver.h"

#define PASID	0x17

struct pasid_test {
	struct iommu_lu_ser *ser;
	struct pci_sysdata sysdata;
	struct td_unit unit;
	struct td_device dev;
	struct td_domain domain;
	struct iommu_attach_handle handle;
	struct iommu_group *group;
	u32 slot;
};

static int set_dev_pasid(struct iommu_domain *domain, struct device *dev,
			 ioasid_t pasid, struct iommu_domain *old)
{
	return 0;
}

static const struct iommu_domain_ops domain_ops = {
	.set_dev_pasid = set_dev_pasid,
};

static struct iommu_domain blocked = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &domain_ops,
};

static const struct iommu_ops ops = {
	.blocked_domain = &blocked,
	.lu_ops = &td_lu_ops,
};

static int attach_pasid(struct pasid_test *pt)
{
	return iommu_attach_device_pasid(&pt->domain.domain, &pt->dev.pdev.dev,
					 PASID, NULL);
}

static void detach_pasid(struct pasid_test *pt)
{
	iommu_detach_device_pasid(&pt->domain.domain, &pt->dev.pdev.dev, PASID);
}

static int preserve(struct pasid_test *pt)
{
	return iommu_lu_preserve_device(&pt->dev.pdev.dev, 0x1000);
}

static void pasid_attached_test(struct kunit *test)
{
	struct pasid_test *pt = test->priv;

	KUNIT_ASSERT_EQ(test, attach_pasid(pt), 0);
	KUNIT_EXPECT_EQ(test, preserve(pt), -EOPNOTSUPP);
	KUNIT_EXPECT_FALSE(test, iommu_lu_device_fixed(&pt->dev.pdev.dev));
	detach_pasid(pt);
	KUNIT_ASSERT_EQ(test, preserve(pt), 0);
	iommu_lu_unpreserve_device(&pt->dev.pdev.dev);
}

static void pasid_later_test(struct kunit *test)
{
	struct pasid_test *pt = test->priv;

	KUNIT_ASSERT_EQ(test, preserve(pt), 0);
	KUNIT_EXPECT_EQ(test, attach_pasid(pt), -EBUSY);
	KUNIT_EXPECT_EQ(test, iommu_replace_device_pasid(&pt->domain.domain,
							 &pt->dev.pdev.dev, PASID,
							 &pt->handle), -EBUSY);
	iommu_lu_unpreserve_device(&pt->dev.pdev.dev);
	KUNIT_ASSERT_EQ(test, attach_pasid(pt), 0);
	detach_pasid(pt);
}

/* A group that was attached needs a default domain to be taken apart */
static struct iommu_domain *stub_attached_to(struct device *dev)
{
	struct pasid_test *pt = kunit_get_current_test()->priv;

	return &pt->domain.domain;
}

static void nothing(struct device *dev)
{
}

static int make_device(struct pasid_test *pt)
{
	struct device *dev = &pt->dev.pdev.dev;

	pt->sysdata.domain = TD_SEGMENT;
	pt->dev.source_id = TD_SOURCE(0);
	pt->dev.bus.sysdata = &pt->sysdata;
	pt->dev.bus.number = 7;
	pt->dev.pdev.bus = &pt->dev.bus;
	pt->dev.iommu.iommu_dev = &pt->unit.iommu;
	pt->dev.iommu.max_pasids = 1 << 20;
	device_initialize(dev);
	dev->release = nothing;
	dev->bus = &pci_bus_type;
	dev->iommu = &pt->dev.iommu;
	/* Its group links to it in sysfs; the bus does not know of it */
	return kobject_add(&dev->kobj, NULL, "iommu-liveupdate-pasid");
}

static int make_domain(struct pasid_test *pt)
{
	int ret;

	pt->unit.iommu.ops = &ops;
	pt->unit.root = iommu_alloc_pages_sz(GFP_KERNEL,
					     PAGE_SIZE << TD_ROOT_ORDER);
	if (!pt->unit.root)
		return -ENOMEM;
	ret = td_domain_init(&pt->domain);
	if (ret)
		return ret;
	pt->domain.domain.type = IOMMU_DOMAIN_UNMANAGED;
	pt->domain.domain.owner = &ops;
	pt->domain.domain.ops = &domain_ops;
	pt->domain.domain.cookie_type = IOMMU_COOKIE_IOMMUFD;
	return td_add_entry(&pt->unit, &pt->dev, IOMMU_LU_NO_PASID, 7,
			    &pt->domain);
}

/* A device on a preserved domain, in a handover with nothing else in it */
static int pasid_init(struct kunit *test)
{
	struct pasid_test *pt;
	int ret;

	if (!kho_is_enabled())
		kunit_skip(test, "KHO is off");
	pt = kunit_kzalloc(test, sizeof(*pt), GFP_KERNEL);
	if (!pt)
		return -ENOMEM;
	test->priv = pt;
	ret = make_device(pt) ?: make_domain(pt);
	if (ret)
		return ret;
	pt->group = iommu_group_alloc();
	if (IS_ERR(pt->group))
		return PTR_ERR(pt->group);
	ret = iommu_group_add_device(pt->group, &pt->dev.pdev.dev);
	if (ret)
		return ret;
	pt->ser = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(pt->ser))
		return PTR_ERR(pt->ser);
	kunit_activate_static_stub(test, iommu_lu_attached_to, stub_attached_to);
	iommu_lu_out_start(&iommu_lu_out, pt->ser);
	return iommu_lu_preserve_domain(&pt->domain.domain, 0x2000, &pt->slot);
}

static void pasid_exit(struct kunit *test)
{
	struct pasid_test *pt = test->priv;
	struct device *dev;

	if (!pt || IS_ERR_OR_NULL(pt->ser))
		return;
	dev = &pt->dev.pdev.dev;
	iommu_lu_unpreserve_domain(&pt->domain.domain);
	iommu_lu_out_end(&iommu_lu_out);
	kho_unpreserve_free(pt->ser);
	/* No driver of an IOMMU has probed it, so none is to release it */
	dev->iommu = NULL;
	iommu_group_remove_device(dev);
	iommu_group_put(pt->group);
	kobject_del(&dev->kobj);
	put_device(dev);
	td_domain_free_tables(&pt->domain);
	iommu_free_pages(pt->unit.root);
}

static struct kunit_case pasid_cases[] = {
	KUNIT_CASE(pasid_attached_test),
	KUNIT_CASE(pasid_later_test),
	{},
};

static struct kunit_suite pasid_suite = {
	.name = "iommu_liveupdate_pasid",
	.init = pasid_init,
	.exit = pasid_exit,
	.test_cases = pasid_cases,
};

kunit_test_suite(pasid_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of PASIDs and live updates");
