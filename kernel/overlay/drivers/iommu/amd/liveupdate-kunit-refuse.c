// SPDX-License-Identifier: GPL-2.0-only
/*
 * What AMD-Vi cannot hand over is refused, and the log says what it is
 *
 * No unit that QEMU emulates has any of it.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu_amd.h>
#include <linux/kmsg_dump.h>
#include <linux/string.h>

#include <asm/iommu.h>

#include "../liveupdate/page-list.h"
#include "../liveupdate/pages.h"
#include "amd_iommu.h"
#include "liveupdate.h"
#include "liveupdate-fake.h"

#define RID	0x108

struct refuse_test {
	struct amd_fake fake;
	struct amd_fake_device dev;
	struct amd_fake_device chip;
	struct protection_domain *domain;
	/* What the core would have */
	struct iommu_lu_domain lu_domain;
	struct iommu_lu_domain_ser domain_ser;
	struct iommu_lu_unit unit;
	struct iommu_lu_unit_ser unit_ser;
	struct iommu_lu_device lu;
	struct iommu_lu_device_ser ser;
	bool unit_there;
	bool encrypted;
	size_t size;
	unsigned int preserved;
	unsigned int said;
};

static struct refuse_test *this_test(void)
{
	return kunit_get_current_test()->priv;
}

static size_t stub_size(phys_addr_t phys)
{
	return this_test()->size;
}

static int stub_preserve(void *virt)
{
	this_test()->preserved++;
	return 0;
}

static void stub_unpreserve(void *virt)
{
	this_test()->preserved--;
}

static bool stub_encrypted(void)
{
	return this_test()->encrypted;
}

/* How often has the log said that something is refused, and what was it last? */
static unsigned int refusals(char *last, size_t size)
{
	struct kmsg_dump_iter iter;
	unsigned int nr = 0;
	char line[256];
	size_t len;

	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = 0;
		if (!strstr(line, " is not preserved: "))
			continue;
		strscpy(last, line, size);
		nr++;
	}
	return nr;
}

/* By the errno, and by one more line that says what it is */
static void expect_refused(struct kunit *test, int ret, const char *what)
{
	struct refuse_test *rt = test->priv;
	char last[256] = "";
	unsigned int nr = refusals(last, sizeof(last));

	KUNIT_EXPECT_EQ(test, ret, -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, nr, rt->said + 1);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(last, what), "%s", last);
	rt->said = nr;
}

/* ---- Domains ------------------------------------------------------------- */

static int preserve_domain(struct refuse_test *rt, struct iommu_domain *domain)
{
	rt->lu_domain.ser = &rt->domain_ser;
	iommu_lu_pages_init(&rt->lu_domain.pages, IOMMU_LU_MAGIC_DOMAINS, 0);
	return amd_liveupdate_ops.preserve_domain(&rt->lu_domain, domain);
}

static void expect_domain_kept(struct kunit *test)
{
	struct refuse_test *rt = test->priv;
	struct iommu_domain *domain = &rt->domain->domain;

	KUNIT_ASSERT_EQ(test, preserve_domain(rt, domain), 0);
	KUNIT_EXPECT_GE(test, rt->preserved, 1);
	amd_liveupdate_ops.unpreserve_domain(&rt->lu_domain, domain);
	iommu_lu_pages_drop(&rt->lu_domain.pages);
	KUNIT_EXPECT_EQ(test, rt->preserved, 0);
}

static void refuse_v2_test(struct kunit *test)
{
	struct refuse_test *rt = test->priv;

	rt->domain->pd_mode = PD_MODE_V2;
	expect_refused(test, preserve_domain(rt, &rt->domain->domain),
		       "a domain is not preserved: its page table is not one of the host's format");
	rt->domain->pd_mode = PD_MODE_V1;
	expect_domain_kept(test);
}

static void refuse_dirty_test(struct kunit *test)
{
	struct refuse_test *rt = test->priv;
	struct iommu_domain *domain;

	rt->fake.iommu[0].features |= FEATURE_HDSUP;
	domain = amd_iommu_ops.domain_alloc_paging_flags(&rt->dev.pdev.dev,
							 IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
							 NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(domain));
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	KUNIT_ASSERT_EQ(test, domain->dirty_ops->set_dirty_tracking(domain, true),
			0);
	expect_refused(test, preserve_domain(rt, domain),
		       "a domain is not preserved: dirty tracking is on");
	/* That it could be turned on does not matter */
	domain->dirty_ops->set_dirty_tracking(domain, false);
	KUNIT_EXPECT_EQ(test, preserve_domain(rt, domain), 0);
	amd_liveupdate_ops.unpreserve_domain(&rt->lu_domain, domain);
	iommu_lu_pages_drop(&rt->lu_domain.pages);
	amd_iommu_domain_free(domain);
}

static void refuse_nested_test(struct kunit *test)
{
	struct refuse_test *rt = test->priv;
	struct nested_domain nested = {
		.domain.type = IOMMU_DOMAIN_NESTED,
	};
	struct amd_iommu_viommu viommu = {};

	expect_refused(test, preserve_domain(rt, &nested.domain),
		       "a domain is not preserved: it is nested");
	list_add(&viommu.pdom_list, &rt->domain->viommu_list);
	expect_refused(test, preserve_domain(rt, &rt->domain->domain),
		       "a domain is not preserved: it is the parent of nested ones");
	list_del(&viommu.pdom_list);
	expect_domain_kept(test);
}

static int handle_fault(struct iopf_group *group)
{
	return -ENODEV;
}

static void refuse_faults_test(struct kunit *test)
{
	struct refuse_test *rt = test->priv;

	rt->domain->domain.iopf_handler = handle_fault;
	expect_refused(test, preserve_domain(rt, &rt->domain->domain),
		       "a domain is not preserved: it takes page requests");
	rt->domain->domain.iopf_handler = NULL;
	expect_domain_kept(test);
}

/* ---- Units --------------------------------------------------------------- */

static int preserve_unit(struct refuse_test *rt)
{
	struct iommu_lu_unit *unit = &rt->unit;
	int ret;

	unit->iommu = &rt->fake.iommu[0].iommu;
	unit->ser = &rt->unit_ser;
	iommu_lu_pages_init(&unit->pages, IOMMU_LU_MAGIC_UNITS, 0);
	ret = amd_lu_preserve_unit(unit);
	rt->unit_there = !ret;
	if (!ret)
		unit->iommu->lu = unit;
	return ret;
}

static void unpreserve_unit(struct refuse_test *rt)
{
	if (!rt->unit_there)
		return;
	rt->unit_there = false;
	rt->unit.iommu->lu = NULL;
	amd_lu_unpreserve_unit(&rt->unit);
	iommu_lu_pages_drop(&rt->unit.pages);
}

static void refuse_unit_test(struct kunit *test)
{
	struct refuse_test *rt = test->priv;

	rt->encrypted = true;
	expect_refused(test, preserve_unit(rt),
		       "IOMMU0 is not preserved: memory is encrypted");
	rt->encrypted = false;
	amd_iommu_snp_en = true;
	expect_refused(test, preserve_unit(rt),
		       "IOMMU0 is not preserved: SNP is on");
	amd_iommu_snp_en = false;
	amd_iommu_efr = 0;
	expect_refused(test, preserve_unit(rt),
		       "IOMMU0 is not preserved: its caches cannot be flushed at once");
	amd_iommu_efr = FEATURE_IA;
	rt->size = FAKE_TABLE_SIZE;
	expect_refused(test, preserve_unit(rt),
		       "IOMMU0 is not preserved: its device table is that of a kernel that was not believed");
	rt->size = 0;
	KUNIT_EXPECT_EQ(test, rt->preserved, 0);
	KUNIT_EXPECT_EQ(test, preserve_unit(rt), 0);
	KUNIT_EXPECT_EQ(test, rt->preserved, 1);
	unpreserve_unit(rt);
	KUNIT_EXPECT_EQ(test, rt->preserved, 0);
}

/* ---- Devices ------------------------------------------------------------- */

static int preserve_device(struct refuse_test *rt, struct amd_fake_device *dev)
{
	rt->lu.ser = &rt->ser;
	rt->ser.source_id = dev->data.devid;
	return amd_lu_preserve_device(&rt->unit, &rt->lu, &dev->pdev.dev);
}

static void expect_device_kept(struct kunit *test)
{
	struct refuse_test *rt = test->priv;

	KUNIT_EXPECT_EQ(test, preserve_device(rt, &rt->dev), 0);
	amd_lu_unpreserve_device(&rt->unit, &rt->lu);
}

/* What a device has switched on that no entry of a kept one may have */
static void refuse_caps_test(struct kunit *test)
{
	struct refuse_test *rt = test->priv;
	struct iommu_dev_data *data = &rt->dev.data;
	u64 table;

	KUNIT_ASSERT_EQ(test, preserve_unit(rt), 0);
	data->pri_enabled = 1;
	expect_refused(test, preserve_device(rt, &rt->dev),
		       "it is not preserved: page requests are on");
	data->pri_enabled = 0;
	data->ppr = 1;
	expect_refused(test, preserve_device(rt, &rt->dev),
		       "it is not preserved: page requests are on");
	data->ppr = 0;
	data->pasid_enabled = 1;
	expect_refused(test, preserve_device(rt, &rt->dev),
		       "it is not preserved: it has a table of PASIDs");
	data->pasid_enabled = 0;
	data->gcr3_info.gcr3_tbl = &table;
	expect_refused(test, preserve_device(rt, &rt->dev),
		       "it is not preserved: it has a table of PASIDs");
	data->gcr3_info.gcr3_tbl = NULL;
	expect_device_kept(test);
}

/* Who else has the entry, by what the firmware says */
static void refuse_rid_test(struct kunit *test)
{
	struct refuse_test *rt = test->priv;
	struct amd_iommu_pci_seg *seg = &rt->fake.seg[0];

	KUNIT_ASSERT_EQ(test, preserve_unit(rt), 0);
	expect_refused(test, preserve_device(rt, &rt->chip),
		       "it is not preserved: an IOAPIC or a HPET has its requester ID");
	seg->alias_table[RID] = RID - 8;
	expect_refused(test, preserve_device(rt, &rt->dev),
		       "it is not preserved: the firmware says that it has another requester ID");
	seg->alias_table[RID] = RID;
	/* Another unit's, nobody's, beyond the end of the table */
	seg->rlookup_table[RID] = &rt->fake.iommu[1];
	expect_refused(test, preserve_device(rt, &rt->dev),
		       "it is not preserved: the firmware does not know it");
	seg->rlookup_table[RID] = NULL;
	expect_refused(test, preserve_device(rt, &rt->dev),
		       "it is not preserved: the firmware does not know it");
	seg->rlookup_table[RID] = &rt->fake.iommu[0];
	seg->last_bdf = RID - 1;
	expect_refused(test, preserve_device(rt, &rt->dev),
		       "it is not preserved: the firmware does not know it");
	seg->last_bdf = FAKE_ENTRIES - 1;
	expect_device_kept(test);
}

static void refuse_attachment_test(struct kunit *test)
{
	struct refuse_test *rt = test->priv;
	struct iommu_lu_attachment_ser ser = { .pasid = 5 };
	struct iommu_lu_attachment att = { .ser = &ser };
	struct iommu_domain *domain = &rt->domain->domain;
	struct device *dev = &rt->dev.pdev.dev;

	KUNIT_ASSERT_EQ(test, preserve_unit(rt), 0);
	KUNIT_EXPECT_EQ(test, amd_lu_preserve_attachment(&rt->unit, &att, dev,
							 domain), -EOPNOTSUPP);
	ser.pasid = IOMMU_LU_NO_PASID;
	/* It is on none, then on that one, whose ID has more than a byte */
	KUNIT_EXPECT_EQ(test, amd_lu_preserve_attachment(&rt->unit, &att, dev,
							 domain), -EINVAL);
	amd_iommu_pdom_id_free(rt->domain->id);
	rt->domain->id = amd_iommu_pdom_id_reserve(0xfff1, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, amd_lu_preserve_attachment(&rt->unit, &att, dev,
							 domain), 0);
	KUNIT_EXPECT_EQ(test, ser.hw_id, 0xfff1);
	amd_iommu_ops.blocked_domain->ops->attach_dev(amd_iommu_ops.blocked_domain,
						      dev, NULL);
}

static int refuse_init(struct kunit *test)
{
	struct iommu_domain *domain;
	struct refuse_test *rt;
	char last[256];

	if (!kho_is_enabled())
		kunit_skip(test, "KHO is off");
	rt = kunit_kzalloc(test, sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	test->priv = rt;
	rt->said = refusals(last, sizeof(last));
	amd_fake_start(test, &rt->fake);
	amd_fake_device(&rt->dev, &rt->fake.iommu[0], RID);
	amd_fake_device(&rt->chip, &rt->fake.iommu[0], FAKE_IOAPIC);
	kunit_activate_static_stub(test, iommu_preserved_size, stub_size);
	kunit_activate_static_stub(test, iommu_page_preserve, stub_preserve);
	kunit_activate_static_stub(test, iommu_page_unpreserve, stub_unpreserve);
	kunit_activate_static_stub(test, amd_lu_memory_encrypted, stub_encrypted);
	domain = amd_iommu_ops.domain_alloc_paging_flags(&rt->dev.pdev.dev, 0,
							 NULL);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	rt->domain = to_pdomain(domain);
	return 0;
}

static void refuse_exit(struct kunit *test)
{
	struct refuse_test *rt = test->priv;

	if (!rt)
		return;
	amd_iommu_snp_en = false;
	unpreserve_unit(rt);
	if (rt->domain)
		amd_iommu_domain_free(&rt->domain->domain);
	amd_fake_stop(&rt->fake);
}

static struct kunit_case refuse_cases[] = {
	KUNIT_CASE(refuse_v2_test),
	KUNIT_CASE(refuse_dirty_test),
	KUNIT_CASE(refuse_nested_test),
	KUNIT_CASE(refuse_faults_test),
	KUNIT_CASE(refuse_unit_test),
	KUNIT_CASE(refuse_caps_test),
	KUNIT_CASE(refuse_rid_test),
	KUNIT_CASE(refuse_attachment_test),
	{},
};

static struct kunit_suite refuse_suite = {
	.name = "iommu_liveupdate_amd_refuse",
	.init = refuse_init,
	.exit = refuse_exit,
	.test_cases = refuse_cases,
};

kunit_test_suite(refuse_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of what AMD-Vi refuses to hand over");
