// SPDX-License-Identifier: GPL-2.0-only
/* The stand-in's sessions. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "stand-in-parts.h"
#include "stand-in.h"

static struct file *file_of(struct thing *t, uint64_t token)
{
	for (unsigned int i = 0; i < t->files; i++)
		if (t->file[i].token == token)
			return &t->file[i];
	return NULL;
}

static bool holds(const struct thing *t, ino_t ino)
{
	for (unsigned int i = 0; i < t->files; i++)
		if (inode(t->file[i].fd) == ino)
			return true;
	return false;
}

static int check_iommufd(const struct thing *session, const struct thing *t)
{
	bool any = false;

	if (t->preserved)
		return -EBUSY;
	for (unsigned int i = 1; i < OBJECTS; i++) {
		const struct object *o = &t->object[i], *ioas;

		if (o->is != HWPT || !o->marked)
			continue;
		any = true;
		ioas = &t->object[o->ioas];
		for (unsigned int j = 0; j < ioas->maps; j++)
			if (ioas->map[j].type != LUI_MAP_OF_DMABUF &&
			    !holds(session, ioas->map[j].ino))
				return -EINVAL;
	}
	return any ? 0 : -EINVAL;
}

static int check_device(const struct thing *session, const struct thing *t)
{
	const struct thing *on = &things[t->iommufd];

	if (t->preserved)
		return -EBUSY;
	if (!t->devid)
		return -EPERM;
	if (!holds(session, on->ino))
		return -ENOENT;
	return t->hwpt && on->object[t->hwpt].marked ? 0 : -EINVAL;
}

static int session_preserve(struct thing *s, const struct lui_file *cmd)
{
	struct thing *t = find(cmd->fd);
	int rc = 0;

	if (s->incoming)
		return -EINVAL;
	if (file_of(s, cmd->token))
		return -EEXIST;
	if (t && t->kind == IOMMUFD)
		rc = can_iommu ? check_iommufd(s, t) : -ENOENT;
	else if (t && t->kind == DEVICE)
		rc = can_iommu ? check_device(s, t) : -ENOENT;
	else if (t || fcntl(cmd->fd, F_GET_SEALS) < 0)
		rc = -ENOENT;
	else if (holds(s, inode(cmd->fd)))
		rc = -EBUSY;
	if (rc || s->files == FILES)
		return rc ? rc : -ENOSPC;
	s->file[s->files++] = (struct file){
		.token = cmd->token,
		.fd = fcntl(cmd->fd, F_DUPFD_CLOEXEC, 600),
		.place = t ? t - things : 0,
	};
	if (t)
		t->preserved = true;
	return 0;
}

static int session_take(struct thing *s, struct lui_file *cmd)
{
	struct file *f = file_of(s, cmd->token);
	struct thing *t;

	if (!s->incoming)
		return -EINVAL;
	if (!f || s->finished)
		return -ENOENT;
	if (!f->place) {
		f->taken = true;
		cmd->fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
		return 0;
	}
	t = &things[f->place];
	if (t->kind == DEVICE && driver_late && driver_late--)
		return -EAGAIN;
	if (t->kind == DEVICE && t->rejected)
		return -EIO;
	if (f->fd < 0) {
		int fd = reach(t);

		f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 600);
		close(fd);
	}
	f->taken = true;
	cmd->fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
	return 0;
}

static int session_finish(struct thing *s)
{
	if (!s->incoming)
		return -EINVAL;
	if (s->finished)
		return 0;
	for (unsigned int i = 0; i < s->files; i++) {
		const struct thing *t = &things[s->file[i].place];

		if (t->kind == IOMMUFD && !s->file[i].taken)
			return -EBUSY;
		for (unsigned int j = 1; t->kind == IOMMUFD && j < OBJECTS; j++)
			if (t->object[j].is == HWPT && t->object[j].restored)
				return -EBUSY;
	}
	for (unsigned int i = 0; i < s->files; i++)
		things[s->file[i].place].preserved = false;
	s->finished = true;
	return 0;
}

static int session_info(struct thing *s, struct lui_info *cmd)
{
	struct lu_file *to = (void *)(uintptr_t)cmd->files;

	cmd->state = !s->incoming ? LUI_OUTGOING :
		     s->finished  ? LUI_FINISHED :
				    LUI_INCOMING;
	cmd->nr_files = s->files;
	for (unsigned int i = 0; i < s->files && i < cmd->max_files; i++) {
		to[i] = (struct lu_file){ .token = s->file[i].token };
		to[i].state = !s->incoming	? LU_FILE_PRESERVED :
			      s->file[i].taken ? LU_FILE_TAKEN :
						 LU_FILE_WAITING;
		strcpy(to[i].handler, s->file[i].place ? "device" : "memfd");
	}
	return 0;
}

int call_session(struct thing *s, unsigned long request, void *arg)
{
	switch (request) {
	case LUI_GET_NAME:
		strcpy(((struct lui_name *)arg)->name, s->name);
		return 0;
	case LUI_GET_INFO:
		return can_ask ? session_info(s, arg) : -EINVAL;
	case LUI_PRESERVE_FD:
		return session_preserve(s, arg);
	case LUI_RETRIEVE_FD:
		return session_take(s, arg);
	case LUI_FINISH:
		return session_finish(s);
	default:
		return -EINVAL;
	}
}

static struct thing *session_named(const char *name)
{
	for (unsigned int i = 1; i < COUNT; i++)
		if (things[i].kind == SESSION && !strcmp(things[i].name, name))
			return &things[i];
	return NULL;
}

int call_node(unsigned long request, struct lui_session *cmd)
{
	struct thing *s = session_named(cmd->name);

	if (request == LUI_CREATE_SESSION) {
		if (s && !s->incoming)
			return -EEXIST;
		s = add(SESSION, &cmd->fd);
		strcpy(s->name, cmd->name);
		return 0;
	}
	if (request != LUI_RETRIEVE_SESSION)
		return -ENOTTY;
	if (!s || !s->incoming || s->finished)
		return -ENOENT;
	if (!gone(s))
		return -EINVAL;
	cmd->fd = reach(s);
	return 0;
}

