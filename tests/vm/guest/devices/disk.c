// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "report.h"
#include "slot.h"
#include "wire.h"

#define PAGE 4096
#define BLOCK 512
/* Of the image; the first of them is enough. */
#define PAGES 4096
/* A prime, to read all over the place. */
#define STRIDE 1531
/* The host gives up first. */
#define HOST_SECONDS 300
/* A port's button is obeyed after five seconds. */
#define PATIENCE_MS 60000

/* The first entry of a folder that starts so. */
static int find_entry(const char *folder, const char *start, char *name,
		      size_t size)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	int rc = -ENOENT;

	if (!dir)
		return -errno;
	while (rc && (e = readdir(dir))) {
		if (strncmp(e->d_name, start, strlen(start)))
			continue;
		snprintf(name, size, "%.30s", e->d_name);
		rc = 0;
	}
	closedir(dir);
	return rc;
}

static int disk_open(const char *bdf)
{
	char path[160], node[64], name[32];
	int fd, rc;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", bdf);
	rc = find_entry(path, "virtio", name, sizeof(name));
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s/block", bdf,
		 name);
	rc = find_entry(path, "vd", name, sizeof(name));
	if (rc)
		return rc;
	snprintf(node, sizeof(node), "/dev/%s", name);
	fd = open(node, O_RDONLY | O_DIRECT | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool page_whole(const uint64_t *words, uint64_t page)
{
	for (uint64_t i = 0; i < PAGE / 8; i++) {
		uint64_t block = page * (PAGE / BLOCK) + i / (BLOCK / 8);

		if (words[i] != (block << 8 | i % (BLOCK / 8)))
			return false;
	}
	return true;
}

static void *read_for_ever(void *data)
{
	static __thread uint64_t words[PAGE / 8]
		__attribute__((aligned(PAGE)));
	struct disk *d = data;

	for (uint64_t n = 1; !__atomic_load_n(&d->stop, __ATOMIC_ACQUIRE);
	     n++) {
		uint64_t page = n * STRIDE % PAGES;
		ssize_t got = pread(d->fd, words, PAGE, page * PAGE);

		if (got != PAGE || !page_whole(words, page))
			__atomic_add_fetch(&d->bad, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&d->reads, 1, __ATOMIC_RELAXED);
		usleep(2000);
	}
	return NULL;
}

int disk_start(struct disk *d, const char *bdf)
{
	memset(d, 0, sizeof(*d));
	for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
		d->fd = disk_open(bdf);
		if (d->fd >= 0)
			return -pthread_create(&d->thread, NULL, read_for_ever,
					       d);
		usleep(10000);
	}
	return d->fd;
}

bool disk_works(struct disk *d, uint64_t more)
{
	uint64_t want = __atomic_load_n(&d->reads, __ATOMIC_RELAXED) + more;

	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		if (__atomic_load_n(&d->reads, __ATOMIC_RELAXED) >= want)
			return !__atomic_load_n(&d->bad, __ATOMIC_RELAXED);
		usleep(1000);
	}
	return false;
}

void disk_stop(struct disk *d)
{
	__atomic_store_n(&d->stop, true, __ATOMIC_RELEASE);
	pthread_join(d->thread, NULL);
	close(d->fd);
}

static bool ask(const char *what, const char *port)
{
	char answer[40];

	event("%s port=%s", what, port);
	snprintf(answer, sizeof(answer), "%s-%s", what, port);
	return !lost(answer, wire_wait(answer, HOST_SECONDS));
}

static bool move(const char *what, const char *port, const char *bdf, bool in)
{
	char name[64];
	int ms = 0;

	if (!ask(what, port))
		return false;
	while (!pci_id(bdf) == in && ms < PATIENCE_MS) {
		usleep(10000);
		ms += 10;
	}
	if (ms < PATIENCE_MS)
		return true;
	snprintf(name, sizeof(name), "%s-%s", what, port);
	return check(name, false, "%s is %s", bdf, in ? "not there" : "there");
}

bool disk_plug(const char *port, const char *bdf)
{
	return !lost("slot-settle", slot_settle(bdf)) &&
	       move("plug", port, bdf, true);
}

bool disk_unplug(const char *port, const char *bdf)
{
	/* The kernel forgets a disk a while before its slot is off. */
	return !lost("slot-settle", slot_settle(bdf)) &&
	       move("unplug", port, bdf, false) && ask("gone", port);
}
