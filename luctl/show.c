// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "luctl.h"
#include "show.h"
#include "sysfs.h"

#define BUFFERS 8

static char *buffer(void)
{
	static char text[BUFFERS][128];
	static unsigned int turn;

	return text[turn++ % BUFFERS];
}

const char *show_bytes(int64_t bytes)
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB",
					    "TiB" };
	char *text = buffer();
	unsigned int n = 0;

	if (bytes < 0)
		return "size unknown";
	while (n < 4 && bytes >= 1024 && !(bytes & 1023)) {
		bytes >>= 10;
		n++;
	}
	snprintf(text, 128, "%" PRId64 " %s", bytes, unit[n]);
	return text;
}

const char *show_levels(const struct lu_domain *d)
{
	char *text = buffer();
	size_t used = 0;

	if (!d->levels)
		return "-";
	for (unsigned int i = 0; i < d->levels && used < 100; i++)
		used += snprintf(text + used, 128 - used, "%s%" PRId64,
				 i ? "," : "", d->level[i]);
	return text;
}

bool show_session_is(const struct session *s, bool in)
{
	return session_is_left(s) == in && s->state != SESSION_FINISHED;
}

bool show_any(const struct world *w, bool in)
{
	for (unsigned int i = 0; i < w->sessions.count; i++)
		if (show_session_is(&w->sessions.list[i], in))
			return true;
	for (unsigned int i = 0; i < w->iommu.units; i++)
		if (w->iommu.unit[i].in == in)
			return true;
	return iommu_devices(&w->iommu, in);
}

/* ---- Words --------------------------------------------------------------- */

static void pages(char *buf, size_t size, int64_t count)
{
	if (count < 0)
		snprintf(buf, size, "tables not counted");
	else
		snprintf(buf, size, "%" PRId64 " table page%s", count,
			 count == 1 ? "" : "s");
}

static void print_domain(const struct world *w, const struct lu_domain *d)
{
	const struct session *owner = show_owner(w, d);
	char tables[48];

	pages(tables, sizeof(tables), d->tables);
	printf("    domain %" PRId64 "  %s, %s", d->id, d->kind, tables);
	if (d->levels)
		printf(" (%s by level)", show_levels(d));
	if (owner)
		printf(", of %s", owner->name);
	else if (strcmp(d->owner, "-"))
		printf(", of iommufd %s", d->owner);
	putchar('\n');
	for (unsigned int i = 0; i < w->iommu.attachments; i++) {
		const struct lu_attachment *a = &w->iommu.attachment[i];
		const struct lu_device *dev;

		if (a->in != d->in || a->domain != d->id)
			continue;
		dev = iommu_device(&w->iommu, a->bdf, a->in);
		printf("      %s  %s", a->bdf, dev ? dev->state : "?");
		if (a->pasid >= 0)
			printf(", PASID %" PRId64, a->pasid);
		if (a->did >= 0)
			printf(", domain ID %" PRId64, a->did);
		putchar('\n');
	}
}

static void print_unit(const struct world *w, bool in, int64_t id)
{
	for (unsigned int i = 0; i < w->iommu.domains; i++)
		if (w->iommu.domain[i].in == in &&
		    w->iommu.domain[i].unit == id)
			print_domain(w, &w->iommu.domain[i]);
}

static void print_units(const struct world *w, bool in)
{
	for (unsigned int i = 0; i < w->iommu.units; i++) {
		const struct lu_unit *u = &w->iommu.unit[i];
		char tables[48];

		if (u->in != in)
			continue;
		pages(tables, sizeof(tables), u->tables);
		printf("  unit %s  %s, %s\n",
		       strcmp(u->name, "-") ? u->name : "", u->driver, tables);
		print_unit(w, in, u->id);
	}
	print_unit(w, in, -1);
}

/* Devices that no attachment tells of. */
static void print_loose(const struct world *w, bool in)
{
	for (unsigned int i = 0; i < w->iommu.devices; i++) {
		const struct lu_device *d = &w->iommu.device[i];
		bool attached = false;

		for (unsigned int n = 0; n < w->iommu.attachments; n++)
			attached |= w->iommu.attachment[n].in == in &&
				    !strcmp(w->iommu.attachment[n].bdf, d->bdf);
		if (d->in == in && !attached)
			printf("  device %s  %s\n", d->bdf, d->state);
	}
}

static void print_memory(const struct world *w, const struct session *s)
{
	const struct holder *h;
	unsigned int at = 0;

	while ((h = holder_next(&w->holders, HOLDS_SESSION, s->name, &at))) {
		char *who = holder_text(h);

		printf("    %s has it\n", who);
		for (unsigned int i = 0; i < w->holders.count; i++) {
			const struct holder *m = &w->holders.list[i];

			if (m->kind == HOLDS_MEMORY && m->pid == h->pid)
				printf("      memfd %s  %s\n", m->name,
				       show_bytes(m->bytes));
		}
		free(who);
	}
}

static void print_sessions(const struct world *w, bool in)
{
	for (unsigned int i = 0; i < w->sessions.count; i++) {
		const struct session *s = &w->sessions.list[i];

		if (!show_session_is(s, in))
			continue;
		printf("  session %s  %s\n", s->name,
		       session_state_name(s->state));
		for (unsigned int n = 0; n < s->files; n++)
			printf("    0x%" PRIx64 "  %s  %s\n", s->file[n].token,
			       s->file[n].kind, s->file[n].state);
		print_memory(w, s);
	}
}

static void print_words(const struct world *w)
{
	static const char *const title[] = { "for the next kernel",
					     "from the kernel before" };

	for (int in = 0; in < 2; in++) {
		if (!show_any(w, in))
			continue;
		printf("%s\n", title[in]);
		print_units(w, in);
		print_loose(w, in);
		print_sessions(w, in);
	}
	if (!show_any(w, false) && !show_any(w, true))
		printf("nothing is preserved\n");
	world_cannot_print(w);
}

/* ---- JSON ---------------------------------------------------------------- */

static void put_known(json_object *to, const char *key, const char *text)
{
	put_text(to, key, strcmp(text, "-") ? text : NULL);
}

static json_object *domain_json(const struct world *w,
				const struct lu_domain *d)
{
	json_object *o = json_object_new_object(), *list;
	const struct session *owner = show_owner(w, d);

	put_number(o, "id", d->id);
	put_number(o, "unit", d->unit);
	put_known(o, "kind", d->kind);
	put_number(o, "tables", d->tables);
	list = d->levels ? put_list(o, "levels") : NULL;
	if (!list)
		put_text(o, "levels", NULL);
	for (unsigned int i = 0; i < d->levels; i++)
		json_object_array_add(list, json_object_new_int64(d->level[i]));
	put_known(o, "iommufd", d->owner);
	put_known(o, "hwpt", d->token);
	put_text(o, "session", owner ? owner->name : NULL);
	return o;
}

static void units_json(const struct iommu *i, bool in, json_object *list)
{
	for (unsigned int n = 0; n < i->units; n++) {
		const struct lu_unit *u = &i->unit[n];
		json_object *o;

		if (u->in != in)
			continue;
		o = json_object_new_object();
		put_number(o, "id", u->id);
		put_known(o, "driver", u->driver);
		put_known(o, "name", u->name);
		put_number(o, "tables", u->tables);
		json_object_array_add(list, o);
	}
}

static void devices_json(const struct iommu *i, bool in, json_object *list)
{
	for (unsigned int n = 0; n < i->devices; n++) {
		json_object *o;

		if (i->device[n].in != in)
			continue;
		o = json_object_new_object();
		put_text(o, "bdf", i->device[n].bdf);
		put_text(o, "state", i->device[n].state);
		json_object_array_add(list, o);
	}
}

static void attachments_json(const struct iommu *i, bool in, json_object *list)
{
	for (unsigned int n = 0; n < i->attachments; n++) {
		const struct lu_attachment *a = &i->attachment[n];
		json_object *o;

		if (a->in != in)
			continue;
		o = json_object_new_object();
		put_text(o, "bdf", a->bdf);
		put_number(o, "pasid", a->pasid);
		put_number(o, "domain", a->domain);
		put_number(o, "did", a->did);
		json_object_array_add(list, o);
	}
}

static void print_json(const struct world *w)
{
	json_object *o = json_answer("show"), *list;

	for (int in = 0; in < 2; in++) {
		json_object *one = json_object_new_object();

		units_json(&w->iommu, in, put_list(one, "units"));
		list = put_list(one, "domains");
		for (unsigned int i = 0; i < w->iommu.domains; i++)
			if (w->iommu.domain[i].in == in)
				json_object_array_add(
					list,
					domain_json(w, &w->iommu.domain[i]));
		devices_json(&w->iommu, in, put_list(one, "devices"));
		attachments_json(&w->iommu, in, put_list(one, "attachments"));
		json_object_object_add(o, in ? "in" : "out", one);
	}
	world_sessions_json(w, o);
	world_cannot_json(w, o);
	json_print(o);
}

int verb_show(const struct request *req)
{
	struct world w;

	if (req->json + req->dot + req->svg > 1) {
		complain("one of --json, --dot and --svg at a time.");
		return EXIT_CANNOT;
	}
	world_read(&w);
	if (req->json)
		print_json(&w);
	else if (req->dot)
		show_dot(&w, stdout);
	else if (req->svg)
		show_svg(&w, stdout);
	else
		print_words(&w);
	world_free(&w);
	return EXIT_TAKEN;
}
