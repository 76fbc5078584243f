/* SPDX-License-Identifier: GPL-2.0-only */
/* A connection. It has one request at a time, and the next waits in the socket. */
#ifndef LUOD_CLIENT_H
#define LUOD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker.h"

struct server;

enum client_state {
	CLIENT_ASKS, /* may send a request */
	CLIENT_NODE, /* its request waits for a node that is busy */
	CLIENT_UNDO, /* its request waits until a session is closed */
	CLIENT_ANSWER, /* the reply waits to be taken */
	CLIENT_GONE, /* its files are being closed */
};

struct client {
	struct client *next;
	enum client_state state;
	int fd;
	uid_t uid;
	unsigned int closing; /* what closer.h has of it */
	bool last; /* the reply is the last one */
	struct lu_broker_request request; /* its name ends with a NUL */
	char name[LU_NAME_BYTES]; /* the kernel's, of what is asked for */
	int64_t again; /* CLIENT_NODE: when it is tried again */
	int64_t deadline; /* CLIENT_NODE, CLIENT_UNDO */
	int barrier; /* CLIENT_UNDO: of notify_barrier(), or -1 */
	bool listing; /* CLIENT_ANSWER: more follow, */
	uint64_t listed; /* after this one */
	struct lu_broker_reply reply;
	int reply_fd; /* its own, or -1 */
	short events; /* what it waits for in poll() */
};

/* Reads a request, if one is there, and has it done. */
void client_read(struct server *server, struct client *client);

/* Sends the reply, and those that follow it, as far as they are taken. */
void client_send(struct server *server, struct client *client);

/* @fd is the client's from then on; -1 for none. @text may be NULL. */
void client_reply(struct client *client, int code, int fd, const char *text,
		  ...) __attribute__((format(printf, 4, 5)));

/* Closes a file descriptor; the client waits until that is done. */
void client_closes(struct client *client, int fd);

void client_gone(struct client *client);

#endif
