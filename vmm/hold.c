// SPDX-License-Identifier: GPL-2.0-only
/*
 * What QEMU becomes. The guest stands still, its devices do not. Everything that
 * fails from here on ends in a QEMU that lets the guest run on; only when all is
 * preserved and a keeper has the session, it waits: for SIGUSR1 to undo it, or for
 * its end, by which nothing is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "become.h"
#include "cpr.h"
#include "files.h"
#include "irqs.h"
#include "keeper.h"
#include "parts.h"

struct hold {
	const struct request *req;
	json_object *seen; /* of machine_look() */
	sigset_t signals; /* as QEMU had them blocked */
	int cpr_fd;
	struct cpr cpr;
	struct lu_plan *plan;
	struct lu_session *session;
};

/* Tells who waits in "lu-qemu save" or "resume". */
static int answer(const struct hold *h, const char *state, const struct why *of,
		  struct why *why)
{
	json_object *object = json_object_new_object();
	int rc;

	json_object_object_add(object, "pid", json_object_new_int(getpid()));
	json_object_object_add(object, "state", json_object_new_string(state));
	if (of)
		json_object_object_add(object, "why",
				       json_object_new_string(of->text));
	rc = file_put_object(h->req, FILE_ANSWER, object, why);
	json_object_put(object);
	return rc;
}

static int read_state(struct hold *h, struct why *why)
{
	size_t length;
	void *data;
	int rc;

	if (h->cpr_fd < 0 || lseek(h->cpr_fd, 0, SEEK_SET) < 0)
		return because(why, -EINVAL,
			       "this is what QEMU becomes, and was not started by it");
	data = file_read_fd(h->cpr_fd, &length);
	if (!data)
		return because(why, -errno, "QEMU's state cannot be read: %m");
	rc = cpr_parse(data, length, &h->cpr);
	free(data);
	if (rc)
		because(why, rc, rc == -ENOTSUP ?
				"QEMU's state is of a version that is not known here" :
				"QEMU's state is not as it should be");
	return rc;
}

static bool has_intx(const struct cpr *cpr, const char *name)
{
	for (unsigned int i = 0; i < cpr->fds; i++)
		if (irq_role(cpr->fd[i].name, name) == IRQ_INTX)
			return true;
	return false;
}

static json_object *describe_device(const struct hold *h,
				    const struct cpr_device *d)
{
	json_object *one = json_object_new_object();
	const char *iommufd = text_of(device_named(h->seen, d->name), "iommufd");
	int irq = irq_mode(d->name, has_intx(&h->cpr, d->name));

	json_object_object_add(one, "name", json_object_new_string(d->name));
	json_object_object_add(one, "irq", json_object_new_int(irq));
	json_object_object_add(one, "iommufd", json_object_new_string(iommufd));
	return one;
}

/* The blob that the next kernel's lu-qemu reads first. */
static json_object *describe(const struct hold *h)
{
	json_object *vm = json_object_new_object();
	json_object *devices = json_object_new_array();

	json_object_object_add(vm, "schema", json_object_new_int(1));
	json_object_object_add(vm, "argv", array_of(h->req->command));
	for (unsigned int i = 0; i < h->cpr.devices; i++)
		json_object_array_add(devices,
				      describe_device(h, &h->cpr.device[i]));
	json_object_object_add(vm, "devices", devices);
	return vm;
}

static int add_blob(struct lu_plan *plan, const char *name, const void *data,
		    size_t length, struct why *why)
{
	int rc = lu_plan_blob(plan, name, data, length);

	return rc ? because(why, rc, "'%s' cannot be preserved: %s", name,
			    strerror(-rc)) :
		    0;
}

static int add_blobs(struct hold *h, struct why *why)
{
	char path[PATH_MAX];
	json_object *vm;
	const char *text;
	size_t length;
	void *data;
	int rc;

	data = cpr_bytes(&h->cpr, &length);
	if (!data)
		return because(why, -ENOMEM, "no memory");
	rc = add_blob(h->plan, BLOB_CPR, data, length, why);
	free(data);
	if (rc)
		return rc;
	rc = file_path(path, h->req, FILE_STREAM, why);
	if (rc)
		return rc;
	data = file_read(path, &length);
	if (!data)
		return because(why, -errno, "%s: %m", path);
	rc = add_blob(h->plan, BLOB_STREAM, data, length, why);
	free(data);
	if (rc)
		return rc;
	vm = describe(h);
	text = json_object_to_json_string(vm);
	rc = add_blob(h->plan, BLOB_VM, text, strlen(text), why);
	json_object_put(vm);
	return rc;
}

/* The way back: nothing preserved, nothing kept. */
static int undo(struct hold *h, struct why *why)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc, left = h->req->timeout_ms;

	do
		rc = lu_plan_undo(h->plan, h->session, &err);
	while (keeper_is_busy(rc, &left));
	return rc ? because_of(why, rc, &err) : 0;
}

static int preserve(struct hold *h, struct why *why)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc, left = h->req->timeout_ms;

	do
		rc = lu_session_acquire(h->req->name, LU_OUT, &h->session,
					&err);
	while (keeper_is_busy(rc, &left));
	if (!rc)
		rc = lu_plan_preserve(h->plan, h->session, &err);
	if (rc)
		return because_of(why, rc, &err);
	do
		rc = lu_session_park(h->session, &err);
	while (keeper_is_busy(rc, &left));
	return rc ? because_of(why, rc, &err) : 0;
}

static int save(struct hold *h, struct why *why)
{
	int rc;

	h->seen = file_object(h->req, FILE_ASK, why);
	if (!h->seen)
		return -ENOENT;
	/* A store that ends with systemd is none; the library then asks luod. */
	if (!json_object_get_boolean(json_object_object_get(h->seen, "store")))
		unsetenv("FDSTORE");
	rc = read_state(h, why);
	if (rc)
		return rc;
	if (lu_plan_new(&h->plan))
		return because(why, -ENOMEM, "no memory");
	rc = parts_plan(h->plan, &h->cpr, h->seen, why);
	if (!rc)
		rc = add_blobs(h, why);
	return rc ? rc : preserve(h, why);
}

/* Becomes QEMU again, in this kernel. Returns an exit code if that fails. */
static int let_run(struct hold *h, const char *state, const struct why *of)
{
	struct why why = { "" };

	lu_session_free(h->session);
	lu_plan_free(h->plan);
	if (answer(h, state, of, &why))
		complain("%s", why.text);
	sigprocmask(SIG_SETMASK, &h->signals, NULL);
	become_again(h->req, h->req->command, h->cpr_fd, &why);
	complain("the guest is lost: %s.", why.text);
	answer(h, "lost", &why, &why);
	return EXIT_LOST;
}

/* SIGUSR1 is "undo it"; all others are the end, by which nothing is lost. */
static int wait_and_see(struct hold *h, const sigset_t *signals)
{
	struct why why;

	for (;;) {
		int got = sigwaitinfo(signals, NULL);

		if (got < 0)
			continue;
		if (got != SIGUSR1)
			return EXIT_DONE;
		if (!undo(h, &why))
			return let_run(h, "running", NULL);
		complain("%s", why.text);
		answer(h, "held", &why, &why);
	}
}

int verb_hold(const struct request *req)
{
	const char *number = getenv(CPR_STATE_ENV);
	struct hold h = { .req = req, .cpr_fd = number ? atoi(number) : -1 };
	struct why why = { "" }, other;
	sigset_t signals;

	/* Before anybody is told that there is something to be undone. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, &h.signals);
	complain("'%s' stands still.", req->name);
	if (!save(&h, &why) && !answer(&h, "held", NULL, &why))
		return wait_and_see(&h, &signals);
	/* Of one that has run on since, no session may be left that brings it back. */
	if (h.session && undo(&h, &other)) {
		complain("%s. That cannot be undone: %s.", why.text,
			 other.text);
		answer(&h, "held", &other, &other);
		return wait_and_see(&h, &signals);
	}
	complain("%s. The guest runs on.", why.text);
	return let_run(&h, "refused", &why);
}
