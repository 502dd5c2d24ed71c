/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gzip by zlib and xz by liblzma, the only file that includes them. What is packed goes out piece by piece;
 * unpacking is of whole strings through a window on the stack: the out buffer's maximum is what stops a bomb.
 * zlib writes no time into the header unless told to.
 */
#include "pp/base/compress.h"

#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"

#define WINDOW_BYTES	    GZIP_PIECE_BYTES
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

struct gzip_stream {
	z_stream zlib;
	gzip_write_fn write;
	void *arg;
	int err; /* the first one */
	unsigned char window[WINDOW_BYTES];
};

int gzip_stream__new(int level, gzip_write_fn write, void *arg, struct gzip_stream **ret_stream)
{
	_auto_free_ struct gzip_stream *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->write = write;
	self->arg = arg;
	self->zlib.next_out = self->window;
	self->zlib.avail_out = sizeof(self->window);
	switch (deflateInit2(&self->zlib, level, Z_DEFLATED, GZIP_WBITS, MEM_LEVEL,
			     Z_DEFAULT_STRATEGY)) {
	case Z_OK: break;
	case Z_MEM_ERROR: return -ENOMEM;
	default: return -EINVAL;
	}
	*ret_stream = take_ptr(self);
	return 0;
}

static int write_window(struct gzip_stream *self)
{
	size_t len = sizeof(self->window) - self->zlib.avail_out;

	self->zlib.next_out = self->window;
	self->zlib.avail_out = sizeof(self->window);
	return len ? self->write(self->arg, self->window, len) : 0;
}

int gzip_stream__add(struct gzip_stream *self, const void *data, size_t len)
{
	self->zlib.next_in = (Bytef *)data;
	self->zlib.avail_in = 0;
	while (!self->err && (len || self->zlib.avail_in)) {
		if (!self->zlib.avail_in)
			feed(&self->zlib, &len);
		if (deflate(&self->zlib, Z_NO_FLUSH) != Z_OK)
			self->err = -EIO;
		else if (!self->zlib.avail_out)
			self->err = write_window(self);
	}
	return self->err;
}

int gzip_stream__end(struct gzip_stream *self)
{
	int ret = Z_OK;

	self->zlib.avail_in = 0;
	while (!self->err && ret == Z_OK) {
		ret = deflate(&self->zlib, Z_FINISH);
		self->err = ret == Z_OK || ret == Z_STREAM_END ? write_window(self) : -EIO;
	}
	return self->err;
}

void gzip_stream__free(struct gzip_stream *self)
{
	if (!self)
		return;
	deflateEnd(&self->zlib);
	free(self);
}

static void gzip_stream_cleanup(struct gzip_stream **self)
{
	gzip_stream__free(*self);
}

static int append_to_buf(void *arg, const void *data, size_t len)
{
	return buf__append(arg, data, len);
}

int gzip__pack(const void *data, size_t len, int level, struct buf *out)
{
	__cleanup(gzip_stream_cleanup) struct gzip_stream *stream = NULL;
	int err = gzip_stream__new(level, append_to_buf, out, &stream);

	if (!err)
		err = gzip_stream__add(stream, data, len);
	return err ? err : gzip_stream__end(stream);
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
