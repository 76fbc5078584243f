// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "json.h"
#include "sysfs.h"

/* How wide the sentences are before their level */
#define TEXT_WIDTH 60

static const char *const level_name[] = {
	[FINE] = "ok",
	[NOTE] = "note",
	[UNKNOWN] = "unknown",
	[REFUSED] = "refused",
};

static bool ignores(const struct request *req, const char *code)
{
	for (unsigned int i = 0; i < req->ignores; i++)
		if (!strcmp(req->ignore[i], code))
			return true;
	return false;
}

void found(struct findings *f, enum level level, const char *area,
	   const char *code, const char *subject, const char *hint,
	   const char *fmt, ...)
{
	struct finding *new;
	va_list args;

	f->list = must_grow(f->list, f->count + 1, sizeof(*f->list));
	new = &f->list[f->count++];
	memset(new, 0, sizeof(*new));
	new->ignored = level >= UNKNOWN &&ignores(f->req, code);
	new->level = new->ignored ? NOTE : level;
	new->area = area;
	new->code = code;
	new->subject = subject ? must_copy(subject) : NULL;
	new->hint = hint ? must_copy(hint) : NULL;
	va_start(args, fmt);
	if (vasprintf(&new->text, fmt, args) < 0)
		new->text = must_copy(fmt);
	va_end(args);
}

unsigned int findings_of(const struct findings *f, enum level level)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < f->count; i++)
		count += f->list[i].level == level;
	return count;
}

int findings_code(const struct findings *f)
{
	if (findings_of(f, REFUSED))
		return EXIT_REFUSED;
	return findings_of(f, UNKNOWN) ? EXIT_CANNOT : EXIT_TAKEN;
}

static void print_one(const struct finding *one, bool same_area, FILE *out)
{
	fprintf(out, "%-9s %-*s  %s%s\n", same_area ? "" : one->area,
		TEXT_WIDTH, one->text, level_name[one->level],
		one->ignored ? " (ignored)" : "");
	if (one->level >= UNKNOWN || one->ignored)
		fprintf(out, "%-9s   [%s]%s%s\n", "", one->code,
			one->hint ? " " : "", one->hint ? one->hint : "");
	else if (one->hint)
		fprintf(out, "%-9s   %s\n", "", one->hint);
}

void findings_print(const struct findings *f, FILE *out)
{
	unsigned int refused = findings_of(f, REFUSED);
	unsigned int unknown = findings_of(f, UNKNOWN);

	for (unsigned int i = 0; i < f->count; i++)
		print_one(&f->list[i],
			  i && !strcmp(f->list[i].area, f->list[i - 1].area),
			  out);
	if (refused)
		fprintf(out,
			"refused: %u thing%s in the way; nothing was changed\n",
			refused, refused == 1 ? " is" : "s are");
	else if (unknown)
		fprintf(out,
			"cannot tell: %u thing%s not known; nothing was changed\n",
			unknown, unknown == 1 ? " is" : "s are");
	else
		fprintf(out,
			"taken over: nothing is in the way, as far as can be seen\n");
}

static json_object *one_json(const struct finding *one)
{
	json_object *o = json_object_new_object();

	put_text(o, "level", level_name[one->level]);
	put_text(o, "area", one->area);
	put_text(o, "code", one->code);
	put_text(o, "subject", one->subject);
	put_text(o, "text", one->text);
	put_text(o, "hint", one->hint);
	put_bool(o, "ignored", one->ignored);
	return o;
}

void findings_json(const struct findings *f, json_object *to)
{
	json_object *all = json_object_new_array();
	json_object *reasons = json_object_new_array();
	int code = findings_code(f);

	if (code == EXIT_CANNOT)
		json_object_object_add(to, "taken", NULL);
	else
		put_bool(to, "taken", code == EXIT_TAKEN);
	for (unsigned int i = 0; i < f->count; i++) {
		json_object_array_add(all, one_json(&f->list[i]));
		if (f->list[i].level >= UNKNOWN)
			json_object_array_add(
				reasons,
				json_object_new_string(f->list[i].text));
	}
	json_object_object_add(to, "reasons", reasons);
	json_object_object_add(to, "findings", all);
}

void findings_free(struct findings *f)
{
	for (unsigned int i = 0; i < f->count; i++) {
		free(f->list[i].subject);
		free(f->list[i].text);
		free(f->list[i].hint);
	}
	free(f->list);
}
