// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pci.h"
#include "textfile.h"

#define SYSFS "/sys/bus/pci"
#define PATH_BYTES 160
#define CAPABILITIES 0x34
#define EXTENDED 0x100u
#define EXTENDED_MAX 480
#define HOST_BRIDGE "0000:00:00.0"
#define SCRATCHPAD 0xdcu

static uint32_t read_hex(const char *bdf, const char *name)
{
	char path[PATH_BYTES], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), SYSFS "/devices/%s/%s", bdf, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strtoul(text, NULL, 16);
}

uint32_t pci_id(const char *bdf)
{
	return read_hex(bdf, "vendor") << 16 | read_hex(bdf, "device");
}

int pci_above(const char *bdf, char *bridge)
{
	char path[80], target[200], *end;
	ssize_t got;

	snprintf(path, sizeof(path), SYSFS "/devices/%s", bdf);
	got = readlink(path, target, sizeof(target) - 1);
	if (got < 0)
		return -errno;
	target[got] = 0;
	end = strrchr(target, '/');
	if (!end || end - target < BDF_BYTES)
		return -ENODEV;
	snprintf(bridge, BDF_BYTES, "%.*s", 12, end - 12);
	return pci_id(bridge) ? 0 : -ENODEV;
}

int pci_find(uint32_t id, unsigned int nth, char *bdf)
{
	struct dirent **list;
	int count, i, rc = -ENODEV;

	count = scandir(SYSFS "/devices", &list, NULL, alphasort);
	if (count < 0)
		return -errno;
	for (i = 0; i < count; i++) {
		const char *name = list[i]->d_name;

		if (rc && name[0] != '.' && pci_id(name) == id && !nth--) {
			snprintf(bdf, BDF_BYTES, "%.*s", BDF_BYTES - 1, name);
			rc = 0;
		}
		free(list[i]);
	}
	free(list);
	return rc;
}

void pci_driver(const char *bdf, char *name, unsigned int size)
{
	char path[PATH_BYTES], target[PATH_BYTES], *base;
	ssize_t got;

	name[0] = 0;
	snprintf(path, sizeof(path), SYSFS "/devices/%s/driver", bdf);
	got = readlink(path, target, sizeof(target) - 1);
	if (got < 0)
		return;
	target[got] = 0;
	base = strrchr(target, '/');
	snprintf(name, size, "%s", base ? base + 1 : target);
}

int pci_override(const char *bdf, const char *driver)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), SYSFS "/devices/%s/driver_override", bdf);
	return put_text(path, *driver ? driver : "\n");
}

int pci_probe(const char *bdf)
{
	return put_text(SYSFS "/drivers_probe", bdf);
}

static bool slot_has(const char *slot, const char *bdf)
{
	char path[PATH_BYTES], address[BDF_BYTES] = "";
	FILE *f;

	snprintf(path, sizeof(path), SYSFS "/slots/%.20s/address", slot);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(address, sizeof(address), f))
		address[0] = 0;
	fclose(f);
	address[strcspn(address, "\n")] = 0;
	/* Without the function */
	return address[0] && !strncmp(bdf, address, strlen(address));
}

int pci_slot_power(const char *bdf, bool on)
{
	DIR *slots = opendir(SYSFS "/slots");
	char path[PATH_BYTES];
	struct dirent *entry;
	int rc = -ENODEV;

	if (!slots)
		return -errno;
	while (rc == -ENODEV && (entry = readdir(slots))) {
		if (entry->d_name[0] == '.' || !slot_has(entry->d_name, bdf))
			continue;
		snprintf(path, sizeof(path), SYSFS "/slots/%.20s/power",
			 entry->d_name);
		rc = put_text(path, on ? "1" : "0");
	}
	closedir(slots);
	return rc;
}

int pci_rescan(void)
{
	return put_text(SYSFS "/rescan", "1");
}

static int leave_driver(const char *bdf)
{
	char path[PATH_BYTES], name[40];

	pci_driver(bdf, name, sizeof(name));
	if (!name[0])
		return 0;
	snprintf(path, sizeof(path), SYSFS "/drivers/%s/unbind", name);
	return put_text(path, bdf);
}

int pci_bind(const char *bdf, const char *driver)
{
	char name[40];
	int rc;

	pci_driver(bdf, name, sizeof(name));
	if (!strcmp(name, driver))
		return 0;
	rc = pci_override(bdf, driver);
	if (!rc)
		rc = leave_driver(bdf);
	if (!rc)
		rc = pci_probe(bdf);
	if (rc)
		return rc;
	/* A probe that matched nothing is not an error to sysfs. */
	pci_driver(bdf, name, sizeof(name));
	return strcmp(name, driver) ? -ENODEV : 0;
}

int pci_offer(const char *bdf, const char *driver)
{
	char path[PATH_BYTES], name[40];
	int rc;

	snprintf(path, sizeof(path), SYSFS "/drivers/%s/bind", driver);
	rc = pci_override(bdf, driver);
	if (!rc)
		rc = put_text(path, bdf);
	pci_driver(bdf, name, sizeof(name));
	if (!rc && strcmp(name, driver))
		rc = -ENXIO;
	pci_override(bdf, "");
	return rc;
}

int pci_unbind(const char *bdf)
{
	int rc = leave_driver(bdf);

	return rc ? rc : pci_override(bdf, "");
}

int pci_write_file(const char *bdf, const char *file, const char *text)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), SYSFS "/devices/%s/%s", bdf, file);
	return put_text(path, text);
}

int pci_config_open(const char *bdf)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), SYSFS "/devices/%s/config", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int config_read(const char *bdf, unsigned int at, void *ret, size_t size)
{
	int fd = pci_config_open(bdf), rc = 0;

	if (fd < 0)
		return fd;
	if (pread(fd, ret, size, at) != (ssize_t)size)
		rc = -EIO;
	close(fd);
	return rc;
}

int pci_read16(const char *bdf, unsigned int at, uint16_t *ret)
{
	return config_read(bdf, at, ret, sizeof(*ret));
}

int pci_read32(const char *bdf, unsigned int at, uint32_t *ret)
{
	return config_read(bdf, at, ret, sizeof(*ret));
}

int pci_write16(const char *bdf, unsigned int at, uint16_t val)
{
	int fd = pci_config_open(bdf), rc = 0;

	if (fd < 0)
		return fd;
	if (pwrite(fd, &val, sizeof(val), at) != sizeof(val))
		rc = -EIO;
	close(fd);
	return rc;
}

int pci_trace_mark(enum pci_mark mark)
{
	return pci_write16(HOST_BRIDGE, SCRATCHPAD, mark);
}

volatile void *pci_map_bar(const char *bdf, unsigned int bar,
			   unsigned int bytes)
{
	char path[PATH_BYTES];
	void *p;
	int fd;

	snprintf(path, sizeof(path), SYSFS "/devices/%s/resource%u", bdf, bar);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

unsigned int pci_capability(const char *bdf, unsigned int id)
{
	uint16_t at, head;

	if (pci_read16(bdf, CAPABILITIES, &at))
		return 0;
	for (at &= 0xfc; at; at = head >> 8 & 0xfc) {
		if (pci_read16(bdf, at, &head))
			return 0;
		if ((head & 0xff) == id)
			return at;
	}
	return 0;
}

unsigned int pci_extended(const char *bdf, unsigned int id)
{
	unsigned int at = EXTENDED, looks = 0;
	uint32_t head;

	while (at >= EXTENDED && looks++ < EXTENDED_MAX) {
		if (pci_read32(bdf, at, &head) || !head || head == ~0u)
			return 0;
		if ((head & 0xffff) == id)
			return at;
		at = head >> 20 & 0xffc;
	}
	return 0;
}
