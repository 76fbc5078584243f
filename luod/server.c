// SPDX-License-Identifier: GPL-2.0-only
/*
 * One thread does everything but to close files. It waits in poll() alone, and for
 * nobody in particular: a client who does not read his reply, or does not send
 * the rest of a request, is in the way of no other.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "closer.h"
#include "notify.h"
#include "request.h"
#include "server.h"
#include "session.h"

/* How long to wait before what there was too little of is tried again */
#define PAUSE_MS 100

enum { POLL_STOP, POLL_CLOSER, POLL_LISTENER, POLL_CLIENTS };

int64_t server_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

int server_open(struct server *server)
{
	int rc = closer_open();

	if (rc < 0)
		return rc;
	server->closer = rc;
	server->listener = -1;
	return 0;
}

int server_adopt(struct server *server, int fd, const char *as)
{
	char name[LU_NAME_BYTES];
	struct kept *kept;
	int rc;

	rc = session_name(fd, name);
	if (rc)
		return rc;
	kept = kept_new(name);
	if (!kept)
		return -ENOMEM;
	kept_add(&server->keep, kept, fd, session_incoming(fd));
	notify_stored_as(as, name, kept->incoming, fd);
	return 0;
}

static unsigned int clients_of(const struct server *server, uid_t uid)
{
	unsigned int count = 0;

	for (struct client *c = server->clients; c; c = c->next)
		count += c->uid == uid;
	return count;
}

/*
 * One too many is told so. It is counted like any other until its files are closed,
 * and when there are twice as many as there may be nobody is let in.
 */
void server_connect(struct server *server, int fd, uid_t uid)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		closer_give(&fd, 1, NULL);
		return;
	}
	client->fd = fd;
	client->uid = uid;
	client->reply_fd = client->barrier = -1;
	if (clients_of(server, uid) >= server->most.clients ||
	    server->client_count >= server->most.clients_all) {
		client->last = true;
		client_reply(client, -EUSERS, -1,
			     "luod has too many clients, or too many of user %u; try again later",
			     uid);
	}
	client->next = server->clients;
	server->clients = client;
	server->client_count++;
}

static void pause_listening(struct server *server, int code)
{
	server->paused = server_now() + PAUSE_MS;
	if (server->short_of_files)
		return;
	server->short_of_files = true;
	fprintf(stderr, "luod: takes no connection for now: %s\n",
		strerror(code));
}

static void take_connection(struct server *server)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int fd = accept4(server->listener, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS)
			pause_listening(server, errno);
		return;
	}
	server->short_of_files = false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) ||
	    length != sizeof(peer) || peer.uid == (uid_t)-1)
		closer_give(&fd, 1, NULL);
	else
		server_connect(server, fd, peer.uid);
}

/* Sets what to poll, and makes @until earlier if the client waits for a time. */
static void client_waits(struct client *client, struct pollfd *at,
			 int64_t *until)
{
	int64_t time = INT64_MAX;

	at->fd = client->fd;
	at->events = 0;
	switch (client->state) {
	case CLIENT_ASKS:
		/* A request that comes while its last file is closed has time. */
		if (!client->closing)
			at->events = POLLIN;
		break;
	case CLIENT_NODE:
		time = client->again;
		break;
	case CLIENT_UNDO:
		/* In this state alone it is not the socket. */
		at->fd = client->barrier;
		time = client->deadline;
		break;
	case CLIENT_ANSWER:
		at->events = POLLOUT;
		break;
	case CLIENT_GONE:
		break;
	}
	if (time < *until)
		*until = time;
}

static void client_step(struct server *server, struct client *client,
			short events)
{
	switch (client->state) {
	case CLIENT_ASKS:
		if (!client->closing && events & (POLLIN | POLLHUP | POLLERR))
			client_read(server, client);
		else if (events & (POLLHUP | POLLERR))
			client_gone(client);
		break;
	case CLIENT_NODE:
		if (events & (POLLHUP | POLLERR))
			client_gone(client);
		else if (server_now() >= client->again)
			request_node(server, client);
		break;
	case CLIENT_UNDO:
		if (events) {
			close(client->barrier);
			client->barrier = -1;
		}
		request_undone(client);
		break;
	case CLIENT_ANSWER:
	case CLIENT_GONE:
		break;
	}
	if (client->state == CLIENT_ANSWER)
		client_send(server, client);
}

static void remove_gone(struct server *server)
{
	struct client **at = &server->clients;

	while (*at) {
		struct client *client = *at;

		if (client->state != CLIENT_GONE || client->closing) {
			at = &client->next;
			continue;
		}
		*at = client->next;
		server->client_count--;
		free(client);
	}
}

static void hear_closer(void)
{
	void *whose;

	while (closer_done(&whose)) {
		struct client *client = whose;

		if (client)
			client->closing--;
	}
}

/* Return: how long to wait */
static int turn_timeout(const struct server *server, int64_t until, bool retry,
			int timeout_ms)
{
	int64_t now = server_now(), wait;

	if (server->paused > now && server->paused < until)
		until = server->paused;
	if (retry && now + PAUSE_MS < until)
		until = now + PAUSE_MS;
	if (until == INT64_MAX)
		return timeout_ms;
	wait = until > now ? until - now : 0;
	return timeout_ms >= 0 && timeout_ms < wait ? timeout_ms : (int)wait;
}

/* Fills in what to poll. Return: how many */
static unsigned int turn_prepare(struct server *server, struct pollfd *polls,
				 int stop, int64_t *until)
{
	bool listen = server->paused <= server_now() &&
		      server->client_count < 2 * server->most.clients_all;
	unsigned int count = POLL_CLIENTS;

	polls[POLL_STOP] = (struct pollfd){ .fd = stop, .events = POLLIN };
	polls[POLL_CLOSER] = (struct pollfd){ .fd = server->closer,
					      .events = POLLIN };
	polls[POLL_LISTENER] = (struct pollfd){
		.fd = listen ? server->listener : -1,
		.events = POLLIN,
	};
	for (struct client *c = server->clients; c; c = c->next)
		client_waits(c, &polls[count++], until);
	return count;
}

bool server_turn(struct server *server, int stop, int timeout_ms)
{
	int64_t until = INT64_MAX;
	bool retry = closer_retry();
	struct pollfd *polls;
	unsigned int count;
	bool stopped;

	polls = calloc(POLL_CLIENTS + server->client_count, sizeof(*polls));
	if (!polls) {
		usleep(PAUSE_MS * 1000);
		return false;
	}
	count = turn_prepare(server, polls, stop, &until);
	if (poll(polls, count, turn_timeout(server, until, retry, timeout_ms)) <
	    0)
		memset(polls, 0, count * sizeof(*polls));
	stopped = polls[POLL_STOP].revents;
	hear_closer();
	count = POLL_CLIENTS;
	for (struct client *c = server->clients; c; c = c->next)
		client_step(server, c, polls[count++].revents);
	if (polls[POLL_LISTENER].revents)
		take_connection(server);
	hear_closer();
	remove_gone(server);
	free(polls);
	return stopped;
}

void server_close(struct server *server)
{
	for (struct client *c = server->clients; c; c = c->next)
		client_gone(c);
	while (server->keep.first) {
		int fd = kept_take(&server->keep, server->keep.first);

		closer_give(&fd, 1, NULL);
	}
	closer_end();
	while (server->clients) {
		struct client *client = server->clients;

		server->clients = client->next;
		free(client);
	}
}
