/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_COMPRESS_H
#define PP_BASE_COMPRESS_H
/*
 * gzip of whole byte strings, both ways, and xz, bounded by the out buffer's maximum; and packing what comes
 * in parts. Same input, same bytes (no time stamp in the header).
 */
#include <stddef.h>
#include <stdint.h>

struct buf;

int gzip__pack(const void *data, size_t len, int level, struct buf *out);
/* -EBADMSG for damaged or truncated data, -E2BIG past out's maximum (zip bombs). */
int gzip__unpack(const void *data, size_t len, struct buf *out);
/* The same for zlib's own header (RFC 1950), as in compressed ELF sections. */
int zlib__unpack(const void *data, size_t len, struct buf *out);
/* The same for .xz; -E2BIG also for what would need a dictionary of more than 64 MiB. */
int xz__unpack(const void *data, size_t len, struct buf *out);
/* zlib's CRC-32 of what was there before (0 at the beginning) and data. */
uint32_t crc32__add(uint32_t crc, const void *data, size_t len);

/*
 * Packed bytes leave through write, at most GZIP_PIECE_BYTES at once. The first failure, also write's own,
 * sticks: later calls do nothing and return it. Not the end of the data before gzip_stream__end.
 */
#define GZIP_PIECE_BYTES 16384
struct gzip_stream;
typedef int (*gzip_write_fn)(void *arg, const void *data, size_t len); /* 0 or -errno */
int gzip_stream__new(int level, gzip_write_fn write, void *arg, struct gzip_stream **ret_stream);
int gzip_stream__add(struct gzip_stream *self, const void *data, size_t len);
int gzip_stream__end(struct gzip_stream *self);
void gzip_stream__free(struct gzip_stream *self);

#endif
