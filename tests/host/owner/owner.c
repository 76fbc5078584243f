// SPDX-License-Identifier: GPL-2.0-only
/*
 * lu-owner SESSION STATE [BDF]: has memory, and a drive that reads into it if one
 * is named, from one kernel to the next. It preserves them when it is told so
 * (SIGHUP), undoes that when it is told so (SIGUSR1), and ends on SIGTERM. What it
 * has got to is in the file STATE.
 */
#include <errno.h>
#include <fcntl.h>
#include <liveupdate.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "iommufd.h"
#include "state.h"

#define MEMORY_BYTES (32ull << 20)
#define HEAD_BYTES (1ull << 20)
#define READS 2000u
#define RESTORE_MS 120000
#define WORD "state of the CPUs"

static struct lu_session *session;
static struct lu_plan *plan;

static int tell(const char *what, const struct lu_error *err)
{
	fprintf(stderr, "%s: %s\n", what, err->text);
	return -1;
}

static int failed(const char *what, int rc)
{
	if (rc)
		fprintf(stderr, "%s: %s\n", what, strerror(-rc));
	return rc ? -1 : 0;
}

static int begin_drive(struct owner *o)
{
	int fd = vfio_cdev_open(o->bdf), rc;
	uint32_t ioas;

	o->iommufd = iommufd_open();
	if (failed("drive", fd < 0 ? fd : 0) ||
	    failed("iommufd", o->iommufd < 0 ? o->iommufd : 0))
		return -1;
	rc = nvme_setup(&o->nvme, &o->memory, &o->control->nvme, READS,
			BUFFERS_SCATTERED, 1);
	rc = rc ? rc : vfio_start(&o->vfio, o->bdf, fd, o->iommufd);
	rc = rc ? rc : vfio_map_bar(&o->vfio, 0);
	rc = rc ? rc : ioas_alloc(o->iommufd, &ioas);
	rc = rc ? rc : ioas_map_file(o->iommufd, ioas, o->memory.fd, 0,
				     MEMORY_BYTES, MEMORY_IOVA);
	rc = rc ? rc : hwpt_alloc(o->iommufd, o->vfio.devid, ioas, &o->hwpt);
	rc = rc ? rc : vfio_attach(&o->vfio, o->hwpt);
	o->nvme.vfio = &o->vfio;
	o->nvme.endless = true;
	rc = rc ? rc : nvme_start(&o->nvme);
	if (!rc)
		nvme_submit_all(&o->nvme);
	return failed("drive", rc);
}

static int begin(struct owner *o)
{
	if (failed("memory", memory_create(&o->memory, MEMORY_BYTES, HEAD_BYTES)))
		return -1;
	o->control = memory_at(&o->memory, PAGE_BYTES);
	return o->bdf ? begin_drive(o) : 0;
}

/* Before it is preserved: the drive goes on reading, nobody looks. */
static int describe(struct owner *o)
{
	int rc = lu_plan_new(&plan);

	rc = rc ? rc : lu_plan_memfd(plan, "ram", o->memory.fd);
	rc = rc ? rc : lu_plan_blob(plan, "vcpu", WORD, sizeof(WORD));
	if (!rc && o->bdf) {
		rc = lu_plan_iommufd(plan, "iommu", o->iommufd);
		rc = rc ? rc : lu_plan_hwpt(plan, "gpa", "iommu", o->hwpt, 0);
		rc = rc ? rc : lu_plan_map(plan, "gpa", MEMORY_IOVA, MEMORY_BYTES,
					   "ram", 0, LU_READ | LU_WRITE);
		rc = rc ? rc : lu_plan_device(plan, "drive", o->vfio.fd, "gpa",
					      o->bdf);
	}
	return failed("plan", rc);
}

/* It is this or the other: while somebody has a copy, all is still preserved. */
static int undo(struct owner *o)
{
	struct lu_error err = LU_ERROR_INIT;

	if (!plan)
		return 0;
	if (session && lu_plan_undo(plan, session, &err) < 0)
		return tell("undo", &err);
	lu_plan_free(plan);
	lu_session_free(session);
	plan = NULL;
	session = NULL;
	o->kept = false;
	printf("not preserved\n");
	return 0;
}

static int keep(struct owner *o)
{
	struct lu_error err = LU_ERROR_INIT;

	if (o->kept)
		return 0;
	if (describe(o))
		return -1;
	if (lu_session_acquire(o->session, LU_OUT, &session, &err) < 0 ||
	    lu_plan_preserve(plan, session, &err) < 0)
		goto fail;
	/* Nobody keeps what only this process has. */
	if (!getenv("OWNER_PARKS_NOT") && lu_session_park(session, &err) < 0)
		goto fail;
	if (o->bdf)
		o->control->waiting = o->control->nvme.completed +
				      nvme_waiting(&o->nvme);
	o->kept = true;
	printf("preserved as session %s\n", lu_session_name(session));
	return 0;
fail:
	tell("keep", &err);
	undo(o);
	return -1;
}

static int adopt_drive(struct owner *o, const struct lu_guest *guest)
{
	uint32_t ioas;
	int rc;

	o->iommufd = lu_guest_fd(guest, "iommu");
	o->vfio = (struct vfio){ .fd = lu_guest_fd(guest, "drive") };
	rc = lu_guest_devid(guest, "drive", &o->vfio.devid);
	rc = rc ? rc : lu_guest_hwpt(guest, "gpa", &ioas, &o->hwpt);
	rc = rc ? rc : vfio_find_config(&o->vfio);
	rc = rc ? rc : vfio_map_bar(&o->vfio, 0);
	o->nvme.vfio = &o->vfio;
	return failed("drive", rc);
}

/* The session and the guest stay open: they own the files that are used here. */
static int back(struct owner *o, struct lu_session *came)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_guest *guest;
	size_t length;

	if (lu_guest_open(came, &guest, &err) < 0)
		return tell("open", &err);
	if (failed("memory", memory_adopt(&o->memory, lu_guest_fd(guest, "ram"))))
		return -1;
	o->control = memory_at(&o->memory, PAGE_BYTES);
	o->nvme = (struct nvme){ .state = &o->control->nvme,
				 .memory = &o->memory, .endless = true };
	if (o->bdf)
		o->control->found = o->control->nvme.completed +
				    nvme_waiting(&o->nvme);
	if (lu_guest_restore(guest, RESTORE_MS, &err) < 0)
		return tell("restore", &err);
	if (!lu_guest_blob(guest, "vcpu", &length) || length != sizeof(WORD))
		return failed("vcpu", -EBADMSG);
	o->control->kernels++;
	printf("session %s is finished\n", lu_session_name(came));
	return o->bdf ? adopt_drive(o, guest) : 0;
}

static int arrive(struct owner *o)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *came;

	if (lu_session_acquire(o->session, LU_IN, &came, &err) < 0) {
		printf("nothing came: %s\n", err.text);
		return begin(o);
	}
	return back(o, came);
}

static int signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* What was preserved is not polled: who comes back is to find it. */
static int serve(struct owner *o, int fd, const char *path)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	struct signalfd_siginfo got;

	for (;;) {
		while (read(fd, &got, sizeof(got)) == sizeof(got)) {
			if (got.ssi_signo == SIGTERM)
				return 0;
			if (got.ssi_signo == SIGHUP)
				keep(o);
			else
				undo(o);
		}
		if (o->bdf && !o->kept)
			nvme_poll(&o->nvme);
		if (failed("state", state_write(o, path)))
			return -1;
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	struct owner o = { .session = argv[1] };
	int fd;

	if (argc < 3)
		return 2;
	if (argc > 3)
		o.bdf = argv[3];
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = signals();
	if (arrive(&o) || serve(&o, fd, argv[2]))
		return 1;
	if (o.bdf && !o.kept)
		nvme_stop(&o.nvme);
	return 0;
}
