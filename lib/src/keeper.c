// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who keeps a session while its owner is gone: systemd, through the file
 * descriptor store of the service, as sd_notify(3) and sd_listen_fds(3) describe
 * it; or luod(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "broker.h"
#include "calls.h"
#include "error.h"
#include "message.h"
#include "session.h"

#define LUOD_TIMEOUT_S 30
#define BARRIER_MS 30000

/* A file descriptor that is the caller's from then on; it was passed to nobody else. */
static int adopt_stored(int fd, enum lu_direction direction)
{
	char name[LU_NAME_BYTES];

	if (lui_session_name(fd, name))
		return -EMEDIUMTYPE;
	if (lui_session_direction(fd) != (int)direction)
		return -ENOENT;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

int lui_stored(const char *name, enum lu_direction direction)
{
	const char *names = secure_getenv("LISTEN_FDNAMES");
	long count = lui_number(secure_getenv("LISTEN_FDS"));

	if (!names || lui_number(secure_getenv("LISTEN_PID")) != getpid())
		return -ENOENT;
	for (long i = 0; i < count && *names; i++) {
		size_t len = strcspn(names, ":");

		if (len == strlen(name) && !strncmp(names, name, len)) {
			int fd = adopt_stored(LUI_PASSED_FIRST + i, direction);

			if (fd >= 0)
				return fd;
		}
		names += len + (names[len] == ':');
	}
	return -ENOENT;
}

static int receive_reply(int sock, struct lu_broker_reply *reply, int *ret_fd)
{
	union {
		char room[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = reply, .iov_len = sizeof(*reply) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t got;

	/* Signals end it, as it has a timeout. */
	do
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	*ret_fd = -1;
	lui_received(&msg, ret_fd, 1);
	if (got == sizeof(*reply) && reply->magic == LU_BROKER_MAGIC &&
	    reply->version == LU_BROKER_VERSION && reply->code <= 0) {
		reply->text[sizeof(reply->text) - 1] = 0;
		return 0;
	}
	if (*ret_fd >= 0)
		close(*ret_fd);
	return -EPROTO;
}

int lui_luod_connect(void)
{
	const char *path = secure_getenv(LU_BROKER_ENV);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval most = { .tv_sec = LUOD_TIMEOUT_S };
	int sock, rc;

	if (!path)
		path = LU_BROKER_SOCKET;
	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		/* A kernel without CONFIG_UNIX has no luod either. */
		return errno == EAFNOSUPPORT ? -ENOTCONN : -errno;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	if (!connect(sock, (struct sockaddr *)&to, sizeof(to)))
		return sock;
	rc = -errno;
	close(sock);
	return rc == -ENOENT || rc == -ECONNREFUSED ? -ENOTCONN : rc;
}

static int no_luod(const char *name, struct lu_error *err)
{
	return lui_fail(err, -ENOTCONN, LU_WHY_NO_KEEPER, name,
			"luod does not run; start luod.service, or make this a systemd service with LUOSession= or FileDescriptorStoreMax=");
}

/*
 * One question. A luod that has too many clients answers and hangs up before it has
 * read any; that it hung up is told first, and then the answer.
 */
static int exchange(int sock, const struct lu_broker_request *request, int fd,
		    struct lu_broker_reply *reply, int *ret_fd)
{
	int sent, rc;

	sent = lui_send(sock, request, sizeof(*request), fd, NULL, 0);
	if (sent && sent != -EPIPE)
		return sent;
	rc = receive_reply(sock, reply, ret_fd);
	if (rc == -ECONNRESET && !receive_reply(sock, reply, ret_fd))
		return 0;
	return rc && sent ? sent : rc;
}

/*
 * 0, or what luod or the way to it says. @ret_fd may be NULL for none. @ret_heard
 * may be, too, and says whether an error is luod's answer.
 */
static int luod_ask(enum lu_broker_op op, const char *name, int fd,
		    int *ret_fd, bool *ret_heard, struct lu_error *err)
{
	struct lu_broker_request request = {
		.magic = LU_BROKER_MAGIC,
		.version = LU_BROKER_VERSION,
		.op = op,
	};
	struct lu_broker_reply reply;
	int sock, got = -1, rc;

	if (strlen(name) >= sizeof(request.name))
		return lui_fail_system(err, -ENAMETOOLONG, NULL, "session");
	strcpy(request.name, name);
	sock = lui_luod_connect();
	if (sock == -ENOTCONN)
		return no_luod(name, err);
	if (sock < 0)
		return lui_fail_system(err, sock, NULL, "luod");
	rc = exchange(sock, &request, fd, &reply, &got);
	close(sock);
	/* Hung up on before the question was read: systemd has its socket, not luod */
	if (rc == -ECONNRESET)
		return no_luod(name, err);
	if (rc)
		return lui_fail(err, rc == -EAGAIN ? -ETIMEDOUT : rc,
				LU_WHY_KEEPER, name, "luod gave no answer: %s",
				strerrordesc_np(-rc));
	if (!reply.code && !ret_fd == (got < 0)) {
		if (ret_fd)
			*ret_fd = got;
		return 0;
	}
	if (got >= 0)
		close(got);
	if (!reply.code)
		return lui_fail(err, -EPROTO, LU_WHY_KEEPER, name,
				"luod gave an answer that does not belong to the question");
	if (ret_heard)
		*ret_heard = true;
	return lui_fail(err, reply.code, LU_WHY_KEEPER, name, "%s", reply.text);
}

int lui_luod_get(const char *name, enum lu_direction direction,
		 struct lu_error *err)
{
	int fd, rc;

	rc = luod_ask(direction == LU_OUT ? LU_BROKER_CREATE :
					    LU_BROKER_RETRIEVE,
		      name, -1, &fd, NULL, err);
	return rc ? rc : fd;
}

/* One datagram to the service manager. */
static int notify(const char *text, int fd)
{
	struct lui_address to;
	int sock, rc;

	rc = lui_notify_address(secure_getenv("NOTIFY_SOCKET"), &to);
	if (rc)
		return rc;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	rc = lui_send(sock, text, strlen(text), fd, &to, 0);
	close(sock);
	return rc;
}

/* systemd sets this since 254 for a service that has a store. */
static int has_store(void)
{
	return lui_number(secure_getenv("FDSTORE")) > 0;
}

/* What systemd takes for the name of a file, see sd_notify(3) */
static bool can_be_stored(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || (unsigned char)*name > '~' ||
		    *name == ':')
			return false;
	return true;
}

int lu_session_park(struct lu_session *session, struct lu_error *err)
{
	bool heard = false;
	char text[128];
	int rc;

	if (session->keeper == LUI_SYSTEMD || session->keeper == LUI_LUOD)
		return 0;
	if (has_store()) {
		const char *as = *session->stored ? session->stored :
						    session->name;

		if (!can_be_stored(as))
			return lui_fail(err, -EINVAL, LU_WHY_KEEPER, NULL,
					"systemd keeps no session whose name has a colon or what is not printable ASCII");
		snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s",
			 as);
		rc = notify(text, session->fd);
		if (rc)
			return lui_fail(err, rc, LU_WHY_KEEPER, session->name,
					"systemd did not take session '%s': %s",
					session->name, strerrordesc_np(-rc));
		if (as == session->name)
			strcpy(session->stored, as);
		session->keeper = LUI_SYSTEMD;
		return 0;
	}
	rc = luod_ask(LU_BROKER_PARK, session->name, session->fd, NULL, &heard,
		      err);
	if (!rc)
		session->keeper = LUI_LUOD;
	else if (!heard && rc != -ENOTCONN)
		session->keeper = LUI_PERHAPS_LUOD;
	return rc;
}

int lui_session_forget(struct lu_session *session)
{
	char text[128];

	if (session->keeper != LUI_SYSTEMD)
		return 0;
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s",
		 session->stored);
	return notify(text, -1);
}

/* Until systemd has read all that it was told: it closes what came with this. */
static int notify_read(void)
{
	struct pollfd end = { .events = 0 };
	int ends[2], count = 0, rc;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	rc = notify("BARRIER=1", ends[1]);
	close(ends[1]);
	end.fd = ends[0];
	while (!rc && !count) {
		count = poll(&end, 1, BARRIER_MS);
		if (!count)
			rc = -ETIMEDOUT;
		else if (count < 0 && errno == EINTR)
			count = 0;
	}
	close(ends[0]);
	return rc;
}

int lu_session_unpark(struct lu_session *session, struct lu_error *err)
{
	int rc = 0;

	if (session->keeper == LUI_SYSTEMD) {
		rc = lui_session_forget(session);
		rc = rc ? rc : notify_read();
		if (rc)
			lui_fail(err, rc, LU_WHY_KEEPER, session->name,
				 "systemd did not hear that session '%s' is not to be kept: %s",
				 session->name, strerrordesc_np(-rc));
	} else if (session->keeper != LUI_NOBODY) {
		rc = luod_ask(LU_BROKER_UNPARK, session->name, -1, NULL, NULL,
			      err);
	}
	if (!rc)
		session->keeper = LUI_NOBODY;
	return rc;
}
