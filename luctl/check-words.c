// SPDX-License-Identifier: GPL-2.0-only
/* Does the next kernel's command line let it take over? */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sysfs.h"
#include "words.h"

static void against(void *arg, const char *key, const char *sentence)
{
	struct check *c = arg;

	found(&c->found, REFUSED, "cmdline", "cmdline", key,
	      strcmp(key, "liveupdate") ? "take it out of the command line" :
					  "add it to the command line",
	      "%s", sentence);
}

/* The same words have to choose the mode of the IOMMU. */
static void check_mode(struct check *c)
{
	static const char *const modes[] = { "sm_on", "sm_off" };
	char *running = sys_text("/proc/cmdline");
	char *was = running ? word_value(running, "intel_iommu") : NULL;
	char *is = word_value(c->line, "intel_iommu");

	for (int i = 0; was && i < 2; i++) {
		const char *other = modes[!i];

		if (!word_has(was, modes[i]))
			continue;
		if (is && word_has(is, other))
			found(&c->found, REFUSED, "cmdline", "iommu-mode",
			      "intel_iommu", "give both kernels the same mode",
			      "intel_iommu=%s, this kernel has %s", other,
			      modes[i]);
		else if (!is || !word_has(is, modes[i]))
			found(&c->found, NOTE, "cmdline", "iommu-mode",
			      "intel_iommu", NULL,
			      "intel_iommu=%s of this kernel is not there, the mode may differ",
			      modes[i]);
	}
	free(running);
	free(was);
	free(is);
}

/* "256M", "25%" or "1M,2M,3M": what the kernel takes */
static bool scratch_valid(const char *value)
{
	int sizes = 0;
	char *end;

	for (;;) {
		strtoull(value, &end, 0);
		if (end == value)
			return false;
		sizes++;
		if (*end == '%')
			return sizes == 1 && !end[1];
		if (*end && strchr("KkMmGg", *end))
			end++;
		if (!*end)
			return sizes == 1 || sizes == 3;
		if (*end != ',')
			return false;
		value = end + 1;
	}
}

/* It takes effect when a machine is switched on, and the next update needs it. */
static void check_scratch(struct check *c)
{
	char *running = sys_text("/proc/cmdline");
	char *was = running ? word_value(running, "kho_scratch") : NULL;
	char *is = word_value(c->line, "kho_scratch");

	if (is && !scratch_valid(is))
		found(&c->found, REFUSED, "cmdline", "kho-scratch",
		      "kho_scratch", "it is SIZE,SIZE,SIZE or PERCENT%",
		      "kho_scratch=%s is nothing that a kernel takes", is);
	else if (strcmp(was ? was : "", is ? is : "") && !c->req->offline)
		found(&c->found, NOTE, "cmdline", "kho-scratch", "kho_scratch",
		      NULL,
		      "kho_scratch= differs; it counts only when the machine is switched on");
	free(running);
	free(was);
	free(is);
}

void check_words(struct check *c)
{
	unsigned int before = c->found.count;

	words_against(c->line, against, c);
	if (!c->req->offline)
		check_mode(c);
	check_scratch(c);
	if (c->found.count == before)
		found(&c->found, FINE, "cmdline", "cmdline", NULL, NULL,
		      "liveupdate=on, no word that stands against it");
}
