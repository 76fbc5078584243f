/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LUOD_SERVER_H
#define LUOD_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kept.h"

struct limits {
	unsigned int sessions; /* kept, of a user */
	unsigned int sessions_all;
	unsigned int clients; /* connected, of a user */
	unsigned int clients_all;
	unsigned int wait_ms; /* for a node that somebody has open */
};

struct client;

struct server {
	const char *node;
	struct limits most;
	struct keep keep;
	struct client *clients;
	unsigned int client_count;
	int listener; /* -1: none */
	int closer;
	int64_t paused; /* ms; no connection is taken before */
	bool short_of_files; /* and it was said */
};

/* The rest is set by the caller. Return: 0 or -errno */
int server_open(struct server *server);

/* A connection, of that user; the file descriptor is the server's. */
void server_connect(struct server *server, int fd, uid_t uid);

/*
 * A session that was given back, and is called @as in the store; not the server's
 * if it is none. Return: 0 or -errno
 */
int server_adopt(struct server *server, int fd, const char *as);

/*
 * Waits at most @timeout_ms (-1: for ever) until there is something to do for
 * somebody, or @stop is readable, and does it. Return: whether @stop was
 */
bool server_turn(struct server *server, int stop, int timeout_ms);

/* Hangs up on everybody, and lets go of all that is kept. */
void server_close(struct server *server);

/* Milliseconds of a clock that only goes on */
int64_t server_now(void);

#endif
