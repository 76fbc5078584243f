/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of a kernel, as far as a live update depends on it. */
#ifndef LUCTL_WORDS_H
#define LUCTL_WORDS_H

#include <stdbool.h>

struct request;

/*
 * The line that the next kernel gets: --append, or what the running kernel has
 * but for what a boot loader put there. To be freed.
 */
char *words_next(const struct request *req);

/*
 * The value of a word, the last one counts: "" if there is no "=", NULL if the
 * word is not there. To be freed.
 */
char *word_value(const char *line, const char *key);

/* As the kernel reads a yes or no. */
bool word_is_on(const char *value);
bool word_is_off(const char *value);

/* Is @item among the values that commas separate? */
bool word_has(const char *value, const char *item);

/* Calls back for each thing that stands against a live update. */
typedef void words_found(void *arg, const char *key, const char *sentence);
void words_against(const char *line, words_found *found, void *arg);

#endif
