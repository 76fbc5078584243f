/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of the kernel and of the system, below a root that is "/" but in tests.
 */
#ifndef LUCTL_SYSFS_H
#define LUCTL_SYSFS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Once, before anything else. */
void root_set(const char *dir);

/* The path below the root, to be freed. */
char *root_path(const char *fmt, ...) PRINTF(1, 2);

/*
 * All of a file that need not say how long it is, with a NUL behind it; to be
 * freed. NULL with errno. The second one takes the path as it is.
 */
char *sys_text(const char *fmt, ...) PRINTF(1, 2);
char *file_text(const char *path, size_t *ret_bytes);

/* The first line of it without what is around; "" if there is none. */
void sys_line(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);

/* A number in any base that strtoll() knows; @fallback if there is none. */
long long sys_number(long long fallback, const char *fmt, ...) PRINTF(2, 3);

bool sys_exists(const char *fmt, ...) PRINTF(1, 2);

/* What a symbolic link says, cut to @size; false without one. */
bool sys_link(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);
/* Of that only what is behind the last slash. */
bool sys_link_name(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);

/* The names in a folder, sorted; how many, or -errno. Free with names_free(). */
int sys_names(char ***ret, const char *fmt, ...) PRINTF(2, 3);
void names_free(char **names, int count);

/* Never fail: the program ends with a sentence. */
void *must_alloc(size_t bytes);
void *must_grow(void *old, size_t count, size_t bytes);
char *must_copy(const char *text);
char *must_print(const char *fmt, ...) PRINTF(1, 2);

/*
 * Text as the kernel lists it: what is not printable ASCII, and the backslash,
 * as \ooo. To be freed.
 */
char *escaped(const char *text);

#endif
