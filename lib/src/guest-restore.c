// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From the translations of the old kernel to new ones. Until a device is attached
 * to its new HWPT it works with the restored one; attaching is one step for the
 * hardware.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "guest.h"

static int iommufd_of(const struct parts *p, const struct part_hwpt *h)
{
	return p->iommufd[h->iommufd].fd;
}

/* A device behind the IOMMU of that HWPT, by which a new one is made. */
static const struct part_device *device_of(const struct parts *p,
					   unsigned int hwpt)
{
	for (unsigned int i = 0; i < p->devices; i++)
		if (p->device[i].hwpt == hwpt && !p->device[i].dropped)
			return &p->device[i];
	return NULL;
}

static int map_range(const struct parts *p, const struct part_hwpt *h,
		     const struct part_map *m)
{
	const struct part_device *d;
	int buf, rc;

	if (!m->is_bar)
		return lui_map_file(iommufd_of(p, h), h->ioas, m->iova,
				    m->length, p->memfd[m->of].fd, m->offset,
				    m->prot);
	d = &p->device[m->of];
	/* Nobody reaches what is not there. */
	if (d->dropped)
		return 0;
	buf = lui_device_dmabuf(d->fd, m->bar, m->offset, m->length);
	if (buf < 0)
		return buf;
	rc = lui_map_file(iommufd_of(p, h), h->ioas, m->iova, m->length, buf, 0,
			  m->prot);
	close(buf);
	return rc;
}

static int map_again(struct parts *p, unsigned int hwpt, struct lu_error *err)
{
	struct part_hwpt *h = &p->hwpt[hwpt];

	/* One that has failed begins where it was: the maps are in order. */
	for (unsigned int i = h->mapped; i < p->maps; i++) {
		const struct part_map *m = &p->map[i];
		int rc;

		h->mapped = i;
		if (m->hwpt != hwpt)
			continue;
		rc = map_range(p, h, m);
		if (rc)
			return lui_fail(err, rc, LU_WHY_SYSTEM, h->name,
					"IOVA %#" PRIx64 ", %" PRIu64
					" bytes of '%s' cannot be mapped again: %s",
					m->iova, m->length, h->name,
					strerrordesc_np(-rc));
	}
	h->mapped = p->maps;
	return 0;
}

static int rebuild(struct parts *p, unsigned int hwpt, struct lu_error *err)
{
	const struct part_device *d = device_of(p, hwpt);
	struct part_hwpt *h = &p->hwpt[hwpt];
	int rc;

	/* What no device is on has no use, and no IOMMU to be made for. */
	if (h->id || !d)
		return 0;
	if (!d->bound)
		return lui_fail(err, -EAGAIN, LU_WHY_ORDER, d->name,
				"device '%s' is not bound yet; lu_guest_bind() comes first",
				d->name);
	if (!h->ioas) {
		rc = lui_ioas_alloc(iommufd_of(p, h), &h->ioas);
		if (rc)
			return lui_fail_system(err, rc, h->name, "an IOAS for");
	}
	rc = map_again(p, hwpt, err);
	if (rc)
		return rc;
	rc = lui_hwpt_alloc(iommufd_of(p, h), d->devid, h->ioas, h->flags,
			    &h->id);
	return rc ? lui_fail_system(err, rc, h->name, "a new HWPT for") : 0;
}

int lu_guest_rebuild(struct lu_guest *guest, struct lu_error *err)
{
	struct parts *p = &guest->parts;

	for (unsigned int i = 0; i < p->hwpts; i++) {
		int rc = rebuild(p, i, err);

		if (rc)
			return rc;
	}
	return 0;
}

int lu_guest_swap(struct lu_guest *guest, struct lu_error *err)
{
	struct parts *p = &guest->parts;

	for (unsigned int i = 0; i < p->devices; i++) {
		struct part_device *d = &p->device[i];
		const struct part_hwpt *h = &p->hwpt[d->hwpt];
		int rc;

		if (d->swapped || d->dropped)
			continue;
		if (!h->id)
			return lui_fail(err, -EAGAIN, LU_WHY_ORDER, h->name,
					"there is no new HWPT for '%s' yet; lu_guest_rebuild() comes first",
					h->name);
		rc = lui_device_attach(d->fd, h->id);
		if (rc)
			return lui_fail_system(err, rc, d->name,
					       "the swap of device");
		d->swapped = true;
	}
	return 0;
}

static int explain_destroy(int rc, const struct parts *p, unsigned int hwpt,
			   struct lu_error *err)
{
	if (rc != -EBUSY)
		return lui_fail_system(err, rc, p->hwpt[hwpt].name,
				       "the end of restored HWPT");
	for (unsigned int i = 0; i < p->devices; i++) {
		const struct part_device *d = &p->device[i];

		if (d->hwpt == hwpt && !d->swapped && !d->dropped)
			return lui_fail_token(err, rc, LU_WHY_ATTACHED, d->name,
					      d->token,
					      "device '%s' is still on the restored HWPT '%s'; lu_guest_swap() comes first",
					      d->name, p->hwpt[hwpt].name);
	}
	return lui_fail(err, rc, LU_WHY_ATTACHED, p->hwpt[hwpt].name,
			"a device that is not in the plan is on the restored HWPT '%s'",
			p->hwpt[hwpt].name);
}

int lu_guest_destroy(struct lu_guest *guest, struct lu_error *err)
{
	struct parts *p = &guest->parts;

	for (unsigned int i = 0; i < p->hwpts; i++) {
		const struct part_hwpt *h = &p->hwpt[i];
		uint32_t id;
		int rc;

		if (iommufd_of(p, h) < 0)
			return lui_fail(err, -EBUSY, LU_WHY_NOT_RETRIEVED,
					p->iommufd[h->iommufd].name,
					"iommufd '%s' was not taken; lu_guest_take() comes first",
					p->iommufd[h->iommufd].name);
		rc = lu_hwpt_restored(iommufd_of(p, h), h->token, &id);
		if (!rc)
			rc = lui_destroy(iommufd_of(p, h), id);
		/* It is gone already. */
		if (rc && rc != -ENOENT)
			return explain_destroy(rc, p, i, err);
	}
	return 0;
}

int lu_guest_finish(struct lu_guest *guest, struct lu_error *err)
{
	return lu_session_finish(guest->session, err);
}

int lu_guest_restore(struct lu_guest *guest, int timeout_ms,
		     struct lu_error *err)
{
	int rc = lu_guest_take(guest, timeout_ms, err);

	rc = rc ? rc : lu_guest_bind(guest, err);
	rc = rc ? rc : lu_guest_rebuild(guest, err);
	rc = rc ? rc : lu_guest_swap(guest, err);
	rc = rc ? rc : lu_guest_destroy(guest, err);
	return rc ? rc : lu_guest_finish(guest, err);
}

/*
 * Off whatever an owner has left it on. One that was not attached in this kernel
 * is still on its restored HWPT, and is attached to it first: there is nothing to
 * detach before.
 */
static int lead_off(struct parts *p, struct part_device *d,
		    struct lu_error *err)
{
	const struct part_hwpt *h = &p->hwpt[d->hwpt];
	uint32_t id;
	int rc;

	if (!d->bound) {
		rc = lui_device_bind(d->fd, iommufd_of(p, h), &d->devid);
		/* -EINVAL: the owner before has done that */
		if (rc && rc != -EINVAL)
			return lui_fail_system(err, rc, d->name,
					       "bind of device");
		d->bound = true;
	}
	if (!lu_hwpt_restored(iommufd_of(p, h), h->token, &id))
		lui_device_attach(d->fd, id);
	rc = lui_device_detach(d->fd);
	if (rc)
		return lui_fail_system(err, rc, d->name,
				       "the end of DMA of device");
	d->swapped = true;
	return 0;
}

int lu_guest_reap(struct lu_guest *guest, int timeout_ms, struct lu_error *err)
{
	struct parts *p = &guest->parts;
	int rc = lui_guest_take(guest, timeout_ms, true, err);

	for (unsigned int i = 0; !rc && i < p->devices; i++)
		if (!p->device[i].dropped)
			rc = lead_off(p, &p->device[i], err);
	rc = rc ? rc : lu_guest_destroy(guest, err);
	return rc ? rc : lu_guest_finish(guest, err);
}
