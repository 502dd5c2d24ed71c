/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gzip by zlib, the only file that includes it. Whole strings in, whole strings out, through a
 * window on the stack: the out buffer's maximum is what stops a bomb. zlib writes no time into the
 * header unless told to.
 */
#include "pp/base/compress.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"

#define WINDOW_BYTES 16384
#define GZIP_WBITS   (15 + 16)
#define MEM_LEVEL    8 /* zlib's default */

/* zlib counts in unsigned int: feed at most this much at once. */
static void feed(z_stream *stream, size_t *left)
{
	uInt n = (uInt)min_of(*left, (size_t)INT_MAX);

	stream->avail_in = n;
	*left -= n;
}

static int pack_all(z_stream *stream, size_t left, struct buf *out)
{
	unsigned char window[WINDOW_BYTES];
	int err, ret;

	do {
		if (!stream->avail_in)
			feed(stream, &left);
		stream->next_out = window;
		stream->avail_out = sizeof(window);
		ret = deflate(stream, left ? Z_NO_FLUSH : Z_FINISH);
		err = buf__append(out, window, sizeof(window) - stream->avail_out);
		if (err)
			return err;
	} while (ret == Z_OK);
	return ret == Z_STREAM_END ? 0 : -EIO;
}

int gzip__pack(const void *data, size_t len, int level, struct buf *out)
{
	z_stream stream = { .next_in = (Bytef *)data };
	int err;

	switch (deflateInit2(&stream, level, Z_DEFLATED, GZIP_WBITS, MEM_LEVEL,
			     Z_DEFAULT_STRATEGY)) {
	case Z_OK: break;
	case Z_MEM_ERROR: return -ENOMEM;
	default: return -EINVAL;
	}
	err = pack_all(&stream, len, out);
	deflateEnd(&stream);
	return err;
}

static int unpack_all(z_stream *stream, size_t left, struct buf *out)
{
	unsigned char window[WINDOW_BYTES];
	int err, ret;

	do {
		if (!stream->avail_in)
			feed(stream, &left);
		stream->next_out = window;
		stream->avail_out = sizeof(window);
		ret = inflate(stream, Z_NO_FLUSH);
		if (ret == Z_MEM_ERROR)
			return -ENOMEM;
		err = buf__append(out, window, sizeof(window) - stream->avail_out);
		if (err)
			return err;
	} while (ret == Z_OK);
	/* Truncated data ends in Z_BUF_ERROR; nothing may follow the one member. */
	return ret == Z_STREAM_END && !stream->avail_in && !left ? 0 : -EBADMSG;
}

static int unpack(const void *data, size_t len, int wbits, struct buf *out)
{
	z_stream stream = { .next_in = (Bytef *)data };
	int err;

	if (inflateInit2(&stream, wbits) != Z_OK)
		return -ENOMEM;
	err = unpack_all(&stream, len, out);
	inflateEnd(&stream);
	return err;
}

int gzip__unpack(const void *data, size_t len, struct buf *out)
{
	return unpack(data, len, GZIP_WBITS, out);
}

int zlib__unpack(const void *data, size_t len, struct buf *out)
{
	return unpack(data, len, MAX_WBITS, out);
}
