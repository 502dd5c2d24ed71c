/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The answers of the Container Runtime Interface: a gRPC frame (a byte that says whether it is compressed, the
 * length, big endian) around a protobuf message, of which a few fields are read and the others passed over. Every
 * length is checked against what is left of what it is in.
 * Sources: gRPC over HTTP/2, "Length-Prefixed-Message"; protobuf, "Encoding"; cri-api, runtime/v1/api.proto:
 * ListContainersResponse.containers = 1, Container {id 1, metadata 3 {name 1, attempt 2}, labels 8};
 * ListPodSandboxResponse.items = 1, PodSandbox {id 1, metadata 2 {name 1, uid 2, namespace 3, attempt 4}, labels 5}.
 */
#include "internal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "pp/base/cleanup.h"

#define FRAME_HEAD_BYTES 5

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct reading {
	const uint8_t *at, *end;
	bool is_bad;
};

struct field {
	uint32_t number;
	uint64_t value; /* of a varint */
	const uint8_t *data; /* of bytes; else NULL */
	size_t len;
};

static uint64_t read_varint(struct reading *in)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		uint8_t byte = *in->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	in->is_bad = true;
	return 0;
}

/* False at the end, and when it is damaged (in->is_bad). */
static bool next_field(struct reading *in, struct field *ret_field)
{
	uint64_t key, len = 0;

	if (in->at >= in->end)
		return false;
	key = read_varint(in);
	*ret_field = (struct field){ .number = (uint32_t)(key >> 3) };
	switch (key & 7) {
	case WIRE_VARINT: ret_field->value = read_varint(in); break;
	case WIRE_BYTES:
		len = read_varint(in);
		ret_field->data = in->at;
		break;
	case WIRE_FIXED64: len = 8; break;
	case WIRE_FIXED32: len = 4; break;
	default: in->is_bad = true;
	}
	if (len > (uint64_t)(in->end - in->at))
		in->is_bad = true;
	if (in->is_bad)
		return false;
	ret_field->len = (size_t)len;
	in->at += len;
	return true;
}

static struct reading inside(const struct field *field)
{
	if (!field->data) /* a number where a message should be */
		return (struct reading){ .is_bad = true };
	return (struct reading){ field->data, field->data + field->len, false };
}

/* A map entry: key 1, value 2. */
static bool read_label(const struct field *label, struct container_facts *facts)
{
	struct reading in = inside(label);
	struct field field, key = { 0 }, value = { 0 };

	while (next_field(&in, &field)) {
		if (field.number == 1 && field.data)
			key = field;
		else if (field.number == 2 && field.data)
			value = field;
	}
	if (!in.is_bad && key.data)
		facts__label(facts, (const char *)key.data, key.len,
			     value.data ? (const char *)value.data : "", value.len);
	return !in.is_bad;
}

/* Where the message's parts have their numbers. */
struct numbers {
	uint32_t metadata, labels, attempt;
	bool is_sandbox;
};
static const struct numbers container_numbers = { 3, 8, 2, false };
static const struct numbers sandbox_numbers = { 2, 5, 4, true };

static bool read_metadata(const struct field *metadata, const struct numbers *numbers,
			  struct container_facts *facts)
{
	struct reading in = inside(metadata);
	struct field field;

	while (next_field(&in, &field)) {
		if (field.number == numbers->attempt && !field.data)
			facts->attempt = (uint32_t)field.value;
		else if (field.number == 1 && field.data && !numbers->is_sandbox)
			facts__text(facts->name, sizeof(facts->name), (const char *)field.data,
				    field.len);
	}
	return !in.is_bad;
}

static bool read_item(const struct field *item, const struct numbers *numbers,
		      struct container_facts *facts)
{
	struct reading in = inside(item);
	struct field field;
	bool good = true;

	while (good && next_field(&in, &field)) {
		if (field.number == 1 && field.data)
			(void)facts__set_id(facts, (const char *)field.data,
					    field.len); /* others are left out */
		else if (field.number == numbers->metadata)
			good = read_metadata(&field, numbers, facts);
		else if (field.number == numbers->labels)
			good = read_label(&field, facts);
	}
	return good && !in.is_bad;
}

/* The message in the frame; a call that failed has none. */
static int open_frame(const uint8_t *body, size_t len, struct reading *ret_in)
{
	uint32_t message_bytes;

	if (len < FRAME_HEAD_BYTES)
		return -EBADMSG;
	if (body[0])
		return -EOPNOTSUPP;
	memcpy(&message_bytes, body + 1, sizeof(message_bytes));
	message_bytes = __builtin_bswap32(message_bytes);
	if (message_bytes > len - FRAME_HEAD_BYTES)
		return -EBADMSG;
	body += FRAME_HEAD_BYTES;
	*ret_in = (struct reading){ body, body + message_bytes, false };
	return 0;
}

static int read_list(const uint8_t *body, size_t len, const struct numbers *numbers,
		     const char *runtime, facts_fn fn, void *arg)
{
	struct reading in;
	struct field item;
	int err = open_frame(body, len, &in);

	while (!err && next_field(&in, &item)) {
		struct container_facts facts = { .runtime = runtime };

		if (item.number != 1)
			continue;
		if (!read_item(&item, numbers, &facts))
			return -EBADMSG;
		if (!facts.id[0]) /* not of a runtime that names cgroups by ids */
			continue;
		if (numbers->is_sandbox)
			facts__text(facts.name, sizeof(facts.name), "POD", 3);
		facts__finish(&facts);
		err = fn(arg, &facts);
	}
	return err ? err : in.is_bad ? -EBADMSG : 0;
}

int cri__read_containers(const uint8_t *body, size_t len, const char *runtime, facts_fn fn,
			 void *arg)
{
	return read_list(body, len, &container_numbers, runtime, fn, arg);
}

int cri__read_sandboxes(const uint8_t *body, size_t len, const char *runtime, facts_fn fn,
			void *arg)
{
	return read_list(body, len, &sandbox_numbers, runtime, fn, arg);
}
