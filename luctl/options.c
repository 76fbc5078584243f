// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "sysfs.h"

enum {
	OPT_JSON,
	OPT_DOT,
	OPT_SVG,
	OPT_NOW,
	OPT_OFFLINE,
	OPT_FOR,
	OPT_APPEND,
	OPT_REUSE,
	OPT_INITRD,
	OPT_NO_INITRD,
	OPT_IGNORE,
	OPT_UNLOAD,
	OPT_DRY_RUN,
	OPT_TIMEOUT,
	OPT_ROOT,
	OPT_HELP,
	OPTIONS,
};

#define BIT(n) (1u << (n))
#define EVERYWHERE (BIT(OPT_ROOT) | BIT(OPT_HELP))
#define NEXT_KERNEL                                           \
	(BIT(OPT_APPEND) | BIT(OPT_REUSE) | BIT(OPT_INITRD) | \
	 BIT(OPT_NO_INITRD))

static const struct {
	const char *name;
	const char *arg;
	const char *does;
} options[OPTIONS] = {
	[OPT_JSON] = { "json", NULL, "print the answer as JSON" },
	[OPT_DOT] = { "dot", NULL, "print a graph for graphviz" },
	[OPT_SVG] = { "svg", NULL, "print a picture" },
	[OPT_NOW] = { "now", NULL, "jump at once, nothing is shut down" },
	[OPT_OFFLINE] = { "offline", NULL,
			  "look at the image, not at this machine" },
	[OPT_FOR] = { "for", "FILE",
		      "what the old kernel writes, a name per line; offline" },
	[OPT_APPEND] = { "append", "TEXT", "the next kernel's command line" },
	[OPT_REUSE] = { "reuse-cmdline", NULL,
			"this kernel's command line (as without --append), then TEXT" },
	[OPT_INITRD] = { "initrd", "FILE",
			 "its initial RAM disk; that beside /boot/vmlinuz-* if not given" },
	[OPT_NO_INITRD] = { "no-initrd", NULL, "it has no initial RAM disk" },
	[OPT_IGNORE] = { "ignore", "CODE",
			 "do not refuse because of this finding" },
	[OPT_UNLOAD] = { "unload", NULL, "drop what is loaded" },
	[OPT_DRY_RUN] = { "dry-run", NULL, "say what it would do" },
	[OPT_TIMEOUT] = { "timeout", "SECONDS",
			  "how long to wait: if not given for ever, or 60 for each owner" },
	[OPT_ROOT] = { "root", "DIR",
		       "look for /dev, /proc, /run and /sys below DIR" },
	[OPT_HELP] = { "help", NULL, "say this" },
};

static const struct verb verbs[] = {
	{ "status", "", "what this machine can do, has loaded and preserves",
	  verb_status, BIT(OPT_JSON) | EVERYWHERE, false, false },
	{ "check", "[IMAGE]", "would a live update be taken over?", verb_check,
	  BIT(OPT_JSON) | BIT(OPT_NOW) | BIT(OPT_OFFLINE) | BIT(OPT_FOR) |
		  BIT(OPT_IGNORE) | BIT(OPT_TIMEOUT) | NEXT_KERNEL |
		  EVERYWHERE,
	  true, false },
	{ "load", "[IMAGE]",
	  "load the next kernel, if it takes what is preserved", verb_load,
	  BIT(OPT_UNLOAD) | BIT(OPT_IGNORE) | NEXT_KERNEL | EVERYWHERE, true,
	  false },
	{ "update", "[IMAGE]",
	  "check, load and jump; on any refusal all goes on", verb_update,
	  BIT(OPT_NOW) | BIT(OPT_IGNORE) | BIT(OPT_TIMEOUT) | NEXT_KERNEL |
		  EVERYWHERE,
	  true, false },
	{ "show", "", "what is preserved, in words or as a picture", verb_show,
	  BIT(OPT_JSON) | BIT(OPT_DOT) | BIT(OPT_SVG) | EVERYWHERE, false,
	  false },
	{ "reap", "SESSION", "end a session that nobody wants any more",
	  verb_reap, BIT(OPT_DRY_RUN) | BIT(OPT_TIMEOUT) | EVERYWHERE, true,
	  true },
	{ "watch", "", "wait until all sessions of the old kernel are finished",
	  verb_watch, BIT(OPT_JSON) | BIT(OPT_TIMEOUT) | EVERYWHERE, false,
	  false },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void help(void)
{
	printf("usage: luctl VERB [OPTION]...\n"
	       "Kexec live update: looks, checks, and does it.\n\nVerbs:\n");
	for (unsigned int i = 0; i < VERBS; i++)
		printf("  %-6s %-8s  %s\n", verbs[i].name, verbs[i].args,
		       verbs[i].does);
	printf("\n  --help     say this; luctl VERB --help has the options\n"
	       "  --version  which version this is\n\n"
	       "Exit code: 0 taken over, done; 1 refused, not done; 2 it cannot be told.\n"
	       "luctl(1) has more.\n");
}

static void help_verb(const struct verb *verb)
{
	printf("usage: luctl %s [OPTION]...%s%s\n%c%s\n\nOptions:\n",
	       verb->name, verb->args[0] ? " " : "", verb->args, verb->does[0],
	       verb->does + 1);
	for (int i = 0; i < OPTIONS; i++) {
		char head[40];

		if (!(verb->options & BIT(i)))
			continue;
		snprintf(head, sizeof(head), "--%s%s%s", options[i].name,
			 options[i].arg ? " " : "",
			 options[i].arg ? options[i].arg : "");
		printf("  %-18s %s\n", head, options[i].does);
	}
}

static int seconds(const char *text, int *ret_ms)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0 && value < INT_MAX / 1000)) {
		complain("--timeout takes a number of seconds, not '%s'.",
			 text);
		return EXIT_CANNOT;
	}
	*ret_ms = (int)(value * 1000);
	return 0;
}

static int ignore(struct request *req, const char *code)
{
	if (req->ignores == IGNORES_MAX) {
		complain("--ignore was given too often.");
		return EXIT_CANNOT;
	}
	req->ignore[req->ignores++] = code;
	return 0;
}

static int take(struct request *req, int option, const char *arg)
{
	switch (option) {
	case OPT_JSON:
		req->json = true;
		break;
	case OPT_DOT:
		req->dot = true;
		break;
	case OPT_SVG:
		req->svg = true;
		break;
	case OPT_NOW:
		req->now = true;
		break;
	case OPT_OFFLINE:
		req->offline = true;
		break;
	case OPT_FOR:
		req->wanted = arg;
		req->offline = true;
		break;
	case OPT_APPEND:
		req->append = arg;
		break;
	case OPT_REUSE:
		req->reuse = true;
		break;
	case OPT_INITRD:
		req->initrd = arg;
		break;
	case OPT_NO_INITRD:
		req->no_initrd = true;
		break;
	case OPT_IGNORE:
		return ignore(req, arg);
	case OPT_UNLOAD:
		req->unload = true;
		break;
	case OPT_DRY_RUN:
		req->dry_run = true;
		break;
	case OPT_TIMEOUT:
		return seconds(arg, &req->timeout_ms);
	case OPT_ROOT:
		root_set(arg);
		break;
	}
	return 0;
}

static const struct verb *find(const char *name)
{
	for (unsigned int i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int parse_verb(const struct verb *verb, int argc, char **argv,
		      struct request *ret, const struct verb **ret_verb)
{
	struct option known[OPTIONS + 1] = { 0 };
	int got, n = 0, rc;

	for (int i = 0; i < OPTIONS; i++)
		if (verb->options & BIT(i))
			known[n++] = (struct option){ options[i].name,
						      options[i].arg != NULL,
						      NULL, 256 + i };
	while ((got = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (got == '?') {
			complain("see 'luctl %s --help'.", verb->name);
			return EXIT_CANNOT;
		}
		if (got == 256 + OPT_HELP) {
			help_verb(verb);
			return 0;
		}
		rc = take(ret, got - 256, optarg);
		if (rc)
			return rc;
	}
	if (argc - optind > verb->takes) {
		complain("what is '%s'? See 'luctl %s --help'.",
			 argv[optind + verb->takes], verb->name);
		return EXIT_CANNOT;
	}
	ret->subject = argv[optind];
	if (verb->needs && !ret->subject) {
		complain("%s takes a name: luctl %s %s.", verb->name,
			 verb->name, verb->args);
		return EXIT_CANNOT;
	}
	*ret_verb = verb;
	return 0;
}

int options_parse(int argc, char **argv, struct request *ret,
		  const struct verb **ret_verb)
{
	const struct verb *verb;

	memset(ret, 0, sizeof(*ret));
	ret->timeout_ms = -1;
	*ret_verb = NULL;
	if (argc < 2) {
		complain("what is to be done? See 'luctl --help'.");
		return EXIT_CANNOT;
	}
	if (!strcmp(argv[1], "--help")) {
		help();
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("luctl %s\n", LU_VERSION);
		return 0;
	}
	verb = find(argv[1]);
	if (!verb) {
		complain("there is no '%s'. See 'luctl --help'.", argv[1]);
		return EXIT_CANNOT;
	}
	argv[1] = argv[0];
	return parse_verb(verb, argc - 1, argv + 1, ret, ret_verb);
}
