// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose is a domain? The kernel says at most the token of its iommufd, and every
 * owner that uses libliveupdate has the same ones. Where that leaves several
 * sessions, who has the devices open has mostly one of them.
 */
#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "sysfs.h"

#define DEVICES "/sys/bus/pci/devices"

/* Has it an iommufd, of that token if one is known? */
static bool has_iommufd(const struct session *s, const char *owner)
{
	char *end;
	uint64_t token = strtoull(owner, &end, 0);

	for (unsigned int i = 0; i < s->files; i++)
		if (!strncmp(s->file[i].kind, "iommufd", 7) &&
		    (end == owner || s->file[i].token == token))
			return true;
	return false;
}

static bool could_be(const struct session *s, const struct lu_domain *d)
{
	return show_session_is(s, d->in) && has_iommufd(s, d->owner);
}

/* The only session that somebody has who has this device open, or NULL */
static const struct session *
of_device(const struct world *w, const struct lu_domain *d, const char *bdf)
{
	const struct session *only = NULL;
	const struct holder *user, *h;
	unsigned int at = 0;
	char **names;
	int count;

	count = sys_names(&names, DEVICES "/%s/vfio-dev", bdf);
	while (count > 0 &&
	       (user = holder_next(&w->holders, HOLDS_DEVICE, names[0], &at))) {
		for (unsigned int i = 0; i < w->holders.count; i++) {
			const struct session *s;

			h = &w->holders.list[i];
			if (h->kind != HOLDS_SESSION || h->pid != user->pid)
				continue;
			s = session_find(&w->sessions, h->name);
			if (!s || s == only || !could_be(s, d))
				continue;
			if (only) {
				names_free(names, count);
				return NULL;
			}
			only = s;
		}
	}
	if (count >= 0)
		names_free(names, count);
	return only;
}

const struct session *show_owner(const struct world *w,
				 const struct lu_domain *d)
{
	const struct session *owner = NULL;
	unsigned int count = 0;

	for (unsigned int i = 0; i < w->sessions.count; i++) {
		if (!could_be(&w->sessions.list[i], d))
			continue;
		owner = &w->sessions.list[i];
		count++;
	}
	if (count < 2)
		return owner;
	owner = NULL;
	for (unsigned int i = 0; i < w->iommu.attachments && !owner; i++) {
		const struct lu_attachment *a = &w->iommu.attachment[i];

		if (a->in == d->in && a->domain == d->id)
			owner = of_device(w, d, a->bdf);
	}
	return owner;
}
