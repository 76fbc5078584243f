// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

/* A caller of an older header has less room, and a larger struct is not ours. */
static int fill(struct lu_error *err, int code, enum lu_why why,
		const char *subject, uint64_t token, const char *format,
		va_list args)
{
	if (!err || err->size < sizeof(*err))
		return code;
	err->code = code;
	err->why = why;
	err->token = token;
	snprintf(err->subject, sizeof(err->subject), "%s",
		 subject ? subject : "");
	vsnprintf(err->text, sizeof(err->text), format, args);
	return code;
}

int lui_fail(struct lu_error *err, int code, enum lu_why why,
	     const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, why, subject, LU_NO_TOKEN, format, args);
	va_end(args);
	return code;
}

int lui_fail_token(struct lu_error *err, int code, enum lu_why why,
		   const char *subject, uint64_t token, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, why, subject, token, format, args);
	va_end(args);
	return code;
}

int lui_fail_system(struct lu_error *err, int code, const char *subject,
		    const char *what)
{
	const char *name = strerrordesc_np(-code);

	return lui_fail(err, code, LU_WHY_SYSTEM, subject, "%s%s%s: %s", what,
			subject ? " " : "", subject ? subject : "",
			name ? name : "unknown error");
}
