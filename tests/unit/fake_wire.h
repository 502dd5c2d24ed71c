/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_WIRE_H
#define FAKE_WIRE_H
/*
 * Stands in for net, timers, workers and the monotonic clock under a room that talks to a server: what is
 * sent is kept, answers and expiries come when the test says so. One test program includes it once. Link
 * with --wrap of the functions below.
 */
#include <stdlib.h>
#include <string.h>

#include "pp/base/err.h"
#include "pp/base/loop.h"
#include "pp/net.h"

struct loop_timer {
	loop_timer_fn fn;
	void *arg;
	bool active;
	uint64_t after_ms;
};

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
static uint64_t wire_now_ns = 1000000000;

static struct {
	void (*run)(void *arg);
	void (*done)(void *arg, int err);
	void *arg;
} wire_work;

int __wrap_net__send(struct net *self, const struct http_request *request, http_done_fn fn,
		     void *arg, struct net_call **ret_call);
void __wrap_net_call__cancel(struct net_call *self);
int __wrap_loop_timer__new(struct loop *loop, loop_timer_fn fn, void *arg,
			   struct loop_timer **ret_timer);
int __wrap_loop_timer__start(struct loop_timer *self, uint64_t after_ms, uint64_t repeat_ms);
void __wrap_loop_timer__stop(struct loop_timer *self);
bool __wrap_loop_timer__is_active(const struct loop_timer *self);
void __wrap_loop_timer__free(struct loop_timer *self);
int __wrap_work__submit(struct loop *loop, void (*run)(void *arg), void (*done)(void *arg, int err),
			void *arg);
uint64_t __wrap_clock_mono_ns(void);

uint64_t __wrap_clock_mono_ns(void)
{
	return wire_now_ns;
}

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

static void wire_break(struct net_call *call, int err)
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

int __wrap_loop_timer__new(struct loop *loop, loop_timer_fn fn, void *arg,
			   struct loop_timer **ret_timer)
{
	struct loop_timer *self = calloc(1, sizeof(*self));

	pp_assert(self);
	self->fn = fn;
	self->arg = arg;
	*ret_timer = self;
	return 0;
}

static struct loop_timer *wire_timer; /* the one started last */

int __wrap_loop_timer__start(struct loop_timer *self, uint64_t after_ms, uint64_t repeat_ms)
{
	self->active = true;
	self->after_ms = after_ms;
	wire_timer = self;
	return 0;
}

void __wrap_loop_timer__stop(struct loop_timer *self)
{
	self->active = false;
}

bool __wrap_loop_timer__is_active(const struct loop_timer *self)
{
	return self->active;
}

void __wrap_loop_timer__free(struct loop_timer *self)
{
	if (wire_timer == self)
		wire_timer = NULL;
	free(self);
}

/* Lets the time of the timer started last pass and fires it. */
static void wire_expire(void)
{
	pp_assert(wire_timer && wire_timer->active);
	wire_now_ns += wire_timer->after_ms * 1000000;
	wire_timer->active = false;
	wire_timer->fn(wire_timer->arg);
}

int __wrap_work__submit(struct loop *loop, void (*run)(void *arg), void (*done)(void *arg, int err),
			void *arg)
{
	pp_assert(!wire_work.run);
	wire_work.run = run;
	wire_work.done = done;
	wire_work.arg = arg;
	return 0;
}

/* Lets the submitted work happen. False: there was none. */
static inline bool wire_work_off(void)
{
	void (*run)(void *arg) = wire_work.run;

	if (!run)
		return false;
	wire_work.run = NULL;
	run(wire_work.arg);
	wire_work.done(wire_work.arg, 0);
	return true;
}

#endif
