// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the records of PCI functions
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "liveupdate.h"

#define NR 3

struct table_test {
	struct pci_lu_ser *ser;
	struct pci_lu_function_ser *table;
};

static int table_init(struct kunit *test)
{
	struct table_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->ser = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	t->table = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->ser);
	KUNIT_ASSERT_NOT_NULL(test, t->table);
	for (u16 i = 0; i < NR; i++) {
		t->table[i].rid = PCI_DEVID(i, 0);
		t->table[i].bridge = i ? PCI_DEVID(i - 1, 0) : PCI_LU_NO_BRIDGE;
		t->table[i].flags = i == NR - 1 ? PCI_LU_DEVICE : 0;
		t->table[i].hdr_type = i == NR - 1 ? PCI_HEADER_TYPE_NORMAL :
						     PCI_HEADER_TYPE_BRIDGE;
	}
	t->ser->magic = PCI_LU_MAGIC;
	t->ser->nr = NR;
	t->ser->pages = 1;
	t->ser->table = virt_to_phys(t->table);
	t->ser->crc = pci_lu_table_crc(t->table, NR);
	test->priv = t;
	return 0;
}

static void good_table(struct kunit *test)
{
	struct table_test *t = test->priv;

	KUNIT_EXPECT_NULL(test, pci_lu_ser_error(t->ser));
	KUNIT_EXPECT_NULL(test, pci_lu_table_error(t->ser));
}

static void empty_table(struct kunit *test)
{
	struct table_test *t = test->priv;

	*t->ser = (struct pci_lu_ser){ .magic = PCI_LU_MAGIC };
	KUNIT_EXPECT_NULL(test, pci_lu_ser_error(t->ser));
	KUNIT_EXPECT_NULL(test, pci_lu_table_error(t->ser));
}

static void bad_header(struct kunit *test)
{
	struct table_test *t = test->priv;
	struct pci_lu_ser good = *t->ser;

	t->ser->magic ^= 1;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_ser_error(t->ser));
	*t->ser = good;
	t->ser->nr = PCI_LU_MAX_FUNCTIONS + 1;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_ser_error(t->ser));
	t->ser->nr = U32_MAX;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_ser_error(t->ser));
	*t->ser = good;
	t->ser->table = 0;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_ser_error(t->ser));
	*t->ser = good;
	t->ser->pages = 0;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_ser_error(t->ser));
	t->ser->pages = 3;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_ser_error(t->ser));
	t->ser->pages = PCI_LU_MAX_PAGES * 2;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_ser_error(t->ser));
	*t->ser = good;
	t->ser->nr = PAGE_SIZE / sizeof(*t->table) + 1;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_ser_error(t->ser));
}

/* Each byte of the records is in the CRC, and their number too */
static void bad_crc(struct kunit *test)
{
	struct table_test *t = test->priv;
	u8 *bytes = (u8 *)t->table;

	for (size_t i = 0; i < NR * sizeof(*t->table); i++) {
		bytes[i] ^= 0x40;
		KUNIT_EXPECT_NOT_NULL_MSG(test, pci_lu_table_error(t->ser),
					  "byte %zu", i);
		bytes[i] ^= 0x40;
	}
	t->ser->nr--;
	KUNIT_EXPECT_NOT_NULL(test, pci_lu_table_error(t->ser));
}

static void bad_records(struct kunit *test)
{
	struct table_test *t = test->priv;

	swap(t->table[0], t->table[1]);
	t->ser->crc = pci_lu_table_crc(t->table, NR);
	KUNIT_EXPECT_STREQ(test, pci_lu_table_error(t->ser),
			   "it is not in order");
	t->table[0] = t->table[1];
	t->ser->crc = pci_lu_table_crc(t->table, NR);
	KUNIT_EXPECT_STREQ(test, pci_lu_table_error(t->ser),
			   "it is not in order");
	t->table[0].rid = 0;
	t->table[0].flags = 0x80;
	t->ser->crc = pci_lu_table_crc(t->table, NR);
	KUNIT_EXPECT_STREQ(test, pci_lu_table_error(t->ser),
			   "it has bits that are not known");
	t->table[0].flags = 0;
	t->table[0].hdr_type = PCI_HEADER_TYPE_CARDBUS;
	t->ser->crc = pci_lu_table_crc(t->table, NR);
	KUNIT_EXPECT_STREQ(test, pci_lu_table_error(t->ser),
			   "it has a function of another kind");
}

/* What a function can be kept as, and what the way up from it can be */
static void kinds(struct kunit *test)
{
	static const struct {
		u8 flags;
		u8 hdr_type;
		bool root_bus;
		bool good;
	} kind[] = {
		{ 0, PCI_HEADER_TYPE_BRIDGE, true, true },
		{ 0, PCI_HEADER_TYPE_NORMAL, true, false },
		{ PCI_LU_DEVICE, PCI_HEADER_TYPE_NORMAL, true, true },
		{ PCI_LU_DEVICE, PCI_HEADER_TYPE_BRIDGE, true, false },
		{ PCI_LU_PHYSFN, PCI_HEADER_TYPE_NORMAL, true, true },
		{ PCI_LU_PHYSFN, PCI_HEADER_TYPE_BRIDGE, true, false },
		{ PCI_LU_DEVICE | PCI_LU_VIRTFN, PCI_HEADER_TYPE_NORMAL, false,
		  true },
		/* A virtual function has a physical one */
		{ PCI_LU_DEVICE | PCI_LU_VIRTFN, PCI_HEADER_TYPE_NORMAL, true,
		  false },
		{ PCI_LU_VIRTFN, PCI_HEADER_TYPE_NORMAL, false, false },
		{ PCI_LU_PHYSFN | PCI_LU_VIRTFN, PCI_HEADER_TYPE_NORMAL, false,
		  false },
		{ PCI_LU_DEVICE | PCI_LU_PHYSFN, PCI_HEADER_TYPE_NORMAL, true,
		  false },
	};
	struct table_test *t = test->priv;

	for (size_t i = 0; i < ARRAY_SIZE(kind); i++) {
		t->table[1].flags = kind[i].flags;
		t->table[1].hdr_type = kind[i].hdr_type;
		t->table[1].bridge = kind[i].root_bus ? PCI_LU_NO_BRIDGE :
							t->table[0].rid;
		t->ser->crc = pci_lu_table_crc(t->table, NR);
		KUNIT_EXPECT_EQ_MSG(test, !pci_lu_table_error(t->ser),
				    kind[i].good, "kind %zu", i);
	}
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(good_table),
	KUNIT_CASE(empty_table),
	KUNIT_CASE(bad_header),
	KUNIT_CASE(bad_crc),
	KUNIT_CASE(bad_records),
	KUNIT_CASE(kinds),
	{}
};

static struct kunit_suite table_suite = {
	.name = "pci_liveupdate_table",
	.init = table_init,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
