/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library and luod(8) say to each other: over a unix socket of type
 * SOCK_SEQPACKET, one message a request, one or more a reply, in the byte order
 * of the machine, both ends being on it.
 *
 * A session belongs to a user. Of user 1000, who calls it "vm1", the kernel's
 * name is "1000.vm1". luod learns who asks from the socket (SO_PEERCRED), and
 * believes no message about that.
 */
#ifndef LU_BROKER_H
#define LU_BROKER_H

#include <stdint.h>

#include "liveupdate.h"

#define LU_BROKER_SOCKET "/run/luod/socket"
/* Names another socket, for tests */
#define LU_BROKER_ENV "LUOD_SOCKET"

#define LU_BROKER_MAGIC 0x444f554cu /* "LUOD" */
#define LU_BROKER_VERSION 1u

enum lu_broker_op {
	/* A new session, whose file descriptor comes with the reply */
	LU_BROKER_CREATE = 1,
	/* An incoming session of this user; its file descriptor likewise */
	LU_BROKER_RETRIEVE,
	/* Keep the session whose file descriptor comes with the request */
	LU_BROKER_PARK,
	/* Close it; not being kept is no error. By the kernel's name */
	LU_BROKER_UNPARK,
	/* What is kept: a reply for each, and one with an empty name */
	LU_BROKER_LIST,
};

struct lu_broker_request {
	uint32_t magic;
	uint32_t version;
	uint32_t op; /* of enum lu_broker_op */
	uint32_t reserved; /* 0 */
	char name[LU_NAME_BYTES]; /* NUL and zeros behind it */
};

struct lu_broker_reply {
	uint32_t magic;
	uint32_t version;
	int32_t code; /* 0 or a negative errno */
	uint32_t uid; /* LIST: of its owner */
	char name[LU_NAME_BYTES]; /* the kernel's */
	char text[LU_TEXT_BYTES]; /* of a failure, a sentence for people */
};

#endif
