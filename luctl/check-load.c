// SPDX-License-Identifier: GPL-2.0-only
/* Can the next kernel be loaded, the way that hands over? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "sysfs.h"

#define SCRATCH "/sys/kernel/debug/kho/out/scratch_len"

/* The largest of the areas that the next kernel is loaded into; 0: not known */
static unsigned long long scratch_bytes(void)
{
	char *text = sys_text(SCRATCH), *at = text, *end;
	unsigned long long most = 0, one;

	while (at && *at) {
		one = strtoull(at, &end, 0);
		if (end == at)
			break;
		most = one > most ? one : most;
		at = end + strspn(end, " \n");
	}
	free(text);
	return most;
}

static void check_room(struct check *c)
{
	unsigned long long most = scratch_bytes(), bytes = c->image.bytes;
	const char *what = c->path;
	struct stat st;

	if (c->initrd && !stat(c->initrd, &st) &&
	    (unsigned long long)st.st_size > bytes) {
		bytes = st.st_size;
		what = c->initrd;
	}
	if (most && bytes > most)
		found(&c->found, REFUSED, "load", "no-room", what,
		      "boot with a larger kho_scratch=",
		      "%s is larger than the largest scratch area, %llu MiB",
		      what, most >> 20);
}

static void check_lockdown(struct check *c)
{
	char line[128], *from;

	sys_line(line, sizeof(line), "/sys/kernel/security/lockdown");
	from = strchr(line, '[');
	if (from && strncmp(from, "[none]", 6)) {
		line[strcspn(line, "]")] = 0;
		if (c->have_image && !c->image.is_signed)
			found(&c->found, REFUSED, "load", "unsigned", c->path,
			      "sign it with a key that this kernel trusts",
			      "the kernel is locked down (%s), and the image has no signature",
			      from + 1);
		else
			found(&c->found, NOTE, "load", "signature", c->path,
			      NULL,
			      "the kernel is locked down (%s); loading will tell if it trusts the image",
			      from + 1);
	}
	sys_line(line, sizeof(line),
		 "/sys/module/module/parameters/sig_enforce");
	if (line[0] == 'Y')
		found(&c->found, NOTE, "load", "signature", c->path, NULL,
		      "modules have to be signed here, so perhaps in the next kernel too");
}

static void check_allowed(struct check *c)
{
	if (sys_number(0, "/proc/sys/kernel/kexec_load_disabled") == 1)
		found(&c->found, REFUSED, "load", "load-disabled", NULL,
		      "only a reboot ends that",
		      "nothing may be loaded: kernel.kexec_load_disabled is 1");
	if (sys_number(-1, "/proc/sys/kernel/kexec_load_limit_reboot") == 0)
		found(&c->found, REFUSED, "load", "load-disabled", NULL,
		      "only a reboot ends that",
		      "nothing may be loaded: kernel.kexec_load_limit_reboot is 0");
}

/* The kernel's loader knows kernels; others take them out of what they are in */
static void check_kind(struct check *c)
{
	if (c->have_image && c->image.unified)
		found(&c->found, REFUSED, "load", "unified", c->path,
		      "take the kernel out with objcopy -O binary --only-section=.linux, and the initrd with .initrd",
		      "it is a unified kernel image, which kexec_file_load() does not know");
}

/* Without an image on the command line: what is there? */
static void check_loaded(struct check *c)
{
	if (!c->world.loaded.any)
		found(&c->found, REFUSED, "load", "nothing-loaded", NULL,
		      "luctl load IMAGE, or name one here",
		      "no kernel is loaded");
	else if (!c->world.loaded.known)
		found(&c->found, UNKNOWN, "load", "unknown-loaded", NULL,
		      "load it with luctl load IMAGE, or name one here",
		      "something is loaded, not by luctl: what it is cannot be told");
	else
		found(&c->found, FINE, "load", "loaded", c->path, NULL,
		      "%s is loaded, by luctl", c->path);
}

void check_load(struct check *c)
{
	unsigned int before = c->found.count;

	if (!sys_exists("/dev/liveupdate"))
		found(&c->found, REFUSED, "kernel", "no-node", NULL,
		      "boot it with liveupdate=on",
		      "there is no /dev/liveupdate: this kernel hands over nothing");
	check_lockdown(c);
	if (!c->req->subject) {
		check_loaded(c);
		return;
	}
	check_allowed(c);
	check_kind(c);
	if (c->have_image)
		check_room(c);
	if (c->found.count == before)
		found(&c->found, FINE, "load", "load", c->path, NULL,
		      "it may be loaded%s",
		      c->world.loaded.any ? ", in place of what is loaded now" :
					    "");
}
