/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The beat: says to the server that this host is here and which commands it knows, and hands what comes
 * back to the machine in command.c. Always true: after control__start exactly one beat is under way or one
 * timer waits for the next, whatever the server answered.
 */
#include "pp/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/metrics.h"
#include "pp/net.h"

#define HEARTBEAT_PATH		"/api/metrics/heartbeat"
#define HEARTBEAT_TIMEOUT_MS	30000
#define ANSWER_MAX_BYTES	(1u << 20)
#define HEARTBEAT_MAX_BYTES	(1u << 20)
#define INTERVAL_MAX_MS		300000 /* of the back-off */
#define INTERVAL_JITTER_PERCENT 10
#define INTERVAL_MIN_MS \
	1000 /* also for the extra beats: a server cannot make us beat without pause */
#define IDS_SENT_MAX 200
#define WORDS_BYTES  200

struct control {
	struct net *net;
	struct loop_timer *timer;
	struct net_call *call;
	struct commands *commands;
	struct completions *completions;
	char *url, *auth_header;
	char *service_name, *hostname, *agent_version, *run_mode, *api_server;
	char local_address[46]; /* as the last connection had it; "": none yet */
	uint64_t interval_ms;
	uint64_t beat_ns; /* when the last beat was sent */
	uint32_t failures;
	bool started, beat_again, closing;
	struct log_rate failures_log;
};

static void control__report(void *arg, const char *command_id, bool completed, const char *why)
{
	struct control *self = arg;

	completions__add(self->completions, command_id, completed, why);
}

static void control__beat(void *arg);

static int control__set_texts(struct control *self, const struct control_options *options)
{
	char url[2048];
	int err = url__join(options->api_server, HEARTBEAT_PATH, url, sizeof(url));

	if (err)
		return err;
	self->url = strdup(url);
	self->api_server = strdup(options->api_server);
	self->service_name = strdup(options->service_name);
	self->hostname = strdup(options->hostname);
	self->agent_version = strdup(options->agent_version);
	self->run_mode = strdup(options->run_mode);
	if (asprintf(&self->auth_header, "Authorization: Bearer %s", options->token) < 0)
		self->auth_header = NULL;
	if (!self->url || !self->api_server || !self->service_name || !self->hostname ||
	    !self->agent_version || !self->run_mode || !self->auth_header)
		return -ENOMEM;
	if (!*options->token)
		self->auth_header[0] = '\0';
	return 0;
}

int control__new(struct loop *loop, struct net *net, const struct control_options *options,
		 const struct control_ops *ops, struct control **ret_control)
{
	struct control *self = calloc(1, sizeof(*self));
	struct commands_ops commands_ops = { .run = *ops,
					     .report = control__report,
					     .report_arg = self };
	int err;

	if (!self)
		return -ENOMEM;
	self->net = net;
	self->interval_ms =
		max_of(options->heartbeat_interval_s * UINT64_C(1000), (uint64_t)INTERVAL_MIN_MS);
	err = control__set_texts(self, options);
	if (!err)
		err = loop_timer__new(loop, control__beat, self, &self->timer);
	if (!err)
		err = completions__new(loop, net, options, &self->completions);
	if (!err)
		err = commands__new(options->hostname, &options->defaults, &commands_ops,
				    &self->commands);
	if (err) {
		control__free(self);
		return err;
	}
	*ret_control = self;
	return 0;
}

void control__free(struct control *self)
{
	if (!self)
		return;
	self->closing = true;
	if (self->call)
		net_call__cancel(self->call);
	loop_timer__free(self->timer);
	commands__free(self->commands);
	completions__free(self->completions);
	free(self->url);
	free(self->auth_header);
	free(self->api_server);
	free(self->service_name);
	free(self->hostname);
	free(self->agent_version);
	free(self->run_mode);
	free(self);
}

/* The newest ids, oldest first, as a list that grew would have them. */
static int add_ids(struct json_object *json, const char *name, const struct commands *commands,
		   bool reported_only)
{
	struct json_object *list = json__new_array();
	size_t cnt = 0;
	int err = 0;

	while (cnt < IDS_SENT_MAX && commands__id(commands, cnt, reported_only))
		cnt++;
	while (!err && cnt--)
		err = json__add_str(list, NULL, commands__id(commands, cnt, reported_only));
	if (err) {
		json__put(list);
		return err;
	}
	return json__add(json, name, list);
}

/* Set in a pod by its manifest; never sent as null, which a strict server may refuse. */
static void add_env(struct json_object *json, const char *name, const char *variable)
{
	const char *value = getenv(variable);

	if (value && *value)
		json__add_str(json, name, value);
}

/*
 * Status is always "active": the Studio lists as alive only hosts that say so, and what runs is known to
 * it from its commands. The time has its zone: without one, a server elsewhere takes the host for dead.
 */
static int control__print_beat(struct control *self, struct buf *out)
{
	_auto_json_ struct json_object *json = json__new_object();
	char now[CLOCK_TEXT_BYTES], address[64];
	int err;

	if (self->local_address[0])
		snprintf(address, sizeof(address), "%s", self->local_address);
	else if (url__local_address(self->api_server, address, sizeof(address)))
		snprintf(address, sizeof(address), "127.0.0.1");
	json__add_str(json, "ip_address", address);
	json__add_str(json, "hostname", self->hostname);
	json__add_str(json, "service_name", self->service_name);
	json__add_str(json, "last_command_id", commands__last_id(self->commands));
	err = add_ids(json, "received_command_ids", self->commands, false);
	if (!err)
		err = add_ids(json, "executed_command_ids", self->commands, true);
	if (err)
		return err;
	json__add_str(json, "status", "active");
	json__add_str(json, "timestamp", clock_utc_text_zone(clock_real_ns(), now));
	json__add_str(json, "agent_version", self->agent_version);
	json__add_str(json, "run_mode", self->run_mode);
	add_env(json, "namespace", "POD_NAMESPACE");
	add_env(json, "pod_name", "POD_NAME");
	err = json__add(json, "containers", json__new_array());
	return err ? err : json__print(json, false, out);
}

static void control__schedule(struct control *self)
{
	uint64_t pause_ms, spent_ms = (clock_mono_ns() - self->beat_ns) / 1000000;

	if (self->failures)
		pause_ms = net_backoff_ms(self->failures, self->interval_ms,
					  max_of(self->interval_ms, (uint64_t)INTERVAL_MAX_MS));
	else if (self->beat_again)
		pause_ms = INTERVAL_MIN_MS;
	else
		pause_ms = net_jitter_ms(self->interval_ms, INTERVAL_JITTER_PERCENT);
	if (self->beat_again && !self->failures && spent_ms >= pause_ms)
		pause_ms = 0;
	else
		pause_ms = pause_ms > spent_ms ? pause_ms - spent_ms : 1;
	self->beat_again = false;
	if (loop_timer__start(self->timer, pause_ms, 0))
		log_error("control: no timer, no more heartbeats");
}

static void control__failed(struct control *self, int status, int err, const char *words)
{
	self->failures++;
	metric__add(METRIC_HEARTBEATS_FAILED, 1);
	log_every(&self->failures_log, 300000, LOG_LVL_WARN,
		  "control: heartbeat failed, going on: status=%d %s '%s'", status,
		  err ? errname(err) : "", words);
}

static void control__take_answer(struct control *self, const struct http_reply *reply)
{
	struct answer answer;
	const char *why = "";
	int err;

	err = answer__parse(reply->body, reply->body_len, &answer, &why);
	if (err) {
		control__failed(self, reply->status, err, why);
		return;
	}
	if (self->failures)
		log_info("control: heartbeats work again, failures=%u", self->failures);
	self->failures = 0;
	metric__add(METRIC_HEARTBEATS_SENT, 1);
	/* The Studio's only sign that it did not understand a heartbeat; its "success" is true. */
	if (strstr(answer.message, "failed to check"))
		log_every(&self->failures_log, 300000, LOG_LVL_WARN,
			  "control: the server took the heartbeat but could not look for commands");
	commands__handle(self->commands, &answer);
	answer__clear(&answer);
}

static void control__on_reply(void *arg, const struct http_reply *reply)
{
	struct control *self = arg;
	char words[WORDS_BYTES];

	self->call = NULL;
	if (self->closing)
		return;
	if (reply->local_address[0])
		memcpy(self->local_address, reply->local_address, sizeof(self->local_address));
	else
		self->local_address[0] = '\0';
	if (!reply->err && reply->status >= 200 && reply->status < 300)
		control__take_answer(self, reply);
	else
		control__failed(self, reply->status, reply->err,
				http_reply__words(reply, words, sizeof(words)));
	control__schedule(self);
}

static int control__send_beat(struct control *self)
{
	const char *const headers[] = { "Content-Type: application/json",
					self->auth_header[0] ? self->auth_header : NULL, NULL };
	struct http_request request = {
		.method = "POST",
		.url = self->url,
		.headers = headers,
		.timeout_ms = HEARTBEAT_TIMEOUT_MS,
		.reply_max_bytes = ANSWER_MAX_BYTES,
	};
	_auto_buf_ struct buf body;
	int err;

	buf__init(&body, HEARTBEAT_MAX_BYTES);
	err = control__print_beat(self, &body);
	if (err)
		return err;
	request.body = body.data;
	request.body_len = body.len;
	return net__send(self->net, &request, control__on_reply, self, &self->call);
}

static void control__beat(void *arg)
{
	struct control *self = arg;
	int err;

	self->beat_ns = clock_mono_ns();
	err = control__send_beat(self);
	if (err) {
		control__failed(self, 0, err, "not sent");
		control__schedule(self);
	}
}

void control__start(struct control *self)
{
	pp_assert(!self->started);
	self->started = true;
	control__beat(self);
}

void control__run_sampling(struct control *self, const char *command_id)
{
	commands__sampling(self->commands, command_id);
}

void control__run_ended(struct control *self, const char *command_id, const char *why)
{
	if (!commands__ended(self->commands, command_id, why))
		return;
	/* One beat right away: the operator sees the end, and what was asked for meanwhile is here sooner. */
	self->beat_again = true;
	if (!self->call && !self->failures)
		control__schedule(self);
}
