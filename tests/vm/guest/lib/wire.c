// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines to the host look like "LU <nonce> <verb> ...". Each is one write(2),
 * which a tty does not interleave with another, so pid 1, the owner and its
 * threads may all speak at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define LINE_BYTES 512
/* Payload bytes in one line of base64; a multiple of three. */
#define BLOB_CHUNK 270

static int wire_fd = -1;
static char wire_nonce[40];

int wire_open(const char *tty, const char *nonce)
{
	struct termios mode;
	int fd;

	fd = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (tcgetattr(fd, &mode)) {
		close(fd);
		return -errno;
	}
	cfmakeraw(&mode);
	mode.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&mode, B115200);
	tcsetattr(fd, TCSANOW, &mode);
	snprintf(wire_nonce, sizeof(wire_nonce), "%s", nonce);
	wire_fd = fd;
	return 0;
}

static void write_all(const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t done = write(wire_fd, text, bytes);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		text += done;
		bytes -= done;
	}
}

void wire_line(const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list args;
	int used, i;

	used = snprintf(line, sizeof(line), "LU %s ", wire_nonce);
	va_start(args, fmt);
	vsnprintf(line + used, sizeof(line) - used - 1, fmt, args);
	va_end(args);

	/* One line stays one line, whatever an argument contained. */
	for (i = used; line[i]; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[i++] = '\n';

	if (wire_fd < 0)
		write(STDERR_FILENO, line, i);
	else
		write_all(line, i);
}

static uint32_t crc32(const unsigned char *data, size_t bytes)
{
	uint32_t crc = ~0u;

	while (bytes--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void base64(char *out, const unsigned char *in, size_t bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; bytes; in += 3) {
		size_t take = bytes < 3 ? bytes : 3;
		uint32_t v = in[0] << 16;

		if (take > 1)
			v |= in[1] << 8;
		if (take > 2)
			v |= in[2];
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = take > 1 ? digits[v >> 6 & 63] : '=';
		*out++ = take > 2 ? digits[v & 63] : '=';
		bytes -= take;
	}
	*out = 0;
}

void wire_blob(const char *name, const void *data, size_t bytes)
{
	const unsigned char *p = data;
	char text[BLOB_CHUNK / 3 * 4 + 1];

	wire_line("blob %s %zu", name, bytes);
	for (size_t at = 0; at < bytes; at += BLOB_CHUNK) {
		size_t take = bytes - at;

		if (take > BLOB_CHUNK)
			take = BLOB_CHUNK;
		base64(text, p + at, take);
		wire_line("b64 %s", text);
	}
	wire_line("blob-end %s crc32=%08x", name, crc32(p, bytes));
}

void wire_drain(void)
{
	if (wire_fd >= 0)
		tcdrain(wire_fd);
}

static int read_line(char *line, size_t size, const struct timespec *until)
{
	static char text[256];
	static size_t used;

	for (;;) {
		struct pollfd p = { .fd = wire_fd, .events = POLLIN };
		char *end = memchr(text, '\n', used);
		struct timespec now;
		ssize_t got;

		if (end) {
			*end++ = 0;
			snprintf(line, size, "%s", text);
			used -= end - text;
			memmove(text, end, used);
			return 0;
		}
		if (used == sizeof(text))
			used = 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > until->tv_sec)
			return -ETIMEDOUT;
		if (poll(&p, 1, 200) <= 0)
			continue;
		got = read(wire_fd, text + used, sizeof(text) - used);
		if (got > 0)
			used += got;
	}
}

int wire_wait(const char *name, unsigned int seconds)
{
	struct timespec until;
	char want[64], line[256];
	int rc;

	snprintf(want, sizeof(want), "GO %s", name);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	do {
		rc = read_line(line, sizeof(line), &until);
	} while (!rc && strcmp(line, want));
	return rc;
}
