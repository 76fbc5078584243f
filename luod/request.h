/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LUOD_REQUEST_H
#define LUOD_REQUEST_H

#include <stddef.h>

#include "broker.h"

struct client;
struct server;

/*
 * Reads a message that came with @fds file descriptors. Nothing of it is believed
 * before. Return: 0, or -errno with @ret_why saying what is wrong: -EPROTO,
 * -EPROTONOSUPPORT
 */
int request_read(struct lu_broker_request *request, const void *data,
		 size_t length, unsigned int fds, const char **ret_why);

/*
 * Does what the client's request asks for, or begins to. @fd is what came with it,
 * and not the caller's any more.
 */
void request_begin(struct server *server, struct client *client, int fd);

/* CLIENT_NODE: asks the node once more. */
void request_node(struct server *server, struct client *client);

/* CLIENT_UNDO: replies if the session is closed, or that took too long. */
void request_undone(struct client *client);

/* The next reply of a list */
void request_list(struct server *server, struct client *client);

#endif
