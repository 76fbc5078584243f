/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of the kernel command line that are meant for us. */
#ifndef LU_WORDS_H
#define LU_WORDS_H

#include <stddef.h>

/* To be called once /proc is mounted. */
void words_read(void);
/* The value of "key=value", copied into a static buffer per key; NULL: none. */
const char *word(const char *key);
unsigned long word_number(const char *key, unsigned long fallback);
/* The same for "k:v,k:v" inside lu.args. */
const char *arg(const char *key);
unsigned long arg_number(const char *key, unsigned long fallback);
/* More for all next kernels, as in lu.next. */
void words_carry(const char *item);
/*
 * The command line of the next kernel: ours with two words changed, and with
 * those that lu.next adds or, with a '-' in front, takes away. @more is a list
 * like that as well, or NULL.
 */
void words_next(char *text, size_t size, unsigned int stage,
		unsigned int failed, const char *more);

#endif
