/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages over unix sockets, and what else the protocols of systemd take that
 * sd_notify(3) and sd_listen_fds(3) describe. luod has its messages from here too.
 */
#ifndef LU_MESSAGE_H
#define LU_MESSAGE_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The first file that the service manager has passed */
#define LUI_PASSED_FIRST 3

/* Where a message goes to; NULL for the other end of the socket */
struct lui_address {
	struct sockaddr_un un;
	socklen_t length;
};

/*
 * Sends @data as one message, with @fd unless that is negative. @flags beside
 * MSG_NOSIGNAL. 0 or -errno
 */
int lui_send(int sock, const void *data, size_t length, int fd,
	     const struct lui_address *to, int flags);

/*
 * The file descriptors that came with @msg: up to @room of them in @fds, those
 * beyond are closed. Returns how many were written.
 */
unsigned int lui_received(struct msghdr *msg, int *fds, unsigned int room);

/* Of $NOTIFY_SOCKET. 0, or -ENOTCONN for none, -ENAMETOOLONG */
int lui_notify_address(const char *path, struct lui_address *ret);

/* The value of such a variable, 0 if it is none. @text may be NULL. */
long lui_number(const char *text);

#endif
