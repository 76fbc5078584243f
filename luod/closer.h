/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Closes what others had a hand in. That can take long: the last file of a
 * session takes apart what is preserved in it, and a user can pass a file whose
 * close waits for him. So each is closed by a thread of its own. A client waits
 * for his, so there are not more threads than clients may have.
 */
#ifndef LUOD_CLOSER_H
#define LUOD_CLOSER_H

#include <stdbool.h>

/* Return: a file descriptor that is readable when something was closed, or -errno */
int closer_open(void);

/* Closes @count of them. @whose comes out of closer_done() after that. */
void closer_give(const int *fds, unsigned int count, void *whose);

/* Return: whether @ret_whose was written; does not wait */
bool closer_done(void **ret_whose);

/* There was no thread to be had. Return: whether there still is not */
bool closer_retry(void);

/* Waits for all of them, and ends. */
void closer_end(void);

#endif
