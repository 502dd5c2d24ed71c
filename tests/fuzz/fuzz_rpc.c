/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A line at the daemon's socket: whatever it is, there is one reply, and it parses. */
#include <errno.h>
#include <string.h>

#include "../../user/rpc/internal.h"
#include "pp/base/buf.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As a session's start and change read their params. */
static int on_call(void *arg, struct rpc_call *call)
{
	struct json_object *session = NULL;
	struct session_spec spec;
	const char *why = NULL, *id;
	int err = json__get_object(call->params, "session", &session);

	pp_assert(call->method && call->reply && call->fd == -1);
	if (!err)
		err = session_spec__from_json(session, &spec, &why);
	if (err) {
		buf__puts(call->why, why ? why : call->method);
		return err;
	}
	return json__get_str(call->params, "id", &id) ? 0 : json__add_str(call->reply, "id", id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rpc_answerer answerer = { .version = "1.0", .fn = on_call };
	_auto_json_ struct json_object *reply = NULL;
	_auto_buf_ struct buf out = { .max_bytes = RPC_REPLY_MAX_BYTES };
	int fd = -1;
	bool ok;

	if (size > RPC_LINE_MAX_BYTES)
		return 0;
	pp_assert(!rpc__answer(&answerer, (const char *)data, size, &fd, &out));
	pp_assert(out.len && memchr(out.data, '\n', out.len) == out.data + out.len - 1);
	pp_assert(!json__parse(out.data, out.len - 1, &reply));
	pp_assert(!json__get_bool(reply, "ok", &ok));
	return 0;
}
