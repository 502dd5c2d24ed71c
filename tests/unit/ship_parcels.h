/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SHIP_PARCELS_H
#define SHIP_PARCELS_H
/*
 * Parcels told apart by a number, on their way through a ship (ship_rig.h) to the server that the test plays.
 */
#include "pp/base/json.h"
#include "ship_rig.h"

static struct net_call *upload(void)
{
	while (wire_work_off())
		;
	return wire_open(UPLOAD);
}

static inline void make_parcel(int number, struct buf *out)
{
	buf__init(out, 1 << 20);
	buf__printf(out, "{\"body\":{\"n\":%d},\"header\":{}}\nnull\n0;;a;b 1", number);
	assert_int_equal(out->err, 0);
}

static void told(void *arg, int err)
{
	int *ret = arg;

	assert_int_equal(*ret, NOT_YET); /* once */
	*ret = err;
}

/* Until it has been told what became of it. Returns that. */
static int put_parcel(struct buf *parcel, const char *command_id, bool is_held)
{
	const struct ship_item item = { .command_id = command_id,
					.is_held = is_held,
					.parcel = parcel };
	int err, result = NOT_YET;

	err = ship__put(ship, &item, told, &result);
	while (!err && result == NOT_YET)
		assert_true(wire_work_off());
	buf__clear(parcel);
	return err ? err : result;
}

static int put_of(int number, const char *command_id, bool is_held)
{
	struct buf parcel;

	make_parcel(number, &parcel);
	return put_parcel(&parcel, command_id, is_held);
}

static inline void put(int number)
{
	assert_int_equal(put_of(number, NULL, false), 0);
}

/* What the server would read from the request under way; given. */
static struct json_object *sent_body(void)
{
	struct net_call *call = upload();
	struct json_object *json = NULL;
	_auto_buf_ struct buf plain;

	assert_non_null(call);
	buf__init(&plain, 64 << 20);
	assert_int_equal(gzip__unpack(call->body, call->body_len, &plain), 0);
	assert_int_equal(json__parse(plain.data, plain.len, &json), 0);
	return json;
}

static inline void uploads_as(int number, const char *gpid)
{
	_auto_json_ struct json_object *json = sent_body();
	const char *text;
	int64_t n;

	assert_int_equal(json__get_int(json, "n", 0, INT32_MAX, &n), 0);
	assert_int_equal(n, number);
	assert_int_equal(json__get_str(json, "gpid", &text), 0);
	assert_string_equal(text, gpid);
	assert_int_equal(json__get_str(json, "profile", &text), 0);
	assert_non_null(strstr(text, "\n0;;a;b 1"));
}

static inline void uploads(int number)
{
	_auto_json_ struct json_object *json = sent_body();
	int64_t n;

	assert_int_equal(json__get_int(json, "n", 0, INT32_MAX, &n), 0);
	assert_int_equal(n, number);
}

#endif
