/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any bytes as the text of /proc/PID/maps: each mapping that comes out is a range and has a path.
 */
#include <stdlib.h>
#include <string.h>

#include "pp/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int check(void *arg, const struct mapping *mapping)
{
	if (mapping->start_addr >= mapping->end_addr || strlen(mapping->path) > 8192)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1); /* exactly sized: the sanitizer sees one byte too far */

	if (!text)
		return 0;
	memcpy(text, data, len);
	text = realloc(text, len > 0 ? len : 1);
	(void)maps__parse(text, len, check, NULL);
	free(text);
	return 0;
}
