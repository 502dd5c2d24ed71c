/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_NET_H
#define FAKE_NET_H
/*
 * Stands in for net under a room that talks to a server: what is sent is kept, answers come when the test
 * says so. One test program includes it once. Link
 * with --wrap of the functions below.
 */
#include <stdlib.h>
#include <string.h>

#include "pp/base/err.h"
#include "pp/net.h"

struct net_call {
	char url[256], headers[512];
	char *body;
	size_t body_len;
	http_done_fn fn;
	void *arg;
	bool answered;
};

#define WIRE_CALLS_MAX 512
static struct net_call *wire_calls[WIRE_CALLS_MAX];
static size_t wire_cnt;
static int wire_send_err;
int __wrap_net__send(struct net *self, const struct http_request *request, http_done_fn fn,
		     void *arg, struct net_call **ret_call);
void __wrap_net_call__cancel(struct net_call *self);
int __wrap_net__send(struct net *self, const struct http_request *request, http_done_fn fn,
		     void *arg, struct net_call **ret_call)
{
	const char *const *header;
	struct net_call *call;

	if (wire_send_err)
		return wire_send_err;
	call = calloc(1, sizeof(*call));
	pp_assert(call && wire_cnt < WIRE_CALLS_MAX);
	pp_assert(request->timeout_ms && request->reply_max_bytes);
	strncat(call->url, request->url, sizeof(call->url) - 1);
	for (header = request->headers; header && *header; header++) {
		strncat(call->headers, *header, sizeof(call->headers) - strlen(call->headers) - 1);
		strncat(call->headers, "\n", sizeof(call->headers) - strlen(call->headers) - 1);
	}
	call->body = malloc(request->body_len + 1);
	pp_assert(call->body);
	memcpy(call->body, request->body, request->body_len);
	call->body[request->body_len] = '\0';
	call->body_len = request->body_len;
	call->fn = fn;
	call->arg = arg;
	wire_calls[wire_cnt++] = call;
	*ret_call = call;
	return 0;
}

static void wire_reply(struct net_call *call, const struct http_reply *reply)
{
	pp_assert(!call->answered);
	call->answered = true;
	call->fn(call->arg, reply);
}

void __wrap_net_call__cancel(struct net_call *self)
{
	struct http_reply reply = { .err = -ECANCELED, .body = "", .why = "canceled" };

	wire_reply(self, &reply);
}

/* The oldest unanswered call whose URL ends so; NULL: none. */
static struct net_call *wire_open(const char *tail)
{
	size_t i, len = strlen(tail);

	for (i = 0; i < wire_cnt; i++) {
		size_t url_len = strlen(wire_calls[i]->url);

		if (!wire_calls[i]->answered && url_len >= len &&
		    !strcmp(wire_calls[i]->url + url_len - len, tail))
			return wire_calls[i];
	}
	return NULL;
}

static void wire_answer(struct net_call *call, int status, const char *body)
{
	struct http_reply reply = { .status = status, .body = body, .body_len = strlen(body) };

	pp_assert(call);
	wire_reply(call, &reply);
}

static inline void wire_break(struct net_call *call, int err)
{
	struct http_reply reply = { .err = err, .body = "", .why = "broken" };

	pp_assert(call);
	wire_reply(call, &reply);
}

static void wire_reset(void)
{
	while (wire_cnt) {
		wire_cnt--;
		free(wire_calls[wire_cnt]->body);
		free(wire_calls[wire_cnt]);
	}
	wire_send_err = 0;
}

#endif
