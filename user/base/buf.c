/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Growing byte strings. Invariant: data is NULL, or cap >= len + 1 and data[len] is NUL; len never
 * passes max_bytes; the first error stays until clear or reset.
 */
#include "pp/base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"

#define FIRST_CAP_BYTES 64

void buf__init(struct buf *self, size_t max_bytes)
{
	*self = (struct buf){ .max_bytes = max_bytes };
}

void buf__clear(struct buf *self)
{
	free(self->data);
	buf__init(self, self->max_bytes);
}

void buf__reset(struct buf *self)
{
	self->len = 0;
	self->err = 0;
	if (self->data)
		self->data[0] = '\0';
}

/* Makes room for add more bytes and the NUL. */
static int reserve(struct buf *self, size_t add)
{
	size_t need, cap;
	char *data;

	if (self->err)
		return self->err;
	if (add > self->max_bytes - self->len)
		return self->err = -E2BIG;
	need = self->len + add + 1;
	if (need <= self->cap)
		return 0;
	cap = max_of(self->cap + self->cap / 2, (size_t)FIRST_CAP_BYTES);
	cap = max_of(cap, need);
	data = realloc(self->data, cap);
	if (!data)
		return self->err = -ENOMEM;
	self->data = data;
	self->cap = cap;
	return 0;
}

int buf__append(struct buf *self, const void *data, size_t len)
{
	int err = reserve(self, len);

	if (err)
		return err;
	if (len)
		memcpy(self->data + self->len, data, len);
	self->len += len;
	self->data[self->len] = '\0';
	return 0;
}

int buf__puts(struct buf *self, const char *text)
{
	return buf__append(self, text, strlen(text));
}

int buf__putc(struct buf *self, char c)
{
	return buf__append(self, &c, 1);
}

int buf__vprintf(struct buf *self, const char *fmt, va_list ap)
{
	va_list again;
	int n, err;

	err = reserve(self, 0);
	if (err)
		return err;
	va_copy(again, ap);
	n = vsnprintf(self->data + self->len, self->cap - self->len, fmt, again);
	va_end(again);
	self->data[self->len] = '\0';
	if (n < 0)
		return self->err = -ENOMEM; /* glibc: only memory, as our formats are constants */
	err = reserve(self, (size_t)n);
	if (err)
		return err;
	vsnprintf(self->data + self->len, self->cap - self->len, fmt, ap);
	self->len += (size_t)n;
	return 0;
}

int buf__printf(struct buf *self, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = buf__vprintf(self, fmt, ap);
	va_end(ap);
	return err;
}

char *buf__take(struct buf *self, size_t *ret_len)
{
	char *data = NULL;

	if (!self->err && self->len) {
		if (ret_len)
			*ret_len = self->len;
		data = take_ptr(self->data);
	}
	buf__clear(self);
	return data;
}

int buf__base64(struct buf *self, const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t cnt = len - i < 3 ? len - i : 3;
		char four[4] = { '=', '=', '=', '=' };
		uint32_t bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < cnt ? bytes[i + j] : 0);
		for (size_t j = 0; j <= cnt; j++)
			four[j] = digits[bits >> (18 - 6 * j) & 63];
		buf__append(self, four, sizeof(four));
	}
	return self->err;
}
