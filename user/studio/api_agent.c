/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What agents call: heartbeat and command completion, in the Studio's wire format. Where
 * the real web app keeps silent about a bad value and forgets the host, this answers 422 and says what.
 */
#include "heartbeat.h"
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

static const char *null_if_empty(const char *text)
{
	return *text ? text : NULL;
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

static void answer_beat(struct api *self, const struct httpd_request *request,
			const struct heartbeat_body *body)
{
	struct command command = { 0 };
	int err;

	err = store__heartbeat(self->store, &body->beat, now_ms(), &command);
	if (err && err != -ENOENT)
		answer_failure(request, "record the heartbeat", err);
	else if (!err || !body->wait_s || !api__wait(self, request, &body->beat, body->wait_s))
		answer_heartbeat(request, err ? NULL : &command);
	command__clear(&command);
}

void api_heartbeat(struct api *self, const struct httpd_request *request)
{
	struct json_object *json _auto_json_ = request_json(request);
	struct check check = { .body = json };
	struct heartbeat_body body;
	int err;

	if (!json)
		return;
	err = heartbeat_body__read(&body, &check);
	if (check.detail)
		answer_detail(request, check.detail);
	else if (err)
		answer_failure(request, "read a heartbeat", err);
	else
		answer_beat(self, request, &body);
	heartbeat_body__clear(&body);
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
