// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to preserve pages with KHO alone
 *
 * Write a number to iommu/liveupdate_floor in debugfs: so many pages, one by
 * one as page tables are, are preserved and unpreserved again. It then reads as
 * that number and the cycles of both. This is what the "tables" of
 * iommu/liveupdate_steps are to be compared with.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/timex.h>

static struct {
	/* Protects all of this */
	struct mutex lock;
	unsigned long nr;
	u64 preserve;
	u64 unpreserve;
} floor = {
	.lock = __MUTEX_INITIALIZER(floor.lock),
};

static void unpreserve_all(struct list_head *pages, unsigned long nr)
{
	struct page *page, *tmp;

	list_for_each_entry_safe(page, tmp, pages, lru) {
		if (!nr--)
			break;
		kho_unpreserve_folio(page_folio(page));
	}
}

static int floor_measure(struct list_head *pages)
{
	unsigned long nr = 0;
	struct page *page;
	cycles_t start;
	int ret = 0;

	start = get_cycles();
	list_for_each_entry(page, pages, lru) {
		ret = kho_preserve_folio(page_folio(page));
		if (ret)
			break;
		nr++;
	}
	floor.preserve = get_cycles() - start;

	start = get_cycles();
	unpreserve_all(pages, nr);
	floor.unpreserve = get_cycles() - start;
	floor.nr = nr;
	return ret;
}

static ssize_t liveupdate_floor_write(struct file *file,
				      const char __user *buf, size_t len,
				      loff_t *pos)
{
	struct page *page, *tmp;
	unsigned long nr;
	LIST_HEAD(pages);
	int ret;

	ret = kstrtoul_from_user(buf, len, 0, &nr);
	if (ret)
		return ret;

	guard(mutex)(&floor.lock);
	while (nr--) {
		page = alloc_page(GFP_KERNEL | __GFP_RETRY_MAYFAIL);
		if (!page) {
			ret = -ENOMEM;
			break;
		}
		list_add_tail(&page->lru, &pages);
	}
	if (!ret)
		ret = floor_measure(&pages);
	list_for_each_entry_safe(page, tmp, &pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	return ret ?: len;
}

static int liveupdate_floor_show(struct seq_file *m, void *unused)
{
	guard(mutex)(&floor.lock);
	seq_printf(m, "%lu %llu %llu\n", floor.nr, floor.preserve,
		   floor.unpreserve);
	return 0;
}
DEFINE_SHOW_STORE_ATTRIBUTE(liveupdate_floor);

static int __init iommu_lu_floor_init(void)
{
	debugfs_create_file("liveupdate_floor", 0600, iommu_debugfs_dir, NULL,
			    &liveupdate_floor_fops);
	return 0;
}
late_initcall(iommu_lu_floor_init);
