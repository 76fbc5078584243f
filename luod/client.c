// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "closer.h"
#include "message.h"
#include "request.h"
#include "server.h"

/* As many as the kernel lets through in one message (SCM_MAX_FD) */
#define FDS_MOST 253

/* One message, with all that came along */
struct message {
	/* One byte more than a request, to see one that is longer */
	char data[sizeof(struct lu_broker_request) + 1];
	ssize_t length; /* or -errno */
	bool cut; /* not all of the file descriptors could be had */
	unsigned int count;
	int fds[FDS_MOST];
};

void client_reply(struct client *client, int code, int fd, const char *text,
		  ...)
{
	struct lu_broker_reply *reply = &client->reply;
	va_list args;

	memset(reply, 0, sizeof(*reply));
	reply->magic = LU_BROKER_MAGIC;
	reply->version = LU_BROKER_VERSION;
	reply->code = code;
	strcpy(reply->name, client->name);
	reply->uid = client->uid;
	if (text) {
		va_start(args, text);
		vsnprintf(reply->text, sizeof(reply->text), text, args);
		va_end(args);
	}
	client->reply_fd = fd;
	client->state = CLIENT_ANSWER;
}

void client_closes(struct client *client, int fd)
{
	client->closing++;
	closer_give(&fd, 1, client);
}

void client_gone(struct client *client)
{
	int fds[3];
	unsigned int count = 0;

	if (client->state == CLIENT_GONE)
		return;
	/* What waits in the socket may take long to close, to be told does not. */
	shutdown(client->fd, SHUT_RDWR);
	fds[count++] = client->fd;
	if (client->reply_fd >= 0)
		fds[count++] = client->reply_fd;
	if (client->barrier >= 0)
		fds[count++] = client->barrier;
	client->fd = client->reply_fd = client->barrier = -1;
	client->state = CLIENT_GONE;
	client->closing++;
	closer_give(fds, count, client);
}

static void receive(int fd, struct message *m)
{
	union {
		char room[CMSG_SPACE(FDS_MOST * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = m->data, .iov_len = sizeof(m->data) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};

	m->count = 0;
	m->cut = false;
	m->length = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (m->length < 0) {
		m->length = -errno;
		return;
	}
	m->cut = msg.msg_flags & MSG_CTRUNC;
	m->count = lui_received(&msg, m->fds, FDS_MOST);
}

/* What is wrong with it ends the connection: who knows what comes next? */
static void refuse(struct client *client, const struct message *m, int code,
		   const char *why)
{
	if (m->count) {
		client->closing++;
		closer_give(m->fds, m->count, client);
	}
	memset(client->name, 0, sizeof(client->name));
	client->last = true;
	client_reply(client, code, -1, "%s", why);
}

void client_read(struct server *server, struct client *client)
{
	struct message m;
	const char *why;
	int rc;

	receive(client->fd, &m);
	if (m.length == -EAGAIN || m.length == -EINTR)
		return;
	if (m.length < 0 || (!m.length && !m.count)) {
		client_gone(client);
		return;
	}
	rc = request_read(&client->request, m.data, m.length, m.count, &why);
	if (m.cut) {
		rc = -EMFILE;
		why = "luod has no file descriptor left to take this session";
	}
	if (rc)
		refuse(client, &m, rc, why);
	else
		request_begin(server, client, m.count ? m.fds[0] : -1);
	if (client->state == CLIENT_ANSWER)
		client_send(server, client);
}

void client_send(struct server *server, struct client *client)
{
	while (client->state == CLIENT_ANSWER) {
		int rc = lui_send(client->fd, &client->reply,
				  sizeof(client->reply), client->reply_fd,
				  NULL, MSG_DONTWAIT);

		/* It is not taken yet. */
		if (rc == -EAGAIN)
			return;
		if (rc || client->last) {
			client_gone(client);
			return;
		}
		/* It is with the client now, who may have closed it already. */
		if (client->reply_fd >= 0)
			client_closes(client, client->reply_fd);
		client->reply_fd = -1;
		client->state = CLIENT_ASKS;
		if (client->listing)
			request_list(server, client);
	}
}
