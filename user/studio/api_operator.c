/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What operators call: the profile request and the host status of the Studio, and the page's own lists
 * and profiles under /api/studio. Refuses what no agent could obey, so that an order that was taken is
 * an order that can run.
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
#define PROFILES_LISTED_MAX   200
#define DURATION_DEFAULT_S    60
#define HTML_PAGE_MAX_BYTES   (128u << 20)
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
	(void)json__add_int(config, "duration", self->duration_s);
	(void)json__add_int(config, "frequency", self->rate_hz);
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
	return order__read_hosts(self);
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

/* ---- lists ---- */

struct listing {
	const struct httpd_request *request;
	struct json_object *items;
	uint64_t now;
	int64_t active_cnt;
};

static bool host_matches(const struct listing *self, const struct stored_host *host)
{
	const char *service = httpd_call__query(self->request->call, "service_name");
	const char *exact = httpd_call__query(self->request->call, "exact_match");
	const char *hostname = httpd_call__query(self->request->call, "hostname");

	if (hostname && *hostname && !strstr(host->hostname, hostname))
		return false;
	if (!service || !*service)
		return true;
	return exact && !strcmp(exact, "true") ? !strcmp(host->service, service) :
						 !!strstr(host->service, service);
}

static struct json_object *command_pids(const struct stored_host *host)
{
	struct json_object *config _auto_json_ = NULL;
	struct json_object *pids;

	if (host->command_config &&
	    !json__parse(host->command_config, strlen(host->command_config), &config) &&
	    !json__get_array(config, "pids", &pids))
		return json__get(pids);
	return json__new_array();
}

static int list_status(void *arg, const struct stored_host *host)
{
	struct listing *self = arg;
	struct json_object *item;
	char seen[CLOCK_TEXT_BYTES];

	if (host->last_seen_ms + HOST_OFFLINE_MS < (int64_t)self->now || !host_matches(self, host))
		return 0;
	item = json__new_object();
	(void)json__add_int(item, "id", host->id);
	(void)json__add_str(item, "service_name", host->service);
	(void)json__add_str(item, "hostname", host->hostname);
	(void)json__add_str(item, "ip_address", host->address);
	(void)json__add(item, "pids", command_pids(host));
	(void)json__add_str(item, "command_type", host->command_id ? host->command_type : "N/A");
	(void)json__add_str(item, "profiling_status",
			    host->command_id ? host->command_status : "stopped");
	(void)json__add_str(item, "heartbeat_timestamp",
			    clock_utc_text((uint64_t)host->last_seen_ms * 1000000, seen));
	self->active_cnt += host->is_profiling;
	return json__add(self->items, NULL, item);
}

void api_host_status(struct api *self, const struct httpd_request *request)
{
	struct listing list = { request, json__new_array(), now_ms(), 0 };
	const int err = store__each_host(self->store, list.now, list_status, &list);
	struct json_object *json;

	if (err) {
		json__put(list.items);
		answer_failure(request, "list the hosts", err);
		return;
	}
	json = json__new_object();
	(void)json__add_int(json, "active_count", list.active_cnt);
	(void)json__add_u64(json, "total_count", json__len(list.items));
	(void)json__add(json, "hosts", list.items);
	answer_json(request, 200, json);
}

static const char *host_state(const struct stored_host *host, uint64_t now)
{
	if (host->last_seen_ms + HOST_OFFLINE_MS < (int64_t)now)
		return "offline";
	if (host->is_profiling)
		return "profiling";
	if (host->is_waiting)
		return "waiting";
	return host->status && !strcmp(host->status, "error") ? "error" : "idle";
}

static struct json_object *command_json(const struct stored_host *host)
{
	struct json_object *json = json__new_object();

	(void)json__add_str(json, "id", host->command_id);
	(void)json__add_str(json, "type", host->command_type);
	(void)json__add_str(json, "status", host->command_status);
	(void)json__add_str(json, "error", host->command_error);
	(void)json__add_bool(json, "continuous", host->command_continuous);
	(void)json__add_int(json, "made_ms", host->command_made_ms);
	(void)json__add_int(json, "begun_ms", host->command_begun_ms);
	(void)json__add_int(json, "duration_s", host->command_duration_s);
	(void)json__add_int(json, "profile", host->command_profile);
	return json;
}

static int list_host(void *arg, const struct stored_host *host)
{
	struct listing *self = arg;
	struct json_object *item = json__new_object();

	(void)json__add_str(item, "hostname", host->hostname);
	(void)json__add_str(item, "service", host->service);
	(void)json__add_str(item, "address", host->address);
	(void)json__add_str(item, "agent_version", host->agent_version);
	(void)json__add_str(item, "run_mode", host->run_mode);
	(void)json__add_int(item, "last_seen_ms", host->last_seen_ms);
	(void)json__add_str(item, "state", host_state(host, self->now));
	(void)json__add_bool(item, "continuous", host->is_continuous);
	if (host->command_id)
		(void)json__add(item, "command", command_json(host));
	return json__add(self->items, NULL, item);
}

/* The page reckons ages with the studio's clock, not with the browser's. */
static void answer_list(const struct httpd_request *request, const char *name, struct listing *list,
			int err, struct json_object *json)
{
	if (err) {
		json__put(list->items);
		json__put(json);
		answer_failure(request, "read the lists", err);
		return;
	}
	(void)json__add_u64(json, "now_ms", list->now);
	(void)json__add(json, name, list->items);
	answer_json(request, 200, json);
}

void api_hosts(struct api *self, const struct httpd_request *request)
{
	struct listing list = { request, json__new_array(), now_ms(), 0 };
	const int err = store__each_host(self->store, list.now, list_host, &list);

	answer_list(request, "hosts", &list, err, json__new_object());
}

static int list_profile(void *arg, const struct stored_profile *profile)
{
	struct listing *self = arg;
	struct json_object *item = json__new_object();

	(void)json__add_int(item, "id", profile->id);
	(void)json__add_str(item, "hostname", profile->hostname);
	(void)json__add_str(item, "service", profile->service);
	(void)json__add_int(item, "start_ms", profile->start_ms);
	(void)json__add_int(item, "end_ms", profile->end_ms);
	(void)json__add_int(item, "received_ms", profile->received_ms);
	(void)json__add_u64(item, "samples", profile->samples);
	(void)json__add_u64(item, "stacks", profile->stacks);
	(void)json__add_u64(item, "lines_skipped", profile->lines_skipped);
	(void)json__add_u64(item, "bytes", profile->bytes);
	(void)json__add_u64(item, "rate_hz", profile->rate_hz);
	(void)json__add_bool(item, "continuous", profile->continuous);
	(void)json__add_bool(item, "has_page", profile->has_html);
	(void)(profile->complete_pct < 0 ?
		       json__add_null(item, "complete_pct") :
		       json__add_double(item, "complete_pct", profile->complete_pct));
	return json__add(self->items, NULL, item);
}

void api_profiles(struct api *self, const struct httpd_request *request)
{
	struct listing list = { request, json__new_array(), now_ms(), 0 };
	struct json_object *json = json__new_object();
	uint64_t evicted = 0;
	int err;

	err = store__each_profile(self->store, PROFILES_LISTED_MAX, list_profile, &list);
	err = err ? err : store__counter(self->store, "profiles_evicted", &evicted);
	(void)json__add_u64(json, "evicted", evicted);
	answer_list(request, "profiles", &list, err, json);
}

/* ---- one profile ---- */

static void answer_text(const struct httpd_request *request, const char *mime, const char *policy,
			const struct buf *text)
{
	const char *const headers[] = { "X-Content-Type-Options: nosniff",
					"Cache-Control: no-store",
					"Cross-Origin-Resource-Policy: same-origin", policy, NULL };

	(void)httpd_call__answer(request->call, &(struct httpd_answer){
							.status = 200,
							.content_type = mime,
							.headers = headers,
							.body = text->data ? text->data : "",
							.body_len = text->len,
						});
}

/* rest is "ID" or "ID/flamegraph". */
void api_profile(struct api *self, const struct httpd_request *request, const char *rest)
{
	struct stored_profile profile;
	struct buf text _auto_buf_ = { 0 };
	char *end = NULL;
	const int64_t id = *rest >= '1' && *rest <= '9' ? strtoll(rest, &end, 10) : 0;
	const bool wants_html = end && !strcmp(end, "/flamegraph");
	int err;

	buf__init(&text, HTML_PAGE_MAX_BYTES);
	err = end && (!*end || wants_html) ? store__profile(self->store, id, &profile) : -ENOENT;
	if (!err)
		err = wants_html ? shelf__html(self->shelf, &profile, &text) :
				   shelf__lines(self->shelf, id, &text);
	if (err == -ENOENT)
		answer_message(request, 404, "no such profile");
	else if (err)
		answer_failure(request, "read the profile", err);
	else if (wants_html)
		answer_text(request, "text/html; charset=utf-8",
			    "Content-Security-Policy: sandbox allow-scripts; default-src 'none';"
			    " script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
			    " frame-ancestors 'none'",
			    &text);
	else
		answer_text(request, "text/plain; charset=utf-8",
			    "Content-Security-Policy: sandbox; default-src 'none'", &text);
}
