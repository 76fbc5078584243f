// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "image.h"
#include "json.h"
#include "luctl.h"
#include "sysfs.h"
#include "world.h"

#define LISTS "/sys/kernel/liveupdate/"

/* One of the kernel's two lists, to be freed; NULL if it has none. */
static char *list_text(const char *name)
{
	char *text = sys_text(LISTS "%s", name), *all = NULL;
	struct names names;

	if (text && !names_parse(text, &names))
		all = names_text(&names);
	free(text);
	return all;
}

static const char *release(void)
{
	static struct utsname name;

	return uname(&name) ? "?" : name.release;
}

static void print_kernel(void)
{
	char *writes = list_text("writes"), *reads = list_text("reads");
	bool same = writes && reads && !strcmp(writes, reads);

	printf("%-9s %s\n", "kernel", release());
	if (writes)
		printf("%-9s %s %s\n", "", same ? "writes and reads" : "writes",
		       writes);
	else
		printf("%-9s it hands over no devices\n", "");
	if (reads && !same)
		printf("%-9s reads %s\n", "", reads);
	free(writes);
	free(reads);
}

static void print_node(const struct world *w)
{
	char *who = world_holders_text(w, HOLDS_NODE, NULL);

	if (!sys_exists("/dev/liveupdate"))
		printf("%-9s there is no /dev/liveupdate; boot with liveupdate=on\n",
		       "node");
	else
		printf("%-9s %s has /dev/liveupdate open\n", "node", who);
	free(who);
}

static void print_loaded(const struct loaded *l)
{
	if (!l->any)
		printf("%-9s nothing\n", "loaded");
	else if (!l->known)
		printf("%-9s something, not by luctl\n", "loaded");
	else
		printf("%-9s %s\n%-9s %s%s\n%-9s %s\n", "loaded", l->image, "",
		       l->initrd ? "with " : "without an initial RAM disk",
		       l->initrd ? l->initrd : "", "", l->line);
}

static void print_sessions(const struct world *w)
{
	if (!w->sessions.count)
		printf("%-9s none\n", "sessions");
	for (unsigned int i = 0; i < w->sessions.count; i++) {
		const struct session *s = &w->sessions.list[i];
		char *who = world_holders_text(w, HOLDS_SESSION, s->name);

		printf("%-9s %s  %s, %u file%s; %s has it\n",
		       i ? "" : "sessions", s->name,
		       session_state_name(s->state), s->files,
		       s->files == 1 ? "" : "s", who);
		free(who);
	}
}

static void print_devices(const struct iommu *i)
{
	if (i->error)
		return;
	if (!i->devices)
		printf("%-9s none\n", "devices");
	for (unsigned int n = 0; n < i->devices; n++)
		printf("%-9s %s  %s%s\n", n ? "" : "devices", i->device[n].bdf,
		       i->device[n].state,
		       iommu_on_old_tables(i, &i->device[n]) ?
			       ", with tables of the old kernel" :
			       "");
}

static void put_names(json_object *to, const char *key, const char *file)
{
	char *text = sys_text(LISTS "%s", file);
	struct names names;
	json_object *list;

	if (!text || names_parse(text, &names)) {
		put_text(to, key, NULL);
	} else {
		list = put_list(to, key);
		for (unsigned int i = 0; i < names.count; i++)
			json_object_array_add(
				list, json_object_new_string(names.name[i]));
	}
	free(text);
}

static json_object *loaded_json(const struct loaded *l)
{
	json_object *o = json_object_new_object();

	put_bool(o, "known", l->known);
	put_text(o, "image", l->known ? l->image : NULL);
	put_text(o, "initrd", l->known ? l->initrd : NULL);
	put_text(o, "cmdline", l->known ? l->line : NULL);
	return o;
}

static void print_json(const struct world *w)
{
	json_object *o = json_answer("status"), *list;
	const struct holder *h;
	unsigned int at = 0;

	put_text(o, "kernel", release());
	put_names(o, "writes", "writes");
	put_names(o, "reads", "reads");
	put_bool(o, "node", sys_exists("/dev/liveupdate"));
	list = put_list(o, "node_holders");
	while ((h = holder_next(&w->holders, HOLDS_NODE, NULL, &at)))
		json_object_array_add(list, json_object_new_int(h->pid));
	json_object_object_add(o, "loaded",
			       w->loaded.any ? loaded_json(&w->loaded) : NULL);
	world_sessions_json(w, o);
	list = put_list(o, "devices");
	for (unsigned int i = 0; i < w->iommu.devices; i++) {
		const struct lu_device *d = &w->iommu.device[i];
		json_object *one = json_object_new_object();

		put_text(one, "bdf", d->bdf);
		put_text(one, "state", d->state);
		put_bool(one, "old_tables", iommu_on_old_tables(&w->iommu, d));
		json_object_array_add(list, one);
	}
	world_cannot_json(w, o);
	json_print(o);
}

int verb_status(const struct request *req)
{
	struct world w;

	world_read(&w);
	if (req->json) {
		print_json(&w);
	} else {
		print_kernel();
		print_node(&w);
		print_loaded(&w.loaded);
		print_sessions(&w);
		print_devices(&w.iommu);
		world_cannot_print(&w);
	}
	world_free(&w);
	return EXIT_TAKEN;
}
