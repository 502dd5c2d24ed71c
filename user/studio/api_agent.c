/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What agents call: heartbeat and command completion, in the Studio's wire format. Where
 * the real web app keeps silent about a bad value and forgets the host, this answers 422 and says what.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/json.h"
#include "pp/base/log.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define IDS_MAX 1000

static const char *null_if_empty(const char *text)
{
	return *text ? text : NULL;
}

static const char *check__uuid(struct check *check, const char *name, bool is_required,
			       char ret_text[UUID_TEXT_BYTES])
{
	const char *text = check__str(check, name, is_required);

	ret_text[0] = '\0';
	if (!*text)
		return NULL;
	if (!uuid__parse(text, ret_text))
		check__fail(check, name, "type_error.uuid", "value is not a valid uuid");
	return ret_text;
}

static const struct json_object *check__ids(struct check *check, const char *name)
{
	struct json_object *ids = NULL;
	char uuid[UUID_TEXT_BYTES];
	const int err = json__get_array(check->body, name, &ids);
	size_t i;

	if (err == -ENOENT)
		return NULL;
	if (err || json__len(ids) > IDS_MAX) {
		check__fail(check, name, "type_error.list",
			    "a list of at most 1000 ids is expected");
		return NULL;
	}
	for (i = 0; i < json__len(ids); i++) {
		if (!uuid__parse(json__str(json__at(ids, i)), uuid)) {
			check__fail(check, name, "type_error.uuid", "value is not a valid uuid");
			return NULL;
		}
	}
	return ids;
}

static void check__address(struct check *check, const char *text)
{
	struct in6_addr addr;

	if (*text && inet_pton(AF_INET, text, &addr) != 1 && inet_pton(AF_INET6, text, &addr) != 1)
		check__fail(check, "ip_address", "value_error.ipvanyaddress",
			    "value is not a valid IPv4 or IPv6 address");
}

/* Only looked at, not used: hosts are aged by the studio's own clock. */
static void check__timestamp(struct check *check)
{
	struct json_object *value;
	int year, month, day, hour, minute;

	if (json__get_any(check->body, "timestamp", &value) || json__is_int(value))
		return;
	if (!json__is_str(value) || sscanf(json__str(value), "%4d-%2d-%2d%*1[T ]%2d:%2d", &year,
					   &month, &day, &hour, &minute) != 5)
		check__fail(check, "timestamp", "value_error.datetime", "invalid datetime format");
}

void answer_heartbeat(const struct httpd_request *request, const struct command *command)
{
	struct json_object *json = json__new_object();
	struct json_object *order, *config = NULL;

	(void)json__add_bool(json, "success", true);
	if (!command || json__parse(command->config, strlen(command->config), &config)) {
		(void)json__add_str(json, "message", "Heartbeat received. No profiling commands.");
		(void)json__add_null(json, "profiling_command");
		(void)json__add_null(json, "command_id");
	} else {
		order = json__new_object();
		(void)json__add_str(order, "command_type", command->type);
		if (!strcmp(command->type, "start")) {
			(void)json__add_int(config, "duration", command->duration_s);
			(void)json__add_int(config, "frequency", command->rate_hz);
		}
		(void)json__add(order, "combined_config", config);
		(void)json__add_str(json, "message",
				    "Heartbeat received. New profiling command available.");
		(void)json__add(json, "profiling_command", order);
		(void)json__add_str(json, "command_id", command->id);
	}
	answer_json(request, 200, json);
}

void api_heartbeat(struct api *self, const struct httpd_request *request)
{
	static const char *const statuses[] = { "active", "idle", "error", "offline", NULL };
	struct json_object *json _auto_json_ = request_json(request);
	struct check check = { .body = json };
	char last_id[UUID_TEXT_BYTES];
	struct command command = { 0 };
	struct json_object *runs = NULL;
	struct heartbeat beat;
	int64_t wait_s;
	int err;

	if (!json)
		return;
	beat = (struct heartbeat){
		.hostname = check__str(&check, "hostname", true),
		.service = check__str(&check, "service_name", true),
		.address = check__str(&check, "ip_address", true),
		.status = check__word(&check, "status", statuses,
				      "status must be active, idle, error or offline", "active"),
		.agent_version = null_if_empty(check__str(&check, "agent_version", false)),
		.run_mode = null_if_empty(check__str(&check, "run_mode", false)),
		.last_command_id = check__uuid(&check, "last_command_id", false, last_id),
		.received_ids = check__ids(&check, "received_command_ids"),
	};
	(void)json__get_array(json, "pulseprof_runs", &runs);
	beat.runs = runs;
	(void)check__ids(&check, "executed_command_ids");
	check__address(&check, beat.address);
	check__timestamp(&check);
	wait_s = check__int(&check, "wait_s", 0, INT32_MAX, "must not be negative", 0);
	if (check.detail) {
		answer_detail(request, check.detail);
		return;
	}
	err = store__heartbeat(self->store, &beat, now_ms(), &command);
	if (err && err != -ENOENT)
		answer_failure(request, "record the heartbeat", err);
	else if (!err || !wait_s || !api__wait(self, request, &beat, (uint32_t)wait_s))
		answer_heartbeat(request, err ? NULL : &command);
	command__clear(&command);
}

static void answer_success(const struct httpd_request *request, bool success, const char *message)
{
	struct json_object *json = json__new_object();

	(void)json__add_bool(json, "success", success);
	(void)json__add_str(json, "message", message);
	answer_json(request, 200, json);
}

void api_completion(struct api *self, const struct httpd_request *request)
{
	static const char *const statuses[] = { "completed", "failed", NULL };
	struct json_object *json _auto_json_ = request_json(request);
	struct check check = { .body = json };
	struct completion completion;
	char id[UUID_TEXT_BYTES], status[16], text[1400];
	int err;

	if (!json)
		return;
	completion = (struct completion){
		.id = check__uuid(&check, "command_id", true, id),
		.hostname = check__str(&check, "hostname", true),
		.status = check__word(&check, "status", statuses,
				      "invalid status. Must be 'completed' or 'failed'.", NULL),
		.error = null_if_empty(check__str(&check, "error_message", false)),
		.results_path = null_if_empty(check__str(&check, "results_path", false)),
		.execution_time_s = check__int(&check, "execution_time", 0, INT32_MAX,
					       "must not be negative", -1),
	};
	if (check.detail) {
		answer_detail(request, check.detail);
		return;
	}
	err = store__complete(self->store, &completion, now_ms(), status);
	if (err == -ENOENT)
		snprintf(text, sizeof(text), "Command %s not found for host %s", id,
			 completion.hostname);
	else if (err == -EALREADY)
		snprintf(text, sizeof(text),
			 "Command %s for host %s is in status '%s', expected 'assigned'", id,
			 completion.hostname, status);
	else
		snprintf(text, sizeof(text), "Command completion recorded for %s", id);
	if (err && err != -ENOENT && err != -EALREADY)
		answer_failure(request, "record the completion", err);
	else
		answer_success(request, !err, text);
}
