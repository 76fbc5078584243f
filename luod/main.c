// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker.h"
#include "calls.h"
#include "notify.h"
#include "server.h"

/* How systemd calls the socket it passes, if the unit does not say otherwise */
#define SOCKET_UNIT "luod.socket"

static const char *const help =
	"Usage: luod [OPTION]...\n"
	"Keeps live update sessions of users while their owners are gone.\n"
	"\n"
	"      --socket=PATH        listen there (" LU_BROKER_SOCKET ")\n"
	"      --node=PATH          the kernel's interface (" LUI_NODE ")\n"
	"      --sessions=N         keep at most N sessions of a user (64)\n"
	"      --sessions-all=N     and of all users together (1024)\n"
	"      --clients=N          serve at most N connections of a user (32)\n"
	"      --clients-all=N      and of all users together (512)\n"
	"      --wait=MS            how long to try a node that is busy (5000)\n"
	"  -h, --help               print this\n"
	"  -V, --version            print the version\n"
	"\n"
	"It is started by luod.service, and asked by libliveupdate; see luod(8).\n";

enum option_key {
	KEY_SOCKET = 256,
	KEY_NODE,
	KEY_SESSIONS,
	KEY_SESSIONS_ALL,
	KEY_CLIENTS,
	KEY_CLIENTS_ALL,
	KEY_WAIT,
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, KEY_SOCKET },
	{ "node", required_argument, NULL, KEY_NODE },
	{ "sessions", required_argument, NULL, KEY_SESSIONS },
	{ "sessions-all", required_argument, NULL, KEY_SESSIONS_ALL },
	{ "clients", required_argument, NULL, KEY_CLIENTS },
	{ "clients-all", required_argument, NULL, KEY_CLIENTS_ALL },
	{ "wait", required_argument, NULL, KEY_WAIT },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* What the service manager has passed */
struct passed {
	struct server *server;
	unsigned int sessions;
};

static void fail(const char *what, const char *name, int code)
{
	fprintf(stderr, "luod: %s %s: %s\n", what, name, strerror(code));
	exit(1);
}

static unsigned int number(const char *option, const char *text,
			   unsigned int least)
{
	unsigned long val;
	char *end;

	errno = 0;
	val = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || val < least ||
	    val > 1000000) {
		fprintf(stderr, "luod: --%s takes a number from %u to 1000000, not '%s'\n",
			option, least, text);
		exit(2);
	}
	return val;
}

static void read_limit(struct limits *most, int key, const char *text)
{
	switch (key) {
	case KEY_SESSIONS:
		most->sessions = number("sessions", text, 1);
		break;
	case KEY_SESSIONS_ALL:
		most->sessions_all = number("sessions-all", text, 1);
		break;
	case KEY_CLIENTS:
		most->clients = number("clients", text, 1);
		break;
	case KEY_CLIENTS_ALL:
		most->clients_all = number("clients-all", text, 1);
		break;
	case KEY_WAIT:
		most->wait_ms = number("wait", text, 0);
		break;
	default:
		fputs("Try 'luod --help'.\n", stderr);
		exit(2);
	}
}

/* Return: where to listen */
static const char *read_options(int argc, char **argv, struct server *server)
{
	const char *where = LU_BROKER_SOCKET;
	int key;

	/* getopt() is to name the program, which argv[0] may not do. */
	argv[0] = (char *)(uintptr_t)"luod";
	while ((key = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (key) {
		case 'h':
			fputs(help, stdout);
			exit(0);
		case 'V':
			puts("luod " LU_VERSION);
			exit(0);
		case KEY_SOCKET:
			where = optarg;
			break;
		case KEY_NODE:
			server->node = optarg;
			break;
		default:
			read_limit(&server->most, key, optarg);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "luod: '%s' is not an option; try 'luod --help'\n",
			argv[optind]);
		exit(2);
	}
	return where;
}

static bool listens(int fd)
{
	int type = 0, domain = 0, accepts = 0;
	socklen_t length = sizeof(int);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) &&
	       !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) &&
	       !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) &&
	       type == SOCK_SEQPACKET && domain == AF_UNIX && accepts;
}

/* Its socket, or a session out of the store */
static void take_passed(int fd, const char *name, void *arg)
{
	struct passed *passed = arg;
	struct server *server = passed->server;

	if (!strcmp(name, SOCKET_UNIT) && server->listener < 0 && listens(fd)) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		server->listener = fd;
	} else if (!server_adopt(server, fd, name)) {
		passed->sessions++;
	} else {
		fprintf(stderr, "luod: has no use for file descriptor '%s' of the service manager\n",
			name);
		close(fd);
	}
}

/* A socket nobody listens at is what an earlier luod has left behind. */
static void remove_stale(const struct sockaddr_un *at)
{
	struct stat st;
	int fd;

	if (lstat(at->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) &&
	    errno == ECONNREFUSED)
		unlink(at->sun_path);
	close(fd);
}

static void make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *end;

	strcpy(folder, path);
	end = strrchr(folder, '/');
	if (!end || end == folder)
		return;
	*end = 0;
	if (!mkdir(folder, 0755))
		chmod(folder, 0755);
}

/* Everybody may connect: luod asks the kernel who it is. */
static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		fail("cannot listen at", path, ENAMETOOLONG);
	strcpy(at.sun_path, path);
	make_folder(path);
	remove_stale(&at);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    chmod(path, 0666) || listen(fd, SOMAXCONN))
		fail("cannot listen at", path, errno);
	return fd;
}

/* As many as there may be; how many clients there are is limited anyway. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Return: a file descriptor that is readable once luod is to end */
static int stop_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		fail("cannot wait for", "signals", errno);
	return fd;
}

int main(int argc, char **argv)
{
	struct server server = {
		.node = LUI_NODE,
		.most = { .sessions = 64, .sessions_all = 1024,
			  .clients = 32, .clients_all = 512, .wait_ms = 5000 },
	};
	const char *where = read_options(argc, argv, &server), *own = NULL;
	struct passed passed = { .server = &server };
	int rc, stop;

	raise_limit();
	stop = stop_signals();
	rc = server_open(&server);
	if (rc)
		fail("cannot make", "a pipe", -rc);
	notify_open();
	notify_passed(take_passed, &passed);
	if (passed.sessions)
		fprintf(stderr, "luod: was given %u sessions back\n",
			passed.sessions);
	if (server.listener < 0)
		server.listener = listen_at(own = where);
	notify_say("READY=1");
	while (!server_turn(&server, stop, -1))
		;
	notify_say("STOPPING=1");
	if (own)
		unlink(own);
	return 0;
}
