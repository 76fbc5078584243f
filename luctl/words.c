// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luctl.h"
#include "sysfs.h"
#include "words.h"

/* Words that keep a kernel from taking over, whatever stands behind "=". */
static const struct {
	const char *key;
	const char *why;
} harmful[] = {
	{ "mem", "memory that was handed over may be hidden from it" },
	{ "memmap", "memory that was handed over may be hidden from it" },
	{ "nointremap", "interrupt remapping is turned off" },
	{ "noapic", "interrupt remapping is turned off" },
	{ "nolapic", "interrupt remapping is turned off" },
	{ "nosmp", "interrupt remapping is turned off" },
	{ "nox2apic", "the format of interrupt remapping changes" },
};

/* Words that do so when this is among what stands behind "=". */
static const struct {
	const char *key;
	const char *item;
	const char *why;
} harmful_with[] = {
	{ "intel_iommu", "off", "intel_iommu is turned off" },
	{ "amd_iommu", "off", "amd_iommu is turned off" },
	{ "iommu", "off", "iommu is turned off" },
	{ "acpi", "off", "it does not find the IOMMU" },
	{ "pci", "off", "it does not find the devices where they were" },
	{ "pci", "noacpi", "it does not find the devices where they were" },
	{ "intremap", "off", "interrupt remapping is turned off" },
	{ "maxcpus", "0", "interrupt remapping is turned off" },
};

/* One word from *@line on, which is moved behind it; false at the end. */
static bool next_word(const char **line, const char **ret_word,
		      size_t *ret_length)
{
	const char *at = *line;
	bool quoted = false;

	at += strspn(at, " \t\n");
	*ret_word = at;
	for (; *at && (quoted || !strchr(" \t\n", *at)); at++)
		if (*at == '"')
			quoted = !quoted;
	*ret_length = at - *ret_word;
	*line = at;
	return *ret_length;
}

/* The kernel does not tell '-' from '_' in the name of a parameter. */
static bool is_key(const char *word, size_t length, const char *key)
{
	size_t i;

	for (i = 0; i < length && key[i] && word[i] != '='; i++)
		if (word[i] != key[i] && !(word[i] == '-' && key[i] == '_'))
			return false;
	return !key[i] && (i == length || word[i] == '=');
}

char *word_value(const char *line, const char *key)
{
	char *value = NULL;
	const char *word;
	size_t length;

	while (next_word(&line, &word, &length)) {
		/* What follows is init's. */
		if (length == 2 && !memcmp(word, "--", 2))
			break;
		if (!is_key(word, length, key))
			continue;
		free(value);
		value = length > strlen(key) ?
				must_print("%.*s",
					   (int)(length - strlen(key) - 1),
					   word + strlen(key) + 1) :
				must_copy("");
	}
	return value;
}

static bool begins(const char *value, const char *letters)
{
	return value[0] && strchr(letters, value[0]);
}

bool word_is_on(const char *value)
{
	return begins(value, "yYtT1") ||
	       (begins(value, "oO") && begins(value + 1, "nN"));
}

bool word_is_off(const char *value)
{
	return begins(value, "nNfF0") ||
	       (begins(value, "oO") && begins(value + 1, "fF"));
}

bool word_has(const char *value, const char *item)
{
	size_t length = strlen(item);

	while (*value) {
		size_t n = strcspn(value, ",");

		if (n == length && !memcmp(value, item, n))
			return true;
		value += n + (value[n] == ',');
	}
	return false;
}

static void yes_or_no(const char *line, words_found *found, void *arg)
{
	char *value = word_value(line, "liveupdate");

	if (!value || !word_is_on(value))
		found(arg, "liveupdate", "liveupdate=on is missing");
	free(value);
	value = word_value(line, "kho");
	if (value && word_is_off(value))
		found(arg, "kho", "kho is turned off");
	free(value);
}

void words_against(const char *line, words_found *found, void *arg)
{
	char *value, *text;

	yes_or_no(line, found, arg);
	for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++) {
		value = word_value(line, harmful[i].key);
		if (!value)
			continue;
		text = must_print("%s: %s", harmful[i].key, harmful[i].why);
		found(arg, harmful[i].key, text);
		free(text);
		free(value);
	}
	for (size_t i = 0; i < sizeof(harmful_with) / sizeof(harmful_with[0]);
	     i++) {
		value = word_value(line, harmful_with[i].key);
		if (value && word_has(value, harmful_with[i].item))
			found(arg, harmful_with[i].key, harmful_with[i].why);
		free(value);
	}
}

/* What a boot loader adds for itself. */
static bool loaders_word(const char *word, size_t length)
{
	return is_key(word, length, "BOOT_IMAGE") ||
	       is_key(word, length, "initrd");
}

static char *running_words(void)
{
	char *line = sys_text("/proc/cmdline"), *all = must_copy("");
	const char *at = line ? line : "", *word;
	size_t length;

	while (next_word(&at, &word, &length)) {
		char *more;

		if (loaders_word(word, length))
			continue;
		more = must_print("%s%s%.*s", all, all[0] ? " " : "",
				  (int)length, word);
		free(all);
		all = more;
	}
	free(line);
	return all;
}

char *words_next(const struct request *req)
{
	char *running, *both;

	if (req->append && !req->reuse)
		return must_copy(req->append);
	running = running_words();
	if (!req->append)
		return running;
	both = must_print("%s %s", running, req->append);
	free(running);
	return both;
}
