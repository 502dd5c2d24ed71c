/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BASE_BUF_H
#define PP_BASE_BUF_H
/*
 * A growing byte string with a maximum. The first failure sticks in `err` and later calls do
 * nothing, so a writer may append without checking and look once at the end (as curl's dynbuf).
 * data is always NUL-terminated after the first append (the NUL is not in len); NULL before.
 */
#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max_bytes;
	int err; /* 0, -E2BIG past max_bytes, -ENOMEM */
};

void buf__init(struct buf *self, size_t max_bytes);
void buf__clear(struct buf *self); /* frees; self may be used again with the same maximum */
void buf__reset(struct buf *self); /* len = 0, err = 0, keeps memory */
int buf__append(struct buf *self, const void *data, size_t len);
int buf__puts(struct buf *self, const char *text);
int buf__base64(struct buf *self, const void *data, size_t len); /* RFC 4648, padded */
int buf__putc(struct buf *self, char c);
int buf__printf(struct buf *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf__vprintf(struct buf *self, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Gives the bytes to the caller (free()), leaves self empty. NULL if err or empty. */
char *buf__take(struct buf *self, size_t *ret_len);
#define _auto_buf_ __attribute__((cleanup(buf__clear)))

#endif
