/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_OPERATOR_H
#define FAKE_OPERATOR_H
/*
 * The server's side of the controller, played: commands that come with a beat, reports that are taken. Included
 * after fake_host.h.
 */
#include <errno.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#define ID(n) "00000000-0000-4000-8000-0000000000" #n

/* A command arrives with the next beat. */
static inline void command(const char *id, const char *type, const char *config)
{
	_auto_buf_ struct buf body;

	buf__init(&body, 65536);
	buf__printf(
		&body,
		"{\"success\":true,\"message\":\"\",\"command_id\":\"%s\",\"profiling_command\":"
		"{\"command_type\":\"%s\",\"combined_config\":%s}}",
		id, type, config);
	wire_answer(beat(), 200, body.data);
}

/* The report that is open is about this, and the server takes it. why: NULL for completed. */
static inline void reported(const char *id, const char *why)
{
	struct net_call *call = wire_open(DONE);
	_auto_json_ struct json_object *json = NULL;
	const char *text;

	assert_non_null(call);
	assert_int_equal(json__parse(call->body, call->body_len, &json), 0);
	assert_int_equal(json__get_str(json, "command_id", &text), 0);
	assert_string_equal(text, id);
	assert_int_equal(json__get_str(json, "status", &text), 0);
	assert_string_equal(text, why ? "failed" : "completed");
	assert_int_equal(json__get_str(json, "error_message", &text), why ? 0 : -ENOENT);
	if (why)
		assert_non_null(strstr(text, why));
	wire_answer(call, 200, "{\"success\":true,\"message\":\"recorded\"}");
}

static inline void nothing_reported(void)
{
	assert_null(wire_open(DONE));
}

#define CONTINUOUS \
	"{\"continuous\":true,\"duration\":60,\"frequency\":11,\"profiling_mode\":\"cpu\"}"
#define ADHOC "{\"continuous\":false,\"duration\":10,\"frequency\":99,\"profiling_mode\":\"cpu\"}"
#define NO_COMMAND \
	"{\"success\":true,\"message\":\"\",\"profiling_command\":null,\"command_id\":null}"

#endif
