// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include "show.h"

/* Names are in quotes, in which a backslash and a quote are to be marked. */
static void quoted(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static const char *side(bool in)
{
	return in ? "in" : "out";
}

static void device(const struct lu_device *d, FILE *out)
{
	fprintf(out, "\t\"%s %s\" [shape=box,label=\"%s\\n%s\"];\n",
		side(d->in), d->bdf, d->bdf, d->state);
}

static void domain(const struct lu_domain *d, FILE *out)
{
	fprintf(out,
		"\t\t\"%s domain %" PRId64
		"\" [shape=folder,label=\"domain %" PRId64
		"\\n%s\\ntable pages by level: %s\"];\n",
		side(d->in), d->id, d->id, d->kind, show_levels(d));
}

static void domains_of(const struct iommu *i, bool in, int64_t unit, FILE *out)
{
	for (unsigned int n = 0; n < i->domains; n++)
		if (i->domain[n].in == in && i->domain[n].unit == unit)
			domain(&i->domain[n], out);
}

static void units(const struct iommu *i, bool in, FILE *out)
{
	for (unsigned int n = 0; n < i->units; n++) {
		const struct lu_unit *u = &i->unit[n];

		if (u->in != in)
			continue;
		fprintf(out,
			"\tsubgraph \"cluster %s %" PRId64
			"\" {\n\t\tlabel=\"%s %s\";\n",
			side(in), u->id, u->driver,
			strcmp(u->name, "-") ? u->name : "");
		domains_of(i, in, u->id, out);
		fprintf(out, "\t}\n");
	}
	domains_of(i, in, -1, out);
}

static void edges(const struct world *w, FILE *out)
{
	const struct iommu *i = &w->iommu;

	for (unsigned int n = 0; n < i->attachments; n++) {
		const struct lu_attachment *a = &i->attachment[n];

		if (a->domain >= 0)
			fprintf(out,
				"\t\"%s %s\" -> \"%s domain %" PRId64 "\";\n",
				side(a->in), a->bdf, side(a->in), a->domain);
	}
	for (unsigned int n = 0; n < i->domains; n++) {
		const struct session *s = show_owner(w, &i->domain[n]);

		if (!s)
			continue;
		fprintf(out, "\t\"%s domain %" PRId64 "\" -> \"session ",
			side(i->domain[n].in), i->domain[n].id);
		quoted(out, s->name);
		fprintf(out, "\";\n");
	}
}

void show_dot(const struct world *w, FILE *out)
{
	fprintf(out,
		"digraph liveupdate {\n\trankdir=LR;\n\tnode [fontname=\"sans-serif\"];\n");
	for (unsigned int n = 0; n < w->iommu.devices; n++)
		device(&w->iommu.device[n], out);
	for (int in = 0; in < 2; in++)
		units(&w->iommu, in, out);
	for (unsigned int n = 0; n < w->sessions.count; n++) {
		const struct session *s = &w->sessions.list[n];

		fprintf(out, "\t\"session ");
		quoted(out, s->name);
		fprintf(out, "\" [shape=cylinder,label=\"session ");
		quoted(out, s->name);
		fprintf(out, "\\n%s, %u files\"];\n",
			session_state_name(s->state), s->files);
	}
	edges(w, out);
	fprintf(out, "}\n");
}
