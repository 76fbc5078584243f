// SPDX-License-Identifier: GPL-2.0-only
/* The stand-in's iommufds, and the devices that are bound to them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "stand-in-parts.h"
#include "stand-in.h"

static int object(struct thing *t, int is)
{
	for (unsigned int i = 1; i < OBJECTS; i++) {
		if (t->object[i].is != FREE)
			continue;
		t->object[i] = (struct object){ .is = is };
		return i;
	}
	return -ENOSPC;
}

struct object *object_at(struct thing *t, uint32_t id, int is)
{
	if (!id || id >= OBJECTS || (int)t->object[id].is != is)
		return NULL;
	return &t->object[id];
}

static bool attached(const struct thing *iommufd, uint32_t hwpt)
{
	for (unsigned int i = 1; i < COUNT; i++)
		if (things[i].kind == DEVICE && !things[i].rejected &&
		    things[i].hwpt == hwpt &&
		    &things[things[i].iommufd] == iommufd)
			return true;
	return false;
}

static int iommufd_destroy(struct thing *t, uint32_t id)
{
	struct object *o = object_at(t, id, HWPT);

	if (!o)
		return -ENOENT;
	if ((t->preserved && o->marked) || attached(t, id))
		return -EBUSY;
	o->is = FREE;
	return 0;
}

static int iommufd_map(struct thing *t, const struct lui_ioas_map_file *cmd)
{
	struct object *o = object_at(t, cmd->ioas_id, IOAS);
	struct stat st;

	if (!o || fstat(cmd->fd, &st))
		return -ENOENT;
	if (o->maps == sizeof(o->map) / sizeof(o->map[0]))
		return -ENOSPC;
	for (unsigned int i = 0; i < o->maps; i++)
		if (o->map[i].iova < cmd->iova + cmd->length &&
		    cmd->iova < o->map[i].iova + o->map[i].length)
			return -EEXIST;
	o->map[o->maps++] = (struct lui_map){
		.iova = cmd->iova,
		.length = cmd->length,
		.start = cmd->start,
		.type = fcntl(cmd->fd, F_GET_SEALS) < 0 ? LUI_MAP_OF_DMABUF :
							  LUI_MAP_OF_FILE,
		.prot = cmd->flags & (LUI_MAP_READABLE | LUI_MAP_WRITEABLE),
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
	return 0;
}

static int iommufd_maps(struct thing *t, struct lui_ioas_maps *cmd)
{
	struct object *o = object_at(t, cmd->ioas_id, IOAS);
	struct lui_map *to = (void *)(uintptr_t)cmd->maps;
	uint32_t room = cmd->nr;

	if (!o)
		return -ENOENT;
	cmd->nr = 0;
	cmd->flags = 0;
	for (unsigned int i = 0; i < o->maps; i++) {
		if (o->map[i].iova < cmd->iova)
			continue;
		if (cmd->nr == room) {
			cmd->flags = LUI_MAPS_MORE;
			break;
		}
		to[cmd->nr++] = o->map[i];
		cmd->iova = o->map[i].iova + o->map[i].length;
	}
	return 0;
}

static int iommufd_mark(struct thing *t, const struct lui_hwpt_preserve *cmd)
{
	struct object *o = object_at(t, cmd->hwpt_id, HWPT);

	if (!can_iommu)
		return -ENOTTY;
	if (!o)
		return -ENOENT;
	if (o->marked || o->restored || t->preserved)
		return -EBUSY;
	for (unsigned int i = 1; i < OBJECTS; i++)
		if (t->object[i].is == HWPT && t->object[i].marked &&
		    t->object[i].token == cmd->token)
			return -EADDRINUSE;
	o->marked = true;
	o->token = cmd->token;
	return 0;
}

static int iommufd_unmark(struct thing *t, uint32_t id)
{
	struct object *o = object_at(t, id, HWPT);

	if (!o || !o->marked)
		return -ENOENT;
	if (t->preserved)
		return -EBUSY;
	o->marked = false;
	return 0;
}

static int iommufd_restore(struct thing *t, struct lui_hwpt_restore *cmd)
{
	for (unsigned int i = 1; i < OBJECTS; i++) {
		const struct object *o = &t->object[i];

		if (o->is == HWPT && o->restored && o->token == cmd->token) {
			cmd->out_hwpt_id = i;
			return 0;
		}
	}
	return -ENOENT;
}

static int iommufd_hwpt(struct thing *t, struct lui_hwpt_alloc *cmd)
{
	int id;

	if (!object_at(t, cmd->pt_id, IOAS) ||
	    !object_at(t, cmd->dev_id, DEVID))
		return -ENOENT;
	id = object(t, HWPT);
	if (id < 0)
		return id;
	t->object[id].ioas = cmd->pt_id;
	cmd->out_hwpt_id = id;
	return 0;
}

int call_iommufd(struct thing *t, unsigned long request, void *arg)
{
	int id;

	switch (request) {
	case LUI_OPTION:
		return 0;
	case LUI_DESTROY:
		return iommufd_destroy(t, ((struct lui_destroy *)arg)->id);
	case LUI_IOAS_ALLOC:
		id = object(t, IOAS);
		((struct lui_ioas_alloc *)arg)->out_ioas_id = id;
		return id < 0 ? id : 0;
	case LUI_HWPT_ALLOC:
		return iommufd_hwpt(t, arg);
	case LUI_IOAS_MAP_FILE:
		return iommufd_map(t, arg);
	case LUI_IOAS_MAPS:
		return can_ask ? iommufd_maps(t, arg) : -ENOTTY;
	case LUI_HWPT_PRESERVE:
		return iommufd_mark(t, arg);
	case LUI_HWPT_UNPRESERVE:
		return iommufd_unmark(
			t, ((struct lui_hwpt_unpreserve *)arg)->hwpt_id);
	case LUI_HWPT_RESTORE:
		return iommufd_restore(t, arg);
	default:
		return -ENOTTY;
	}
}

static int device_bind(struct thing *t, struct lui_device_bind *cmd)
{
	struct thing *to = find(cmd->iommufd);
	int id;

	if (!to || to->kind != IOMMUFD || t->devid)
		return -EINVAL;
	id = object(to, DEVID);
	if (id < 0)
		return id;
	t->iommufd = to - things;
	t->devid = cmd->out_devid = id;
	return 0;
}

static int device_attach(struct thing *t, uint32_t hwpt)
{
	if (!t->devid)
		return -EINVAL;
	if (!object_at(&things[t->iommufd], hwpt, HWPT))
		return -ENOENT;
	t->hwpt = hwpt;
	return 0;
}

/* Something that is neither memory nor known here. */
static int dmabuf(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	close(fds[1]);
	return fds[0];
}

int call_device(struct thing *t, unsigned long request, void *arg)
{
	switch (request) {
	case LUI_DEVICE_GET_INFO:
		((struct lui_device_info *)arg)->flags = LUI_DEVICE_IS_PCI;
		return t->devid ? 0 : -EINVAL;
	case LUI_DEVICE_BIND:
		return device_bind(t, arg);
	case LUI_DEVICE_ATTACH:
		return device_attach(t,
				     ((struct lui_device_attach *)arg)->pt_id);
	case LUI_DEVICE_FEATURE:
		return t->devid ? dmabuf() : -EINVAL;
	case LUI_DEVICE_DETACH:
		t->hwpt = 0;
		return t->devid ? 0 : -EINVAL;
	default:
		return -ENOTTY;
	}
}

