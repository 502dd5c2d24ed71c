/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one table of formats that a user can ask for by name. A new format is a file of its own and a row
 * here; nothing else switches on a format.
 */
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/encode.h"

static const struct encode_format formats[] = {
	{ "html", "html", "text/html; charset=utf-8", encode__html },
	{ "collapsed", "col", "text/plain; charset=utf-8", encode__collapsed },
};

const struct encode_format *encode_format__at(uint32_t i)
{
	return i < ARRAY_SIZE(formats) ? &formats[i] : NULL;
}

const struct encode_format *encode_format__find(const char *name)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	}
	return NULL;
}
