// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The map of a session, which lies in a sealed memfd under token 0: JSON, as
 * systemd has it in its own sessions, so that people and tools can read it.
 *
 *   { "version": 1, "kind": "libliveupdate",
 *     "memfds":   [ { "name", "token", "bytes" } ],
 *     "blobs":    [ { "name", "token", "length" } ],
 *     "iommufds": [ { "name", "token" } ],
 *     "hwpts":    [ { "name", "token", "iommufd", "flags" } ],
 *     "maps":     [ { "hwpt", "iova", "length", "memfd", "offset", "prot" } ],
 *     "devices":  [ { "name", "token", "hwpt", "address" } ],
 *     "bars":     [ { "hwpt", "iova", "length", "device", "bar", "offset", "prot" } ] }
 *
 * It is read as if it came from anybody: the kernel passes on whatever a memfd
 * holds. What is not known is passed over; another version is refused.
 */
#include <errno.h>
#include <json.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "parts.h"

#define VERSION 1
#define KIND "libliveupdate"
#define DEPTH_MAX 8

/* Writing. All of these may be given NULL, and give it on. */

static struct json_object *put(struct json_object *to, const char *key,
			       struct json_object *val)
{
	if (to && val && !json_object_object_add(to, key, val))
		return to;
	json_object_put(val);
	json_object_put(to);
	return NULL;
}

static struct json_object *put_text(struct json_object *to, const char *key,
				    const char *text)
{
	return put(to, key, json_object_new_string(text));
}

static struct json_object *put_number(struct json_object *to, const char *key,
				      uint64_t val)
{
	return put(to, key, json_object_new_uint64(val));
}

static struct json_object *named(const char *name, uint64_t token)
{
	return put_number(put_text(json_object_new_object(), "name", name),
			  "token", token);
}

static struct json_object *one_memfd(const struct parts *p, unsigned int i)
{
	const struct part_memfd *m = &p->memfd[i];

	return put_number(named(m->name, m->token), "bytes", m->bytes);
}

static struct json_object *one_blob(const struct parts *p, unsigned int i)
{
	const struct part_blob *b = &p->blob[i];

	return put_number(named(b->name, b->token), "length", b->length);
}

static struct json_object *one_iommufd(const struct parts *p, unsigned int i)
{
	return named(p->iommufd[i].name, p->iommufd[i].token);
}

static struct json_object *one_hwpt(const struct parts *p, unsigned int i)
{
	const struct part_hwpt *h = &p->hwpt[i];

	return put_number(put_text(named(h->name, h->token), "iommufd",
				   p->iommufd[h->iommufd].name),
			  "flags", h->flags);
}

static struct json_object *one_range(const struct parts *p, unsigned int i)
{
	const struct part_map *m = &p->map[i];
	struct json_object *o = json_object_new_object();

	o = put_text(o, "hwpt", p->hwpt[m->hwpt].name);
	o = put_number(o, "iova", m->iova);
	o = put_number(o, "length", m->length);
	o = put_number(o, "offset", m->offset);
	return put_number(o, "prot", m->prot);
}

static struct json_object *one_map(const struct parts *p, unsigned int i)
{
	return put_text(one_range(p, i), "memfd",
			p->memfd[p->map[i].of].name);
}

static struct json_object *one_bar(const struct parts *p, unsigned int i)
{
	return put_number(put_text(one_range(p, i), "device",
				   p->device[p->map[i].of].name),
			  "bar", p->map[i].bar);
}

static struct json_object *one_device(const struct parts *p, unsigned int i)
{
	const struct part_device *d = &p->device[i];

	return put_text(put_text(named(d->name, d->token), "hwpt",
				 p->hwpt[d->hwpt].name),
			"address", d->address);
}

typedef struct json_object *one_of(const struct parts *, unsigned int);

static struct json_object *add(struct json_object *list,
			       struct json_object *o)
{
	if (list && o && !json_object_array_add(list, o))
		return list;
	json_object_put(o);
	json_object_put(list);
	return NULL;
}

static struct json_object *put_list(struct json_object *to, const char *key,
				    const struct parts *parts,
				    unsigned int count, one_of *one)
{
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; list && i < count; i++)
		list = add(list, one(parts, i));
	return put(to, key, list);
}

/* Ranges of memory or of BARs, which are in one array. */
static struct json_object *put_ranges(struct json_object *to, const char *key,
				      const struct parts *parts, bool bars,
				      one_of *one)
{
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; list && i < parts->maps; i++)
		if (parts->map[i].is_bar == bars)
			list = add(list, one(parts, i));
	return put(to, key, list);
}

char *lui_map_write(const struct parts *parts)
{
	struct json_object *o = json_object_new_object();
	const char *text;
	char *copy;

	o = put_number(o, "version", VERSION);
	o = put_text(o, "kind", KIND);
	o = put_list(o, "memfds", parts, parts->memfds, one_memfd);
	o = put_list(o, "blobs", parts, parts->blobs, one_blob);
	o = put_list(o, "iommufds", parts, parts->iommufds, one_iommufd);
	o = put_list(o, "hwpts", parts, parts->hwpts, one_hwpt);
	o = put_ranges(o, "maps", parts, false, one_map);
	o = put_list(o, "devices", parts, parts->devices, one_device);
	o = put_ranges(o, "bars", parts, true, one_bar);
	if (!o)
		return NULL;
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	copy = text ? strdup(text) : NULL;
	json_object_put(o);
	return copy;
}

/* Reading */

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *val;

	if (!json_object_object_get_ex(o, key, &val) ||
	    !json_object_is_type(val, json_type_string) ||
	    strlen(json_object_get_string(val)) !=
		    (size_t)json_object_get_string_len(val))
		return NULL;
	return json_object_get_string(val);
}

/* No sign, no fraction, nothing that was cut to fit. */
static bool number_of(struct json_object *o, const char *key, uint64_t most,
		      uint64_t *ret)
{
	struct json_object *val;
	uint64_t number;

	if (!json_object_object_get_ex(o, key, &val) ||
	    !json_object_is_type(val, json_type_int) ||
	    json_object_get_string(val)[0] == '-')
		return false;
	errno = 0;
	number = json_object_get_uint64(val);
	if (errno || number > most)
		return false;
	*ret = number;
	return true;
}

static int read_memfd(struct parts *p, struct json_object *o)
{
	const char *name = text_of(o, "name");
	uint64_t token, bytes;
	int rc;

	if (!name || !number_of(o, "token", UINT64_MAX, &token) ||
	    !number_of(o, "bytes", INT64_MAX, &bytes))
		return -EINVAL;
	rc = lui_add_memfd(p, name, bytes);
	if (!rc)
		p->memfd[p->memfds - 1].token = token;
	return rc;
}

static int read_blob(struct parts *p, struct json_object *o)
{
	const char *name = text_of(o, "name");
	uint64_t token, length;
	int rc;

	if (!name || !number_of(o, "token", UINT64_MAX, &token) ||
	    !number_of(o, "length", INT64_MAX, &length))
		return -EINVAL;
	rc = lui_add_blob(p, name, NULL, length);
	if (!rc)
		p->blob[p->blobs - 1].token = token;
	return rc;
}

static int read_iommufd(struct parts *p, struct json_object *o)
{
	const char *name = text_of(o, "name");
	uint64_t token;
	int rc;

	if (!name || !number_of(o, "token", UINT64_MAX, &token))
		return -EINVAL;
	rc = lui_add_iommufd(p, name);
	if (!rc)
		p->iommufd[p->iommufds - 1].token = token;
	return rc;
}

static int read_hwpt(struct parts *p, struct json_object *o)
{
	const char *name = text_of(o, "name"), *of = text_of(o, "iommufd");
	uint64_t token, flags;
	int rc;

	if (!name || !of || !number_of(o, "token", UINT64_MAX, &token) ||
	    !number_of(o, "flags", UINT32_MAX, &flags))
		return -EINVAL;
	rc = lui_add_hwpt(p, name, of, flags);
	if (!rc)
		p->hwpt[p->hwpts - 1].token = token;
	return rc;
}

static int read_map(struct parts *p, struct json_object *o)
{
	const char *hwpt = text_of(o, "hwpt"), *memfd = text_of(o, "memfd");
	uint64_t iova, length, offset, prot;

	if (!hwpt || !memfd || !number_of(o, "iova", UINT64_MAX, &iova) ||
	    !number_of(o, "length", UINT64_MAX, &length) ||
	    !number_of(o, "offset", INT64_MAX, &offset) ||
	    !number_of(o, "prot", UINT32_MAX, &prot))
		return -EINVAL;
	return lui_add_map(p, hwpt, iova, length, memfd, offset, prot);
}

static int read_bar(struct parts *p, struct json_object *o)
{
	const char *hwpt = text_of(o, "hwpt"), *device = text_of(o, "device");
	uint64_t iova, length, offset, prot, bar;

	if (!hwpt || !device || !number_of(o, "iova", UINT64_MAX, &iova) ||
	    !number_of(o, "length", UINT64_MAX, &length) ||
	    !number_of(o, "offset", INT64_MAX, &offset) ||
	    !number_of(o, "prot", UINT32_MAX, &prot) ||
	    !number_of(o, "bar", UINT32_MAX, &bar))
		return -EINVAL;
	return lui_add_bar(p, hwpt, iova, length, device, bar, offset, prot);
}

static int read_device(struct parts *p, struct json_object *o)
{
	const char *name = text_of(o, "name"), *hwpt = text_of(o, "hwpt");
	const char *address = text_of(o, "address");
	uint64_t token;
	int rc;

	if (!name || !hwpt || !address ||
	    !number_of(o, "token", UINT64_MAX, &token))
		return -EINVAL;
	rc = lui_add_device(p, name, hwpt, address);
	if (!rc)
		p->device[p->devices - 1].token = token;
	return rc;
}

static int read_list(struct json_object *o, const char *key,
		     struct parts *parts, struct lu_error *err,
		     int (*one)(struct parts *, struct json_object *))
{
	struct json_object *list;
	int rc = 0;

	if (!json_object_object_get_ex(o, key, &list) ||
	    !json_object_is_type(list, json_type_array))
		return lui_fail(err, -EBADMSG, LU_WHY_MAP, key,
				"the map of the session has no list '%s'", key);
	for (size_t i = 0; !rc && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		rc = json_object_is_type(item, json_type_object) ?
			     one(parts, item) :
			     -EINVAL;
		if (rc == -ENOMEM)
			return lui_fail_system(err, rc, NULL,
					       "the map of the session");
		if (rc)
			return lui_fail(err, -EBADMSG, LU_WHY_MAP, key,
					"number %zu of '%s' in the map of the session is wrong",
					i, key);
	}
	return 0;
}

static int read_all(struct json_object *o, struct parts *p,
		    struct lu_error *err)
{
	const char *kind;
	uint64_t version;
	int rc;

	kind = json_object_is_type(o, json_type_object) ? text_of(o, "kind") :
							  NULL;
	if (!kind || strcmp(kind, KIND))
		return lui_fail(err, -EBADMSG, LU_WHY_MAP, NULL,
				"the session was not preserved with libliveupdate");
	if (!number_of(o, "version", UINT64_MAX, &version) ||
	    version != VERSION)
		return lui_fail(err, -EBADMSG, LU_WHY_MAP, NULL,
				"the session has a map of another version than %d; use the libliveupdate that made it",
				VERSION);
	rc = read_list(o, "memfds", p, err, read_memfd);
	rc = rc ? rc : read_list(o, "blobs", p, err, read_blob);
	rc = rc ? rc : read_list(o, "iommufds", p, err, read_iommufd);
	rc = rc ? rc : read_list(o, "hwpts", p, err, read_hwpt);
	rc = rc ? rc : read_list(o, "maps", p, err, read_map);
	rc = rc ? rc : read_list(o, "devices", p, err, read_device);
	return rc ? rc : read_list(o, "bars", p, err, read_bar);
}

int lui_map_read(const char *text, size_t length, struct parts *parts,
		 struct lu_error *err)
{
	struct json_tokener *tok = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *o;
	unsigned int at;
	int rc;

	if (!tok)
		return lui_fail_system(err, -ENOMEM, NULL,
				       "the map of the session");
	o = json_tokener_parse_ex(tok, text, length);
	json_tokener_free(tok);
	if (!o)
		return lui_fail(err, -EBADMSG, LU_WHY_MAP, NULL,
				"token 0 of the session is no map of libliveupdate");
	memset(parts, 0, sizeof(*parts));
	rc = read_all(o, parts, err);
	json_object_put(o);
	if (!rc && lui_merge_maps(parts, &at))
		rc = lui_fail(err, -EBADMSG, LU_WHY_MAP, NULL,
			      "two ranges in the map of the session overlap");
	if (rc)
		lui_parts_free(parts);
	return rc;
}
