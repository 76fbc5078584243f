// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handing IOMMU table pages to the next kernel
 *
 * A page that crosses keeps its content. It is counted as an IOMMU page by the
 * kernel that owns it: by the old one until the end, by the new one from the
 * moment iommu_page_restore() gives it back.
 */
#include <kunit/static_stub.h>
#include <linux/error-injection.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>

#include "../iommu-pages.h"
#include "pages.h"

/**
 * iommu_page_preserve - Keep a page for the next kernel
 * @virt: Address returned from iommu_alloc_pages_node_sz()
 *
 * Preserving a page twice is a bug of the caller: one unpreserve undoes both.
 *
 * Context: May sleep.
 * Return: 0 on success or the error of kho_preserve_folio().
 */
noinline int iommu_page_preserve(void *virt)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_page_preserve, virt);

	return kho_preserve_folio(virt_to_folio(virt));
}
EXPORT_SYMBOL_GPL(iommu_page_preserve);
ALLOW_ERROR_INJECTION(iommu_page_preserve, ERRNO);

/**
 * iommu_page_unpreserve - Undo iommu_page_preserve()
 * @virt: The same address
 *
 * Context: May sleep.
 */
void iommu_page_unpreserve(void *virt)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_page_unpreserve, virt);

	kho_unpreserve_folio(virt_to_folio(virt));
}
EXPORT_SYMBOL_GPL(iommu_page_unpreserve);

/**
 * iommu_preserved_size - How much memory did the previous kernel keep?
 * @phys: Physical address, not trusted
 *
 * Return: the size of what was preserved at @phys and is not restored yet, so
 * that it can be read; 0 for nothing.
 */
size_t iommu_preserved_size(phys_addr_t phys)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_preserved_size, phys);

	return kho_preserved_size(phys);
}
EXPORT_SYMBOL_GPL(iommu_preserved_size);

/**
 * iommu_preserved_free - Free memory that the previous kernel kept
 * @virt: What it got from kho_alloc_preserve(), checked with
 *        iommu_preserved_size()
 */
void iommu_preserved_free(void *virt)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_preserved_free, virt);

	kho_restore_free(virt);
}
EXPORT_SYMBOL_GPL(iommu_preserved_free);

/**
 * iommu_page_preserved - Did the previous kernel keep a page?
 * @phys: Physical address, not trusted
 *
 * Return: true when there is one at @phys that is not restored yet. Then it can
 * be read.
 */
bool iommu_page_preserved(phys_addr_t phys)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_page_preserved, phys);

	return iommu_preserved_size(phys) >= PAGE_SIZE;
}
EXPORT_SYMBOL_GPL(iommu_page_preserved);

/**
 * iommu_page_restore - Take over a page from the previous kernel
 * @phys: Physical address of the page, not trusted
 *
 * The page then belongs to the caller, counted like any other, and is freed
 * with iommu_free_pages() or iommu_put_pages_list(). This works once for each
 * page.
 *
 * Return: its virtual address, or NULL when no page was preserved at @phys.
 */
void *iommu_page_restore(phys_addr_t phys)
{
	struct ioptdesc *iopt;
	struct folio *folio;
	unsigned long pgcnt;

	KUNIT_STATIC_STUB_REDIRECT(iommu_page_restore, phys);

	folio = iommu_page_preserved(phys) ? kho_restore_folio(phys) : NULL;
	if (!folio) {
		pr_err("iommu: no preserved page at %pa, leaving it alone\n",
		       &phys);
		return NULL;
	}

	iopt = folio_ioptdesc(folio);
	iopt->incoherent = false;

	pgcnt = folio_nr_pages(folio);
	mod_node_page_state(folio_pgdat(folio), NR_IOMMU_PAGES, pgcnt);
	lruvec_stat_mod_folio(folio, NR_SECONDARY_PAGETABLE, pgcnt);
	return folio_address(folio);
}
EXPORT_SYMBOL_GPL(iommu_page_restore);
