/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest leaves in the folder of guests, as NAME and an ending: for the
 * process that QEMU becomes, and for those who wait for it.
 */
#ifndef LU_QEMU_FILES_H
#define LU_QEMU_FILES_H

#include <json-c/json.h>
#include <limits.h>

#include "lu-qemu.h"

#define FILE_MONITOR ".qmp" /* the socket of QEMU's monitor */
#define FILE_STREAM ".stream" /* the state of QEMU's own devices */
#define FILE_ASK ".ask" /* from save: what QEMU becomes has to know */
#define FILE_ANSWER ".answer" /* what has become of it */

/* 0 or -ENAMETOOLONG */
int file_path(char path[PATH_MAX], const struct request *req,
	      const char *ending, struct why *why);

/*
 * All of it, with a NUL behind; NULL with errno. To be freed. It need not be a file
 * that says how long it is.
 */
void *file_read(const char *path, size_t *ret_length);
void *file_read_fd(int fd, size_t *ret_length);

/* Makes it anew, readable by its owner only. 0 or -errno */
int file_write(const char *path, const void *data, size_t length);

/* Objects in such files. NULL with @why; 0 or -errno with @why. */
json_object *file_object(const struct request *req, const char *ending,
			 struct why *why);
int file_put_object(const struct request *req, const char *ending,
		    json_object *object, struct why *why);

/* A text of an object, "" if it has none of that name. */
const char *text_of(json_object *object, const char *key);

/* Of what @object lists as "devices" that with this name; NULL if there is none. */
json_object *device_named(json_object *object, const char *name);

/*
 * An array of texts as a NULL-terminated list, to be freed with list_free(); NULL
 * if it is something else or empty.
 */
char **list_of(json_object *array);
void list_free(char **list);
/* And the other way. */
json_object *array_of(char *const *list);

#endif
