// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "loaded.h"
#include "sysfs.h"

#define RUN "/run"
#define FOLDER RUN "/luctl"
#define NOTE FOLDER "/loaded"

static void boot_id(char *buf, size_t size)
{
	sys_line(buf, size, "/proc/sys/kernel/random/boot_id");
}

static char *member(json_object *o, const char *key)
{
	json_object *value;

	if (!json_object_object_get_ex(o, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return must_copy(json_object_get_string(value));
}

/* A note from before the last boot says nothing. */
static void read_note(struct loaded *ret, json_object *note)
{
	char *then = member(note, "boot_id"), now[64];

	boot_id(now, sizeof(now));
	ret->image = member(note, "image");
	ret->initrd = member(note, "initrd");
	ret->line = member(note, "cmdline");
	ret->known = then && !strcmp(then, now) && ret->image && ret->line;
	free(then);
}

void loaded_read(struct loaded *ret)
{
	char *text = sys_text(NOTE);
	json_object *note;

	memset(ret, 0, sizeof(*ret));
	ret->any = sys_number(0, "/sys/kernel/kexec_loaded") > 0;
	note = ret->any && text ? json_tokener_parse(text) : NULL;
	if (note)
		read_note(ret, note);
	json_object_put(note);
	free(text);
}

void loaded_free(struct loaded *l)
{
	free(l->image);
	free(l->initrd);
	free(l->line);
}

static int write_note(const char *path, const char *text)
{
	char *part = must_print("%s.new", path);
	int fd, rc = 0;

	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		rc = errno ? -errno : -EIO;
	if (fd >= 0)
		close(fd);
	if (!rc && rename(part, path))
		rc = -errno;
	if (rc)
		unlink(part);
	free(part);
	return rc;
}

/* In an initial RAM disk there may be no /run yet. */
static int make_folder(void)
{
	static const char *const names[] = { RUN, FOLDER };
	int rc = 0;

	for (int i = 0; !rc && i < 2; i++) {
		char *path = root_path("%s", names[i]);

		if (mkdir(path, 0755) && errno != EEXIST)
			rc = -errno;
		free(path);
	}
	return rc;
}

/* It is read again in another folder. */
static void put_path(json_object *note, const char *key, const char *path)
{
	char *whole = path ? realpath(path, NULL) : NULL;

	put_text(note, key, whole ? whole : path);
	free(whole);
}

int loaded_note(const char *image, const char *initrd, const char *line)
{
	char *path = root_path(NOTE), id[64];
	json_object *note;
	int rc = 0;

	if (!image) {
		if (unlink(path) && errno != ENOENT)
			rc = -errno;
		goto out;
	}
	rc = make_folder();
	if (rc)
		goto out;
	boot_id(id, sizeof(id));
	note = json_object_new_object();
	put_text(note, "boot_id", id);
	put_path(note, "image", image);
	put_path(note, "initrd", initrd);
	put_text(note, "cmdline", line);
	rc = write_note(path, json_object_to_json_string(note));
	json_object_put(note);
out:
	free(path);
	return rc;
}
