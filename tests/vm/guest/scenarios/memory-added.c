// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is plugged in, which the next kernel does not have when it boots. Where
 * only movable pages go into it all goes on. From the moment at which the kernel
 * itself may use it nothing can be preserved any more. No device here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kexec.h"
#include "klog.h"
#include "luo.h"
#include "report.h"
#include "scenario.h"
#include "textfile.h"
#include "wire.h"

#define BLOCK "/sys/devices/system/memory/memory%u"
#define BLOCKS_MAX 256
#define HOST_SECONDS 300
#define PATIENCE_MS 60000
#define BYTES (8ull << 20)
#define SESSION "memory-added"
#define TOKEN 1ull
#define PATTERN 0x5a

static int luo;

static int memory(void)
{
	int fd = memfd_create("memory-added", MFD_CLOEXEC);
	static char page[4096];

	memset(page, PATTERN, sizeof(page));
	for (uint64_t at = 0; fd >= 0 && at < BYTES; at += sizeof(page))
		if (pwrite(fd, page, sizeof(page), at) != sizeof(page))
			return -EIO;
	return fd < 0 ? -errno : fd;
}

/* In a session of its own, which is closed again. */
static void check_preserve(const char *name, int want)
{
	int fd = memory(), session = luo_create(luo, name);

	if (lost(name, fd) || lost(name, session))
		return;
	check_rc(name, luo_preserve(session, fd, TOKEN), want);
	close(session);
	close(fd);
}

static bool offline(unsigned int block)
{
	char path[96], text[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), BLOCK "/state", block);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	return !strncmp(text, "offline", 7);
}

/* Brings the next block that is offline into use; 0 or -errno. */
static int bring_online(const char *how)
{
	char path[96];

	for (int ms = 0; ms < PATIENCE_MS; ms += 10, usleep(10000)) {
		for (unsigned int b = 0; b < BLOCKS_MAX; b++) {
			snprintf(path, sizeof(path), BLOCK "/state", b);
			if (offline(b))
				return put_text(path, how);
		}
	}
	return -ENOENT;
}

static int added_old(unsigned int stage)
{
	int session, fd = memory();

	luo = luo_open();
	session = luo < 0 ? luo : luo_create(luo, SESSION);
	if (lost("memory", fd) || lost("session", session))
		return -1;
	check_rc("preserve-before", luo_preserve(session, fd, TOKEN), 0);
	event("plug-memory");
	if (lost("plug-memory", wire_wait("plug-memory", HOST_SECONDS)) ||
	    lost("online-movable", bring_online("online_movable")))
		return -1;
	check_preserve("preserve-movable", 0);
	if (lost("online-kernel", bring_online("online_kernel")))
		return -1;
	check_preserve("preserve-kernel", -EOPNOTSUPP);
	check("said-why", klog_has("nothing can be preserved any more"),
	      "in the log");
	/* What was preserved before is in memory that the next kernel has */
	if (lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	event("freeze");
	check("jump", false, "%s", errno_name(kexec_jump()));
	return -1;
}

static int added_new(unsigned int stage)
{
	int session, fd;
	char page[4096];
	uint64_t bad = 0;

	(void)stage;
	luo = luo_open();
	session = luo < 0 ? luo : luo_retrieve_session(luo, SESSION);
	if (lost("session", session))
		return -1;
	fd = luo_retrieve(session, TOKEN);
	if (lost("retrieve", fd))
		return -1;
	for (uint64_t at = 0; at < BYTES; at += sizeof(page)) {
		if (pread(fd, page, sizeof(page), at) != sizeof(page))
			page[0] = 0;
		for (size_t i = 0; i < sizeof(page); i++)
			bad += page[i] != PATTERN;
	}
	check("memory-whole", !bad, "%llu bytes are something else",
	      (unsigned long long)bad);
	check_rc("finish", luo_finish(session), 0);
	check_preserve("preserve-after", 0);
	return 0;
}

static const struct scenario memory_added = {
	.name = "memory-added",
	.description = "memory is plugged in beside what is preserved",
	.stages = { added_old, added_new },
};
SCENARIO(memory_added);
