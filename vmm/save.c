// SPDX-License-Identifier: GPL-2.0-only
/* What is asked for from outside, while the guest's own process is QEMU or holds it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "keeper.h"
#include "machine.h"

#define LOOK_MS 50

/* The guest's process and what it says, told by events. */
struct watch {
	int notify; /* inotify on the folder */
	int process; /* pidfd */
};

static int watch_open(struct watch *w, const struct request *req, pid_t pid,
		      struct why *why)
{
	w->notify = inotify_init1(IN_CLOEXEC);
	w->process = pidfd_open(pid, 0);
	if (w->notify >= 0 && w->process >= 0 &&
	    inotify_add_watch(w->notify, req->dir, IN_MOVED_TO) >= 0)
		return 0;
	return because(why, -errno, "process %d cannot be watched: %m",
		       (int)pid);
}

static void watch_close(const struct watch *w)
{
	if (w->notify >= 0)
		close(w->notify);
	if (w->process >= 0)
		close(w->process);
}

/*
 * Waits until the guest's process has said something; what it says is to be put.
 * NULL with @why if it ends before. What it said before was forgotten.
 */
static json_object *watch_answer(const struct watch *w,
				 const struct request *req, struct why *why)
{
	struct pollfd ready[] = {
		{ .fd = w->notify, .events = POLLIN },
		{ .fd = w->process, .events = POLLIN },
	};
	json_object *object;
	char events[4096];
	bool ended;

	for (;;) {
		if (poll(ready, 2, -1) < 0 && errno != EINTR) {
			because(why, -errno, "poll: %m");
			return NULL;
		}
		ended = ready[1].revents;
		object = file_object(req, FILE_ANSWER, why);
		if (object)
			return object;
		if (ended) {
			because(why, -ESRCH, "the guest's process has ended");
			return NULL;
		}
		if (ready[0].revents &&
		    read(w->notify, events, sizeof(events)) < 0)
			continue;
	}
}

static int forget_answer(const struct request *req, struct why *why)
{
	char path[PATH_MAX];
	int rc = file_path(path, req, FILE_ANSWER, why);

	if (!rc && unlink(path) && errno != ENOENT)
		rc = because(why, -errno, "%s: %m", path);
	return rc;
}

/* The same program, as what QEMU becomes. */
static json_object *hold_command(const struct request *req, json_object *argv,
				 struct why *why)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *words[] = { self,	   "hold",    "--dir",
				req->dir, req->name, "--" };
	json_object *command;

	if (n < 0) {
		because(why, -errno, "/proc/self/exe: %m");
		return NULL;
	}
	self[n] = 0;
	command = json_object_new_array();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		json_object_array_add(command,
				      json_object_new_string(words[i]));
	for (size_t i = 0; i < json_object_array_length(argv); i++)
		json_object_array_add(
			command,
			json_object_get(json_object_array_get_idx(argv, i)));
	return command;
}

/* From here on QEMU stops the guest, and becomes "lu-qemu hold". */
static int become_hold(struct qmp *qmp, const struct request *req,
		       json_object *command, struct why *why)
{
	char path[PATH_MAX + 5] = "file:";
	json_object *args = json_object_new_object();
	int rc;

	json_object_object_add(args, "mode",
			       json_object_new_string("cpr-exec"));
	json_object_object_add(args, "cpr-exec-command", command);
	rc = qmp_do(qmp, "migrate-set-parameters", args, why);
	if (!rc)
		rc = file_path(path + 5, req, FILE_STREAM, why);
	if (rc)
		return rc;
	args = json_object_new_object();
	json_object_object_add(args, "uri", json_object_new_string(path));
	rc = qmp_do(qmp, "migrate", args, why);
	return rc ? rc : qmp_await_exec(qmp, why);
}

/* Where QEMU refuses, its next migration is done as it was set to be. */
static int migrate(struct qmp *qmp, const struct request *req,
		   json_object *command, struct why *why)
{
	json_object *was = qmp_ask(qmp, "query-migrate-parameters", NULL, why);
	struct why other;
	int rc;

	if (!was) {
		json_object_put(command);
		return -EPROTO;
	}
	rc = become_hold(qmp, req, command, why);
	if (rc)
		machine_set_mode(qmp, text_of(was, "mode"), &other);
	json_object_put(was);
	return rc;
}

/* What it does is told as it happens. */
static int want_events(struct qmp *qmp, struct why *why)
{
	json_object *args = json_object_new_object();
	json_object *list = json_object_new_array();
	json_object *one = json_object_new_object();

	json_object_object_add(one, "capability",
			       json_object_new_string("events"));
	json_object_object_add(one, "state", json_object_new_boolean(true));
	json_object_array_add(list, one);
	json_object_object_add(args, "capabilities", list);
	return qmp_do(qmp, "migrate-set-capabilities", args, why);
}

static int start(struct qmp *qmp, const struct request *req, struct why *why)
{
	json_object *seen, *command;
	bool store;
	int rc;

	rc = keeper_has_none(req, why);
	if (!rc)
		rc = keeper_look(qmp->pid, &store, why);
	if (rc)
		return rc;
	seen = machine_look(qmp, why);
	if (!seen)
		return -ENOTSUP;
	json_object_object_add(seen, "store", json_object_new_boolean(store));
	rc = file_put_object(req, FILE_ASK, seen, why);
	if (!rc)
		rc = forget_answer(req, why);
	command = rc ? NULL :
		       hold_command(req, json_object_object_get(seen, "argv"),
				    why);
	if (!command) {
		json_object_put(seen);
		return -EIO;
	}
	rc = want_events(qmp, why);
	if (!rc)
		rc = migrate(qmp, req, command, why);
	else
		json_object_put(command);
	json_object_put(seen);
	return rc;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Not yet QEMU, or one that has not read its state to the end */
static bool takes_state(const struct request *req)
{
	struct why why;
	struct qmp qmp;
	json_object *got;
	bool takes;

	if (qmp_open(&qmp, req, &why))
		return true;
	got = qmp_ask(&qmp, "query-status", NULL, &why);
	takes = !got || !strcmp(text_of(got, "status"), "inmigrate");
	json_object_put(got);
	qmp_close(&qmp);
	return takes;
}

/*
 * What held the guest says that it runs on, and then becomes QEMU, which takes its
 * state in or ends. 0 once it runs, and if that takes long; -ESRCH with @why.
 */
static int runs_on(const struct watch *w, const struct request *req,
		   struct why *why)
{
	struct pollfd process = { .fd = w->process, .events = POLLIN };
	int64_t ends = now_ms() + req->timeout_ms;
	struct request look = *req;

	/* Somebody else can have the monitor, and then it does not answer. */
	while ((look.timeout_ms = ends - now_ms()) > 0 && takes_state(&look))
		if (poll(&process, 1, LOOK_MS) > 0)
			return because(why, -ESRCH,
				       "QEMU did not take its state back, and has ended");
	return 0;
}

static int tell(json_object *answer, const struct request *req,
		const struct why *why)
{
	const char *state = answer ? text_of(answer, "state") : "";
	int code = EXIT_REFUSED;

	if (!strcmp(state, "held") && *text_of(answer, "why")) {
		complain("'%s' was not preserved, and stands still, as what was done of it cannot be undone: %s. Try 'lu-qemu resume %s'.",
			 req->name, text_of(answer, "why"), req->name);
		code = EXIT_LOST;
	} else if (!strcmp(state, "held")) {
		printf("'%s' is preserved, and waits for the live update.\n",
		       req->name);
		code = EXIT_DONE;
	} else if (!strcmp(state, "refused")) {
		complain("'%s' was not preserved, and runs on: %s.", req->name,
			 text_of(answer, "why"));
	} else {
		complain("'%s' is lost: %s.", req->name,
			 answer ? text_of(answer, "why") : why->text);
		code = EXIT_LOST;
	}
	json_object_put(answer);
	return code;
}

int verb_save(const struct request *req)
{
	struct watch watch = { -1, -1 };
	struct why why = { "" };
	json_object *said = NULL;
	struct qmp qmp;
	int code;

	if (qmp_open(&qmp, req, &why)) {
		complain("%s.", why.text);
		return EXIT_REFUSED;
	}
	if (watch_open(&watch, req, qmp.pid, &why) || start(&qmp, req, &why)) {
		complain("'%s' runs on: %s.", req->name, why.text);
		code = EXIT_REFUSED;
	} else {
		said = watch_answer(&watch, req, &why);
		code = tell(said, req, &why);
		if (code == EXIT_REFUSED && runs_on(&watch, req, &why)) {
			complain("'%s' is lost: %s.", req->name, why.text);
			code = EXIT_LOST;
		}
	}
	watch_close(&watch);
	qmp_close(&qmp);
	return code;
}

/* The process that holds it, if it still does; opened before it is looked at. */
static int holder(const struct request *req, struct watch *watch,
		  struct why *why)
{
	json_object *said = file_object(req, FILE_ANSWER, why);
	pid_t pid = json_object_get_int(json_object_object_get(said, "pid"));
	bool held = !strcmp(text_of(said, "state"), "held");
	char path[64], *words;
	size_t length = 0;

	json_object_put(said);
	if (!said || !held || pid <= 0)
		return because(why, -ENOENT, "'%s' is not preserved",
			       req->name);
	if (watch_open(watch, req, pid, why))
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	words = file_read(path, &length);
	held = words && length > strlen(words) + 1 &&
	       !strcmp(words + strlen(words) + 1, "hold");
	free(words);
	return held ? 0 :
		      because(why, -ESRCH, "'%s' is not preserved any more",
			      req->name);
}

int verb_resume(const struct request *req)
{
	struct watch watch = { -1, -1 };
	struct why why = { "" }, lost;
	json_object *said = NULL;
	const char *state;
	int rc = holder(req, &watch, &why);

	if (!rc)
		rc = forget_answer(req, &why);
	if (!rc && pidfd_send_signal(watch.process, SIGUSR1, NULL, 0))
		rc = because(&why, -errno, "its process cannot be reached: %m");
	if (!rc)
		said = watch_answer(&watch, req, &why);
	state = said ? text_of(said, "state") : "";
	if (strcmp(state, "running")) {
		complain("'%s' does not run on: %s.", req->name,
			 said ? text_of(said, "why") : why.text);
		/* What cannot be undone is still preserved. */
		rc = rc || !strcmp(state, "held") ? EXIT_REFUSED : EXIT_LOST;
	} else if (runs_on(&watch, req, &lost)) {
		complain("'%s' is lost: %s.", req->name, lost.text);
		rc = EXIT_LOST;
	} else {
		printf("'%s' runs on in this kernel.\n", req->name);
		rc = EXIT_DONE;
	}
	watch_close(&watch);
	json_object_put(said);
	return rc;
}
