// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "client.h"
#include "closer.h"
#include "name.h"
#include "notify.h"
#include "request.h"
#include "server.h"
#include "session.h"

/* How often a node that is busy is tried, and how long an undo may take */
#define NODE_AGAIN_MS 20
#define UNDO_MS 20000

int request_read(struct lu_broker_request *request, const void *data,
		 size_t length, unsigned int fds, const char **ret_why)
{
	*ret_why = "this is not a message to luod";
	if (length != sizeof(*request))
		return -EPROTO;
	memcpy(request, data, sizeof(*request));
	if (request->magic != LU_BROKER_MAGIC)
		return -EPROTO;
	*ret_why = "luod speaks version 1 of its protocol; use its libliveupdate";
	if (request->version != LU_BROKER_VERSION)
		return -EPROTONOSUPPORT;
	*ret_why = "luod does not know this request";
	if (request->op < LU_BROKER_CREATE || request->op > LU_BROKER_LIST ||
	    request->reserved)
		return -EPROTO;
	*ret_why = "the name in this request does not end";
	if (request->name[LU_NAME_BYTES - 1])
		return -EPROTO;
	for (size_t i = strlen(request->name); i < LU_NAME_BYTES; i++)
		if (request->name[i])
			return -EPROTO;
	*ret_why = "to park takes one file descriptor, other requests take none";
	if (fds != (request->op == LU_BROKER_PARK))
		return -EPROTO;
	return 0;
}

/* A copy of an incoming session is of no use once its owner has finished it. */
static void drop_finished(struct server *server)
{
	struct kept *next;

	for (struct kept *k = server->keep.first; k; k = next) {
		int fd;

		next = k->next;
		if (!k->incoming || !session_finished(k->fd))
			continue;
		notify_forget(k->name, true);
		fd = kept_take(&server->keep, k);
		closer_give(&fd, 1, NULL);
	}
}

/* Return: whether one more can be made and kept; if not, the reply says so */
static bool has_room(struct server *server, struct client *client)
{
	unsigned int all = kept_count(&server->keep);
	unsigned int own = kept_of(&server->keep, client->uid);

	if (own >= server->most.sessions) {
		client_reply(client, -EDQUOT, -1,
			     "luod keeps %u sessions of user %u, and not more (--sessions)",
			     own, client->uid);
		return false;
	}
	if (all >= server->most.sessions_all) {
		client_reply(client, -EDQUOT, -1,
			     "luod keeps %u sessions, and not more (--sessions-all)",
			     all);
		return false;
	}
	return true;
}

/* Hands out a copy; what is kept stays so until its owner has finished. */
static void give(struct client *client, const struct kept *kept)
{
	int fd = fcntl(kept->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		client_reply(client, -errno, -1,
			     "luod has no file descriptor left");
	else
		client_reply(client, 0, fd, NULL);
}

static void explain_node(const struct server *server, struct client *client,
			 int rc)
{
	const char *name = client->request.name;

	switch (rc) {
	case -ETXTBSY:
		client_reply(client, -EBUSY, -1,
			     "somebody keeps %s open; 'luctl check' says who",
			     server->node);
		break;
	case -ENODEV:
		client_reply(client, -ENODEV, -1,
			     "there is no %s; the kernel needs CONFIG_LIVEUPDATE and liveupdate=on",
			     server->node);
		break;
	case -EEXIST:
		client_reply(client, rc, -1,
			     "user %u has a session '%s' already", client->uid,
			     name);
		break;
	case -ENOENT:
		client_reply(client, rc, -1,
			     "no session '%s' of user %u came from the kernel before, or it is finished",
			     name, client->uid);
		break;
	case -EALREADY:
		client_reply(client, rc, -1,
			     "somebody has session '%s' of user %u already",
			     name, client->uid);
		break;
	default:
		client_reply(client, rc, -1, "session '%s': %s", name,
			     strerror(-rc));
	}
}

static void retrieved(struct server *server, struct client *client,
		      struct kept *kept, int fd)
{
	kept_add(&server->keep, kept, fd, true);
	/* Without it the session is lost with luod, which is not its end yet. */
	notify_store(kept->name, true, fd);
	give(client, kept);
}

void request_node(struct server *server, struct client *client)
{
	bool create = client->request.op == LU_BROKER_CREATE;
	struct kept *kept = create ? NULL : kept_new(client->name);
	int fd;

	if (!create && !kept) {
		client_reply(client, -ENOMEM, -1, "luod is out of memory");
		return;
	}
	fd = lui_node_call(server->node,
			   create ? LUI_CREATE_SESSION : LUI_RETRIEVE_SESSION,
			   client->name);
	/* Of a session, not of the call */
	if (fd == -EINVAL && !create)
		fd = -EALREADY;
	if (fd >= 0 && create) {
		client_reply(client, 0, fd, NULL);
		return;
	}
	if (fd >= 0) {
		retrieved(server, client, kept, fd);
		return;
	}
	free(kept);
	if (fd == -ETXTBSY && server_now() < client->deadline) {
		client->again = server_now() + NODE_AGAIN_MS;
		client->state = CLIENT_NODE;
		return;
	}
	explain_node(server, client, fd);
}

static void begin_create(struct server *server, struct client *client)
{
	if (has_room(server, client))
		request_node(server, client);
}

/*
 * A user gets what begins with his number. What root has parked under another
 * name, or who owned it is gone, root gets by the kernel's name of it.
 */
static void begin_retrieve(struct server *server, struct client *client)
{
	struct kept *kept = kept_find(&server->keep, client->name, true);

	if (!kept && !client->uid)
		kept = kept_find(&server->keep, client->request.name, true);
	if (kept)
		give(client, kept);
	else
		request_node(server, client);
}

static void begin_named(struct server *server, struct client *client)
{
	int rc = name_make(client->name, client->uid, client->request.name);

	client->deadline = server_now() + server->most.wait_ms;
	if (rc == -ENAMETOOLONG)
		client_reply(client, rc, -1,
			     "the name is too long: with the number of user %u it has to fit into %u bytes",
			     client->uid, LU_NAME_BYTES - 1);
	else if (rc)
		client_reply(client, rc, -1,
			     "a session's name must not be empty, nor hold a slash or a control character");
	else if (client->request.op == LU_BROKER_CREATE)
		begin_create(server, client);
	else
		begin_retrieve(server, client);
}

/* Return: whether the client may do this to that session; if not, it is told */
static bool own(struct client *client)
{
	if (!client->uid || name_owner(client->name) == client->uid)
		return true;
	client_reply(client, -EPERM, -1,
		     "session '%s' is not one of user %u: its name does not begin with '%u.'",
		     client->name, client->uid, client->uid);
	return false;
}

/* Return: 0, and the file descriptor is kept; or -1, and the reply says why not */
static int park(struct server *server, struct client *client, int fd)
{
	bool incoming = session_incoming(fd);
	struct kept *kept;
	int rc;

	if (!incoming && !has_room(server, client))
		return -1;
	kept = kept_new(client->name);
	rc = kept ? notify_store(client->name, incoming, fd) : -ENOMEM;
	if (rc) {
		free(kept);
		client_reply(client, rc, -1,
			     "luod could not store session '%s': %s",
			     client->name, strerror(-rc));
		return -1;
	}
	kept_add(&server->keep, kept, fd, incoming);
	client_reply(client, 0, -1, NULL);
	return 0;
}

static void begin_park(struct server *server, struct client *client, int fd)
{
	int rc = session_name(fd, client->name);

	if (rc)
		client_reply(client, rc, -1,
			     "what was passed to be kept is not a live update session");
	else if (!own(client))
		;
	/* The kernel has each name once, so it is the same session. */
	else if (kept_find(&server->keep, client->name, session_incoming(fd)))
		client_reply(client, 0, -1, NULL);
	else if (!park(server, client, fd))
		return;
	client_closes(client, fd);
}

/* To undo it is what this is mostly for, so the outgoing one goes first. */
static void begin_unpark(struct server *server, struct client *client)
{
	struct kept *kept;

	strcpy(client->name, client->request.name);
	if (!own(client))
		return;
	kept = kept_find(&server->keep, client->name, false);
	if (!kept)
		kept = kept_find(&server->keep, client->name, true);
	if (!kept) {
		client_reply(client, 0, -1, NULL);
		return;
	}
	notify_forget(kept->name, kept->incoming);
	client->barrier = notify_barrier();
	client->deadline = server_now() + UNDO_MS;
	client->state = CLIENT_UNDO;
	client_closes(client, kept_take(&server->keep, kept));
}

void request_undone(struct client *client)
{
	if (!client->closing && client->barrier < 0)
		client_reply(client, 0, -1, NULL);
	if (client->state != CLIENT_UNDO || server_now() < client->deadline)
		return;
	if (client->barrier >= 0)
		close(client->barrier);
	client->barrier = -1;
	client_reply(client, -ETIMEDOUT, -1,
		     "session '%s' is still being closed", client->name);
}

void request_list(struct server *server, struct client *client)
{
	struct kept *kept = kept_after(&server->keep, client->listed,
				       client->uid);

	client->listing = kept;
	client_reply(client, 0, -1, NULL);
	memset(client->reply.name, 0, sizeof(client->reply.name));
	if (!kept)
		return;
	client->listed = kept->serial;
	client->reply.uid = kept->owner;
	strcpy(client->reply.name, kept->name);
}

void request_begin(struct server *server, struct client *client, int fd)
{
	memset(client->name, 0, sizeof(client->name));
	drop_finished(server);
	switch (client->request.op) {
	case LU_BROKER_CREATE:
	case LU_BROKER_RETRIEVE:
		begin_named(server, client);
		break;
	case LU_BROKER_PARK:
		begin_park(server, client, fd);
		break;
	case LU_BROKER_UNPARK:
		begin_unpark(server, client);
		break;
	case LU_BROKER_LIST:
		client->listed = 0;
		request_list(server, client);
		break;
	}
}
