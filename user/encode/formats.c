/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one table of formats that a user can ask for by name. A new format is a file of its own and a row
 * here; nothing else switches on a format.
 */
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/encode.h"

#define WHOLE_MAX_BYTES (1u << 30)

/* For a format whose first byte is known only with its last. */
static int write_whole(int (*encode)(const struct profile *, struct buf *),
		       const struct profile *profile, const struct encode_sink *sink)
{
	struct buf bytes _auto_buf_;
	int err;

	buf__init(&bytes, WHOLE_MAX_BYTES);
	err = encode(profile, &bytes);
	return err ?: sink->write(sink->arg, bytes.data ?: "", bytes.len);
}

static int write_html(const struct profile *profile, const struct encode_sink *sink)
{
	return write_whole(encode__html, profile, sink);
}

static int write_collapsed(const struct profile *profile, const struct encode_sink *sink)
{
	return write_whole(encode__collapsed, profile, sink);
}

static const struct encode_format formats[] = {
	{ "html", "html", "text/html; charset=utf-8", write_html },
	{ "collapsed", "col", "text/plain; charset=utf-8", write_collapsed },
	{ "pprof", "pb.gz", "application/octet-stream", encode__pprof },
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
