// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a transfer from left to right: devices, the page tables that
 * translate for them, in a frame for each IOMMU, and the session that has the
 * memory. One section for what goes to the next kernel, one for what came.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "luctl.h"
#include "show.h"
#include "sysfs.h"

#define WIDTH 1050
#define MARGIN 24
#define FRAME_WIDTH 610
#define DEVICE_X 44
#define DEVICE_WIDTH 168
#define DEVICE_HEIGHT 44
#define DEVICE_STEP 54
#define DOMAIN_X 296
#define DOMAIN_WIDTH 318
#define DOMAIN_HEAD 46
#define LEVEL_STEP 17
#define LEVEL_X 72
#define LEVEL_MAX 170
#define SESSION_X 694
#define SESSION_WIDTH 332
#define LINE 17
#define FILES_SHOWN 12
#define NAME_SHOWN 32
#define TEXT_SHOWN 46
/* Where a line meets the box of a session or of a domain */
#define PORT 22

struct canvas {
	FILE *out;
	const struct world *w;
	bool in;
	int y;		/* the next frame begins here */
	int *session_y; /* per session of the world, 0 for none */
};

static const char style[] =
	"text{font-family:system-ui,sans-serif;font-size:12px;fill:#1f2933}"
	".t{font-size:16px;font-weight:600}.b{font-weight:600}"
	".s{font-size:11px;fill:#52606d}.m{font-family:ui-monospace,monospace;font-size:11px}"
	".frame{fill:#f5f7fa;stroke:#cbd2d9}.box{fill:#fff;stroke:#9aa5b1}"
	".memory{fill:#fffaeb;stroke:#e9b949}.bar{fill:#5a8fd8}"
	".line{fill:none;stroke:#5a8fd8;stroke-width:1.6}"
	".owner{fill:none;stroke:#c99a2e;stroke-width:1.6}"
	".preserved{fill:#2f9e6e}.incoming{fill:#d9822b}.claimed{fill:#2f9e6e}"
	".rejected{fill:#cf3a3a}.other{fill:#9aa5b1}";

/* Text for XML, cut to what there is room for. */
static void put(FILE *out, const char *text, int room)
{
	int length = strlen(text);

	for (int i = 0; i < length && i < room; i++) {
		if (i == room - 1 && length > room) {
			fputs("\xe2\x80\xa6", out);
			break;
		}
		switch (text[i]) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(text[i], out);
		}
	}
}

static void words(FILE *out, int x, int y, const char *class, const char *text)
{
	fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
	put(out, text, TEXT_SHOWN);
	fputs("</text>\n", out);
}

static void box(FILE *out, int x, int y, int width, int height,
		const char *class)
{
	fprintf(out,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"5\" class=\"%s\"/>\n",
		x, y, width, height, class);
}

static void curve(FILE *out, int x1, int y1, int x2, int y2, const char *class)
{
	int middle = (x1 + x2) / 2;

	fprintf(out,
		"<path d=\"M%d %dC%d %d %d %d %d %d\" class=\"%s\" marker-end=\"url(#%s)\"/>\n",
		x1, y1, middle, y1, middle, y2, x2, y2, class, class);
}

/* ---- Devices and domains ------------------------------------------------- */

static const char *state_class(const char *state)
{
	static const char *const known[] = { "preserved", "incoming", "claimed",
					     "rejected" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(state, known[i]))
			return known[i];
	return "other";
}

static void draw_device(struct canvas *c, const char *bdf,
			const struct lu_attachment *a, int y)
{
	const struct lu_device *d = iommu_device(&c->w->iommu, bdf, c->in);
	const char *state = d ? d->state : "?";
	char text[96];
	int used;

	box(c->out, DEVICE_X, y, DEVICE_WIDTH, DEVICE_HEIGHT, "box");
	fprintf(c->out, "<circle cx=\"%d\" cy=\"%d\" r=\"5\" class=\"%s\"/>\n",
		DEVICE_X + 14, y + 15, state_class(state));
	words(c->out, DEVICE_X + 26, y + 19, "m b", bdf);
	used = snprintf(text, sizeof(text), "%s", state);
	if (a && a->pasid >= 0)
		used += snprintf(text + used, sizeof(text) - used,
				 ", PASID %" PRId64, a->pasid);
	if (a && a->did >= 0)
		snprintf(text + used, sizeof(text) - used,
			 ", domain ID %" PRId64, a->did);
	words(c->out, DEVICE_X + 26, y + 35, "s", text);
}

/* So that one page can be seen beside thousands of them. */
static int bar_width(int64_t pages)
{
	int width = 8;

	while (pages > 1 && width < LEVEL_MAX) {
		width += 12;
		pages >>= 1;
	}
	return width;
}

static void draw_bar(struct canvas *c, const char *what, int64_t pages, int y)
{
	int width = bar_width(pages);
	char text[40];

	words(c->out, DOMAIN_X + 14, y + 11, "s", what);
	fprintf(c->out,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"11\" rx=\"2\" class=\"bar\"/>\n",
		DOMAIN_X + LEVEL_X, y + 2, width);
	snprintf(text, sizeof(text), "%" PRId64 " page%s", pages,
		 pages == 1 ? "" : "s");
	words(c->out, DOMAIN_X + LEVEL_X + width + 8, y + 11, "s", text);
}

/* Where the kernel does not tell the levels apart, one for all */
static unsigned int bars(const struct lu_domain *d)
{
	return d->levels ? d->levels : d->tables >= 0;
}

static void draw_levels(struct canvas *c, const struct lu_domain *d, int y)
{
	for (unsigned int i = 0; i < d->levels; i++) {
		char text[24];

		snprintf(text, sizeof(text), "level %u", d->levels - i);
		draw_bar(c, text, d->level[i], y);
		y += LEVEL_STEP;
	}
	if (!d->levels && d->tables >= 0)
		draw_bar(c, "all levels", d->tables, y);
}

static unsigned int attached(const struct canvas *c, int64_t domain)
{
	const struct iommu *i = &c->w->iommu;
	unsigned int count = 0;

	for (unsigned int n = 0; n < i->attachments; n++)
		count += i->attachment[n].in == c->in &&
			 i->attachment[n].domain == domain;
	return count;
}

static int domain_height(const struct canvas *c, const struct lu_domain *d)
{
	int tables = DOMAIN_HEAD + bars(d) * LEVEL_STEP + (bars(d) ? 6 : 0);
	int devices =
		attached(c, d->id) * DEVICE_STEP + DEVICE_HEIGHT - DEVICE_STEP;

	return devices > tables ? devices : tables;
}

static void draw_owner(struct canvas *c, const struct lu_domain *d, int y)
{
	const struct session *owner = show_owner(c->w, d);

	if (owner)
		curve(c->out, DOMAIN_X + DOMAIN_WIDTH, y, SESSION_X - 7,
		      c->session_y[owner - c->w->sessions.list] + PORT,
		      "owner");
}

static void draw_domain(struct canvas *c, const struct lu_domain *d)
{
	const struct iommu *i = &c->w->iommu;
	int height = domain_height(c, d), y = c->y;
	char text[96];

	box(c->out, DOMAIN_X, y, DOMAIN_WIDTH, height, "box");
	snprintf(text, sizeof(text), "domain %" PRId64, d->id);
	words(c->out, DOMAIN_X + 14, y + 19, "b", text);
	if (d->tables < 0)
		snprintf(text, sizeof(text), "%s, tables not counted", d->kind);
	else
		snprintf(text, sizeof(text), "%s, %" PRId64 " table page%s",
			 d->kind, d->tables, d->tables == 1 ? "" : "s");
	words(c->out, DOMAIN_X + 14, y + 35, "s", text);
	draw_levels(c, d, y + DOMAIN_HEAD);
	for (unsigned int n = 0; n < i->attachments; n++) {
		const struct lu_attachment *a = &i->attachment[n];

		if (a->in != c->in || a->domain != d->id)
			continue;
		draw_device(c, a->bdf, a, y);
		curve(c->out, DEVICE_X + DEVICE_WIDTH, y + PORT, DOMAIN_X - 7,
		      c->y + PORT, "line");
		y += DEVICE_STEP;
	}
	draw_owner(c, d, c->y + PORT);
	c->y += height + 12;
}

static int domains_height(const struct canvas *c, int64_t unit)
{
	int height = 0;

	for (unsigned int n = 0; n < c->w->iommu.domains; n++) {
		const struct lu_domain *d = &c->w->iommu.domain[n];

		if (d->in == c->in && d->unit == unit)
			height += domain_height(c, d) + 12;
	}
	return height;
}

/* The frame of an IOMMU, and what is behind it. */
static void draw_unit(struct canvas *c, int64_t unit, const char *title)
{
	int height = domains_height(c, unit);

	if (!height && unit < 0)
		return;
	box(c->out, MARGIN, c->y, FRAME_WIDTH, height + 34, "frame");
	words(c->out, MARGIN + 14, c->y + 20, "b", title);
	c->y += 32;
	for (unsigned int n = 0; n < c->w->iommu.domains; n++) {
		const struct lu_domain *d = &c->w->iommu.domain[n];

		if (d->in == c->in && d->unit == unit)
			draw_domain(c, d);
	}
	c->y += 14;
}

static bool is_attached(const struct canvas *c, const char *bdf)
{
	const struct iommu *i = &c->w->iommu;

	for (unsigned int n = 0; n < i->attachments; n++)
		if (i->attachment[n].in == c->in &&
		    i->attachment[n].domain >= 0 &&
		    !strcmp(i->attachment[n].bdf, bdf))
			return true;
	return false;
}

/* Devices that no attachment tells of: rejected ones, mostly. */
static void draw_loose(struct canvas *c)
{
	for (unsigned int n = 0; n < c->w->iommu.devices; n++) {
		const struct lu_device *d = &c->w->iommu.device[n];

		if (d->in != c->in || is_attached(c, d->bdf))
			continue;
		draw_device(c, d->bdf, NULL, c->y);
		c->y += DEVICE_STEP;
	}
}

/* ---- Sessions ------------------------------------------------------------ */

static int draw_files(FILE *out, const struct session *s, int y)
{
	char text[96];

	for (unsigned int i = 0; i < s->files && i < FILES_SHOWN; i++) {
		snprintf(text, sizeof(text), "0x%" PRIx64 " %s, %s",
			 s->file[i].token, s->file[i].kind, s->file[i].state);
		words(out, SESSION_X + 14, y, "m", text);
		y += LINE;
	}
	if (s->files > FILES_SHOWN) {
		snprintf(text, sizeof(text), "and %u more",
			 s->files - FILES_SHOWN);
		words(out, SESSION_X + 14, y, "s", text);
		y += LINE;
	}
	return y;
}

static int draw_memory(const struct world *w, FILE *out, pid_t pid, int y)
{
	for (unsigned int i = 0; i < w->holders.count; i++) {
		const struct holder *m = &w->holders.list[i];
		char *text;

		if (m->kind != HOLDS_MEMORY || m->pid != pid)
			continue;
		text = must_print("memfd %.*s, %s", NAME_SHOWN, m->name,
				  show_bytes(m->bytes));
		words(out, SESSION_X + 26, y, "s", text);
		free(text);
		y += LINE;
	}
	return y;
}

static int draw_holders(const struct world *w, FILE *out,
			const struct session *s, int y)
{
	const struct holder *h;
	unsigned int at = 0;

	while ((h = holder_next(&w->holders, HOLDS_SESSION, s->name, &at))) {
		char *who = holder_text(h);
		char *text = must_print("%s has it", who);

		words(out, SESSION_X + 14, y, "s", text);
		free(text);
		free(who);
		y = draw_memory(w, out, h->pid, y + LINE);
	}
	return y;
}

/* Returns where the next one begins. */
static int draw_session(struct canvas *c, const struct session *s, int y)
{
	char *text = NULL;
	size_t bytes;
	FILE *inner = open_memstream(&text, &bytes);
	int end;

	if (!inner) {
		complain("there is no memory left.");
		exit(EXIT_CANNOT);
	}
	fprintf(inner, "<text x=\"%d\" y=\"%d\" class=\"b\">session ",
		SESSION_X + 14, y + 19);
	put(inner, s->name, NAME_SHOWN);
	fputs("</text>\n", inner);
	words(inner, SESSION_X + 14, y + 35, "s", session_state_name(s->state));
	end = draw_files(inner, s, y + 54);
	end = draw_holders(c->w, inner, s, end);
	fclose(inner);
	box(c->out, SESSION_X, y, SESSION_WIDTH, end - y - 4, "memory");
	fputs(text, c->out);
	free(text);
	return end + 10;
}

static int draw_sessions(struct canvas *c)
{
	int y = c->y;

	for (unsigned int i = 0; i < c->w->sessions.count; i++) {
		c->session_y[i] = y;
		if (show_session_is(&c->w->sessions.list[i], c->in))
			y = draw_session(c, &c->w->sessions.list[i], y);
	}
	return y;
}

/* ---- All of it ----------------------------------------------------------- */

static void draw_section(struct canvas *c)
{
	int end;

	words(c->out, MARGIN, c->y + 24, "t",
	      c->in ? "From the kernel before" : "For the next kernel");
	c->y += 40;
	end = draw_sessions(c);
	for (unsigned int i = 0; i < c->w->iommu.units; i++) {
		const struct lu_unit *u = &c->w->iommu.unit[i];
		char title[128];

		if (u->in != c->in)
			continue;
		snprintf(title, sizeof(title), "%s  %s",
			 strcmp(u->name, "-") ? u->name : "IOMMU", u->driver);
		if (u->tables >= 0)
			snprintf(title + strlen(title),
				 sizeof(title) - strlen(title),
				 ", %" PRId64 " table page%s of its own",
				 u->tables, u->tables == 1 ? "" : "s");
		draw_unit(c, u->id, title);
	}
	draw_unit(c, -1, "IOMMU not known");
	draw_loose(c);
	c->y = end > c->y ? end : c->y;
}

static void head(FILE *out, int height)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
		"<title>What a kexec live update preserves</title>\n<style>%s</style>\n<defs>\n",
		WIDTH, height, WIDTH, height, style);
	for (int i = 0; i < 2; i++)
		fprintf(out,
			"<marker id=\"%s\" viewBox=\"0 0 8 8\" refX=\"1\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"%s\"/></marker>\n",
			i ? "owner" : "line", i ? "#c99a2e" : "#5a8fd8");
	fprintf(out,
		"</defs>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
		WIDTH, height);
}

void show_svg(const struct world *w, FILE *out)
{
	struct canvas c = { .w = w, .y = 4 };
	char *body = NULL;
	size_t bytes;

	c.out = open_memstream(&body, &bytes);
	if (!c.out) {
		complain("there is no memory left.");
		exit(EXIT_CANNOT);
	}
	c.session_y = must_alloc(w->sessions.count * sizeof(int));
	for (int in = 0; in < 2; in++) {
		c.in = in;
		if (show_any(w, in))
			draw_section(&c);
	}
	if (!show_any(w, false) && !show_any(w, true)) {
		words(c.out, MARGIN, c.y + 24, "t", "Nothing is preserved");
		c.y += 40;
	}
	fclose(c.out);
	head(out, c.y + MARGIN / 2);
	fputs(body, out);
	fputs("</svg>\n", out);
	free(c.session_y);
	free(body);
}
