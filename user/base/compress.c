/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gzip by zlib and xz by liblzma, the only file that includes them. Whole strings in, whole strings out, through a
 * window on the stack: the out buffer's maximum is what stops a bomb. zlib writes no time into the
 * header unless told to.
 */
#include "pp/base/compress.h"

#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <zlib.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"

#define WINDOW_BYTES	    16384
#define GZIP_WBITS	    (15 + 16)
#define MEM_LEVEL	    8 /* zlib's default */
#define XZ_MEMORY_BYTES_MAX (80u << 20)

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

static int xz_error(lzma_ret ret)
{
	switch (ret) {
	case LZMA_STREAM_END: return 0;
	case LZMA_MEM_ERROR: return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR: return -E2BIG;
	default: return -EBADMSG;
	}
}

int xz__unpack(const void *data, size_t len, struct buf *out)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	uint8_t window[WINDOW_BYTES];
	lzma_ret ret;
	int err;

	if (lzma_stream_decoder(&stream, XZ_MEMORY_BYTES_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = data;
	stream.avail_in = len;
	do {
		stream.next_out = window;
		stream.avail_out = sizeof(window);
		ret = lzma_code(&stream, LZMA_FINISH);
		err = buf__append(out, window, sizeof(window) - stream.avail_out);
	} while (ret == LZMA_OK && !err);
	lzma_end(&stream);
	return err ? err : xz_error(ret);
}

uint32_t crc32__add(uint32_t crc, const void *data, size_t len)
{
	return (uint32_t)crc32_z(crc, data, len);
}
