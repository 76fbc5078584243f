/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the stand-in have in common. */
#ifndef LU_STAND_IN_PARTS_H
#define LU_STAND_IN_PARTS_H

#include <sys/stat.h>

#include "../../../lib/src/calls.h"

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

#define COUNT 32
extern struct thing things[COUNT];

extern bool can_ask, can_iommu;
extern int driver_late;

ino_t inode(int fd);
/* The one that this file is of, or NULL. */
struct thing *find(int fd);
/* A fresh one, and a file descriptor of it unless @ret_fd is NULL. */
struct thing *add(enum kind kind, int *ret_fd);
/* A file descriptor of it, made anew. */
int reach(struct thing *t);
/* Has nobody a file descriptor of it any more? */
bool gone(const struct thing *t);

/* Of an iommufd, of that kind; NULL for none. */
struct object *object_at(struct thing *t, uint32_t id, int is);

/* The calls of each: 0 or more, or -errno. */
int call_node(unsigned long request, struct lui_session *cmd);
int call_session(struct thing *s, unsigned long request, void *arg);
int call_iommufd(struct thing *t, unsigned long request, void *arg);
int call_device(struct thing *t, unsigned long request, void *arg);

#endif
