/* SPDX-License-Identifier: GPL-2.0-only */
/* The little that json-c does not do itself. luctl/schema/ says what is printed. */
#ifndef LUCTL_JSON_H
#define LUCTL_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* An object with the version of the schema, and the verb whose answer it is. */
json_object *json_answer(const char *verb);

/* NULL is null. */
void put_text(json_object *to, const char *key, const char *text);
void put_bool(json_object *to, const char *key, bool value);
/* A negative one is null: unknown. */
void put_number(json_object *to, const char *key, int64_t value);
json_object *put_list(json_object *to, const char *key);

/* Prints it, over several lines or in one, and frees it. */
void json_print(json_object *o);
void json_print_line(json_object *o);

#endif
