/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reports of what became of commands, on their way to the server: in order, one at a time. The server
 * takes one report per command, and "success": false is its last word. A proxy that wants a password
 * (401, 403) or another scheme (308) is common before this route, so those are tried again, seldom and not
 * for ever. A report given up is counted.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/metrics.h"
#include "pp/net.h"

#define COMPLETION_PATH	      "/api/metrics/command_completion"
#define COMPLETION_TIMEOUT_MS 30000
#define ANSWER_MAX_BYTES      65536
#define QUEUE_MAX	      200
#define RETRY_FIRST_MS	      5000
#define RETRY_MAX_MS	      300000
#define GIVE_UP_NS	      (3600 * UINT64_C(1000000000))
#define WORDS_BYTES	      200

struct completion {
	char command_id[UUID_BYTES];
	bool completed;
	char why[WHY_BYTES];
	uint64_t added_ns;
};

struct completions {
	struct net *net;
	struct loop_timer *timer; /* runs only while a report waits for another try */
	struct net_call *call;
	struct completions_ops ops;
	char *url, *hostname, **headers;
	struct completion queue[QUEUE_MAX]; /* [0] is the one being sent */
	size_t cnt;
	uint32_t failures;
	bool closing;
	struct log_rate failures_log;
};

static void completions__kick(struct completions *self);

static void completions__on_timer(void *arg)
{
	completions__kick(arg);
}

int completions__new(struct loop *loop, struct net *net, const struct control_options *options,
		     const struct completions_ops *ops, struct completions **ret_completions)
{
	struct completions *self = calloc(1, sizeof(*self));
	char url[2048];
	int err;

	if (!self)
		return -ENOMEM;
	self->net = net;
	self->ops = *ops;
	err = url__join(options->api_server, COMPLETION_PATH, url, sizeof(url));
	if (!err)
		err = loop_timer__new(loop, completions__on_timer, self, &self->timer);
	if (!err) {
		self->url = strdup(url);
		self->hostname = strdup(options->hostname);
		self->headers = headers__new(options->token, options->headers);
		if (!self->url || !self->hostname || !self->headers)
			err = -ENOMEM;
	}
	if (err) {
		completions__free(self, true);
		return err;
	}
	*ret_completions = self;
	return 0;
}

void completions__free(struct completions *self, bool are_kept)
{
	if (!self)
		return;
	self->closing = true;
	if (self->call)
		net_call__cancel(self->call);
	if (self->cnt && !are_kept) {
		metric__add(METRIC_COMPLETIONS_LOST, self->cnt);
		log_warn("control: reports not delivered at the end cnt=%zu", self->cnt);
	}
	loop_timer__free(self->timer);
	free(self->url);
	free(self->hostname);
	headers__free(self->headers);
	free(self);
}

static void completions__drop(struct completions *self, size_t i)
{
	char command_id[UUID_BYTES];

	memcpy(command_id, self->queue[i].command_id, sizeof(command_id));
	self->cnt--;
	memmove(&self->queue[i], &self->queue[i + 1], (self->cnt - i) * sizeof(self->queue[0]));
	self->ops.sent(self->ops.arg, command_id);
}

static void completions__lose(struct completions *self, size_t i, const char *words)
{
	metric__add(METRIC_COMPLETIONS_LOST, 1);
	log_warn("control: the server will not know what became of command '%s': %s",
		 self->queue[i].command_id, words);
	completions__drop(self, i);
}

/* Did the server take note? *ret_final: asking again would not change the answer. */
static bool was_recorded(const struct http_reply *reply, bool *ret_final)
{
	_auto_json_ struct json_object *json = NULL;
	bool success = true;

	*ret_final = false;
	if (reply->err)
		return false;
	if (reply->status >= 200 && reply->status < 300) {
		if (json__parse(reply->body, reply->body_len, &json) || !json__is_object(json) ||
		    json__get_bool(json, "success", &success) == -EBADMSG)
			return false;
		*ret_final = !success;
		return success;
	}
	switch (reply->status) {
	case 401:
	case 403:
	case 404:
	case 405:
	case 407:
	case 408:
	case 429: return false;
	default: *ret_final = reply->status >= 400 && reply->status < 500; return false;
	}
}

static void completions__retry(struct completions *self, const struct http_reply *reply,
			       const char *words)
{
	bool later = !reply->err && reply->status < 500 && reply->status != 429;
	uint64_t pause_ms;

	if (clock_mono_ns() - self->queue[0].added_ns > GIVE_UP_NS)
		completions__lose(self, 0, words);
	if (!self->cnt)
		return;
	self->failures++;
	pause_ms = later ? net_jitter_ms(RETRY_MAX_MS, 20) :
			   net_backoff_ms(self->failures, RETRY_FIRST_MS, RETRY_MAX_MS);
	pause_ms = http_reply__pause_ms(reply, pause_ms);
	log_every(&self->failures_log, 60000, LOG_LVL_WARN,
		  "control: report not delivered, next try in %llu s: status=%d %s '%s'",
		  (unsigned long long)(pause_ms / 1000), reply->status,
		  reply->err ? errname(reply->err) : "", words);
	if (loop_timer__start(self->timer, pause_ms, 0))
		log_error("control: no timer, reports wait for the next one");
}

static void completions__on_reply(void *arg, const struct http_reply *reply)
{
	struct completions *self = arg;
	char words[WORDS_BYTES];
	bool final;

	self->call = NULL;
	if (self->closing)
		return;
	http_reply__words(reply, words, sizeof(words));
	if (was_recorded(reply, &final)) {
		self->failures = 0;
		completions__drop(self, 0);
	} else if (final && reply->status < 300) {
		/* A restarted daemon reports again what the server already knows. */
		log_info("control: the server did not take the report of '%s': '%s'",
			 self->queue[0].command_id, words);
		completions__drop(self, 0);
	} else if (final) {
		completions__lose(self, 0, words);
	} else {
		completions__retry(self, reply, words);
		return;
	}
	completions__kick(self);
}

static int completion__print(const struct completion *self, const char *hostname, struct buf *out)
{
	_auto_json_ struct json_object *json = json__new_object();

	json__add_str(json, "command_id", self->command_id);
	json__add_str(json, "hostname", hostname);
	json__add_str(json, "status", self->completed ? "completed" : "failed");
	json__add_int(json, "execution_time", 0);
	json__add_str(json, "error_message", self->completed ? NULL : self->why);
	if (json__add_null(json, "results_path"))
		return -ENOMEM;
	return json__print(json, false, out);
}

static int completions__send(struct completions *self)
{
	struct http_request request = {
		.method = "POST",
		.url = self->url,
		.headers = (const char *const *)self->headers,
		.timeout_ms = COMPLETION_TIMEOUT_MS,
		.reply_max_bytes = ANSWER_MAX_BYTES,
	};
	_auto_buf_ struct buf body;
	int err;

	buf__init(&body, 65536);
	err = completion__print(&self->queue[0], self->hostname, &body);
	if (err)
		return err;
	request.body = body.data;
	request.body_len = body.len;
	return net__send(self->net, &request, completions__on_reply, self, &self->call);
}

static void completions__kick(struct completions *self)
{
	struct http_reply reply = { .body = "" };

	if (!self->cnt || self->call || loop_timer__is_active(self->timer))
		return;
	reply.err = completions__send(self);
	if (reply.err)
		completions__retry(self, &reply, "not sent");
}

void completions__add(struct completions *self, const char *command_id, bool completed,
		      const char *why)
{
	struct completion *entry;

	if (self->cnt == QUEUE_MAX) /* the oldest, but not the one on its way */
		completions__lose(self, self->call ? 1 : 0, "too many reports wait");
	entry = &self->queue[self->cnt++];
	memset(entry, 0, sizeof(*entry));
	snprintf(entry->command_id, sizeof(entry->command_id), "%s", command_id);
	snprintf(entry->why, sizeof(entry->why), "%s", why ? why : "");
	entry->completed = completed;
	entry->added_ns = clock_mono_ns();
	completions__kick(self);
}
