/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire: a serial port of its own that carries what the machine has to say
 * to the host. The console is for people; nothing on it counts.
 */
#ifndef LU_WIRE_H
#define LU_WIRE_H

#include <stddef.h>

int wire_open(const char *tty, const char *nonce);
void wire_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void wire_blob(const char *name, const void *data, size_t bytes);
/* Returns once everything written has left the machine. */
void wire_drain(void);
/* Waits for "GO <name>" from the host; 0 or -ETIMEDOUT. */
int wire_wait(const char *name, unsigned int seconds);

#endif
