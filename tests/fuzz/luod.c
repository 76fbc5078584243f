// SPDX-License-Identifier: GPL-2.0-only
/*
 * What users may send to luod, at random: libFuzzer makes up messages of two users
 * and root, file descriptors that come with them, and connections that end. After
 * each story everything must be closed again.
 *
 * A story is a row of steps: a byte that says who and what; the length of a
 * message as two bytes, and the message. Beyond that of "send" a step has nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker.h"
#include "client.h"
#include "server.h"

#define USERS 3

static const uid_t uids[USERS] = { 0, 1000, 1001 };
static char folder[] = "/tmp/luod-fuzz-XXXXXX";
static char node[64];

/* Where what luod hands out goes to, to be passed back */
struct peer {
	int sock;
	int session;
};

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void setup(void)
{
	char path[96];

	if (!mkdtemp(folder))
		abort();
	setenv("LUO_STANDIN", folder, 1);
	snprintf(path, sizeof(path), "%s/in", folder);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/in/1000.old", folder);
	close(open(path, O_CREAT | O_RDWR, 0600));
	snprintf(path, sizeof(path), "%s/out", folder);
	mkdir(path, 0700);
	snprintf(node, sizeof(node), "%s/node", folder);
	close(open(node, O_CREAT | O_RDWR, 0600));
}

/* So that the folder does not grow with every story */
static void forget_sessions(void)
{
	char path[96];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/out", folder);
	dir = opendir(path);
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

static void connect_peer(struct server *server, struct peer *peer, uid_t uid)
{
	int ends[2];

	if (peer->sock >= 0)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0, ends))
		abort();
	peer->sock = ends[0];
	server_connect(server, ends[1], uid);
}

static void close_peer(struct peer *peer)
{
	if (peer->sock >= 0)
		close(peer->sock);
	peer->sock = -1;
	if (peer->session >= 0)
		close(peer->session);
	peer->session = -1;
}

static void send_message(struct peer *peer, const uint8_t *data, size_t length,
			 int fd, unsigned int fds)
{
	union {
		char room[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data,
			     .iov_len = length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fds) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds * sizeof(int));
		for (unsigned int i = 0; i < fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
	}
	sendmsg(peer->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A reply has to be one, and belong to its user. */
static void check_reply(const struct lu_broker_reply *reply, ssize_t length,
			uid_t uid)
{
	if (length != sizeof(*reply) || reply->magic != LU_BROKER_MAGIC ||
	    reply->version != LU_BROKER_VERSION || reply->code > 0 ||
	    reply->name[LU_NAME_BYTES - 1] || reply->text[LU_TEXT_BYTES - 1])
		abort();
	if (!reply->code && uid && *reply->name) {
		char own[16];

		snprintf(own, sizeof(own), "%u.", uid);
		if (strncmp(reply->name, own, strlen(own)))
			abort();
	}
}

static void receive_all(struct peer *peer, uid_t uid)
{
	struct lu_broker_reply reply;
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };

	for (;;) {
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = control.room,
				      .msg_controllen = sizeof(control.room) };
		ssize_t length = recvmsg(peer->sock, &msg, MSG_DONTWAIT);

		if (length <= 0)
			return;
		check_reply(&reply, length, uid);
		if (!CMSG_FIRSTHDR(&msg))
			continue;
		if (peer->session >= 0)
			close(peer->session);
		memcpy(&peer->session, CMSG_DATA(CMSG_FIRSTHDR(&msg)),
		       sizeof(int));
	}
}

/* One step. Return: how many bytes it was */
static size_t step(struct server *server, struct peer *peers,
		   const uint8_t *data, size_t size)
{
	unsigned int who = data[0] % USERS, what = data[0] / USERS % 4;
	unsigned int fds = data[0] / USERS / 4 % 3;
	struct peer *peer = &peers[who];
	size_t length;

	connect_peer(server, peer, uids[who]);
	if (what == 0) {
		close_peer(peer);
		return 1;
	}
	if (what == 1 || size < 3) {
		receive_all(peer, uids[who]);
		return 1;
	}
	length = data[1] | data[2] << 8;
	if (length > size - 3)
		length = size - 3;
	send_message(peer, data + 3, length,
		     what == 2 && peer->session >= 0 ? peer->session : 0, fds);
	return 3 + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server server = {
		.node = node,
		.most = { .sessions = 3, .sessions_all = 5, .clients = 4,
			  .clients_all = 8, .wait_ms = 0 },
	};
	struct peer peers[USERS] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int before;

	if (!*node)
		setup();
	before = open_files();
	if (server_open(&server) < 0)
		abort();
	while (size) {
		size_t used = step(&server, peers, data, size);

		data += used;
		size -= used;
		server_turn(&server, -1, 0);
	}
	for (int i = 0; i < 4; i++)
		server_turn(&server, -1, 0);
	for (int i = 0; i < USERS; i++) {
		if (peers[i].sock >= 0)
			receive_all(&peers[i], uids[i]);
		close_peer(&peers[i]);
	}
	server_close(&server);
	if (open_files() != before)
		abort();
	forget_sessions();
	return 0;
}
