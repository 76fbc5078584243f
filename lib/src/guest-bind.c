// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <time.h>

#include "error.h"
#include "guest.h"

#define LOOK_EVERY_NS (10 * 1000 * 1000)

/* Of a clock that is never set. */
static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * Until then, for ever if negative. The kernel takes a file back only when the driver for it is there, and tells
 * nobody when that is so. @address may be empty.
 */
static int take_waiting(struct lu_guest *guest, uint64_t token,
			const char *address, int64_t until,
			struct lu_error *err)
{
	const struct timespec wait = { .tv_nsec = LOOK_EVERY_NS };

	for (;;) {
		int fd = lu_session_take(guest->session, token, err);

		if (fd != -EAGAIN)
			return fd;
		/* Whoever may not leaves it to those who may. */
		if (*address && !lui_driver_bind(address)) {
			fd = lu_session_take(guest->session, token, err);
			if (fd != -EAGAIN)
				return fd;
		}
		if (until >= 0 && now_ms() >= until)
			return fd;
		nanosleep(&wait, NULL);
	}
}

static int take_device(struct lu_guest *guest, struct part_device *d,
		       int64_t until, struct lu_error *err)
{
	int fd;

	if (d->fd >= 0)
		return 0;
	fd = take_waiting(guest, d->token, d->address, until, err);
	if (fd == -EAGAIN)
		return lui_fail_token(err, fd, LU_WHY_NO_DRIVER, d->name,
				      d->token,
				      "vfio-pci is not bound to device '%s'%s%s; bind it and try again",
				      d->name, *d->address ? " at " : "",
				      d->address);
	if (fd < 0)
		return fd;
	d->fd = fd;
	return 0;
}

/* What stays so, however often it is tried. */
static bool is_lost(int rc)
{
	return rc == -ENODEV || rc == -EIO || rc == -EINVAL;
}

int lui_guest_take(struct lu_guest *guest, int timeout_ms, bool drop_lost,
		   struct lu_error *err)
{
	struct parts *p = &guest->parts;
	int64_t until = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;

	for (unsigned int i = 0; i < p->iommufds; i++) {
		struct part_iommufd *f = &p->iommufd[i];
		int fd;

		if (f->fd >= 0)
			continue;
		fd = take_waiting(guest, f->token, "", until, err);
		if (fd == -EAGAIN)
			return lui_fail_token(err, fd, LU_WHY_NO_DRIVER,
					      f->name, f->token,
					      "the module 'iommufd' is not loaded; load it and try again");
		if (fd < 0)
			return fd;
		f->fd = fd;
	}
	for (unsigned int i = 0; i < p->devices; i++) {
		struct part_device *d = &p->device[i];
		int rc;

		if (d->dropped)
			continue;
		rc = take_device(guest, d, until, err);
		if (is_lost(rc) && drop_lost)
			d->dropped = true;
		else if (rc)
			return rc;
	}
	return 0;
}

int lu_guest_drop(struct lu_guest *guest, const char *device)
{
	int i = lui_find_device(&guest->parts, device);

	if (i < 0)
		return i;
	if (guest->parts.device[i].bound)
		return -EBUSY;
	guest->parts.device[i].dropped = true;
	return 0;
}

int lu_guest_take(struct lu_guest *guest, int timeout_ms, struct lu_error *err)
{
	return lui_guest_take(guest, timeout_ms, false, err);
}

static int explain_bind(int rc, const struct part_device *d,
			struct lu_error *err)
{
	switch (rc) {
	case -EINVAL:
		return lui_fail_token(err, -EALREADY, LU_WHY_SYSTEM, d->name,
				      d->token,
				      "an owner before this one has bound device '%s', and its id is lost; lu_guest_reap() or 'luctl reap' ends it",
				      d->name);
	case -ENODEV:
		return lui_fail_token(err, rc, LU_WHY_LOST, d->name, d->token,
				      "device '%s' was pulled out", d->name);
	default:
		return lui_fail_system(err, rc, d->name, "bind of device");
	}
}

int lu_guest_bind(struct lu_guest *guest, struct lu_error *err)
{
	struct parts *p = &guest->parts;

	for (unsigned int i = 0; i < p->devices; i++) {
		struct part_device *d = &p->device[i];
		int iommufd = p->iommufd[p->hwpt[d->hwpt].iommufd].fd, rc;

		if (d->bound || d->dropped)
			continue;
		if (d->fd < 0)
			return lui_fail_token(err, -EAGAIN, LU_WHY_ORDER,
					      d->name, d->token,
					      "device '%s' was not taken yet; lu_guest_take() comes first",
					      d->name);
		rc = lui_device_bind(d->fd, iommufd, &d->devid);
		if (rc)
			return explain_bind(rc, d, err);
		d->bound = true;
	}
	return 0;
}
