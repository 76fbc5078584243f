// SPDX-License-Identifier: GPL-2.0-only
/*
 * luod keeps the session of a user who may not open /dev/liveupdate, and is dead
 * when the kernel ends. In the next one another user is refused, an owner who dies
 * at once loses nothing, and the owner after him gets everything back, with the
 * devices at work all the time.
 *
 * What luod alone has goes with it when it is killed: that is tried first, with a
 * session of its own. And root ends one that nobody wants any more, though luod has
 * a copy.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <liveupdate.h>

#include "library.h"
#include "luod.h"
#include "operator.h"
#include "owner.h"
#include "reap.h"
#include "report.h"
#include "scenario.h"
#include "tool.h"
#include "traffic.h"
#include "wire.h"

#define OWNER 1000
#define OTHER 1001
#define SESSION "vm1"
#define KERNELS_NAME "1000.vm1"
#define LOST "lost"
#define KERNELS_LOST "1000.lost"
#define LEFT "left"
#define KERNELS_LEFT "1000.left"
#define RATE 300
/* For a minute */
#define CLOSED_TRIES 3000
#define CLOSED_US 20000

static struct vm vm;

/* As another user, who has none of root's rights, for as long as it takes. */
static int as_user(uid_t uid, int (*act)(void *arg), void *arg)
{
	int rc;

	if (lost("seteuid", seteuid(uid) ? -errno : 0))
		return -EPERM;
	rc = act(arg);
	if (lost("seteuid", seteuid(0) ? -errno : 0))
		return -EPERM;
	return rc;
}

static int acquire(const char *name, enum lu_direction direction)
{
	struct lu_session *session;
	int rc = lu_session_acquire(name, direction, &session, NULL);

	if (!rc)
		lu_session_free(session);
	return rc;
}

static int acquire_in(void *name)
{
	return acquire(name, LU_IN);
}

static int acquire_out(void *name)
{
	return acquire(name, LU_OUT);
}

/* The kernel has a session of that name as long as somebody has its file. */
static void check_alive(const char *name, const char *session, bool alive)
{
	struct lu_session *same = NULL;
	int rc = lu_session_create(session, &same, NULL);

	check_rc(name, rc, alive ? -EEXIST : 0);
	lu_session_free(same);
}

/* ---- The old kernel ------------------------------------------------------ */

static int park(int fd, struct lu_error *err)
{
	struct lu_session *session;
	int rc = lu_session_adopt(dup(fd), &session, err);

	if (rc)
		return rc;
	rc = lu_session_park(session, err);
	lu_session_free(session);
	return rc;
}

static int keep_memory(void *name)
{
	int fd = memfd_create("note", MFD_CLOEXEC), rc;
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *session;
	struct lu_plan *plan;

	if (ftruncate(fd, 4096) || lu_plan_new(&plan))
		return -ENOMEM;
	rc = lu_session_acquire(name, LU_OUT, &session, &err);
	if (!rc)
		rc = lu_plan_memfd(plan, "note", fd);
	if (!rc)
		rc = lu_plan_preserve(plan, session, &err);
	if (!rc)
		rc = lu_session_park(session, &err);
	if (rc)
		check("park-memory", false, "%s", err.text);
	return rc;
}

static int keep_memory_and_die(void *name)
{
	return as_user(OWNER, keep_memory, name);
}

static int killed_luod(void)
{
	pid_t luod = luod_start();

	if (luod < 0 || !perish("lost", keep_memory_and_die, LOST))
		return -1;
	check_alive("kept-lost", KERNELS_LOST, true);
	kill(luod, SIGKILL);
	check_rc("luod-killed", tool_end(luod), -EINTR);
	check_alive("undone-lost", KERNELS_LOST, false);
	return 0;
}

static int preserve_and_park(void *arg)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc;

	(void)arg;
	if (library_preserve(&vm, false))
		return -1;
	rc = park(vm.session, &err);
	check("park", !rc, "%s", rc ? err.text : "parked");
	return rc;
}

/* The whole life of the first owner, who is root only to build the VM. */
static int give_away(void *stage)
{
	struct vm_plan plan;

	owner_plan(&plan, SESSION);
	if (owner_begin(&vm, &plan) ||
	    as_user(OWNER, preserve_and_park, NULL))
		return -1;
	return owner_load(&vm, *(unsigned int *)stage);
}

static int keeper_old(unsigned int stage)
{
	traffic_rate(RATE);
	if (killed_luod() || luod_start() < 0)
		return -1;
	check_rc("no-leave", as_user(OTHER, acquire_in, SESSION), -ENOENT);
	if (!perish("left", keep_memory_and_die, LEFT) ||
	    !perish("owner", give_away, &stage))
		return -1;
	check_alive("kept", KERNELS_NAME, true);
	check_rc("taken", as_user(OWNER, acquire_out, SESSION), -EEXIST);
	check_rc("outgoing", as_user(OWNER, acquire_in, SESSION), -ENOENT);
	return owner_jump();
}

/* ---- The new kernel ------------------------------------------------------ */

static int arrive(void *arg)
{
	(void)arg;
	return library_arrive(&vm, SESSION);
}

static int take_and_die(void *arg)
{
	return as_user(OWNER, acquire_in, arg);
}

/* Before its owner has asked, and after that. */
static void check_other(const char *when)
{
	char name[64];

	snprintf(name, sizeof(name), "other-%s", when);
	check_rc(name, as_user(OTHER, acquire_in, SESSION), -ENOENT);
	snprintf(name, sizeof(name), "other-by-name-%s", when);
	check_rc(name, as_user(OTHER, acquire_in, KERNELS_NAME), -ENOENT);
}

/* luod lets go of its copy, where it can ask the kernel about that. */
static void check_finished(void)
{
	uint32_t can = 0;

	lu_support(&can, NULL);
	if (can & LU_CAN_ASK)
		check_rc("finished", as_user(OWNER, acquire_in, SESSION),
			 -ENOENT);
}

/* Its owner has asked for it once, so luod has a copy. */
static void reap_left(void)
{
	int rc = -EALREADY;

	if (!perish("ask-left", take_and_die, LEFT))
		return;
	luctl_ends("reap", luctl("reap", "--timeout", "60", KERNELS_LEFT, NULL),
		   0);
	/* When luod hears of that it has its copy closed by a thread of its own. */
	for (int i = 0; i < CLOSED_TRIES && rc == -EALREADY; i++) {
		usleep(CLOSED_US);
		rc = as_user(OWNER, acquire_in, LEFT);
	}
	check_rc("reaped", rc, -ENOENT);
}

static int keeper_new(unsigned int stage)
{
	struct lu_session *held = NULL;
	int rc;

	(void)stage;
	if (luod_start() < 0)
		return -1;
	check_other("before");
	if (!perish("early", take_and_die, SESSION))
		return -1;
	check_other("after");
	/* Whoever goes around luod is told that it has it. */
	check_rc("held", lu_session_retrieve(KERNELS_NAME, &held, NULL),
		 -EALREADY);
	lu_session_free(held);
	reap_left();
	if (as_user(OWNER, arrive, NULL))
		return -1;
	rc = library_reclaim(&vm) || library_swap(&vm) || library_release(&vm);
	/* The next update has the same name. */
	check_rc("anew", as_user(OWNER, acquire_out, SESSION), 0);
	check_finished();
	return owner_end(&vm, rc);
}

static const struct scenario keeper = {
	.name = "keeper",
	.description = "luod keeps the session of a user who is dead",
	.stages = { keeper_old, keeper_new },
};
SCENARIO(keeper);
