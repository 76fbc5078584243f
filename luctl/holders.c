// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holders.h"
#include "sysfs.h"

#define NODE "/dev/liveupdate"
#define SESSION "anon_inode:[luo_session]"
#define DEVICES "/dev/vfio/devices/"
#define GROUPS "/dev/vfio/"
#define MEMFD "/memfd:"
#define DELETED " (deleted)"

static struct holder *add(struct holders *h, enum holds kind, pid_t pid,
			  const char *name)
{
	struct holder *new;

	h->list = must_grow(h->list, h->count + 1, sizeof(*h->list));
	new = &h->list[h->count++];
	memset(new, 0, sizeof(*new));
	new->kind = kind;
	new->pid = pid;
	new->name = escaped(name);
	sys_line(new->comm, sizeof(new->comm), "/proc/%d/comm", pid);
	return new;
}

static bool known(const struct holders *h, pid_t pid, uint64_t inode)
{
	for (unsigned int i = 0; i < h->count; i++)
		if (h->list[i].kind == HOLDS_MEMORY && h->list[i].pid == pid &&
		    h->list[i].inode == inode)
			return true;
	return false;
}

/* One of several descriptors of the same memory is enough. */
static void add_memory(struct holders *h, pid_t pid, const char *fd, char *name)
{
	char *path = root_path("/proc/%d/fd/%s", pid, fd);
	size_t length = strlen(name);
	struct holder *new;
	struct stat st;
	int rc = stat(path, &st);

	free(path);
	if (length > strlen(DELETED) &&
	    !strcmp(name + length - strlen(DELETED), DELETED))
		name[length - strlen(DELETED)] = 0;
	if (!rc && known(h, pid, st.st_ino))
		return;
	new = add(h, HOLDS_MEMORY, pid, name);
	new->bytes = rc ? -1 : st.st_size;
	new->inode = rc ? 0 : st.st_ino;
}

static const char *behind(const char *text, const char *start)
{
	size_t length = strlen(start);

	return strncmp(text, start, length) ? NULL : text + length;
}

static void look_at(struct holders *h, pid_t pid, const char *fd, bool memory)
{
	char link[PATH_MAX];
	const char *name;

	if (!sys_link(link, sizeof(link), "/proc/%d/fd/%s", pid, fd))
		return;
	if (memory) {
		name = behind(link, MEMFD);
		if (name)
			add_memory(h, pid, fd, link + strlen(MEMFD));
		return;
	}
	if (!strcmp(link, NODE))
		add(h, HOLDS_NODE, pid, "");
	name = behind(link, SESSION);
	if (name)
		add(h, HOLDS_SESSION, pid, name + (*name == ' '));
	name = behind(link, DEVICES);
	if (name)
		add(h, HOLDS_DEVICE, pid, name);
	name = behind(link, GROUPS);
	if (name && *name >= '0' && *name <= '9')
		add(h, HOLDS_GROUP, pid, name);
}

static void process(struct holders *h, pid_t pid)
{
	unsigned int first = h->count;
	bool session = false;
	char **fds;
	int count;

	count = sys_names(&fds, "/proc/%d/fd", pid);
	if (count < 0) {
		h->hidden += count == -EACCES || count == -EPERM;
		return;
	}
	for (int i = 0; i < count; i++)
		look_at(h, pid, fds[i], false);
	for (unsigned int i = first; i < h->count; i++)
		session |= h->list[i].kind == HOLDS_SESSION;
	for (int i = 0; session && i < count; i++)
		look_at(h, pid, fds[i], true);
	names_free(fds, count);
}

void holders_read(struct holders *ret)
{
	char **pids;
	int count;

	memset(ret, 0, sizeof(*ret));
	count = sys_names(&pids, "/proc");
	if (count < 0) {
		ret->error = count;
		return;
	}
	for (int i = 0; i < count; i++) {
		pid_t pid = atoi(pids[i]);

		if (pid > 0 && pid != getpid())
			process(ret, pid);
	}
	names_free(pids, count);
}

void holders_free(struct holders *h)
{
	for (unsigned int i = 0; i < h->count; i++)
		free(h->list[i].name);
	free(h->list);
}

const struct holder *holder_next(const struct holders *h, enum holds kind,
				 const char *name, unsigned int *at)
{
	while (*at < h->count) {
		const struct holder *one = &h->list[(*at)++];

		if (one->kind == kind && (!name || !strcmp(one->name, name)))
			return one;
	}
	return NULL;
}

char *holder_text(const struct holder *h)
{
	return must_print("pid %d (%s)", h->pid, h->comm[0] ? h->comm : "?");
}

bool process_unit(pid_t pid, char *buf, size_t size)
{
	char *text = sys_text("/proc/%d/cgroup", pid), *line, *slash;
	size_t length;

	buf[0] = 0;
	line = text ? strstr(text, "0::/") : NULL;
	if (line) {
		line[strcspn(line, "\n")] = 0;
		slash = strrchr(line, '/');
		length = strlen(slash);
		if (length > 8 && !strcmp(slash + length - 8, ".service"))
			snprintf(buf, size, "%s", slash + 1);
	}
	free(text);
	return buf[0];
}

bool process_is_spared(pid_t pid)
{
	char *text = sys_text("/proc/%d/cmdline", pid);
	bool is = text && text[0] == '@';

	free(text);
	return is;
}
