// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "words.h"

#define TEXT_BYTES 4096

static char cmdline[TEXT_BYTES];
static char carried[128];

void words_read(void)
{
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;

	if (fd >= 0) {
		got = read(fd, cmdline, sizeof(cmdline) - 1);
		close(fd);
	}
	if (got < 0)
		got = 0;
	cmdline[got] = 0;
	cmdline[strcspn(cmdline, "\n")] = 0;
}

/*
 * Finds "key<assign>value" in text whose items are set apart by any character
 * of @between. Answers live in a small ring of buffers, enough for one caller
 * that holds a few at once.
 */
static const char *lookup(const char *text, const char *between,
			  const char *key, char assign)
{
	static char answer[8][512];
	static unsigned int turn;
	size_t len = strlen(key);

	while (*text) {
		size_t item = strcspn(text, between);

		if (item > len && !strncmp(text, key, len) &&
		    text[len] == assign) {
			char *out = answer[turn++ % 8];

			snprintf(out, sizeof(answer[0]), "%.*s",
				 (int)(item - len - 1), text + len + 1);
			return out;
		}
		text += item;
		text += strspn(text, between);
	}
	return NULL;
}

const char *word(const char *key)
{
	return lookup(cmdline, " ", key, '=');
}

unsigned long word_number(const char *key, unsigned long fallback)
{
	const char *text = word(key);

	return text ? strtoul(text, NULL, 0) : fallback;
}

const char *arg(const char *key)
{
	const char *args = word("lu.args");

	return args ? lookup(args, ",", key, ':') : NULL;
}

unsigned long arg_number(const char *key, unsigned long fallback)
{
	const char *text = arg(key);

	return text ? strtoul(text, NULL, 0) : fallback;
}

/* Is "word" or "word=value" among the items of @list that start with '-'? */
static bool taken_away(const char *list, const char *item)
{
	size_t len;

	for (; *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (len > 1 && list[0] == '-' &&
		    !strncmp(item, list + 1, len - 1) &&
		    (!item[len - 1] || item[len - 1] == '='))
			return true;
	}
	return false;
}

void words_carry(const char *item)
{
	snprintf(carried, sizeof(carried), "%s", item);
}

void words_next(char *text, size_t size, unsigned int stage,
		unsigned int failed, const char *more)
{
	const char *next = word("lu.next");
	char copy[TEXT_BYTES], list[TEXT_BYTES], *save, *item;
	size_t used;

	snprintf(list, sizeof(list), "-lu.stage,-lu.failed,-lu.next,%s,%s,%s",
		 next ? next : "", more ? more : "", carried);
	used = snprintf(text, size, "lu.stage=%u lu.failed=%u", stage, failed);
	snprintf(copy, sizeof(copy), "%s", cmdline);
	for (item = strtok_r(copy, " ", &save); item && used < size;
	     item = strtok_r(NULL, " ", &save))
		if (!taken_away(list, item))
			used += snprintf(text + used, size - used, " %s", item);
	for (item = strtok_r(list, ",", &save); item && used < size;
	     item = strtok_r(NULL, ",", &save))
		if (item[0] != '-')
			used += snprintf(text + used, size - used, " %s", item);
}
