// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer: the map of a session, which comes from whoever made the session. It
 * is refused, or read, written and read again to the same text.
 */
#include <stdlib.h>
#include <string.h>

#include "../../lib/src/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lu_error err = LU_ERROR_INIT;
	char *text = malloc(size + 1), *once, *twice;
	struct parts parts;

	memcpy(text, data, size);
	if (lui_map_read(text, size, &parts, &err)) {
		if (!err.code || !*err.text)
			abort();
		free(text);
		return 0;
	}
	free(text);
	once = lui_map_write(&parts);
	lui_parts_free(&parts);
	if (lui_map_read(once, strlen(once), &parts, &err))
		abort();
	twice = lui_map_write(&parts);
	lui_parts_free(&parts);
	if (strcmp(once, twice))
		abort();
	free(once);
	free(twice);
	return 0;
}
