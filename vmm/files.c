// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

#define BYTES_MAX (256u << 20) /* a state of QEMU has some 100 KiB */

int file_path(char path[PATH_MAX], const struct request *req,
	      const char *ending, struct why *why)
{
	int n = snprintf(path, PATH_MAX, "%s/%s%s", req->dir, req->name,
			 ending);

	if (n < PATH_MAX)
		return 0;
	return because(why, -ENAMETOOLONG, "%s/%s is too long for a path",
		       req->dir, req->name);
}

void *file_read_fd(int fd, size_t *ret_length)
{
	size_t used = 0, room = 4096;
	char *data = malloc(room), *more;
	ssize_t got = 1;

	while (data && got) {
		got = read(fd, data + used, room - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || used + got > BYTES_MAX) {
			free(data);
			errno = got < 0 ? errno : EFBIG;
			return NULL;
		}
		used += got;
		if (room - used > 1)
			continue;
		more = realloc(data, room *= 2);
		if (!more)
			free(data);
		data = more;
	}
	if (data) {
		data[used] = 0;
		*ret_length = used;
	}
	return data;
}

void *file_read(const char *path, size_t *ret_length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	void *data;

	if (fd < 0)
		return NULL;
	data = file_read_fd(fd, ret_length);
	err = errno;
	close(fd);
	errno = err;
	return data;
}

static int write_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t put = write(fd, data, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		data += put;
		length -= put;
	}
	return 0;
}

/* Renamed into place, so that whoever waits for it sees all of it. */
int file_write(const char *path, const void *data, size_t length)
{
	char other[PATH_MAX];
	int fd, rc;

	if (snprintf(other, sizeof(other), "%s.new", path) >= (int)sizeof(other))
		return -ENAMETOOLONG;
	fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, data, length);
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(other, path))
		rc = -errno;
	if (rc)
		unlink(other);
	return rc;
}

json_object *file_object(const struct request *req, const char *ending,
			 struct why *why)
{
	char path[PATH_MAX], *text;
	json_object *object;
	size_t length;

	if (file_path(path, req, ending, why))
		return NULL;
	text = file_read(path, &length);
	if (!text) {
		because(why, -errno, "%s: %m", path);
		return NULL;
	}
	object = json_tokener_parse(text);
	free(text);
	if (json_object_is_type(object, json_type_object))
		return object;
	json_object_put(object);
	because(why, -EBADMSG, "%s is not one of ours", path);
	return NULL;
}

int file_put_object(const struct request *req, const char *ending,
		    json_object *object, struct why *why)
{
	const char *text = json_object_to_json_string(object);
	char path[PATH_MAX];
	int rc = file_path(path, req, ending, why);

	if (rc)
		return rc;
	rc = text ? file_write(path, text, strlen(text)) : -ENOMEM;
	if (rc)
		because(why, rc, "%s cannot be written: %s", path,
			strerror(-rc));
	return rc;
}

const char *text_of(json_object *object, const char *key)
{
	const char *text =
		json_object_get_string(json_object_object_get(object, key));

	return text ? text : "";
}

json_object *device_named(json_object *object, const char *name)
{
	json_object *list = json_object_object_get(object, "devices");

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		json_object *one = json_object_array_get_idx(list, i);

		if (!strcmp(text_of(one, "name"), name))
			return one;
	}
	return NULL;
}

char **list_of(json_object *array)
{
	size_t n;
	char **list;

	if (!json_object_is_type(array, json_type_array))
		return NULL;
	n = json_object_array_length(array);
	list = n ? calloc(n + 1, sizeof(*list)) : NULL;
	for (size_t i = 0; list && i < n; i++) {
		json_object *one = json_object_array_get_idx(array, i);

		if (json_object_is_type(one, json_type_string))
			list[i] = strdup(json_object_get_string(one));
		if (!list[i]) {
			list_free(list);
			return NULL;
		}
	}
	return list;
}

void list_free(char **list)
{
	for (char **at = list; at && *at; at++)
		free(*at);
	free(list);
}

json_object *array_of(char *const *list)
{
	json_object *array = json_object_new_array();

	for (char *const *at = list; *at; at++)
		json_object_array_add(array, json_object_new_string(*at));
	return array;
}
