// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "error.h"
#include "plan.h"

static int check_hwpt(const struct parts *p, unsigned int i,
		      struct lu_error *err)
{
	const struct part_hwpt *h = &p->hwpt[i];

	for (unsigned int j = 0; j < i; j++)
		if (p->hwpt[j].iommufd == h->iommufd && p->hwpt[j].id == h->id)
			return lui_fail(err, -EEXIST, LU_WHY_PLAN, h->name,
					"'%s' and '%s' are the same HWPT",
					p->hwpt[j].name, h->name);
	for (unsigned int j = 0; j < p->maps; j++)
		if (p->map[j].hwpt == i)
			return 0;
	return lui_fail(err, -EINVAL, LU_WHY_PLAN, h->name,
			"the plan does not say what '%s' maps; use lu_plan_map() or lu_plan_maps()",
			h->name);
}

static int check_iommufd(const struct parts *p, unsigned int i,
			 struct lu_error *err)
{
	for (unsigned int j = 0; j < p->hwpts; j++)
		if (p->hwpt[j].iommufd == i)
			return 0;
	return lui_fail(err, -EINVAL, LU_WHY_PLAN, p->iommufd[i].name,
			"no HWPT of '%s' is in the plan", p->iommufd[i].name);
}

static int check_device(const struct parts *p, unsigned int i,
			struct lu_error *err)
{
	const struct part_device *d = &p->device[i];
	int rc = lui_device_check(d->fd);

	if (rc == -EPERM)
		return lui_fail_token(err, rc, LU_WHY_ORDER, d->name, d->token,
				      "device '%s' is not bound to an iommufd",
				      d->name);
	return rc ? lui_fail_system(err, rc, d->name, "device") : 0;
}

static int check_maps(struct parts *p, struct lu_error *err)
{
	const struct part_map *m;
	unsigned int at;
	int rc = lui_merge_maps(p, &at);

	if (!rc)
		return 0;
	m = &p->map[at];
	return lui_fail(err, rc, LU_WHY_PLAN, p->hwpt[m->hwpt].name,
			"'%s' maps IOVA %#" PRIx64 ", %" PRIu64
			" bytes, more than once",
			p->hwpt[m->hwpt].name, m->iova, m->length);
}

static int check_kernel(const struct parts *p, struct lu_error *err)
{
	uint32_t can;
	int rc;

	rc = lu_support(&can, err);
	/* Memory alone takes no more than sessions. */
	if (rc && can & LU_CAN_SESSIONS && !p->iommufds)
		return 0;
	return rc;
}

/* Its size goes into the map of the session. */
static int check_memfd(const struct part_memfd *m, struct lu_error *err)
{
	struct stat is;

	if (fstat(m->fd, &is))
		return lui_fail_system(err, -errno, m->name, "memfd");
	if ((uint64_t)is.st_size == m->bytes)
		return 0;
	return lui_fail(err, -EINVAL, LU_WHY_PLAN, m->name,
			"'%s' has %" PRIu64
			" bytes in the plan, and another size by now",
			m->name, m->bytes);
}

int lu_plan_check(struct lu_plan *plan, struct lu_error *err)
{
	struct parts *p = &plan->parts;
	int rc = 0;

	if (!p->memfds && !p->blobs)
		return lui_fail(err, -EINVAL, LU_WHY_PLAN, NULL,
				"there is nothing in the plan");
	rc = check_kernel(p, err);
	rc = rc ? rc : check_maps(p, err);
	for (unsigned int i = 0; !rc && i < p->memfds; i++)
		rc = check_memfd(&p->memfd[i], err);
	for (unsigned int i = 0; !rc && i < p->iommufds; i++)
		rc = check_iommufd(p, i, err);
	for (unsigned int i = 0; !rc && i < p->hwpts; i++)
		rc = check_hwpt(p, i, err);
	for (unsigned int i = 0; !rc && i < p->devices; i++)
		rc = check_device(p, i, err);
	return rc;
}
