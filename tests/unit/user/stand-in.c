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

#include "stand-in-parts.h"
#include "stand-in.h"

struct thing things[COUNT];
bool can_ask, can_iommu;
int driver_late;
static int node_busy;
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

ino_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

int reach(struct thing *t)
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

struct thing *add(enum kind kind, int *ret_fd)
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

bool gone(const struct thing *t)
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

struct thing *find(int fd)
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
