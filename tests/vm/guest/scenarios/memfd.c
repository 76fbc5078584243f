// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memfd comes back as it was, or is refused by a plain error: seals of every
 * kind, a length that nobody has memory for, a limit that is too low, a page that
 * is broken. What was refused is as before, and what failed can be tried again.
 * No device here.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kexec.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "textfile.h"
#include "vmstat.h"
#include "words.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif

#define PAGE 4096ull
#define SESSION "memfd"
#define SMALL (16 * PAGE)
#define SPARSE (1ull << 20)
#define LARGE (64ull << 20)
#define TERABYTE (1ull << 40)
#define TOKEN_SEALS 0x100ull
#define TOKEN_SPARSE 0x200ull
#define TOKEN_LARGE 0x201ull
#define TOKEN_REFUSED 0x300ull

#define ALL_WRITE (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | \
		   F_SEAL_FUTURE_WRITE)

static const struct sealed {
	const char *name;
	unsigned int flags;
	int add;
	int seals;
	mode_t exec;
} sealed[] = {
	{ "plain", MFD_EXEC, 0, F_SEAL_SEAL, 0111 },
	{ "open", MFD_EXEC | MFD_ALLOW_SEALING, 0, 0, 0111 },
	{ "size", MFD_EXEC | MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_GROW,
	  F_SEAL_SHRINK | F_SEAL_GROW, 0111 },
	{ "write", MFD_EXEC | MFD_ALLOW_SEALING, F_SEAL_WRITE, F_SEAL_WRITE,
	  0111 },
	{ "future", MFD_EXEC | MFD_ALLOW_SEALING, F_SEAL_FUTURE_WRITE,
	  F_SEAL_FUTURE_WRITE, 0111 },
	{ "exec", MFD_EXEC | MFD_ALLOW_SEALING, F_SEAL_EXEC,
	  F_SEAL_EXEC | ALL_WRITE, 0111 },
	{ "noexec", MFD_NOEXEC_SEAL, 0, F_SEAL_EXEC, 0 },
	{ "noexec-all", MFD_NOEXEC_SEAL, ALL_WRITE | F_SEAL_SEAL,
	  F_SEAL_EXEC | ALL_WRITE | F_SEAL_SEAL, 0 },
};

#define SEALED (sizeof(sealed) / sizeof(sealed[0]))

static const char *tag(const char *what, const char *name)
{
	static char ring[8][64];
	static unsigned int next;
	char *text = ring[next++ % 8];

	snprintf(text, sizeof(ring[0]), "%s-%s", what, name);
	return text;
}

/* ---- A limit on memory ---------------------------------------------------- */

#define CGROUPS "/tmp/cgroup"
#define GROUP CGROUPS "/lu"

/* lu.args=limits:1 is for a kernel that has them, and finds poisoned pages. */
static bool limit_open(void)
{
	if (!arg("limits"))
		return false;
	mkdir(CGROUPS, 0700);
	return !lost("cgroups", mount("none", CGROUPS, "cgroup2", 0, NULL) ?
				-errno : 0) &&
	       !lost("controller",
		     put_text(CGROUPS "/cgroup.subtree_control", "+memory")) &&
	       !lost("group", mkdir(GROUP, 0700) && errno != EEXIST ?
			      -errno : 0);
}

/* At the limit, to open a file would be too much already */
static int limit_file = -1;

static int limit_set(const char *bytes)
{
	return pwrite(limit_file, bytes, strlen(bytes), 0) < 0 ? -errno : 0;
}

static int limit_enter(const char *bytes)
{
	limit_file = open(GROUP "/memory.max", O_WRONLY | O_CLOEXEC);
	if (limit_file < 0)
		return -errno;
	return limit_set(bytes) ?: put_text(GROUP "/cgroup.procs", "0");
}

static int limit_leave(void)
{
	int rc = limit_set("max");

	return rc ? rc : put_text(CGROUPS "/cgroup.procs", "0");
}

/* ---- The old kernel ------------------------------------------------------- */

static int memfd(unsigned int flags, uint64_t bytes)
{
	int fd = memfd_create("memfd", MFD_CLOEXEC | flags);

	if (fd < 0 || ftruncate(fd, bytes))
		return -errno;
	return fd;
}

static int put_byte(int fd, uint64_t at, char byte)
{
	return pwrite(fd, &byte, 1, at) == 1 ? 0 : -EIO;
}

static long blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : (long)st.st_blocks;
}

static int keep_sealed(int session, unsigned int i)
{
	const struct sealed *s = &sealed[i];
	int fd = memfd(s->flags, SMALL), seals;

	if (lost(tag("memfd", s->name), fd))
		return -1;
	for (uint64_t at = 0; at < SMALL; at += PAGE)
		if (lost(tag("fill", s->name), put_byte(fd, at, i + 1)))
			return -1;
	if (s->add && lost(tag("seal", s->name),
			   fcntl(fd, F_ADD_SEALS, s->add) ? -errno : 0))
		return -1;
	seals = fcntl(fd, F_GET_SEALS);
	check(tag("sealed", s->name), seals == s->seals, "%#x, want %#x",
	      seals, s->seals);
	check_rc(tag("preserve", s->name),
		 luo_preserve(session, fd, TOKEN_SEALS + i), 0);
	/* One that nobody would hear of */
	check_rc(tag("seal-late", s->name),
		 fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) ? -errno : 0, -EPERM);
	close(fd);
	return 0;
}

/* Refused, and then as it was: not frozen, and no hole filled. */
static void refused(int session, int fd, const char *name, int want)
{
	long before = blocks(fd), after;
	int64_t free_kib = meminfo_free();

	check_rc(tag("preserve", name),
		 luo_preserve(session, fd, TOKEN_REFUSED), want);
	after = blocks(fd);
	check(tag("blocks", name), after == before, "%ld, %ld before", after,
	      before);
	value(tag("free-kib-before", name), free_kib);
	value(tag("free-kib-after", name), meminfo_free());
	check_rc(tag("grow", name), fallocate(fd, 0, 0, SMALL) ? -errno : 0, 0);
}

static void too_long(int session, const char *name, uint64_t bytes)
{
	int fd = memfd(0, bytes);

	if (lost(tag("memfd", name), fd) ||
	    lost(tag("fill", name), put_byte(fd, bytes / 2, 1)))
		return;
	refused(session, fd, name, -ENOMEM);
	close(fd);
}

/* Without a mend the owner is killed, which ends the test. */
static void limited(int session)
{
	int fd;

	if (!limit_open())
		return;
	fd = memfd(0, LARGE);
	if (lost("memfd-limit", fd) || lost("limit", limit_enter("8M")))
		return;
	refused(session, fd, "limit", -ENOMEM);
	lost("limit-leave", limit_leave());
	close(fd);
}

static void on_broken_page(int signal_number)
{
	(void)signal_number;
}

static void poisoned(int session)
{
	char *p;
	int fd;

	if (!arg("limits"))
		return;
	fd = memfd(0, SMALL);
	if (lost("memfd-poison", fd))
		return;
	p = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (lost("map-poison", p == MAP_FAILED ? -errno : 0))
		return;
	memset(p, 1, SMALL);
	/* Who has a broken page mapped is told so, and cannot leave it */
	signal(SIGBUS, on_broken_page);
	if (lost("poison", madvise(p + PAGE, PAGE, MADV_HWPOISON) ? -errno : 0))
		return;
	check_rc("preserve-poison", luo_preserve(session, fd, TOKEN_REFUSED),
		 -EHWPOISON);
	check("poison-rest", p[0] == 1 && p[2 * PAGE] == 1, "%d, %d", p[0],
	      p[2 * PAGE]);
	munmap(p, SMALL);
	close(fd);
}

/* Holes that fit are filled, and are zeros on the other side. */
static int keep_sparse(int session, const char *name, uint64_t bytes,
		       uint64_t token)
{
	int fd = memfd(0, bytes);

	if (lost("memfd-sparse", fd) ||
	    lost("fill-sparse", put_byte(fd, bytes - 1, 0x5a)))
		return -1;
	check_rc(name, luo_preserve(session, fd, token), 0);
	close(fd);
	return 0;
}

static int memfd_old(unsigned int stage)
{
	int session = luo_create(luo_open(), SESSION);

	if (lost("session", session))
		return -1;
	for (unsigned int i = 0; i < SEALED; i++)
		if (keep_sealed(session, i))
			return -1;
	too_long(session, "terabyte", TERABYTE);
	too_long(session, "sparse",
		 (uint64_t)meminfo_total() << 11 & ~(PAGE - 1));
	limited(session);
	poisoned(session);
	if (keep_sparse(session, "keep-sparse", SPARSE, TOKEN_SPARSE) ||
	    keep_sparse(session, "keep-large", LARGE, TOKEN_LARGE) ||
	    lost("kexec-load", kexec_load_stage(stage + 1)))
		return -1;
	return owner_jump();
}

/* ---- The new one ---------------------------------------------------------- */

static int bad_bytes(int fd, uint64_t bytes, uint64_t step, char want)
{
	int bad = 0;

	for (uint64_t at = 0; at < bytes; at += step) {
		char byte = ~want;

		bad += pread(fd, &byte, 1, at) != 1 || byte != want;
	}
	return bad;
}

static void check_sealed(int session, unsigned int i)
{
	const struct sealed *s = &sealed[i];
	int fd = luo_retrieve(session, TOKEN_SEALS + i), seals, bad;
	bool closed = s->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
	struct stat st;
	void *p;

	if (!check_rc(tag("retrieve", s->name), fd < 0 ? fd : 0, 0))
		return;
	seals = fcntl(fd, F_GET_SEALS);
	check(tag("seals", s->name), seals == s->seals, "%#x, want %#x", seals,
	      s->seals);
	if (!lost(tag("stat", s->name), fstat(fd, &st) ? -errno : 0))
		check(tag("mode", s->name), (st.st_mode & 0111) == s->exec,
		      "%#o", st.st_mode & 0777);
	p = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check_rc(tag("writable", s->name), p == MAP_FAILED ? -errno : 0,
		 closed ? -EPERM : 0);
	if (p != MAP_FAILED)
		munmap(p, SMALL);
	bad = bad_bytes(fd, SMALL, PAGE, i + 1);
	check(tag("bytes", s->name), !bad, "%d pages are wrong", bad);
	close(fd);
}

static void check_sparse(int fd, const char *name, uint64_t bytes)
{
	char last = 0;
	off_t end;
	int bad;

	if (!check_rc(tag("retrieve", name), fd < 0 ? fd : 0, 0))
		return;
	end = lseek(fd, 0, SEEK_END);
	check(tag("length", name), end == (off_t)bytes, "%lld", (long long)end);
	bad = bad_bytes(fd, bytes, PAGE, 0);
	check(tag("holes", name), !bad, "%d pages are wrong", bad);
	check(tag("last", name),
	      pread(fd, &last, 1, bytes - 1) == 1 && last == 0x5a, "%#x", last);
	close(fd);
}

/* Too low twice, then raised: it goes on from where it was. */
static void check_limited(int session)
{
	int fd;

	if (limit_open() && !lost("limit", limit_enter("8M"))) {
		fd = luo_retrieve(session, TOKEN_LARGE);
		check_rc("retrieve-limit", fd < 0 ? fd : 0, -ENOMEM);
		fd = luo_retrieve(session, TOKEN_LARGE);
		check_rc("retrieve-limit-again", fd < 0 ? fd : 0, -ENOMEM);
		lost("limit-raise", limit_set("max"));
	}
	check_sparse(luo_retrieve(session, TOKEN_LARGE), "large", LARGE);
}

static int memfd_new(unsigned int stage)
{
	int session = luo_retrieve_session(luo_open(), SESSION);

	(void)stage;
	if (lost("session", session))
		return -1;
	for (unsigned int i = 0; i < SEALED; i++)
		check_sealed(session, i);
	check_sparse(luo_retrieve(session, TOKEN_SPARSE), "sparse", SPARSE);
	check_limited(session);
	check_rc("finish", luo_finish(session), 0);
	close(session);
	return 0;
}

static const struct scenario memfd_scenario = {
	.name = "memfd",
	.description = "a memfd comes back as it was, or is refused plainly",
	.stages = { memfd_old, memfd_new },
};
SCENARIO(memfd_scenario);
