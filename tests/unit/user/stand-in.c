// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../lib/src/calls.h"
#include "stand-in.h"

#define OBJECTS 64
#define FILES 64

enum kind { NOTHING, NODE, SESSION, IOMMUFD, DEVICE };

/* Of an iommufd. IDs are places in the array. */
struct object {
	enum { FREE, IOAS, HWPT, DEVID } is;
	bool marked, restored, was_marked;
	uint64_t token;
	uint32_t ioas; /* of a HWPT */
	struct lui_map map[8]; /* of an IOAS */
	unsigned int maps;
};

struct file {
	uint64_t token;
	int fd; /* the kernel's own */
	unsigned int place; /* of the thing that it is, or 0 for memory */
	bool taken;
};

/* A session, iommufd or device; place 0 is nobody's. */
struct thing {
	enum kind kind;
	int writer; /* of the pipe; nobody reads any more: POLLERR */
	ino_t ino;
	bool preserved;
	/* a session */
	char name[LU_NAME_BYTES];
	bool incoming, finished;
	struct file file[FILES];
	unsigned int files;
	/* an iommufd */
	struct object object[OBJECTS];
	/* a device */
	char address[16];
	unsigned int iommufd; /* bound to that place */
	uint32_t devid, hwpt;
	bool rejected;
};

static struct thing things[32];
#define COUNT (sizeof(things) / sizeof(things[0]))

static bool can_ask, can_iommu;
static int node_busy, driver_late;
static unsigned int calls, fail_at;
static int fail_with;

/* Real ones, and those of the library that come here */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__real_reallocarray(void *was, size_t n, size_t bytes);
void *__wrap_reallocarray(void *was, size_t n, size_t bytes);

static bool fails(int only)
{
	if (only && fail_with != only)
		return false;
	return ++calls == fail_at;
}

unsigned int standin_fail(unsigned int nth, int error)
{
	unsigned int were = calls;

	calls = 0;
	fail_at = nth;
	fail_with = error;
	return were;
}

void *__wrap_malloc(size_t bytes)
{
	return fails(ENOMEM) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
	return fails(ENOMEM) ? NULL : __real_calloc(n, bytes);
}

void *__wrap_reallocarray(void *was, size_t n, size_t bytes)
{
	return fails(ENOMEM) ? NULL : __real_reallocarray(was, n, bytes);
}

static ino_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

/* A file descriptor of it, made anew. */
static int reach(struct thing *t)
{
	int fds[2];

	if (t->writer >= 0)
		close(t->writer);
	if (pipe2(fds, O_CLOEXEC))
		abort();
	/* Out of the way of counts of open files */
	t->writer = fcntl(fds[1], F_DUPFD_CLOEXEC, 500);
	close(fds[1]);
	t->ino = inode(fds[0]);
	return fds[0];
}

static struct thing *add(enum kind kind, int *ret_fd)
{
	for (unsigned int i = 1; i < COUNT; i++) {
		struct thing *t = &things[i];

		if (t->kind != NOTHING)
			continue;
		memset(t, 0, sizeof(*t));
		t->kind = kind;
		t->writer = -1;
		if (ret_fd)
			*ret_fd = reach(t);
		return t;
	}
	abort();
}

static bool gone(const struct thing *t)
{
	struct pollfd p = { .fd = t->writer };

	return t->writer < 0 || (poll(&p, 1, 0) == 1 && p.revents & POLLERR);
}

static void drop(struct thing *t)
{
	for (unsigned int i = 0; i < t->files; i++)
		if (t->file[i].fd >= 0)
			close(t->file[i].fd);
	if (t->writer >= 0)
		close(t->writer);
	memset(t, 0, sizeof(*t));
}

/* What the end of the last copy of an outgoing session does. */
static void settle(void)
{
	for (unsigned int i = 1; i < COUNT; i++) {
		struct thing *t = &things[i];

		if (t->kind == NODE && gone(t))
			drop(t);
		if (t->kind != SESSION || t->incoming || !gone(t))
			continue;
		for (unsigned int j = 0; j < t->files; j++)
			things[t->file[j].place].preserved = false;
		drop(t);
	}
}

static struct thing *find(int fd)
{
	ino_t ino = inode(fd);

	settle();
	for (unsigned int i = 1; i < COUNT; i++)
		if (things[i].kind != NOTHING && things[i].ino == ino && ino)
			return &things[i];
	return NULL;
}

void standin_reset(void)
{
	for (unsigned int i = 1; i < COUNT; i++)
		if (things[i].kind != NOTHING)
			drop(&things[i]);
	can_ask = can_iommu = true;
	node_busy = driver_late = 0;
	standin_fail(0, 0);
}

void standin_can(bool ask, bool iommu)
{
	can_ask = ask;
	can_iommu = iommu;
}

void standin_node_busy(int tries)
{
	node_busy = tries;
}

void standin_driver_late(int tries)
{
	driver_late = tries;
}

static void arrive(struct thing *t)
{
	if (t->kind == IOMMUFD) {
		for (unsigned int i = 1; i < OBJECTS; i++) {
			struct object *o = &t->object[i];

			if (o->is == HWPT && o->marked)
				*o = (struct object){ .is = HWPT,
						      .restored = true,
						      .token = o->token };
			else
				o->is = FREE;
		}
	} else if (t->kind == DEVICE) {
		t->devid = 0;
	}
	if (t->writer >= 0)
		close(t->writer);
	t->writer = -1;
	t->ino = 0;
	t->preserved = true;
}

void standin_kexec(void)
{
	bool kept[COUNT] = { false };

	settle();
	for (unsigned int i = 1; i < COUNT; i++) {
		struct thing *t = &things[i];

		if (t->kind != SESSION || t->incoming)
			continue;
		t->incoming = kept[i] = true;
		for (unsigned int j = 0; j < t->files; j++) {
			unsigned int place = t->file[j].place;

			if (place && !kept[place])
				arrive(&things[place]);
			kept[place] = true;
			if (place) {
				close(t->file[j].fd);
				t->file[j].fd = -1;
			}
		}
		if (t->writer >= 0)
			close(t->writer);
		t->writer = -1;
		t->ino = 0;
	}
	for (unsigned int i = 1; i < COUNT; i++)
		if (things[i].kind != NOTHING && !kept[i])
			drop(&things[i]);
}

int standin_iommufd(void)
{
	int fd;

	add(IOMMUFD, &fd);
	return fd;
}

int standin_device(const char *address)
{
	struct thing *t;
	int fd;

	t = add(DEVICE, &fd);
	snprintf(t->address, sizeof(t->address), "%s", address);
	return fd;
}

void standin_reject(const char *address)
{
	for (unsigned int i = 1; i < COUNT; i++)
		if (things[i].kind == DEVICE &&
		    !strcmp(things[i].address, address))
			things[i].rejected = true;
}

/* iommufd */

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

static struct object *object_at(struct thing *t, uint32_t id, int is)
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

static int call_iommufd(struct thing *t, unsigned long request, void *arg)
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

/* Devices */

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

static int call_device(struct thing *t, unsigned long request, void *arg)
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

/* Sessions */

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

static int call_session(struct thing *s, unsigned long request, void *arg)
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

static int call_node(unsigned long request, struct lui_session *cmd)
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

/* The ways in */

static int text_file(const char *text)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	if (write(fd, text, strlen(text)) < 0)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int open_node(void)
{
	int fd;

	if (fails(0)) {
		errno = fail_with;
		return -1;
	}
	if (standin_node_open() || node_busy) {
		node_busy -= node_busy > 0;
		errno = EBUSY;
		return -1;
	}
	add(NODE, &fd);
	return fd;
}

int __wrap_open(const char *path, int flags, ...)
{
	if (!strcmp(path, LUI_NODE))
		return open_node();
	if (!strcmp(path, "/sys/kernel/liveupdate/writes"))
		return text_file(can_iommu ? "luo-v5\niommufd-v1\nvfio-pci-v1\n" :
					     "luo-v5\n");
	if (!strncmp(path, "/sys/bus/pci/", 13)) {
		errno = EACCES;
		return -1;
	}
	return __real_open(path, flags);
}

int __wrap_access(const char *path, int mode)
{
	if (!strcmp(path, LUI_NODE))
		return 0;
	if (!strcmp(path, "/sys/kernel/liveupdate/sessions"))
		return can_ask ? 0 : -1;
	return __real_access(path, mode);
}

static int call(int fd, unsigned long request, void *arg)
{
	struct thing *t = find(fd);

	if (!t)
		return fcntl(fd, F_GETFD) < 0 ? -EBADF : -ENOTTY;
	switch (t->kind) {
	case NODE:
		return call_node(request, arg);
	case SESSION:
		return call_session(t, request, arg);
	case IOMMUFD:
		return call_iommufd(t, request, arg);
	default:
		return call_device(t, request, arg);
	}
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = fails(0) ? -fail_with : call(fd, request, arg);

	if (rc >= 0)
		return rc;
	errno = -rc;
	return -1;
}

/* What a VMM does */

int standin_bind(int device, int iommufd, uint32_t *ret_devid)
{
	struct lui_device_bind cmd = { .iommufd = iommufd };
	int rc = call(device, LUI_DEVICE_BIND, &cmd);

	*ret_devid = cmd.out_devid;
	return rc;
}

int standin_attach(int device, uint32_t hwpt)
{
	struct lui_device_attach cmd = { .pt_id = hwpt };

	return call(device, LUI_DEVICE_ATTACH, &cmd);
}

int standin_dmabuf(int device)
{
	return call(device, LUI_DEVICE_FEATURE, NULL);
}

int standin_ioas(int iommufd, uint32_t *ret_ioas)
{
	struct lui_ioas_alloc cmd = { 0 };
	int rc = call(iommufd, LUI_IOAS_ALLOC, &cmd);

	*ret_ioas = cmd.out_ioas_id;
	return rc;
}

int standin_map(int iommufd, uint32_t ioas, uint64_t iova, uint64_t length,
		int fd, uint64_t offset, uint32_t prot)
{
	struct lui_ioas_map_file cmd = {
		.flags = (prot & LU_READ ? LUI_MAP_READABLE : 0) |
			 (prot & LU_WRITE ? LUI_MAP_WRITEABLE : 0),
		.ioas_id = ioas,
		.fd = fd,
		.start = offset,
		.length = length,
		.iova = iova,
	};

	return call(iommufd, LUI_IOAS_MAP_FILE, &cmd);
}

void standin_map_other(int iommufd, uint32_t ioas, uint64_t iova,
		       uint64_t length)
{
	struct object *o = object_at(find(iommufd), ioas, IOAS);

	o->map[o->maps++] = (struct lui_map){
		.iova = iova,
		.length = length,
		.type = LUI_MAP_BY_ADDRESS,
		.prot = LUI_MAP_READABLE,
	};
}

int standin_hwpt(int iommufd, uint32_t devid, uint32_t ioas,
		 uint32_t *ret_hwpt)
{
	struct lui_hwpt_alloc cmd = { .dev_id = devid, .pt_id = ioas };
	int rc = call(iommufd, LUI_HWPT_ALLOC, &cmd);

	*ret_hwpt = cmd.out_hwpt_id;
	return rc;
}

/* What has become of it */

unsigned int standin_preserved(void)
{
	unsigned int count = 0;

	settle();
	for (unsigned int i = 1; i < COUNT; i++)
		if (things[i].kind == SESSION && !things[i].incoming)
			count += things[i].files;
	return count;
}

static unsigned int count_hwpts(bool marked)
{
	unsigned int count = 0;

	settle();
	for (unsigned int i = 1; i < COUNT; i++)
		for (unsigned int j = 1; j < OBJECTS; j++)
			if (things[i].kind == IOMMUFD &&
			    things[i].object[j].is == HWPT)
				count += marked ? things[i].object[j].marked :
						  things[i].object[j].restored;
	return count;
}

unsigned int standin_marked(void)
{
	return count_hwpts(true);
}

unsigned int standin_restored(void)
{
	return count_hwpts(false);
}

unsigned int standin_incoming(void)
{
	unsigned int count = 0;

	for (unsigned int i = 1; i < COUNT; i++)
		count += things[i].kind == SESSION && things[i].incoming &&
			 !things[i].finished;
	return count;
}

unsigned int standin_maps(int iommufd, uint32_t hwpt)
{
	const struct thing *t = find(iommufd);

	return t->object[t->object[hwpt].ioas].maps;
}

bool standin_node_open(void)
{
	settle();
	for (unsigned int i = 1; i < COUNT; i++)
		if (things[i].kind == NODE)
			return true;
	return false;
}
