/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LU_ERROR_H
#define LU_ERROR_H

#include "liveupdate.h"

/*
 * All of them return @code, so that a failure is one statement. @err may be
 * NULL; @subject too. The sentence begins with a small letter or a name and has
 * no full stop, as something is often put in front of it.
 */
int lui_fail(struct lu_error *err, int code, enum lu_why why,
	     const char *subject, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
int lui_fail_token(struct lu_error *err, int code, enum lu_why why,
		   const char *subject, uint64_t token, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* For what only an errno is known of: "@what of @subject: No such file ..." */
int lui_fail_system(struct lu_error *err, int code, const char *subject,
		    const char *what);

#endif
