// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "back.h"
#include "become.h"
#include "cpr.h"
#include "files.h"
#include "irqs.h"
#include "parts.h"

struct back {
	const struct request *req;
	struct lu_guest *guest;
	json_object *vm; /* what hold has described */
	char **argv; /* QEMU's command line in there */
	struct cpr cpr; /* QEMU's state; its files are new ones more and more */
};

static int read_blobs(struct back *b, struct why *why)
{
	const char *text;
	const void *state;
	size_t length;

	text = lu_guest_blob(b->guest, BLOB_VM, &length);
	b->vm = text ? json_tokener_parse(text) : NULL;
	state = lu_guest_blob(b->guest, BLOB_CPR, &length);
	if (!json_object_is_type(b->vm, json_type_object) || !state ||
	    json_object_get_int(json_object_object_get(b->vm, "schema")) != 1)
		return because(why, -EBADMSG,
			       "session '%s' is not of lu-qemu, or of a newer one",
			       b->req->name);
	if (cpr_parse(state, length, &b->cpr))
		return because(why, -EBADMSG,
			       "QEMU's state in session '%s' is not as it should be",
			       b->req->name);
	return 0;
}

/* A file that QEMU inherits; the guest's object closes its own. */
static int inherited(int fd)
{
	int copy = fcntl(fd, F_DUPFD, 3);

	return copy < 0 ? -errno : copy;
}

/* The file for that name, made anew if it did not come over. */
static int file_of(struct back *b, const struct cpr_fd *fd, struct why *why)
{
	char name[LU_NAME_BYTES];
	int got, rc = part_name(name, fd, why);

	if (rc)
		return rc;
	got = lu_guest_fd(b->guest, name);
	if (got >= 0)
		got = inherited(got);
	else if (got == -ENOENT && irq_role(fd->name, NULL) != IRQ_NONE)
		got = eventfd(0, EFD_NONBLOCK) /* not closed on exec */;
	if (got == -1)
		got = -errno;
	if (got < 0)
		because(why, got, "'%s' did not come back: %s", name,
			strerror(-got));
	return got;
}

static int take_files(struct back *b, struct why *why)
{
	for (unsigned int i = 0; i < b->cpr.fds; i++) {
		int fd = file_of(b, &b->cpr.fd[i], why);

		if (fd < 0)
			return fd;
		b->cpr.fd[i].fd = fd;
	}
	return 0;
}

/* The IDs in the new iommufd, and interrupts. */
static int take_device(struct back *b, struct cpr_device *d, struct why *why)
{
	json_object *described = device_named(b->vm, d->name), *irq;
	char hwpt[LU_NAME_BYTES];
	uint32_t devid;
	int rc;

	hwpt_name(hwpt, text_of(described, "iommufd"), d->hwpt);
	rc = lu_guest_hwpt(b->guest, hwpt, &d->ioas, &d->hwpt);
	if (!rc)
		rc = lu_guest_devid(b->guest, d->name, &devid);
	if (rc || !json_object_object_get_ex(described, "irq", &irq))
		return because(why, rc ? rc : -EBADMSG,
			       "device '%s' did not come back", d->name);
	d->devid = devid;
	return irqs_arm(lu_guest_fd(b->guest, d->name), d->name,
			json_object_get_int(irq), &b->cpr, why);
}

/* The state as a file that QEMU inherits. */
static int state_file(struct back *b, struct why *why)
{
	int fd = memfd_create("QEMU_CPR_EXEC_STATE", 0), rc = 0;
	size_t length;
	void *bytes = cpr_bytes(&b->cpr, &length);

	if (fd < 0 || !bytes)
		rc = -ENOMEM;
	else if (write(fd, bytes, length) != (ssize_t)length)
		rc = -EIO;
	free(bytes);
	return rc ? because(why, rc, "QEMU's state cannot be written") : fd;
}

static int put_stream(struct back *b, struct why *why)
{
	char path[PATH_MAX];
	const void *stream;
	size_t length;
	int rc = file_path(path, b->req, FILE_STREAM, why);

	if (rc)
		return rc;
	stream = lu_guest_blob(b->guest, BLOB_STREAM, &length);
	rc = stream ? file_write(path, stream, length) : -ENODATA;
	return rc ? because(why, rc, "%s cannot be written: %s", path,
			    strerror(-rc)) :
		    0;
}

/* What is told of the devices is needed when nothing can be given back any more. */
static int check_devices(const struct back *b, struct why *why)
{
	json_object *irq;

	if (!json_object_is_type(json_object_object_get(b->vm, "devices"),
				 json_type_array))
		return because(why, -EBADMSG, "the list of devices is missing");
	for (unsigned int i = 0; i < b->cpr.devices; i++) {
		const char *name = b->cpr.device[i].name;

		irq = json_object_object_get(device_named(b->vm, name), "irq");
		if (!json_object_is_type(irq, json_type_int))
			return because(why, -EBADMSG,
				       "nothing is told of device '%s'", name);
	}
	return 0;
}

/* What can be mended while everything still waits in the session */
static int prepare(struct back *b, struct why *why)
{
	b->argv = list_of(json_object_object_get(b->vm, "argv"));
	if (!b->argv)
		return because(why, -EBADMSG, "QEMU's command line is missing");
	if (check_devices(b, why))
		return -EBADMSG;
	if (can_become(b->argv[0], why) || put_stream(b, why))
		return -EAGAIN;
	return 0;
}

static int go_on(struct back *b, struct why *why)
{
	int fd = state_file(b, why);

	if (fd < 0)
		return fd;
	complain("'%s' has everything back.", b->req->name);
	return become_again(b->req, b->argv, fd, why);
}

static int take(struct back *b, struct lu_session *session, struct why *why)
{
	struct lu_error err = LU_ERROR_INIT;
	int rc = lu_guest_open(session, &b->guest, &err);

	if (rc)
		return because_of(why, rc, &err);
	/* Before anything is taken that cannot be given back. */
	rc = read_blobs(b, why);
	if (!rc)
		rc = prepare(b, why);
	if (rc)
		return rc;
	rc = lu_guest_restore(b->guest, b->req->timeout_ms, &err);
	return rc ? because_of(why, rc, &err) : 0;
}

int back(const struct request *req, struct lu_session *session, struct why *why)
{
	struct back b = { .req = req };
	int rc = take(&b, session, why);

	if (!rc)
		rc = take_files(&b, why);
	for (unsigned int i = 0; !rc && i < b.cpr.devices; i++)
		rc = take_device(&b, &b.cpr.device[i], why);
	if (!rc)
		rc = go_on(&b, why);
	list_free(b.argv);
	lu_guest_free(b.guest);
	json_object_put(b.vm);
	cpr_free(&b.cpr);
	return rc;
}
