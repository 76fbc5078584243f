// SPDX-License-Identifier: GPL-2.0-only
/*
 * What user space can ask: which sessions there are, in which state, and what is
 * in them; in both kernels, at each step, by root and by the owner of one session.
 * And what its IOAS maps; ask-maps.c has that in full.
 *
 * Beside that of the VM there are two sessions with memory only: one with a name
 * of odd bytes, and one with so many files that its text is longer than a page.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "iommufd.h"
#include "luo.h"
#include "owner.h"
#include "report.h"
#include "scenario.h"
#include "sessions.h"
#include "uapi.h"

#define SESSION "ask"
#define ODD "left over\\\n\x01\xc3\xa9"
#define ODD_ESCAPED "left over\\134\\012\\001\\303\\251"
#define ODD_TOKEN 0xfedcba9876543210ull
#define MANY "ask-many"
#define MANY_FILES 150
#define LATE "ask-late"
#define NOBODY 65534

static struct vm vm;

/* ---- By root, of all sessions -------------------------------------------- */

/* A session and all of its files, whose states are given as one word. */
static void check_session(const char *when, const struct sessions *s,
			  const char *name, const char *state,
			  unsigned int files, const char *file_state)
{
	const struct session_line *session = sessions_find(s, name);
	unsigned int as_said = 0;
	char what[64];

	for (unsigned int i = 0; session && i < session->lines; i++)
		as_said += !strcmp(session->file[i].state, file_state);
	snprintf(what, sizeof(what), "%s-%s", when,
		 strcmp(name, ODD_ESCAPED) ? name : "odd");
	check(what,
	      session && !strcmp(session->state, state) &&
		      session->files == files && as_said == files,
	      "%s with %u files, %u of them %s; to be %s with %u",
	      session ? session->state : "not there",
	      session ? session->files : 0, as_said, file_state, state, files);
}

static void check_count(const char *when, const struct sessions *s,
			unsigned int count)
{
	char what[64];

	snprintf(what, sizeof(what), "%s-count", when);
	check(what, s->count == count, "%u sessions", s->count);
}

/* NULL when it cannot be read. */
static const struct sessions *all(const char *when)
{
	static struct sessions s;
	char what[64];

	snprintf(what, sizeof(what), "%s-text", when);
	return check_rc(what, sessions_read(&s), 0) ? &s : NULL;
}

static void check_file(const char *when, const struct sessions *s,
		       uint64_t token, const char *kind, const char *state)
{
	const struct session_line *session = sessions_find(s, SESSION);
	const char *found = session_file_state(session, token);
	const char *compatible = "";
	char what[64];

	for (unsigned int i = 0; session && i < session->lines; i++)
		if (session->file[i].token == token)
			compatible = session->file[i].compatible;
	snprintf(what, sizeof(what), "%s-%s", when, kind);
	check(what, !strcmp(found, state) && strstr(compatible, kind),
	      "'%s' of '%s'", found, compatible);
}

/* All of what the VM has, in one state but for its memory. */
static void check_own(const char *when, const struct sessions *s,
		      const char *state, const char *memory, const char *rest)
{
	unsigned int files = 2 + vm.devices;
	const struct session_line *session = sessions_find(s, SESSION);
	char what[64];

	snprintf(what, sizeof(what), "%s-own", when);
	check(what,
	      session && !strcmp(session->state, state) &&
		      session->files == files,
	      "%s with %u files", session ? session->state : "not there",
	      session ? session->files : 0);
	check_file(when, s, TOKEN_MEMORY, "memfd", memory);
	check_file(when, s, TOKEN_IOMMUFD, "iommufd", rest);
	check_file(when, s, TOKEN_DEVICE, "vfio-pci", rest);
}

/* Odd and many are as they were in the beginning of the new kernel. */
static void check_others(const char *when, const struct sessions *s)
{
	check_session(when, s, ODD_ESCAPED, "incoming", 1, "waiting");
	check_session(when, s, MANY, "incoming", MANY_FILES, "waiting");
}

/* ---- By the owner, of one ------------------------------------------------ */

/* One state for all but the memory, as above. */
static void check_info(const char *when, int session, uint32_t state,
		       uint32_t memory, uint32_t rest)
{
	struct liveupdate_session_get_info info;
	struct liveupdate_file_info file[16] = {};
	unsigned int nr = 2 + vm.devices, as_said = 0;
	char what[64];

	snprintf(what, sizeof(what), "%s-info", when);
	if (!check_rc(what, luo_info(session, &info, file, 16), 0))
		return;
	for (unsigned int i = 0; i < info.nr_files && i < 16; i++)
		as_said += file[i].state == (i ? rest : memory) &&
			   !file[i].pad && strnlen(file[i].compatible, 48) < 48;
	snprintf(what, sizeof(what), "%s-info-files", when);
	check(what,
	      info.state == state && info.nr_files == nr && as_said == nr &&
		      file[0].token == TOKEN_MEMORY &&
		      file[1].token == TOKEN_IOMMUFD &&
		      file[2].token == TOKEN_DEVICE &&
		      strstr(file[0].compatible, "memfd"),
	      "state %u, %u files, %u as they have to be, the first is %s",
	      info.state, info.nr_files, as_said, file[0].compatible);
}

/* There are more than fit, and no more is written than that. */
static void check_info_room(int session)
{
	struct liveupdate_session_get_info info;
	struct liveupdate_file_info file[2];
	int rc;

	rc = luo_info(session, &info, NULL, 0);
	check("info-none", !rc && info.nr_files == 2 + vm.devices,
	      "%s, %u files", errno_name(rc), info.nr_files);
	memset(file, 0x77, sizeof(file));
	rc = luo_info(session, &info, file, 1);
	check("info-one",
	      !rc && info.nr_files == 2 + vm.devices && info.max_files == 1 &&
		      file[0].token == TOKEN_MEMORY &&
		      file[1].token == 0x7777777777777777ull,
	      "%s, %u files, tokens %#llx and %#llx", errno_name(rc),
	      info.nr_files, (unsigned long long)file[0].token,
	      (unsigned long long)file[1].token);
}

static int info_call(int session, const void *cmd)
{
	return ioctl(session, LIVEUPDATE_SESSION_GET_INFO, cmd) ? -errno : 0;
}

static void check_info_calls(int session)
{
	struct {
		struct liveupdate_session_get_info info;
		uint64_t more;
	} cmd = { .info.size = sizeof(cmd) };
	struct liveupdate_session_get_info info = { .size = 8 };

	check_rc("info-short", info_call(session, &info), -EINVAL);
	check_rc("info-long", info_call(session, &cmd), 0);
	cmd.more = 1;
	cmd.info.size = sizeof(cmd);
	check_rc("info-longer", info_call(session, &cmd), -E2BIG);
	info = (struct liveupdate_session_get_info){ .size = sizeof(info),
						     .max_files = 4,
						     .files = 8 };
	check_rc("info-files-nowhere", info_call(session, &info), -EFAULT);
	check_rc("info-nowhere", info_call(session, (void *)8), -EFAULT);
	/* More than can be: no more room is taken for it than is needed */
	info.files = 8;
	info.max_files = UINT32_MAX;
	check_rc("info-most-nowhere", info_call(session, &info), -EFAULT);
}

/* Somebody else, who has nothing but the file of the session. */
static void check_nobody(const char *when, int session)
{
	int status = 0;
	char what[64];
	pid_t child = fork();

	if (!child) {
		struct liveupdate_session_get_info info;
		struct liveupdate_file_info file[4];

		if (setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY))
			_exit(4);
		if (open(SESSIONS_PATH, O_RDONLY) >= 0 || errno != EACCES)
			_exit(1);
		if (luo_info(session, &info, file, 4) ||
		    file[0].token != TOKEN_MEMORY)
			_exit(2);
		_exit(0);
	}
	if (lost("fork", child < 0 ? -errno : 0))
		return;
	waitpid(child, &status, 0);
	snprintf(what, sizeof(what), "%s-nobody", when);
	check(what, WIFEXITED(status) && !WEXITSTATUS(status),
	      "status %#x; 1: could read of all sessions, 2: could not of its own",
	      status);
}

/* ---- What is mapped ------------------------------------------------------ */

static void check_mapped(const char *when, uint32_t ioas, uint32_t count)
{
	struct iommu_lu_map map = {};
	struct stat st = {};
	uint32_t nr = 1;
	uint64_t iova = 0;
	char what[64];
	int rc = ioas_maps(vm.iommufd, ioas, &iova, &map, &nr);
	bool same = !nr || (!fstat(vm.memory.fd, &st) &&
			    map.iova == MEMORY_IOVA && !map.start &&
			    map.length == vm.memory.layout->bytes &&
			    map.dev == st.st_dev && map.ino == st.st_ino);

	snprintf(what, sizeof(what), "%s-maps", when);
	check(what, !rc && nr == count && same, "%d, %u maps, %#llx+%#llx", rc,
	      nr, (unsigned long long)map.iova, (unsigned long long)map.length);
}

/* The one that came is not known by its number, but no other is there yet. */
static void check_restored_maps(void)
{
	uint64_t iova;
	uint32_t nr;
	int rc = -ENOENT;

	for (uint32_t id = 1; rc && id < 8; id++) {
		iova = 0;
		nr = 0;
		rc = ioas_maps(vm.iommufd, id, &iova, NULL, &nr);
		if (!rc)
			check_mapped("restored", id, 0);
	}
	check_rc("restored-ioas", rc, 0);
}

/* ---- A text is one text -------------------------------------------------- */

/*
 * With something coming and going between two reads: what was begun is read to its
 * end as it was, and only who begins anew finds what is new.
 */
static void check_pieces(void)
{
	static char text[64 << 10];
	static struct sessions s;
	size_t used = 0;
	int fd = open(SESSIONS_PATH, O_RDONLY | O_CLOEXEC), late = -1;
	ssize_t got;

	if (lost("pieces", fd < 0 ? -errno : 0))
		return;
	while (used < sizeof(text) - 64) {
		got = read(fd, text + used, 64);
		if (got <= 0)
			break;
		used += (size_t)got;
		if (late < 0)
			late = luo_create(luo_open(), LATE);
	}
	text[used] = '\0';
	check("pieces-long", used > 4096, "%zu bytes", used);
	check_rc("pieces-whole", sessions_parse(&s, text), 0);
	check("pieces-one-text", !sessions_find(&s, LATE), "%u sessions",
	      s.count);
	got = pread(fd, text, sizeof(text), 0);
	check("pieces-anew", got == 4096, "%zd bytes", got);
	close(fd);
	if (!check_rc("pieces-again", sessions_read(&s), 0))
		return;
	check_session("pieces", &s, LATE, "outgoing", 0, "");
	close(late);
}

/* ---- The story ----------------------------------------------------------- */

static int preserve_files(const char *name, unsigned int count, uint64_t token)
{
	int session = luo_create(luo_open(), name), fd, rc;

	if (lost("session-more", session))
		return -1;
	for (unsigned int i = 0; i < count; i++) {
		fd = bench_memfd(4096);
		if (lost("memfd-more", fd))
			return -1;
		rc = luo_preserve(session, fd, token + i);
		close(fd);
		if (lost("preserve-more", rc))
			return -1;
	}
	return 0;
}

static int ask_old(unsigned int stage)
{
	const struct sessions *s = all("none");
	struct vm_plan plan;

	if (s)
		check_count("none", s, 0);
	owner_plan(&plan, SESSION);
	if (owner_begin(&vm, &plan) || preserve_files(ODD, 1, ODD_TOKEN) ||
	    preserve_files(MANY, MANY_FILES, 0))
		return -1;
	s = all("begun");
	if (s) {
		check_count("begun", s, 2);
		check_session("begun", s, ODD_ESCAPED, "outgoing", 1,
			      "preserved");
	}
	if (owner_preserve(&vm))
		return -1;
	s = all("preserved");
	if (s) {
		check_count("preserved", s, 3);
		check_own("preserved", s, "outgoing", "preserved",
			  "preserved");
		check_session("preserved", s, MANY, "outgoing", MANY_FILES,
			      "preserved");
		check("token",
		      *session_file_state(sessions_find(s, ODD_ESCAPED),
					  ODD_TOKEN),
		      "all of it");
	}
	check_info("preserved", vm.session, LIVEUPDATE_SESSION_OUTGOING,
		   LIVEUPDATE_FILE_PRESERVED, LIVEUPDATE_FILE_PRESERVED);
	check_info_room(vm.session);
	check_info_calls(vm.session);
	check_nobody("preserved", vm.session);
	check_mapped("preserved", vm.ioas, 1);
	check_pieces();
	return owner_load(&vm, stage) ? -1 : owner_jump();
}

/* Nobody has opened the device yet: all there is is a record, and stays one. */
static void ask_unopened(void)
{
	static const char *const when[] = { "unopened", "unopened-again" };

	for (unsigned int i = 0; i < 2; i++) {
		const struct sessions *s = all(when[i]);

		if (!s)
			return;
		check_count(when[i], s, 3);
		check_own(when[i], s, "incoming", "waiting", "waiting");
		check_others(when[i], s);
	}
}

/* Retrieved and let go of before it could be finished: somebody else can have it. */
static int ask_let_go(void)
{
	const struct sessions *s;

	close(vm.session);
	s = all("let-go");
	if (s)
		check_own("let-go", s, "incoming", "retrieved", "waiting");
	vm.session = luo_retrieve_session(luo_open(), SESSION);
	return lost("session-again", vm.session) ? -1 : 0;
}

static void ask_retrieved(const char *when, const char *rest,
			  uint32_t rest_state)
{
	const struct sessions *s = all(when);

	if (s) {
		check_own(when, s, "retrieved", "retrieved", rest);
		check_others(when, s);
	}
	check_info(when, vm.session, LIVEUPDATE_SESSION_INCOMING,
		   LIVEUPDATE_FILE_RETRIEVED, rest_state);
	check_nobody(when, vm.session);
}

/* As long as somebody has its file. */
static void ask_finished(int session)
{
	struct liveupdate_session_get_info info;
	struct liveupdate_file_info file[4];
	const struct sessions *s = all("finished");
	int rc = luo_info(session, &info, file, 4);

	if (s) {
		check_session("finished", s, SESSION, "finished", 0, "");
		check_others("finished", s);
	}
	check("finished-info",
	      !rc && info.state == LIVEUPDATE_SESSION_FINISHED &&
		      !info.nr_files,
	      "%s, state %u, %u files", errno_name(rc), info.state,
	      info.nr_files);
	close(session);
	s = all("closed");
	if (s) {
		check_count("closed", s, 2);
		check_others("closed", s);
	}
}

/* The one that nobody wanted until now. */
static void ask_odd(void)
{
	int session = luo_retrieve_session(luo_open(), ODD);
	const struct sessions *s;

	if (lost("odd", session))
		return;
	check("odd-info",
	      luo_file_state(session, ODD_TOKEN) == LIVEUPDATE_FILE_WAITING,
	      "%d", luo_file_state(session, ODD_TOKEN));
	s = all("odd");
	if (s)
		check_session("odd", s, ODD_ESCAPED, "retrieved", 1, "waiting");
	close(session);
	s = all("odd-closed");
	if (s)
		check_count("odd-closed", s, 1);
}

static int ask_new(unsigned int stage)
{
	char bdf[DEVICES_MAX][BDF_BYTES];
	int session, rc;

	(void)stage;
	vm.devices = machine_kept(bdf);
	ask_unopened();
	if (owner_arrive(&vm, SESSION))
		return -1;
	ask_retrieved("arrived", "waiting", LIVEUPDATE_FILE_WAITING);
	if (ask_let_go() || owner_reclaim(&vm))
		return -1;
	ask_retrieved("reclaimed", "retrieved", LIVEUPDATE_FILE_RETRIEVED);
	check_restored_maps();
	session = dup(vm.session);
	rc = owner_swap(&vm) || owner_release(&vm) ? -1 : 0;
	if (!rc) {
		check_mapped("swapped", vm.ioas, 1);
		ask_finished(session);
	}
	ask_odd();
	return owner_end(&vm, rc);
}

static const struct scenario ask = {
	.name = "ask",
	.description = "which sessions there are, and what has become of them",
	.stages = { ask_old, ask_new },
};
SCENARIO(ask);
