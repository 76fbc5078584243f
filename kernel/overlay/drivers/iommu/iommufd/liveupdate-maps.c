// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an IOAS maps that is to stay as it is across a live update
 */
#define pr_fmt(fmt) "iommufd: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommu-liveupdate-lap.h>
#include <linux/ioport.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate-devices.h>
#include <linux/pagemap.h>
#include <linux/pci.h>
#include <linux/xarray.h>

#include "io_pagetable.h"
#include "iommufd_private.h"
#include "liveupdate.h"

/**
 * DOC: Maps that stay
 *
 * A device goes on writing to what is mapped for it while no kernel is there to
 * stop it. So it has to stay what it is. That is known of two things:
 *
 * - Memory of memfds that the session has preserved before. Each page frame is
 *   proven to be of the file.
 * - BARs of devices of the same session, mapped as dma-buf: PCI leaves those where
 *   they are. Each entry is proven to lead into the BAR, not to memory.
 *
 * A device is preserved after the iommufd it is bound to, so when an iommufd is
 * preserved none of its devices is yet. But a device can only be preserved in the
 * session of its iommufd. So preserve asks whether it is bound to this one, which
 * nothing else would be right for, and freeze whether it was preserved. A BAR of a
 * device of another iommufd is refused, also if that is in the same session.
 *
 * Whoever resets, closes or removes a device, powers it down or turns off its
 * memory space takes its BARs away from those who have mapped them. A preserved
 * device is neither reset nor closed nor removed. The rest is the user's right, at
 * any time, and so is everything before the device is preserved: the entries are
 * then cleared, and DMA to the BAR is blocked. The tables stay as they are, because
 * they are preserved. The BAR does not come back by itself, as without a live
 * update: the range leads nowhere in the next kernel too.
 *
 * Locks: pages->mutex protects the lock count of areas of dma-bufs, beside
 * iova_rwsem.
 */

static void say(struct iopt_area *area, const char *why)
{
	pr_err("IOVA %#lx, %zu bytes: %s\n", iopt_area_iova(area),
	       iopt_area_length(area), why);
}

/* ---- Memory -------------------------------------------------------------- */

/* A mapping that is to be proven, from its first page on */
struct proof {
	struct address_space *map;
	u64 iova;
	pgoff_t index;
};

/* How many pages from this one on are of one folio, and those of the file */
static unsigned long folio_run(const struct proof *proof, struct page *page,
			       pgoff_t index)
{
	struct folio *folio = page_folio(page);
	unsigned long skip = folio_page_idx(folio, page);

	if (folio->mapping != proof->map || folio->index + skip != index)
		return 0;
	return folio_nr_pages(folio) - skip;
}

/*
 * A folio that leaves its file loses its mapping. This one was pinned when it
 * was mapped, so it can be asked which page of which file it is. The head of a
 * folio answers by itself; its other pages have no mapping.
 */
static int check_run(void *arg, u64 iova, phys_addr_t phys, u64 len)
{
	const struct proof *proof = arg;
	pgoff_t index = proof->index + ((iova - proof->iova) >> PAGE_SHIFT);
	unsigned long nr = len >> PAGE_SHIFT, take;
	struct page *page;

	cond_resched();
	if (!pfn_valid(PHYS_PFN(phys)))
		return -EINVAL;
	page = pfn_to_page(PHYS_PFN(phys));
	for (;; nr -= take, page += take, index += take) {
		for (; nr; nr--, page++, index++) {
			const struct folio *head = (struct folio *)page;

			if (head->mapping != proof->map || head->index != index)
				break;
		}
		if (!nr)
			return 0;
		take = min(nr, folio_run(proof, page, index));
		if (!take)
			return -EINVAL;
	}
}

/*
 * The file being preserved says nothing about a page that was punched out of it
 * after it was mapped: the mapping still leads to the old page, which is in no
 * file and would be reused. So each frame is asked. The file is frozen and its
 * pages are pinned, so what is found now stays.
 */
static int check_memory(const struct liveupdate_file_op_args *args,
			struct iommu_domain *domain, struct iopt_area *area)
{
	struct iopt_pages *pages = area->pages;
	unsigned long iova = iopt_area_iova(area);
	struct proof proof = {};
	int rc;

	if (pages->type != IOPT_ADDRESS_FILE ||
	    !liveupdate_depend(args, pages->file))
		return -EINVAL;

	proof.map = pages->file->f_mapping;
	proof.iova = ALIGN_DOWN(iova, PAGE_SIZE);
	proof.index = (pages->start + iopt_area_start_byte(area, iova)) >>
		      PAGE_SHIFT;
	rc = iommu_lu_domain_runs(domain, proof.iova,
				  (iopt_area_last_iova(area) | ~PAGE_MASK) -
					  proof.iova + 1, check_run, &proof);
	/* All of an area is mapped, what else would it be */
	return rc == -ENOENT ? -EINVAL : rc;
}

/* ---- BARs ---------------------------------------------------------------- */

struct bar_proof {
	u64 iova;
	phys_addr_t phys;
};

static phys_addr_t bar_phys(struct iopt_area *area)
{
	const struct iopt_pages_dmabuf *dmabuf = &area->pages->dmabuf;

	return dmabuf->phys.paddr + dmabuf->start +
	       iopt_area_start_byte(area, iopt_area_iova(area));
}

static bool has_bar(struct device *dev, const struct resource *range)
{
	if (!dev_is_pci(dev))
		return false;
	for (int i = 0; i < PCI_STD_NUM_BARS; i++) {
		const struct resource *bar = pci_resource_n(to_pci_dev(dev), i);

		if (bar->flags & IORESOURCE_MEM && resource_contains(bar, range))
			return true;
	}
	return false;
}

/* A device that is bound is not freed before its object is gone from there */
static struct device *get_exporter(struct iommufd_ctx *ictx,
				   struct iopt_area *area)
{
	struct resource range = DEFINE_RES_MEM(bar_phys(area),
					       iopt_area_length(area));
	struct device *found = NULL, *dev;
	struct iommufd_object *obj;
	unsigned long id;

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, id, obj) {
		if (obj->type != IOMMUFD_OBJ_DEVICE)
			continue;
		dev = container_of(obj, struct iommufd_device, obj)->dev;
		if (has_bar(dev, &range)) {
			found = get_device(dev);
			break;
		}
	}
	xa_unlock(&ictx->objects);
	return found;
}

static int check_bar_run(void *arg, u64 iova, phys_addr_t phys, u64 len)
{
	const struct bar_proof *proof = arg;

	return phys == proof->phys + (iova - proof->iova) ? 0 : -EINVAL;
}

static int check_bar(struct iommufd_ctx *ictx, struct iommu_domain *domain,
		     struct iopt_area *area)
{
	unsigned long iova = iopt_area_iova(area);
	struct bar_proof proof = {};
	struct device *dev;
	int rc;

	lockdep_assert_held(&area->pages->mutex);

	/* It leads nowhere, and never again anywhere */
	if (iopt_dmabuf_revoked(area->pages))
		return 0;
	dev = get_exporter(ictx, area);
	if (!dev) {
		say(area, "it is no BAR of a device that is bound to this iommufd");
		return -EINVAL;
	}
	put_device(dev);

	proof.iova = ALIGN_DOWN(iova, PAGE_SIZE);
	proof.phys = ALIGN_DOWN(bar_phys(area), PAGE_SIZE);
	rc = iommu_lu_domain_runs(domain, proof.iova,
				  (iopt_area_last_iova(area) | ~PAGE_MASK) -
					  proof.iova + 1, check_bar_run, &proof);
	if (rc == -EINVAL || rc == -ENOENT) {
		say(area, "it does not lead to the BAR");
		return -EINVAL;
	}
	return rc;
}

/**
 * iommufd_lu_check_bars - Do all BARs that an IOAS maps stay where they are?
 * @ictx: The iommufd, preserved
 * @ioas: The IOAS, fixed
 *
 * Context: When the iommufd is frozen: no device is preserved later.
 * Return: 0; -ENOENT when a device whose BAR is mapped is not preserved.
 */
int iommufd_lu_check_bars(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas)
{
	struct io_pagetable *iopt = &ioas->iopt;
	struct iopt_area *area;
	struct device *dev;
	bool kept;

	guard(rwsem_read)(&iopt->iova_rwsem);
	/* Nothing is to be looked at for memory: this is in the blackout */
	if (!iopt->lu_bars)
		return 0;
	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		if (!iopt_is_dmabuf(area->pages))
			continue;
		guard(mutex)(&area->pages->mutex);
		if (iopt_dmabuf_revoked(area->pages))
			continue;
		dev = get_exporter(ictx, area);
		kept = dev && iommu_lu_device_fixed(dev);
		put_device(dev);
		if (!kept) {
			say(area, "it is a BAR of a device that is not preserved");
			return -ENOENT;
		}
	}
	return 0;
}

/**
 * iommufd_lu_clear - The BAR behind an area is taken away
 * @area:   The area
 * @domain: Which maps it
 *
 * Context: With pages->mutex of @area held.
 * Return: true when the area was fixed: it leads nowhere from now on, and nothing
 * is to be unmapped.
 */
bool iommufd_lu_clear(struct iopt_area *area, struct iommu_domain *domain)
{
	lockdep_assert_held(&area->pages->mutex);

	return area->num_locks &&
	       iommu_lu_domain_clear(domain, iopt_area_iova(area),
				     iopt_area_length(area));
}

/* ---- The whole IOAS ------------------------------------------------------ */

static int fix_area(const struct liveupdate_file_op_args *args,
		    struct iommu_domain *domain, struct io_pagetable *iopt,
		    struct iopt_area *area)
{
	int rc;

	if (!area->pages)
		return -EBUSY;
	if (!iopt_is_dmabuf(area->pages)) {
		rc = check_memory(args, domain, area);
		if (rc == -EINVAL)
			say(area, "it is no memory of a memfd preserved before in this session");
		if (!rc)
			area->num_locks++;
		return rc;
	}
	/* Whoever takes the BAR away looks at the count with this held */
	guard(mutex)(&area->pages->mutex);
	rc = check_bar(args->file->private_data, domain, area);
	if (rc)
		return rc;
	area->num_locks++;
	iopt->lu_bars++;
	return 0;
}

static void unfix_areas(struct io_pagetable *iopt, struct iopt_area *end)
{
	struct iopt_area *area;

	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area != end;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		if (!iopt_is_dmabuf(area->pages)) {
			area->num_locks--;
			continue;
		}
		guard(mutex)(&area->pages->mutex);
		area->num_locks--;
		iopt->lu_bars--;
	}
}

/**
 * iommufd_lu_fix_ioas - Prove what an IOAS maps, and let it stay so
 * @args: What LUO gave to the preserve callback of the iommufd
 * @hwpt: A HWPT on the IOAS, whose table is the proof
 *
 * Context: May sleep.
 * Return: 0; -EINVAL when something is mapped that may not stay what it is; -EBUSY
 * while something is mapped or unmapped; -EOPNOTSUPP when the driver cannot preserve
 * the HWPT.
 */
int iommufd_lu_fix_ioas(const struct liveupdate_file_op_args *args,
			struct iommufd_hwpt_paging *hwpt)
{
	CLASS(iommu_lu_lap, lap)(IOMMU_LU_STEP_PROVE);
	struct io_pagetable *iopt = &hwpt->ioas->iopt;
	struct iopt_area *area;
	int rc;

	guard(rwsem_read)(&iopt->domains_rwsem);
	guard(rwsem_write)(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		rc = fix_area(args, hwpt->common.domain, iopt, area);
		if (rc) {
			unfix_areas(iopt, area);
			return rc;
		}
	}
	iopt->lu_fixed++;
	return 0;
}

/**
 * iommufd_lu_unfix_ioas - Undo iommufd_lu_fix_ioas()
 * @ioas: The IOAS
 *
 * Context: May sleep.
 */
void iommufd_lu_unfix_ioas(struct iommufd_ioas *ioas)
{
	struct io_pagetable *iopt = &ioas->iopt;

	guard(rwsem_read)(&iopt->domains_rwsem);
	guard(rwsem_write)(&iopt->iova_rwsem);
	unfix_areas(iopt, NULL);
	iopt->lu_fixed--;
}
