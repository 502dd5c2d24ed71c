/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A line in, a line out: what a question must look like, and how replies are made. Every line gets exactly one
 * reply, whatever it is. No sockets here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/err.h"
#include "pp/base/json.h"

int rpc__address(const char *run_dir, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run_dir,
			   RPC_SOCKET_NAME);

	if (len < 0 || (size_t)len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	*ret_address = address;
	return 0;
}

static int begin(struct json_object *reply, const char *version, bool ok)
{
	int err = json__add_str(reply, "version", version);

	if (!err)
		err = json__add_int(reply, "protocol", RPC_PROTOCOL);
	return err ? err : json__add_bool(reply, "ok", ok);
}

static int print(struct json_object *reply, struct buf *out)
{
	size_t before = out->len;
	int err = json__print(reply, false, out);

	if (!err)
		err = buf__putc(out, '\n');
	if (err) { /* nothing half-done stays */
		out->err = 0;
		out->len = before;
		if (out->data)
			out->data[before] = '\0';
	}
	return err;
}

int rpc__refuse(const char *version, int err, const char *why, struct buf *out)
{
	_auto_json_ struct json_object *reply = json__new_object();
	int failed = begin(reply, version, false);

	if (!failed)
		failed = json__add_str(reply, "error", why);
	if (!failed)
		failed = json__add_str(reply, "errno", errname(err));
	return failed ? failed : print(reply, out);
}

/* Any number of theirs is told beside ours. */
static int check_protocol(const struct rpc_answerer *self, const struct json_object *question,
			  struct buf *why)
{
	const char *version;
	int64_t protocol;

	if (json__get_int(question, "protocol", 0, INT32_MAX, &protocol)) {
		buf__puts(why, "a question has a number 'protocol'");
		return -EBADMSG;
	}
	if (protocol == RPC_PROTOCOL)
		return 0;
	if (json__get_str(question, "version", &version))
		version = "?";
	buf__printf(why,
		    "protocol %lld is asked for (by version %.32s), version %s speaks protocol %d",
		    (long long)protocol, version, self->version, RPC_PROTOCOL);
	return -EPROTO;
}

static int call(const struct rpc_answerer *self, const char *line, size_t len, int *fd,
		struct json_object *reply, struct buf *why)
{
	_auto_json_ struct json_object *question = NULL;
	struct rpc_call call = { .reply = reply, .why = why, .fd = *fd };
	struct json_object *params = NULL;
	int err = json__parse(line, len, &question);

	if (!err && !json__is_object(question))
		err = -EBADMSG;
	if (err) {
		buf__puts(why, "a question is one JSON object in a line");
		return err;
	}
	err = check_protocol(self, question, why);
	if (err)
		return err;
	if (json__get_str(question, "method", &call.method)) {
		buf__puts(why, "a question has a text 'method'");
		return -EBADMSG;
	}
	if (json__get_object(question, "params", &params) == -EBADMSG) {
		buf__puts(why, "'params' is an object");
		return -EBADMSG;
	}
	call.params = params;
	err = self->fn(self->arg, &call);
	*fd = call.fd;
	if (err == -ENOSYS && !why->len)
		buf__printf(why, "no method '%.64s'", call.method);
	return err;
}

int rpc__answer(const struct rpc_answerer *self, const char *line, size_t len, int *fd,
		struct buf *out)
{
	_auto_json_ struct json_object *reply = json__new_object();
	_auto_buf_ struct buf why = { .max_bytes = 4096 };
	int err = begin(reply, self->version, true);

	if (!err)
		err = call(self, line, len, fd, reply, &why);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	if (!err) {
		err = print(reply, out);
		if (!err)
			return 0;
		buf__reset(&why);
		buf__puts(&why, "it was done, but the reply is too large");
	}
	return rpc__refuse(self->version, err, why.data ? why.data : "", out);
}
