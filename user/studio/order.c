/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The operator's profile request, read and submitted. Refuses what no agent could obey, so that an order
 * that was taken is an order that can run. Whom it means: target.c.
 */
#include "order.h"

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/json.h"
#include "pp/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_DEFAULT_S 60
#define RATE_DEFAULT_HZ	   11 /* the Studio's default, not ours */

void order__clear(struct order *self)
{
	size_t i;

	for (i = 0; i < self->cnt; i++)
		buf__clear(&self->texts[i].config);
	free(self->texts);
	free(self->commands);
	json__put(self->hosts);
	json__put(self->groups);
}

bool order__is_well(const struct order *self)
{
	return !self->check.detail && !self->error[0];
}

struct merge {
	struct check *check;
	struct json_object *config;
};

/* What the request itself says cannot be said differently in additional_args. */
static int merge_arg(void *arg, const char *name, struct json_object *value)
{
	static const char *const own[] = { "command_type", "continuous",     "duration",
					   "frequency",	   "profiling_mode", "pids",
					   "stop_level",   "groups" };
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

/* Ours: agents that know groups profile who is in them, also who comes later; the others take the PIDs. */
static void order__add_groups(const struct order *self, const char *hostname,
			      struct json_object *config)
{
	struct json_object *groups = json__new_array();
	size_t i;

	for (i = 0; i < json__len(self->groups); i++) {
		const struct json_object *one = json__at(self->groups, i);
		const char *host, *group;

		if (json__get_str(one, "group", &group) ||
		    (!json__get_str(one, "hostname", &host) && strcmp(host, hostname) != 0))
			continue;
		(void)json__add_str(groups, NULL, group);
	}
	if (json__len(groups) && json__len(groups) <= SPEC_GROUPS_MAX)
		(void)json__add(config, "groups", groups);
	else
		json__put(groups);
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
	if (pids && self->groups)
		order__add_groups(self, hostname, config);
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

static int order__make_commands(struct order *self, const struct api *api)
{
	const size_t cnt = json__len(self->hosts);
	char text[64];

	if (cnt > api->request_hosts_max) {
		snprintf(text, sizeof(text), "at most %u hosts at once", api->request_hosts_max);
		check__fail(&self->check, "target_hosts", "value_error", text);
		return 0;
	}
	self->texts = calloc(cnt + 1, sizeof(*self->texts));
	self->commands = calloc(cnt + 1, sizeof(*self->commands));
	if (!self->texts || !self->commands)
		return -ENOMEM;
	return json__each(self->hosts, order__add_host, self);
}

static void order__read_words(struct order *self)
{
	static const char *const types[] = { "start", "stop", NULL };
	static const char *const modes[] = { "cpu", "allocation", "none", NULL };
	static const char *const levels[] = { "process", "host", NULL };
	struct check *check = &self->check;
	const char *scope;
	int i;

	self->type = check__word(check, "request_type", types,
				 "request_type must be \"start\" or \"stop\"", NULL);
	self->mode = check__word(check, "profiling_mode", modes,
				 "profiling_mode must be \"cpu\", \"allocation\", or \"none\"",
				 "cpu");
	self->stop_level = check__word(check, "stop_level", levels,
				       "stop_level must be \"process\" or \"host\"", "process");
	scope = check__word(check, "target_scope", scope_names,
			    "target_scope must be one of \"host\", \"service\", \"namespace\","
			    " \"workload\", \"pod\", \"container\", or \"process\"",
			    "host");
	for (i = 0, self->scope = SCOPE_HOST; i < SCOPES; i++)
		if (!strcmp(scope, scope_names[i]))
			self->scope = (enum workload_scope)i;
}

int order__read(struct order *self, struct api *api, uint64_t now_ms)
{
	struct check *check = &self->check;
	int err;

	self->request.service = check__str(check, "service_name", true);
	order__read_words(self);
	self->is_dry = check__bool(check, "dry_run", false) || self->is_dry;
	self->request.is_start = !strcmp(self->type, "start");
	self->request.stops_host = !strcmp(self->type, "stop") && !strcmp(self->stop_level, "host");
	self->request.continuous = check__bool(check, "continuous", false);
	self->request.is_service = self->scope == SCOPE_SERVICE;
	self->request.duration_s = (uint32_t)check__int(
		check, "duration", 1, SPEC_DURATION_MAX_S,
		"Duration must be a positive integer (seconds), at most 86400", DURATION_DEFAULT_S);
	self->request.rate_hz = (uint32_t)check__int(
		check, "frequency", SPEC_RATE_MIN_HZ, SPEC_RATE_MAX_HZ,
		"Frequency must be a positive integer (Hz), at most 10000", RATE_DEFAULT_HZ);
	if (json__get_object(check->body, "additional_args", &self->args) == -EBADMSG)
		check__fail(check, "additional_args", "type_error.dict",
			    "value is not a valid dict");
	err = order__find_targets(self, api, now_ms);
	return err || !order__is_well(self) ? err : order__make_commands(self, api);
}

int order__submit(struct order *self, struct api *api, uint64_t now_ms)
{
	size_t i;
	int err;

	if (self->is_dry)
		return 0;
	err = uuid__make(self->id);
	self->request.id = self->id;
	self->request.commands = self->commands;
	self->request.command_cnt = self->cnt;
	err = err ? err : store__add_request(api->store, &self->request, now_ms);
	if (err == -EDQUOT) {
		snprintf(self->error, sizeof(self->error),
			 "a host has too many commands that it did not fetch yet");
		return 0;
	}
	for (i = 0; !err && i < self->cnt; i++)
		api__commands_made(api, self->commands[i].hostname, self->request.service);
	return err;
}

static int list_host(void *arg, const char *hostname, struct json_object *pids)
{
	struct json_object *item = json__new_object();

	(void)json__add_str(item, "hostname", hostname);
	(void)json__add(item, "pids", json__len(pids) ? json__get(pids) : json__new_array());
	return json__add(arg, NULL, item);
}

/* Our addition: whom it would reach, for an operator to look at first. */
static struct json_object *order__answer_dry(const struct order *self)
{
	struct json_object *json = json__new_object();
	struct json_object *hosts = json__new_array();

	(void)json__each(self->hosts, list_host, hosts);
	(void)json__add_bool(json, "success", true);
	(void)json__add_str(json, "message", "Dry run: Profiling request validated successfully.");
	(void)json__add_null(json, "request_id");
	(void)json__add(json, "command_ids", json__new_array());
	(void)json__add_null(json, "estimated_completion_time");
	(void)json__add(json, "hosts", hosts);
	return json;
}

struct json_object *order__answer(const struct order *self, uint64_t now_ms)
{
	struct json_object *json, *ids;
	char text[1200], done[CLOCK_TEXT_BYTES], where[48] = "";
	size_t i;

	if (self->is_dry)
		return order__answer_dry(self);
	json = json__new_object();
	ids = json__new_array();
	if (self->cnt > 1)
		snprintf(where, sizeof(where), " across %zu hosts", self->cnt);
	snprintf(text, sizeof(text),
		 "%s profiling request submitted successfully for service '%s'%s",
		 self->request.is_start ? "Start" : "Stop", self->request.service, where);
	for (i = 0; i < self->cnt; i++)
		(void)json__add_str(ids, NULL, self->texts[i].id);
	clock_utc_text((now_ms + self->request.duration_s * 1000ull) * 1000000, done);
	(void)json__add_bool(json, "success", true);
	(void)json__add_str(json, "message", text);
	(void)json__add_str(json, "request_id", self->id);
	(void)json__add(json, "command_ids", ids);
	(void)json__add_str(json, "estimated_completion_time",
			    self->request.is_start ? done : NULL);
	return json;
}
