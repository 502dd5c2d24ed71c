/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef MADE_PARCEL_H
#define MADE_PARCEL_H
/*
 * Parcels of made profiles, and the profile files that the server gets of them. Not a test.
 */
#include "made_profile.h"

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"
#include "pp/encode.h"

#define OUT_BYTES_MAX (64u << 20)

static const struct encode_host host = { .hostname = "node-7",
					 .mac_address = "02:42:AC:11:00:02",
					 .agent_version = "2.0.0",
					 .processors = 1,
					 .memory_capacity_mb = 1 };

/* The profile file of a piece as the server gets it; given. Adds its samples to *samples. */
static char *file_of(const struct buf *parcel, uint32_t index, uint32_t cnt, uint64_t *samples)
{
	const struct encode_piece piece = { .index = index, .cnt = cnt };
	_auto_json_ struct json_object *json = NULL;
	struct encode_body_facts facts;
	_auto_buf_ struct buf body;
	const char *file;

	buf__init(&body, OUT_BYTES_MAX);
	assert_int_equal(
		encode__parcel_body(parcel->data, parcel->len, &piece, "17", &body, &facts), 0);
	assert_int_equal(json__parse(body.data, body.len, &json), 0);
	assert_int_equal(json__get_str(json, "profile", &file), 0);
	assert_int_equal(strlen(file), facts.file_bytes);
	*samples += facts.samples;
	return strdup(file);
}

static void make_parcel(const struct profile *profile, const char *page, struct buf *out)
{
	const struct encode_upload upload = { .command_id = "id\n1", .page = page };

	buf__init(out, OUT_BYTES_MAX);
	assert_int_equal(encode__parcel(profile, &host, &upload, out), 0);
}

#endif
