// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lu-qemu.h"

#define DIR "/run/lu-qemu"
#define TIMEOUT_MS 30000

static const struct verb {
	const char *name;
	const char *does;
	int (*run)(const struct request *req);
	bool command; /* takes QEMU's command line */
	bool hidden;
	bool all; /* takes --all in place of a name */
} verbs[] = {
	{ "run", "start a guest, or go on with the one that came over",
	  verb_run, true, false, false },
	{ "check", "could this guest go through a live update?", verb_check,
	  false, false, true },
	{ "save", "stop the guest and preserve it, before a live update",
	  verb_save, false, false, false },
	{ "resume", "undo that: let the guest run on in this kernel",
	  verb_resume, false, false, false },
	{ "stop", "save it if the host is about to kexec, or else shut it down",
	  verb_stop, false, false, false },
	{ "hold", "what QEMU becomes while it is preserved", verb_hold, true,
	  true, false },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void help(void)
{
	printf("usage: lu-qemu run [OPTION]... NAME -- QEMU [ARGUMENT]...\n"
	       "       lu-qemu VERB [OPTION]... NAME\n"
	       "       lu-qemu check [OPTION]... --all\n"
	       "A guest of QEMU goes through a kexec live update with its devices.\n\n"
	       "Verbs:\n");
	for (unsigned int i = 0; i < VERBS; i++)
		if (!verbs[i].hidden)
			printf("  %-7s %s\n", verbs[i].name, verbs[i].does);
	printf("\nOptions:\n"
	       "  --monitor PATH     QEMU's own QMP socket; run adds one if not given\n"
	       "  --dir DIR          where guests leave what the next call needs\n"
	       "                     (" DIR ")\n"
	       "  --all              check all guests that run\n"
	       "  --now              check: no service will be stopped before the jump\n"
	       "  --timeout SECONDS  how long to wait for QEMU, or for the drivers of\n"
	       "                     devices (30)\n"
	       "  --help             say this\n"
	       "  --version          which version this is\n\n"
	       "Exit code: 0 done; 1 not done, and the guest is as it was; 2 nobody knows\n"
	       "what was meant; 3 the guest is lost. lu-qemu(1) has more.\n");
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

static const struct verb *find(const char *name)
{
	for (unsigned int i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* It is a part of names of files. */
static bool is_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') &&
	       strlen(name) < LU_NAME_BYTES;
}

static int parse_rest(const struct verb *verb, int argc, char **argv,
		      struct request *req)
{
	if (optind >= argc || !is_name(argv[optind])) {
		complain("%s takes the name of a guest, 1 to %d bytes without '/'.",
			 verb->name, LU_NAME_BYTES - 1);
		return EXIT_CANNOT;
	}
	req->name = argv[optind++];
	if (optind < argc && !strcmp(argv[optind], "--"))
		optind++;
	req->command = argv + optind;
	if (verb->command == (optind < argc))
		return 0;
	complain(verb->command ?
			 "%s takes QEMU's command line behind '--'." :
			 "%s takes one name only. See 'lu-qemu --help'.",
		 verb->name);
	return EXIT_CANNOT;
}

static int parse(const struct verb *verb, int argc, char **argv,
		 struct request *req)
{
	static const struct option known[] = {
		{ "monitor", required_argument, NULL, 'm' },
		{ "dir", required_argument, NULL, 'd' },
		{ "timeout", required_argument, NULL, 't' },
		{ "all", no_argument, NULL, 'a' },
		{ "now", no_argument, NULL, 'n' },
		{ 0 },
	};
	bool all = false;
	int got;

	while ((got = getopt_long(argc, argv, "+", known, NULL)) != -1) {
		if (got == 'm')
			req->monitor = optarg;
		else if (got == 'd')
			req->dir = optarg;
		else if (got == 'a' && verb->all)
			all = true;
		else if (got == 'n' && verb->all)
			req->now = true;
		else if (got != 't' || seconds(optarg, &req->timeout_ms))
			return EXIT_CANNOT;
	}
	if (all && optind == argc && !req->monitor)
		return 0;
	return parse_rest(verb, argc, argv, req);
}

int main(int argc, char **argv)
{
	struct request req = { .dir = DIR, .timeout_ms = TIMEOUT_MS };
	const struct verb *verb;
	int code;

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		help();
		return EXIT_DONE;
	}
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		printf("lu-qemu %s\n", LU_VERSION);
		return EXIT_DONE;
	}
	verb = argc > 1 ? find(argv[1]) : NULL;
	if (!verb) {
		complain("what is to be done? See 'lu-qemu --help'.");
		return EXIT_CANNOT;
	}
	argv[1] = argv[0];
	code = parse(verb, argc - 1, argv + 1, &req);
	return code ? code : verb->run(&req);
}
