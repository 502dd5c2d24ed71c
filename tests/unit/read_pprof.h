/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef READ_PPROF_H
#define READ_PPROF_H
/*
 * A reader of packed profile.proto for the test of its writer, written from the format's description. Asserts
 * that what it reads is whole and well formed; knows each message as its fields only. Not a test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/buf.h"
#include "pp/base/compress.h"

/* A message or string in the bytes of the profile. */
struct bytes {
	const unsigned char *at;
	size_t len;
};

struct field {
	uint32_t number;
	uint64_t value; /* of a number */
	struct bytes bytes; /* of a message, string or packed numbers; at NULL: a number */
};

struct read_pprof {
	struct buf plain; /* all of it, unpacked */
	struct field *of[17]; /* what each field of Profile holds, in its order */
	size_t cnt[17];
};

static inline uint64_t take_varint(struct bytes *in)
{
	uint64_t value = 0;

	for (uint32_t shift = 0; shift < 70; shift += 7) {
		unsigned char byte;

		assert_true(in->len > 0);
		byte = *in->at++;
		in->len--;
		assert_true(shift < 63 || byte <= 1);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	fail_msg("a number of more than ten bytes");
	return 0;
}

/* false at the end. */
static inline bool take_field(struct bytes *in, struct field *field)
{
	uint64_t tag;

	if (!in->len)
		return false;
	tag = take_varint(in);
	*field = (struct field){ .number = (uint32_t)(tag >> 3) };
	assert_true(tag >> 3 >= 1 && tag >> 3 <= 16);
	field->value = take_varint(in);
	if ((tag & 7) == 0)
		return true;
	assert_int_equal(tag & 7, 2);
	assert_true(field->value <= in->len);
	field->bytes = (struct bytes){ in->at, (size_t)field->value };
	in->at += field->value;
	in->len -= field->value;
	return true;
}

/* The number in a message, 0 if it is not there. It may be there only once. */
static inline uint64_t number_in(struct bytes message, uint32_t number)
{
	struct field field;
	uint64_t value = 0, cnt = 0;

	while (take_field(&message, &field)) {
		if (field.number != number)
			continue;
		assert_null(field.bytes.at);
		assert_int_equal(cnt++, 0);
		value = field.value;
	}
	return value;
}

/* The i-th message or string of that number in a message; at NULL past the last one. */
static inline struct bytes bytes_in(struct bytes message, uint32_t number, size_t i)
{
	struct field field;

	while (take_field(&message, &field)) {
		if (field.number == number && !i--)
			return field.bytes;
	}
	return (struct bytes){ NULL, 0 };
}

static inline void read_pprof(struct read_pprof *self, const struct buf *packed)
{
	struct bytes in;
	struct field field;

	memset(self, 0, sizeof(*self));
	buf__init(&self->plain, 1u << 30);
	assert_int_equal(gzip__unpack(packed->data, packed->len, &self->plain), 0);
	in = (struct bytes){ (unsigned char *)self->plain.data, self->plain.len };
	while (take_field(&in, &field)) {
		size_t cnt = self->cnt[field.number]++;

		if (!(cnt & (cnt - 1))) /* room for 1, 2, 4 ... */
			self->of[field.number] = realloc(self->of[field.number],
							 (cnt ? 2 * cnt : 1) * sizeof(field));
		self->of[field.number][cnt] = field;
	}
}

static inline void read_pprof__clear(struct read_pprof *self)
{
	for (size_t i = 0; i < 17; i++)
		free(self->of[i]);
	buf__clear(&self->plain);
}

/* The message of that field whose id (its field 1) this is; there must be one and only one. */
static inline struct bytes by_id(const struct read_pprof *self, uint32_t number, uint64_t id)
{
	struct bytes found = { NULL, 0 };

	for (size_t i = 0; i < self->cnt[number]; i++) {
		if (number_in(self->of[number][i].bytes, 1) != id)
			continue;
		assert_null(found.at);
		found = self->of[number][i].bytes;
	}
	assert_non_null(found.at);
	return found;
}

#endif
