// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "json.h"
#include "luctl.h"

json_object *json_answer(const char *verb)
{
	json_object *o = json_object_new_object();

	put_number(o, "schema", SCHEMA);
	put_text(o, "verb", verb);
	return o;
}

void put_text(json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key,
			       text ? json_object_new_string(text) : NULL);
}

void put_bool(json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

void put_number(json_object *to, const char *key, int64_t value)
{
	json_object_object_add(to, key,
			       value < 0 ? NULL : json_object_new_int64(value));
}

json_object *put_list(json_object *to, const char *key)
{
	json_object *list = json_object_new_array();

	json_object_object_add(to, key, list);
	return list;
}

static void print(json_object *o, int flags)
{
	puts(json_object_to_json_string_ext(
		o, flags | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

void json_print(json_object *o)
{
	print(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

void json_print_line(json_object *o)
{
	print(o, JSON_C_TO_STRING_SPACED);
	fflush(stdout);
}
