// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "json.h"
#include "sysfs.h"
#include "systemd.h"
#include "words.h"

/* As Debian, Fedora and others name what belongs together */
static char *initrd_beside(const char *image)
{
	static const char *const form[] = {
		"%.*sinitrd.img-%s",
		"%.*sinitramfs-%s.img",
		"%.*sinitrd-%s",
	};
	const char *slash = strrchr(image, '/'),
		   *name = slash ? slash + 1 : image;

	if (strncmp(name, "vmlinuz-", 8))
		return NULL;
	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		char *path;

		if (asprintf(&path, form[i], (int)(name - image), image,
			     name + 8) < 0)
			return NULL;
		if (!access(path, F_OK))
			return path;
		free(path);
	}
	return NULL;
}

static void next_given(struct check *c)
{
	const struct request *req = c->req;

	c->path = must_copy(req->subject);
	if (req->initrd)
		c->initrd = must_copy(req->initrd);
	else if (!req->no_initrd)
		c->initrd = initrd_beside(req->subject);
	/* Of another machine only what is told is known. */
	if (!req->offline || req->append)
		c->line = words_next(req);
}

static void next_loaded(struct check *c)
{
	if (!c->world.loaded.known)
		return;
	c->path = must_copy(c->world.loaded.image);
	c->line = must_copy(c->world.loaded.line);
	if (c->world.loaded.initrd)
		c->initrd = must_copy(c->world.loaded.initrd);
}

void check_begin(struct check *c, const struct request *req)
{
	memset(c, 0, sizeof(*c));
	c->req = req;
	c->found.req = req;
	c->now = req->now;
	c->timeout_ms = req->timeout_ms;
	if (!req->offline) {
		world_read(&c->world);
		if (systemd_is_running())
			c->systemd = systemd_version();
	}
	if (req->subject)
		next_given(c);
	else
		next_loaded(c);
}

void check_end(struct check *c)
{
	free(c->path);
	free(c->initrd);
	free(c->line);
	findings_free(&c->found);
	world_free(&c->world);
}

void check_next(struct check *c)
{
	if (c->path) {
		check_image(c);
		if (c->line)
			check_words(c);
		check_initrd(c);
	}
}

void check_all(struct check *c)
{
	check_next(c);
	check_load(c);
	check_sessions(c);
	check_node(c);
	check_devices(c);
	check_memory(c);
	check_owners(c);
}

static json_object *image_json(const struct check *c)
{
	json_object *o = json_object_new_object(), *reads;

	put_text(o, "path", c->path);
	put_text(o, "initrd", c->initrd);
	put_text(o, "cmdline", c->line);
	put_number(o, "offset", c->image.found ? (int64_t)c->image.at : -1);
	reads = put_list(o, "reads");
	for (unsigned int i = 0; i < c->image.reads.count; i++) {
		char *name = escaped(c->image.reads.name[i]);

		json_object_array_add(reads, json_object_new_string(name));
		free(name);
	}
	return o;
}

static void tell(const struct check *c)
{
	json_object *o;

	if (!c->req->json) {
		findings_print(&c->found, stdout);
		return;
	}
	o = json_answer("check");
	json_object_object_add(o, "image", c->path ? image_json(c) : NULL);
	findings_json(&c->found, o);
	json_print(o);
}

int verb_check(const struct request *req)
{
	struct check c;
	int code;

	if (req->offline && !req->subject) {
		complain("which image? luctl check --offline IMAGE.");
		return EXIT_CANNOT;
	}
	check_begin(&c, req);
	if (req->offline)
		check_next(&c);
	else
		check_all(&c);
	tell(&c);
	code = findings_code(&c.found);
	check_end(&c);
	return code;
}
