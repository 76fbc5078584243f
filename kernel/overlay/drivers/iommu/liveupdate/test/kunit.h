/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit tests of the IOMMU live update code share
 */
#ifndef __IOMMU_LIVEUPDATE_KUNIT_H
#define __IOMMU_LIVEUPDATE_KUNIT_H

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/vmstat.h>

struct kho_radix_tree;

void iommu_lu_kunit_kho(struct kunit *test, struct kho_radix_tree *tree);

/* How many pages the IOMMU code has, by both of its statistics */
struct iommu_lu_kunit_count {
	long iommu;
	long secondary;
};

/*
 * global_node_page_state() leaves out what the CPUs have not folded in yet, and
 * that can be more than a whole table.
 */
static inline long iommu_lu_kunit_sum(enum node_stat_item item)
{
	long sum = atomic_long_read(&vm_node_stat[item]);
	int cpu, nid;

	for_each_online_node(nid)
		for_each_online_cpu(cpu)
			sum += per_cpu_ptr(NODE_DATA(nid)->per_cpu_nodestats,
					   cpu)->vm_node_stat_diff[item];
	return sum;
}

/* A CPU may be folding while it is looked at: believe what stays the same */
static inline long iommu_lu_kunit_settled(enum node_stat_item item)
{
	long sum = iommu_lu_kunit_sum(item), last;

	do {
		last = sum;
		usleep_range(2000, 3000);
		sum = iommu_lu_kunit_sum(item);
	} while (sum != last);
	return sum;
}

static inline void iommu_lu_kunit_count(struct iommu_lu_kunit_count *count)
{
	count->iommu = iommu_lu_kunit_settled(NR_IOMMU_PAGES);
	count->secondary = iommu_lu_kunit_settled(NR_SECONDARY_PAGETABLE);
}

static inline long iommu_lu_kunit_wait(enum node_stat_item item, long want)
{
	long sum;

	for (int i = 0; i < 10; i++) {
		sum = iommu_lu_kunit_sum(item);
		if (sum == want)
			break;
		usleep_range(1000, 2000);
	}
	return sum;
}

/* There are @more pages than there were at @start */
static inline void
iommu_lu_kunit_expect(struct kunit *test,
		      const struct iommu_lu_kunit_count *start, long more)
{
	long want = start->iommu + more;

	KUNIT_EXPECT_EQ(test, iommu_lu_kunit_wait(NR_IOMMU_PAGES, want), want);
	want = start->secondary + more;
	KUNIT_EXPECT_EQ(test, iommu_lu_kunit_wait(NR_SECONDARY_PAGETABLE, want),
			want);
}

/* A new kernel does not count the pages of the old one; @sign is -1 or 1 */
static inline void iommu_lu_kunit_account(struct folio *folio, int sign)
{
	long nr = sign * (long)folio_nr_pages(folio);

	mod_node_page_state(folio_pgdat(folio), NR_IOMMU_PAGES, nr);
	lruvec_stat_mod_folio(folio, NR_SECONDARY_PAGETABLE, nr);
}

#endif /* __IOMMU_LIVEUPDATE_KUNIT_H */
