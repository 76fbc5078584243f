// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages a unit or a domain owns
 *
 * The old kernel writes down each page that it keeps for a unit or a domain. The
 * new one takes nothing for a table that is not in the list of its owner, and
 * gives back what is in the list: so an entry that leads to somebody else's page
 * costs memory, and frees nothing that is in use.
 *
 * Nothing here locks; the callers do.
 */
#include <linux/cleanup.h>
#include <linux/crc32.h>
#include <linux/error-injection.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "../iommu-pages.h"
#include "page-list.h"
#include "pages.h"

#define PER_PAGE \
	((PAGE_SIZE - sizeof(struct iommu_lu_pages_ser)) / sizeof(u64))

static u32 list_crc(const struct iommu_lu_pages_ser *ser)
{
	return crc32c(ser->index, &ser->next,
		      struct_size(ser, entry, ser->nr) -
			      offsetof(struct iommu_lu_pages_ser, next));
}

/**
 * iommu_lu_pages_init - Start an empty list
 * @pages: The list
 * @kind:  IOMMU_LU_MAGIC_UNITS or _DOMAINS
 * @owner: Slot of the owner
 */
void iommu_lu_pages_init(struct iommu_lu_pages *pages, u32 kind, u32 owner)
{
	*pages = (struct iommu_lu_pages){ .kind = kind, .owner = owner };
}

static struct iommu_lu_pages_ser *list_grow(struct iommu_lu_pages *pages)
{
	struct iommu_lu_pages_ser *ser;

	ser = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(ser))
		return ser;
	ser->magic = IOMMU_LU_MAGIC_PAGES;
	ser->kind = pages->kind;
	ser->owner = pages->owner;
	if (pages->last) {
		ser->index = pages->last->index + 1;
		pages->last->next = virt_to_phys(ser);
	} else {
		pages->first = ser;
	}
	pages->last = ser;
	return ser;
}

/**
 * iommu_lu_pages_add - Write down that a page is kept
 * @pages: The list
 * @phys:  The page, preserved
 * @order: log2 of its size in pages
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int iommu_lu_pages_add(struct iommu_lu_pages *pages, phys_addr_t phys,
		       unsigned int order)
{
	struct iommu_lu_pages_ser *ser = pages->last;

	if (!ser || ser->nr == PER_PAGE) {
		ser = list_grow(pages);
		if (IS_ERR(ser))
			return PTR_ERR(ser);
	}
	ser->entry[ser->nr++] = phys | order;
	pages->nr++;
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_lu_pages_add);
ALLOW_ERROR_INJECTION(iommu_lu_pages_add, ERRNO);

static struct iommu_lu_pages_ser *next_of(const struct iommu_lu_pages_ser *ser)
{
	return ser->next ? phys_to_virt(ser->next) : NULL;
}

static void list_shrink(struct iommu_lu_pages *pages)
{
	struct iommu_lu_pages_ser *ser, *empty = pages->last;

	if (empty == pages->first) {
		pages->first = NULL;
		pages->last = NULL;
	} else {
		for (ser = pages->first; next_of(ser) != empty;)
			ser = next_of(ser);
		ser->next = 0;
		pages->last = ser;
	}
	kho_unpreserve_free(empty);
}

static u64 *list_find(struct iommu_lu_pages *pages, phys_addr_t phys)
{
	for (struct iommu_lu_pages_ser *ser = pages->first; ser;
	     ser = next_of(ser))
		for (u32 i = 0; i < ser->nr; i++)
			if ((ser->entry[i] & PAGE_MASK) == phys)
				return &ser->entry[i];
	return NULL;
}

/**
 * iommu_lu_pages_del - Undo iommu_lu_pages_add()
 * @pages: The list
 * @phys:  The page
 *
 * The last entry takes its place, so this is not for the first one, which has a
 * meaning, while there are others.
 *
 * Context: May sleep.
 * Return: 0, or -ENOENT when it is not in the list.
 */
int iommu_lu_pages_del(struct iommu_lu_pages *pages, phys_addr_t phys)
{
	u64 *entry = list_find(pages, phys);

	if (!entry)
		return -ENOENT;
	*entry = pages->last->entry[--pages->last->nr];
	pages->last->entry[pages->last->nr] = 0;
	pages->nr--;
	if (!pages->last->nr)
		list_shrink(pages);
	return 0;
}

/**
 * iommu_lu_pages_seal - The list is as the next kernel will read it
 * @pages: The list
 */
void iommu_lu_pages_seal(struct iommu_lu_pages *pages)
{
	for (struct iommu_lu_pages_ser *ser = pages->first; ser;
	     ser = next_of(ser))
		ser->crc = list_crc(ser);
}

/**
 * iommu_lu_pages_drop - Forget a list
 * @pages: The list, of pages that are not preserved any more
 *
 * Context: May sleep.
 */
void iommu_lu_pages_drop(struct iommu_lu_pages *pages)
{
	struct iommu_lu_pages_ser *ser = pages->first, *next;

	for (; ser; ser = next) {
		next = next_of(ser);
		kho_unpreserve_free(ser);
	}
	pages->first = NULL;
	pages->last = NULL;
	pages->nr = 0;
}

/**
 * iommu_lu_pages_phys - Where a list starts, for a record
 * @pages: The list
 *
 * Return: its physical address, 0 for an empty one.
 */
phys_addr_t iommu_lu_pages_phys(const struct iommu_lu_pages *pages)
{
	return pages->first ? virt_to_phys(pages->first) : 0;
}

/* ---- The new kernel ------------------------------------------------------ */

static const char *list_error(const struct iommu_lu_pages *pages, u64 phys,
			      u32 index, u64 left)
{
	const struct iommu_lu_pages_ser *ser;
	bool last;

	if (iommu_preserved_size(phys) != PAGE_SIZE)
		return "a page of its list is not preserved";
	ser = phys_to_virt(phys);
	if (ser->magic != IOMMU_LU_MAGIC_PAGES || ser->kind != pages->kind ||
	    ser->owner != pages->owner || ser->index != index)
		return "a page of its list is something else";
	last = left <= PER_PAGE;
	if (ser->nr != min(left, PER_PAGE) || !ser->next != last)
		return "its list has another length";
	if (ser->crc != list_crc(ser))
		return "a page of its list has a wrong CRC";
	return NULL;
}

static const char *read_entries(const struct iommu_lu_pages_ser *ser,
				iommu_lu_pages_fn fn, void *arg)
{
	for (u32 i = 0; i < ser->nr; i++) {
		u64 phys = ser->entry[i] & PAGE_MASK;
		unsigned int order = ser->entry[i] & ~PAGE_MASK;
		int ret;

		if (order > MAX_PAGE_ORDER)
			return "an entry of its list makes no sense";
		ret = fn(arg, phys, order);
		if (ret)
			return ret == -ENOMEM ? "out of memory" :
						"a page of it is not preserved, or something else";
	}
	return NULL;
}

/**
 * iommu_lu_pages_read - Read a list of the previous kernel
 * @pages: The list, with kind and owner
 * @phys:  Where it starts, not trusted
 * @nr:    How many entries it has, not trusted
 * @own:   Told of each page of the list before it is used
 * @entry: Told of each entry
 * @arg:   For both
 *
 * Context: May sleep.
 * Return: what is wrong with it, or NULL.
 */
const char *iommu_lu_pages_read(struct iommu_lu_pages *pages, u64 phys, u64 nr,
				iommu_lu_pages_fn own, iommu_lu_pages_fn entry,
				void *arg)
{
	struct iommu_lu_pages_ser *ser;
	const char *why;
	u64 left = nr;
	int ret;

	if (!phys != !nr)
		return "its list makes no sense";
	for (u32 i = 0; left; i++, phys = ser->next, left -= ser->nr) {
		why = list_error(pages, phys, i, left);
		if (why)
			return why;
		/* Also finds a loop */
		ret = own(arg, phys, 0);
		if (ret)
			return ret == -ENOMEM ? "out of memory" :
						"a page of its list is used for something else";
		ser = phys_to_virt(phys);
		why = read_entries(ser, entry, arg);
		if (why)
			return why;
		if (!pages->first)
			pages->first = ser;
		pages->last = ser;
		cond_resched();
	}
	pages->nr = nr;
	return NULL;
}

/**
 * iommu_lu_pages_forget - Give a list back, but nothing that is in it
 * @pages: The list, read
 */
void iommu_lu_pages_forget(struct iommu_lu_pages *pages)
{
	struct iommu_lu_pages_ser *ser = pages->first, *next;

	for (; ser; ser = next) {
		next = next_of(ser);
		iommu_preserved_free(ser);
	}
	pages->first = NULL;
	pages->last = NULL;
	pages->nr = 0;
}

/**
 * iommu_lu_pages_free - Give a list back, and all that is in it
 * @pages: The list, read, each entry with no other owner
 *
 * Context: May sleep.
 */
void iommu_lu_pages_free(struct iommu_lu_pages *pages)
{
	struct iommu_lu_pages_ser *ser = pages->first, *next;
	void *virt;

	for (; ser; ser = next) {
		for (u32 i = 0; i < ser->nr; i++) {
			virt = iommu_page_restore(ser->entry[i] & PAGE_MASK);
			if (virt)
				iommu_free_pages(virt);
		}
		next = next_of(ser);
		iommu_preserved_free(ser);
		cond_resched();
	}
	pages->first = NULL;
	pages->last = NULL;
	pages->nr = 0;
}
