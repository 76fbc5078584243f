// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an IOAS maps, for its owner
 *
 * A process that took an iommufd over from another one, or that lists what a live
 * update carries, has no other way to know. Nothing here changes anything, and
 * nothing is copied to user space with a lock held that a live update takes.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/kdev_t.h>
#include <linux/slab.h>

#include "io_pagetable.h"
#include "iommufd_private.h"
#include "liveupdate.h"

/* At once; there is no limit to how often one may ask */
#define MAPS_MAX	SZ_64K

struct map_list {
	struct iommu_lu_map *maps;
	u32 room;
	u32 nr;
	u64 next;
	bool more;
};

static u32 prot_of(const struct iopt_area *area)
{
	u32 prot = 0;

	if (area->iommu_prot & IOMMU_READ)
		prot |= IOMMU_IOAS_MAP_READABLE;
	if (area->iommu_prot & IOMMU_WRITE)
		prot |= IOMMU_IOAS_MAP_WRITEABLE;
	return prot;
}

/* As stat() would tell, which those who have the file open can compare */
static void name_file(struct iommu_lu_map *map, const struct file *file)
{
	const struct inode *inode = file_inode(file);

	map->dev = huge_encode_dev(inode->i_sb->s_dev);
	map->ino = inode->i_ino;
}

static void fill_map(struct iommu_lu_map *map, struct iopt_area *area)
{
	const struct iopt_pages *pages = area->pages;
	u64 iova = iopt_area_iova(area);
	u64 start = iopt_area_start_byte(area, iova);

	*map = (struct iommu_lu_map){
		.iova = iova,
		.length = iopt_area_length(area),
		.prot = prot_of(area),
	};
	switch (pages->type) {
	case IOPT_ADDRESS_USER:
		map->type = IOMMU_LU_MAP_MEMORY;
		map->start = (uintptr_t)pages->uptr + start;
		break;
	case IOPT_ADDRESS_FILE:
		map->type = IOMMU_LU_MAP_FILE;
		map->start = pages->start + start;
		name_file(map, pages->file);
		break;
	case IOPT_ADDRESS_DMABUF:
		map->type = IOMMU_LU_MAP_DMABUF;
		map->start = pages->dmabuf.start + start;
		name_file(map, pages->dmabuf.attach->dmabuf->file);
		break;
	}
}

static void list_maps(struct map_list *list, struct io_pagetable *iopt)
{
	struct iopt_area *area;

	guard(rwsem_read)(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, list->next, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, list->next, ULONG_MAX)) {
		/* It is being mapped, and so is not yet */
		if (!area->pages)
			continue;
		if (list->nr == list->room) {
			list->more = true;
			return;
		}
		fill_map(&list->maps[list->nr++], area);
	}
}

/**
 * iommufd_lu_maps - ioctl(IOMMU_IOAS_LU_MAPS)
 * @ucmd: The call
 *
 * Context: May sleep.
 * Return: 0; -ENOENT when there is no such IOAS; -EINVAL when the first IOVA can be
 * none; -EFAULT; -ENOMEM.
 */
int iommufd_lu_maps(struct iommufd_ucmd *ucmd)
{
	struct iommu_lu_map *maps __free(kvfree) = NULL;
	struct iommu_ioas_lu_maps *cmd = ucmd->cmd;
	struct map_list list = { .next = cmd->iova };
	struct iommufd_ioas *ioas;

	if (cmd->iova > ULONG_MAX)
		return -EINVAL;
	list.room = min(cmd->nr, MAPS_MAX);
	if (list.room) {
		maps = kvmalloc_array(list.room, sizeof(*maps),
				      GFP_KERNEL_ACCOUNT);
		if (!maps)
			return -ENOMEM;
	}
	list.maps = maps;

	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	list_maps(&list, &ioas->iopt);
	iommufd_put_object(ucmd->ictx, &ioas->obj);

	if (list.nr) {
		const struct iommu_lu_map *last = &maps[list.nr - 1];

		cmd->iova = last->iova + last->length;
		if (copy_to_user(u64_to_user_ptr(cmd->maps), maps,
				 list.nr * sizeof(*maps)))
			return -EFAULT;
	}
	cmd->nr = list.nr;
	cmd->flags = list.more ? IOMMU_LU_MAPS_MORE : 0;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}
