/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The operator's profile request, read and submitted. Refuses what no agent could obey, so that an order
 * that was taken is an order that can run.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_PER_REQUEST_MAX 1000
#define DURATION_DEFAULT_S    60
#define RATE_DEFAULT_HZ	      11 /* the Studio's default, not ours */

/* A profile request while it is read. */
struct order {
	struct check check;
	struct new_request request;
	struct new_command *commands;
	struct order_text {
		char id[UUID_TEXT_BYTES];
		struct buf config;
	} * texts;
	const char *type, *mode, *stop_level;
	int64_t rate_hz, duration_s;
	struct json_object *args;
	size_t cnt;
};

static void order__clear(struct order *self)
{
	size_t i;

	for (i = 0; i < self->cnt; i++)
		buf__clear(&self->texts[i].config);
	free(self->texts);
	free(self->commands);
}

struct merge {
	struct check *check;
	struct json_object *config;
};

/* What the request itself says cannot be said differently in additional_args. */
static int merge_arg(void *arg, const char *name, struct json_object *value)
{
	static const char *const own[] = { "command_type",   "continuous", "duration",	"frequency",
					   "profiling_mode", "pids",	   "stop_level" };
	struct merge *self = arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(own); i++) {
		if (!strcmp(name, own[i])) {
			check__fail(self->check, "additional_args", "value_error",
				    "must not repeat a field of the request");
			return -EINVAL;
		}
	}
	return json__add(self->config, name, json__get(value));
}

static void order__add_start(struct order *self, struct json_object *config)
{
	struct merge merge = { &self->check, config };

	(void)json__add_str(config, "command_type", "start");
	(void)json__add_bool(config, "continuous", self->request.continuous);
	(void)json__add_str(config, "profiling_mode", self->mode);
	if (self->args)
		(void)json__each(self->args, merge_arg, &merge);
}

static int64_t pid_value(const struct json_object *value)
{
	char *end;
	long long pid;

	if (!json__is_str(value))
		return json__is_int(value) ? json__int(value) : -1;
	pid = strtoll(json__str(value), &end, 10);
	return *end || end == json__str(value) ? -1 : pid;
}

/* NULL: no pids. Each is checked; given. */
static struct json_object *order__pids(struct order *self, const struct json_object *value)
{
	struct json_object *pids;
	int64_t pid;
	size_t i;

	if (!value || json__is_null(value) || (json__is_array(value) && !json__len(value)))
		return NULL;
	if (!json__is_array(value) || json__len(value) > SPEC_PIDS_MAX) {
		check__fail(&self->check, "target_hosts", "type_error.list",
			    "null or a list of at most 1024 pids is expected");
		return NULL;
	}
	pids = json__new_array();
	for (i = 0; i < json__len(value); i++) {
		pid = pid_value(json__at(value, i));
		if (pid <= 0 || pid > INT32_MAX) {
			check__fail(&self->check, "target_hosts", "type_error.integer",
				    "value is not a valid integer");
			break;
		}
		(void)json__add_int(pids, NULL, pid);
	}
	return pids;
}

static int order__add_host(void *arg, const char *hostname, struct json_object *value)
{
	struct order *self = arg;
	struct order_text *text = &self->texts[self->cnt];
	struct json_object *pids = order__pids(self, value);
	struct json_object *config _auto_json_ = json__new_object();
	int err;

	if (!*hostname || strlen(hostname) > 256)
		check__fail(&self->check, "target_hosts", "value_error",
			    "a host name has 1 to 256 bytes");
	if (self->request.is_start)
		order__add_start(self, config);
	else
		(void)json__add_str(config, "stop_level", self->stop_level);
	if (!self->request.is_start && !self->request.stops_host && !pids)
		check__fail(&self->check, "__root__", "value_error",
			    "At least one PID must be provided when request_type is \"stop\" and"
			    " stop_level is \"process\"");
	if (self->request.stops_host && pids)
		check__fail(
			&self->check, "__root__", "value_error",
			"No PIDs should be provided when request_type is \"stop\" and stop_level"
			" is \"host\"");
	if (pids)
		(void)json__add(config, "pids", pids);
	buf__init(&text->config, 256u << 10);
	err = uuid__make(text->id);
	err = err ? err : json__print(config, false, &text->config);
	self->commands[self->cnt++] = (struct new_command){
		.id = text->id,
		.hostname = hostname,
		.type = self->type,
		.config = text->config.data,
	};
	return err;
}

static int order__read_hosts(struct order *self)
{
	struct json_object *hosts;
	const int err = json__get_object(self->check.body, "target_hosts", &hosts);
	const size_t cnt = err ? 0 : json__len(hosts);

	if (err == -EBADMSG)
		check__fail(&self->check, "target_hosts", "type_error.dict",
			    "value is not a valid dict");
	else if (!cnt || cnt > HOSTS_PER_REQUEST_MAX)
		check__fail(&self->check, "target_hosts", "value_error",
			    "1 to 1000 hosts must be named");
	if (err || !cnt || cnt > HOSTS_PER_REQUEST_MAX)
		return 0;
	self->texts = calloc(cnt, sizeof(*self->texts));
	self->commands = calloc(cnt, sizeof(*self->commands));
	if (!self->texts || !self->commands)
		return -ENOMEM;
	return json__each(hosts, order__add_host, self);
}

static int order__read(struct order *self)
{
	static const char *const types[] = { "start", "stop", NULL };
	static const char *const modes[] = { "cpu", "allocation", "none", NULL };
	static const char *const levels[] = { "process", "host", NULL };
	static const char *const scopes[] = { "host", NULL };
	struct check *check = &self->check;

	self->request.service = check__str(check, "service_name", true);
	self->type = check__word(check, "request_type", types,
				 "request_type must be \"start\" or \"stop\"", NULL);
	self->mode = check__word(check, "profiling_mode", modes,
				 "profiling_mode must be \"cpu\", \"allocation\", or \"none\"",
				 "cpu");
	self->stop_level = check__word(check, "stop_level", levels,
				       "stop_level must be \"process\" or \"host\"", "process");
	(void)check__word(check, "target_scope", scopes, "only the scope \"host\" is known here",
			  "host");
	self->request.is_start = !strcmp(self->type, "start");
	self->request.stops_host = !strcmp(self->type, "stop") && !strcmp(self->stop_level, "host");
	self->request.continuous = check__bool(check, "continuous", false);
	self->duration_s = check__int(
		check, "duration", 1, SPEC_DURATION_MAX_S,
		"Duration must be a positive integer (seconds), at most 86400", DURATION_DEFAULT_S);
	self->rate_hz = check__int(check, "frequency", SPEC_RATE_MIN_HZ, SPEC_RATE_MAX_HZ,
				   "Frequency must be a positive integer (Hz), at most 10000",
				   RATE_DEFAULT_HZ);
	if (json__get_object(check->body, "additional_args", &self->args) == -EBADMSG)
		check__fail(check, "additional_args", "type_error.dict",
			    "value is not a valid dict");
	self->request.duration_s = (uint32_t)self->duration_s;
	self->request.rate_hz = (uint32_t)self->rate_hz;
	return order__read_hosts(self);
}

static void order__announce(struct api *api, const struct order *self)
{
	size_t i;

	for (i = 0; i < self->cnt; i++)
		api__commands_made(api, self->commands[i].hostname, self->request.service);
}

static void answer_order(const struct httpd_request *request, const struct order *order,
			 uint64_t now)
{
	struct json_object *json = json__new_object();
	struct json_object *ids = json__new_array();
	char text[1200], done[CLOCK_TEXT_BYTES];
	size_t i;

	snprintf(text, sizeof(text), "%s profiling request submitted successfully for service '%s'",
		 order->request.is_start ? "Start" : "Stop", order->request.service);
	for (i = 0; i < order->cnt; i++)
		(void)json__add_str(ids, NULL, order->texts[i].id);
	clock_utc_text((now + order->request.duration_s * 1000ull) * 1000000, done);
	(void)json__add_bool(json, "success", true);
	(void)json__add_str(json, "message", text);
	(void)json__add_str(json, "request_id", order->request.id);
	(void)json__add(json, "command_ids", ids);
	(void)json__add_str(json, "estimated_completion_time",
			    order->request.is_start ? done : NULL);
	answer_json(request, 200, json);
}

void api_profile_request(struct api *self, const struct httpd_request *request)
{
	struct json_object *json _auto_json_ = request_json(request);
	struct order order = { .check.body = json };
	const uint64_t now = now_ms();
	char id[UUID_TEXT_BYTES];
	int err;

	if (!json)
		return;
	err = order__read(&order);
	err = err || order.check.detail ? err : uuid__make(id);
	if (!err && !order.check.detail) {
		order.request.id = id;
		order.request.commands = order.commands;
		order.request.command_cnt = order.cnt;
		err = store__add_request(self->store, &order.request, now);
		if (!err)
			order__announce(self, &order);
	}
	if (err == -EDQUOT) {
		err = 0;
		check__fail(&order.check, "target_hosts", "value_error",
			    "a host has too many commands that it did not fetch yet");
	}
	if (order.check.detail)
		answer_detail(request, order.check.detail);
	else if (err)
		answer_failure(request, "submit the request", err);
	else
		answer_order(request, &order, now);
	order__clear(&order);
}
