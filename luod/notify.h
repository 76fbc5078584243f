/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is said to the service manager, as in sd_notify(3) and sd_listen_fds(3).
 * systemd since 261 hands its store on over the kexec, earlier ones give it back
 * after a restart of the service.
 */
#ifndef LUOD_NOTIFY_H
#define LUOD_NOTIFY_H

#include <stdbool.h>

/* Reads the environment, and takes out of it what is ours. */
void notify_open(void);

/* Return: 0, also if nobody listens, or -errno */
int notify_say(const char *text);

/* Puts a copy of a session in the store, and takes it out again. */
int notify_store(const char *name, bool incoming, int fd);
int notify_forget(const char *name, bool incoming);

/*
 * For a session that was passed under the name @as: one that went through a kexec
 * is an incoming one now, and is to have that name in the store.
 */
void notify_stored_as(const char *as, const char *name, bool incoming, int fd);

/*
 * Return: a file descriptor that hangs up once the manager has done all that it
 * was told before; -ENOTCONN if nobody listens; -errno
 */
int notify_barrier(void);

/*
 * Calls @take for each file descriptor that was passed to this process, which is
 * closed on exec from then on. @name: as the manager calls it, or ""
 */
void notify_passed(void (*take)(int fd, const char *name, void *arg),
		   void *arg);

#endif
