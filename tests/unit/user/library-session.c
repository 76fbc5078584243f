// SPDX-License-Identifier: GPL-2.0-only
/* Sessions, where they are kept, and what the kernel can do. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../../lib/src/broker.h"
#include "library.h"

static void support(void)
{
	struct lu_error err = LU_ERROR_INIT;
	uint32_t can = 0;

	CHECK_RC(lu_support(&can, &err), 0);
	CHECK(can == (LU_CAN_SESSIONS | LU_CAN_IOMMU | LU_CAN_ASK));
	standin_can(false, false);
	CHECK_RC(lu_support(&can, &err), -ENOTSUP);
	CHECK(can == LU_CAN_SESSIONS && err.why == LU_WHY_UNSUPPORTED);
	CHECK_RC(lu_support(NULL, NULL), -ENOTSUP);
}

static void names(void)
{
	struct lu_error err = LU_ERROR_INIT;
	char longest[LU_NAME_BYTES + 1];
	struct lu_session *s, *t = NULL;

	memset(longest, 'n', sizeof(longest));
	longest[LU_NAME_BYTES] = 0;
	CHECK_RC(lu_session_create(longest, &t, &err), -ENAMETOOLONG);
	CHECK_RC(lu_session_create(longest + 1, &s, &err), 0);
	CHECK(!strcmp(lu_session_name(s), longest + 1));
	CHECK(lu_session_direction(s) == LU_OUT);
	CHECK_RC(lu_session_create(longest + 1, &t, &err), -EEXIST);
	CHECK(err.code == -EEXIST && strstr(err.text, "already") && !t);
	CHECK_RC(lu_session_retrieve(longest + 1, &t, &err), -ENOENT);
	lu_session_free(s);
	lu_session_free(NULL);
}

static void busy(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;

	standin_node_busy(3);
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	lu_session_free(s);
	standin_node_busy(-1);
	CHECK_RC(lu_session_create("vm", &s, &err), -EBUSY);
	CHECK(err.why == LU_WHY_NODE_BUSY && strstr(err.text, "luctl"));
}

static void somebody_has_it(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s, *t;

	vmm_jump("vm");
	CHECK_RC(lu_session_retrieve("vm", &s, &err), 0);
	CHECK_RC(lu_session_retrieve("vm", &t, &err), -EALREADY);
	lu_session_free(s);
}

static void adopt(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s, *t;
	int pipes[2], fd;

	CHECK(!pipe(pipes));
	CHECK_RC(lu_session_adopt(pipes[0], &t, &err), -EMEDIUMTYPE);
	CHECK(!fcntl(pipes[0], F_GETFD));
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	fd = dup(lu_session_fd(s));
	CHECK_RC(lu_session_adopt(fd, &t, &err), 0);
	CHECK(!strcmp(lu_session_name(t), "vm"));
	lu_session_free(t);
	CHECK(fcntl(fd, F_GETFD) < 0);
	lu_session_free(s);
	close(pipes[0]);
	close(pipes[1]);
}

static void tokens(void)
{
	struct lu_error err = LU_ERROR_INIT;
	int memory = memfd_create("m", MFD_CLOEXEC), other, kept;
	struct lu_file files[2];
	struct lu_session *s;

	CHECK(!ftruncate(memory, PAGE));
	other = memfd_create("o", MFD_CLOEXEC);
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(lu_session_preserve(s, memory, 7, &err), 0);
	CHECK_RC(lu_session_preserve(s, other, 7, &err), -EEXIST);
	CHECK(err.token == 7);
	CHECK_RC(lu_session_preserve(s, memory, 8, &err), -EBUSY);
	CHECK(err.why == LU_WHY_PRESERVED);
	CHECK_RC(lu_session_preserve(s, STDIN_FILENO, 8, &err), -ENOENT);
	CHECK_RC(lu_session_files(s, files, 2, &err), 1);
	CHECK(files[0].token == 7 && files[0].state == LU_FILE_PRESERVED);
	CHECK_RC(lu_session_take(s, 7, &err), -EINVAL);
	CHECK(err.why == LU_WHY_DIRECTION);
	CHECK_RC(lu_session_finish(s, &err), -EINVAL);
	CHECK(err.why == LU_WHY_DIRECTION);
	kept = dup(lu_session_fd(s));
	lu_session_free(s);
	close(memory);
	close(other);
	standin_kexec();
	close(kept);
	CHECK_RC(lu_session_retrieve("vm", &s, &err), 0);
	CHECK_RC(lu_session_take(s, 9, &err), -ENOENT);
	CHECK(err.token == 9);
	CHECK_RC(lu_session_files(s, NULL, 0, &err), 1);
	memory = lu_session_take(s, 7, &err);
	CHECK(memory >= 0 && fcntl(memory, F_GETFD) == FD_CLOEXEC);
	CHECK_RC(lu_session_files(s, files, 2, &err), 1);
	CHECK(files[0].state == LU_FILE_TAKEN);
	CHECK_RC(lu_session_preserve(s, memory, 8, &err), -EINVAL);
	CHECK(err.why == LU_WHY_DIRECTION);
	CHECK_RC(lu_session_finish(s, &err), 0);
	close(memory);
	lu_session_free(s);
}

/* A kernel without our call for that: it is found out by trying. */
static void unasked(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;

	standin_can(false, true);
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK(lu_session_direction(s) == LU_OUT);
	CHECK_RC(lu_session_files(s, NULL, 0, &err), -ENOTSUP);
	lu_session_free(s);
	vmm_jump("vm");
	CHECK_RC(lu_session_retrieve("vm", &s, &err), 0);
	CHECK(lu_session_direction(s) == LU_IN);
	CHECK_RC(lu_session_finish(s, &err), -EBUSY);
	lu_session_free(s);
}

/* A session with memory, kept by somebody over the kexec */
static void carried_over(const char *name)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s;
	int memory = memfd_create("memory", MFD_CLOEXEC), kept;

	CHECK(!ftruncate(memory, PAGE));
	CHECK_RC(lu_session_create(name, &s, &err), 0);
	CHECK_RC(lu_session_preserve(s, memory, 7, &err), 0);
	kept = dup(lu_session_fd(s));
	lu_session_free(s);
	close(memory);
	standin_kexec();
	close(kept);
}

/* Files that systemd passes, as it says in sd_listen_fds(3). */
static void stored(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct lu_session *s, *mine;
	char pid[16];
	int pipes[2];

	CHECK(!pipe(pipes));
	CHECK_RC(lu_session_create("unit-0123", &s, &err), 0);
	if (dup2(pipes[0], 3) != 3 || dup2(lu_session_fd(s), 4) != 4) {
		CHECK(!"files 3 and 4");
		return;
	}
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "vm:vm", 1);
	/* They are not for this process. */
	standin_node_busy(-1);
	standin_fail(1, EACCES);
	CHECK_RC(lu_session_acquire("vm", LU_OUT, &mine, &err), -EACCES);
	CHECK(strstr(err.text, "luod"));
	standin_fail(0, 0);
	setenv("LISTEN_PID", pid, 1);
	CHECK_RC(lu_session_acquire("vm", LU_OUT, &mine, &err), 0);
	CHECK(lu_session_fd(mine) == 4 && fcntl(4, F_GETFD) == FD_CLOEXEC);
	CHECK(!strcmp(lu_session_name(mine), "unit-0123"));
	/* It is kept already. */
	CHECK_RC(lu_session_park(mine, &err), 0);
	lu_session_free(mine);
	lu_session_free(s);
	unsetenv("LISTEN_FDS");
	close(3);
	close(pipes[0]);
	close(pipes[1]);
}

static int listener(struct sockaddr_un *to, int type)
{
	int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(to->sun_path, sizeof(to->sun_path), "/tmp/lu-notify.%d",
		 getpid());
	unlink(to->sun_path);
	CHECK(!bind(sock, (struct sockaddr *)to, sizeof(*to)));
	return sock;
}

static int manager(struct sockaddr_un *to)
{
	return listener(to, SOCK_DGRAM);
}

static void heard(int sock, const char *want, bool with_file)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char text[256];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t got = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	CHECK(got > 0);
	text[got > 0 ? got : 0] = 0;
	CHECK(strstr(text, want));
	CHECK(!!CMSG_FIRSTHDR(&msg) == with_file);
	if (CMSG_FIRSTHDR(&msg)) {
		int fd;

		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
		close(fd);
	}
}

/* What a manager hears that does what it is told at once. */
struct removal {
	int sock;
	pthread_t thread;
	char text[2][64];
};

static void *hear_removal(void *arg)
{
	struct removal *r = arg;

	/* The pipe that comes with the second one is closed by not being taken. */
	for (int i = 0; i < 2; i++)
		if (recv(r->sock, r->text[i], sizeof(r->text[i]) - 1, 0) < 0)
			break;
	return NULL;
}

static void removal_begin(struct removal *r, int sock)
{
	struct timeval most = { .tv_sec = 60 };

	*r = (struct removal){ .sock = sock };
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	CHECK_RC(pthread_create(&r->thread, NULL, hear_removal, r), 0);
}

static void removal_heard(struct removal *r)
{
	pthread_join(r->thread, NULL);
	CHECK(!strcmp(r->text[0], "FDSTOREREMOVE=1\nFDNAME=vm"));
	CHECK(!strcmp(r->text[1], "BARRIER=1"));
}

/* A copy goes to the store of the service, and comes back. */
static void store(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct sockaddr_un to;
	struct removal removal;
	struct lu_session *s;
	int sock;

	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(lu_session_park(s, &err), -ENOTCONN);
	CHECK(err.why == LU_WHY_NO_KEEPER);
	CHECK_RC(lu_session_unpark(s, &err), 0);
	sock = manager(&to);
	setenv("NOTIFY_SOCKET", to.sun_path, 1);
	setenv("FDSTORE", "8", 1);
	CHECK_RC(lu_session_park(s, &err), 0);
	heard(sock, "FDSTORE=1\nFDPOLL=0\nFDNAME=vm", true);
	CHECK_RC(lu_session_park(s, &err), 0);
	removal_begin(&removal, sock);
	CHECK_RC(lu_session_unpark(s, &err), 0);
	removal_heard(&removal);
	lu_session_free(s);
	/* A name that would be read as more than one word is not passed on. */
	CHECK_RC(lu_session_create("vm\nFDSTOREREMOVE=1", &s, &err), 0);
	CHECK_RC(lu_session_park(s, &err), -EINVAL);
	CHECK(err.why == LU_WHY_KEEPER);
	lu_session_free(s);
	/* And one of another alphabet would be stored under no name at all. */
	CHECK_RC(lu_session_create("g\303\244st", &s, &err), 0);
	CHECK_RC(lu_session_park(s, &err), -EINVAL);
	lu_session_free(s);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("FDSTORE");
	unlink(to.sun_path);
	close(sock);
}

/* What is finished does not stay in the store, where a new one is to have its place. */
static void store_finished(void)
{
	struct lu_error err = LU_ERROR_INIT;
	int sock;
	struct sockaddr_un to;
	struct lu_session *s;
	char pid[16];

	carried_over("unit-0123");
	CHECK_RC(lu_session_retrieve("unit-0123", &s, &err), 0);
	CHECK(dup2(lu_session_fd(s), 3) == 3);
	lu_session_free(s);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "vm", 1);
	sock = manager(&to);
	setenv("NOTIFY_SOCKET", to.sun_path, 1);
	CHECK_RC(lu_session_acquire("vm", LU_IN, &s, &err), 0);
	close(lu_session_take(s, 7, &err));
	CHECK_RC(lu_session_finish(s, &err), 0);
	heard(sock, "FDSTOREREMOVE=1\nFDNAME=vm", false);
	lu_session_free(s);
	unsetenv("LISTEN_FDS");
	unsetenv("NOTIFY_SOCKET");
	unlink(to.sun_path);
	close(sock);
}

/* As systemd does with what waits at a socket whose service cannot start any more. */
static void *hang_up(void *arg)
{
	int sock = accept(*(int *)arg, NULL, NULL);
	struct pollfd asked = { .fd = sock, .events = POLLIN };

	poll(&asked, 1, -1);
	close(sock);
	return NULL;
}

static void luod_only_listens(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct sockaddr_un to;
	struct lu_session *s;
	pthread_t thread;
	int sock = listener(&to, SOCK_SEQPACKET);

	CHECK(!listen(sock, 1));
	setenv("LUOD_SOCKET", to.sun_path, 1);
	CHECK_RC(pthread_create(&thread, NULL, hang_up, &sock), 0);
	/* The kernel makes one, so it can be given to another keeper. */
	CHECK_RC(lu_session_acquire("vm", LU_OUT, &s, &err), 0);
	pthread_join(thread, NULL);
	CHECK_RC(pthread_create(&thread, NULL, hang_up, &sock), 0);
	CHECK_RC(lu_session_park(s, &err), -ENOTCONN);
	CHECK(err.why == LU_WHY_NO_KEEPER);
	pthread_join(thread, NULL);
	lu_session_free(s);
	setenv("LUOD_SOCKET", "/nonexistent/luod", 1);
	unlink(to.sun_path);
	close(sock);
}

struct nonsense {
	int sock;
	pthread_t asks;
};

static void nothing(int signal)
{
	(void)signal;
}

/* It takes a while, in which who asks gets signals. */
static void *answer_nonsense(void *arg)
{
	const struct nonsense *n = arg;
	int sock = accept(n->sock, NULL, NULL);
	char request[512];

	CHECK(recv(sock, request, sizeof(request), 0) > 0);
	for (int i = 0; i < 20; i++) {
		usleep(1000);
		pthread_kill(n->asks, SIGUSR1);
	}
	CHECK(send(sock, "?", 1, 0) == 1);
	close(sock);
	return NULL;
}

/* One that is there and cannot say must not pass for one that has nothing. */
static void luod_cannot_say(void)
{
	struct sigaction act = { .sa_handler = nothing };
	struct lu_error err = LU_ERROR_INIT;
	struct sockaddr_un to;
	struct lu_session *s = NULL;
	struct nonsense n = { .asks = pthread_self() };
	pthread_t thread;

	n.sock = listener(&to, SOCK_SEQPACKET);
	CHECK(!listen(n.sock, 1));
	CHECK(!sigaction(SIGUSR1, &act, NULL));
	setenv("LUOD_SOCKET", to.sun_path, 1);
	CHECK_RC(pthread_create(&thread, NULL, answer_nonsense, &n), 0);
	CHECK_RC(lu_session_acquire("vm", LU_IN, &s, &err), -EPROTO);
	CHECK(!s && err.why == LU_WHY_KEEPER);
	pthread_join(thread, NULL);
	/* It may have what it was given, so it is asked to close that. */
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(pthread_create(&thread, NULL, answer_nonsense, &n), 0);
	CHECK_RC(lu_session_park(s, &err), -EPROTO);
	pthread_join(thread, NULL);
	setenv("LUOD_SOCKET", "/nonexistent/luod", 1);
	CHECK_RC(lu_session_unpark(s, &err), -ENOTCONN);
	lu_session_free(s);
	unlink(to.sun_path);
	close(n.sock);
}

/* One with too many clients answers without a look at the question. */
static void *answer_busy(void *arg)
{
	struct lu_broker_reply reply = { .magic = LU_BROKER_MAGIC,
					 .version = LU_BROKER_VERSION,
					 .code = -EUSERS,
					 .text = "too many" };
	int sock = accept(*(int *)arg, NULL, NULL);
	struct pollfd asked = { .fd = sock, .events = POLLIN };

	poll(&asked, 1, -1);
	CHECK(send(sock, &reply, sizeof(reply), 0) == sizeof(reply));
	close(sock);
	return NULL;
}

static void luod_is_busy(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct sockaddr_un to;
	struct lu_session *s = NULL;
	pthread_t thread;
	int sock = listener(&to, SOCK_SEQPACKET);

	CHECK(!listen(sock, 1));
	setenv("LUOD_SOCKET", to.sun_path, 1);
	for (int direction = LU_OUT; direction <= LU_IN; direction++) {
		CHECK_RC(pthread_create(&thread, NULL, answer_busy, &sock), 0);
		CHECK_RC(lu_session_acquire("vm", direction, &s, &err), -EUSERS);
		CHECK(!s && !strcmp(err.text, "too many"));
		pthread_join(thread, NULL);
	}
	/* It has nothing that would have to be taken back. */
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(pthread_create(&thread, NULL, answer_busy, &sock), 0);
	CHECK_RC(lu_session_park(s, &err), -EUSERS);
	pthread_join(thread, NULL);
	setenv("LUOD_SOCKET", "/nonexistent/luod", 1);
	CHECK_RC(lu_session_unpark(s, &err), 0);
	lu_session_free(s);
	unlink(to.sun_path);
	close(sock);
}

/* What luod has made in the kernel before is there without it, too. */
static void luod_does_not_come_back(void)
{
	struct lu_error err = LU_ERROR_INIT;
	char name[LU_NAME_BYTES];
	struct lu_session *s;

	snprintf(name, sizeof(name), "%u.vm", geteuid());
	carried_over(name);
	CHECK_RC(lu_session_acquire("other", LU_IN, &s, &err), -ENOENT);
	CHECK_RC(lu_session_acquire("vm", LU_IN, &s, &err), 0);
	CHECK(!strcmp(lu_session_name(s), name));
	close(lu_session_take(s, 7, &err));
	CHECK_RC(lu_session_finish(s, &err), 0);
	lu_session_free(s);
}

/* The kernel refuses, and then the keeper does: all stays as it is until undone. */
static void keeper_gone(void)
{
	struct lu_error err = LU_ERROR_INIT;
	struct sockaddr_un to;
	struct lu_session *s;
	struct removal removal;
	struct lu_plan *p;
	struct vmm vmm;
	int sock;

	vmm_start(&vmm);
	standin_map_other(vmm.iommufd, vmm.ioas, 1ul << 32, PAGE);
	p = vmm_plan(&vmm);
	sock = manager(&to);
	setenv("NOTIFY_SOCKET", to.sun_path, 1);
	setenv("FDSTORE", "8", 1);
	CHECK_RC(lu_session_create("vm", &s, &err), 0);
	CHECK_RC(lu_session_park(s, &err), 0);
	heard(sock, "FDNAME=vm", true);
	close(sock);
	CHECK_RC(lu_plan_preserve(p, s, &err), -EINVAL);
	CHECK(err.why == LU_WHY_MEMORY && lu_session_fd(s) >= 0);
	CHECK(standin_preserved() == 2);
	CHECK_RC(lu_plan_undo(p, s, &err), -ECONNREFUSED);
	CHECK(err.why == LU_WHY_KEEPER && standin_preserved());
	sock = manager(&to);
	removal_begin(&removal, sock);
	CHECK_RC(lu_plan_undo(p, s, &err), 0);
	removal_heard(&removal);
	CHECK(!standin_preserved() && !standin_marked());
	unsetenv("NOTIFY_SOCKET");
	unsetenv("FDSTORE");
	unlink(to.sun_path);
	close(sock);
	lu_session_free(s);
	lu_plan_free(p);
	vmm_end(&vmm);
}

const struct test session_tests[] = {
	{ "support", support },
	{ "session-names", names },
	{ "busy", busy },
	{ "somebody-has-it", somebody_has_it },
	{ "adopt", adopt },
	{ "tokens", tokens },
	{ "unasked", unasked },
	{ "stored", stored },
	{ "store", store },
	{ "store-finished", store_finished },
	{ "luod-only-listens", luod_only_listens },
	{ "luod-cannot-say", luod_cannot_say },
	{ "luod-is-busy", luod_is_busy },
	{ "luod-does-not-come-back", luod_does_not_come_back },
	{ "keeper-gone", keeper_gone },
	{ NULL, NULL },
};
