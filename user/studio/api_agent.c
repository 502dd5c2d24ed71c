/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What agents call: heartbeat, command completion, profile upload, in the Studio's wire format. Where
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

/* As the real web app: letters, digits, '_', '.', '-', and no '_' in front. */
static void clean_service(const char *name, char *text, size_t text_bytes)
{
	size_t len = 0;

	for (; *name && len + 1 < text_bytes; name++)
		if (isalnum((unsigned char)*name) || *name == '.' || *name == '-' ||
		    (*name == '_' && len))
			text[len++] = *name;
	text[len] = '\0';
}

static void store_upload(struct api *self, const struct httpd_request *request,
			 const struct upload *upload, const char *service)
{
	struct json_object *json;
	int64_t gpid = 0, id;
	char text[24];
	int err;

	err = store__gpid(self->store, upload->gpid, upload->hostname, service, now_ms(), &gpid);
	if (err == -ENOENT) { /* unknown number: the agent forgets it and registers anew */
		answer_message(request, 400, "Failed to parse v2 metadata");
		return;
	}
	err = err ? err : shelf__put(self->shelf, upload, service, now_ms(), &id);
	if (err) {
		answer_failure(request, "store the profile", err);
		return;
	}
	if (upload->lines_skipped)
		log_warn("studio: profile '%" PRId64 "' had %" PRIu64 " bad lines, ignoring", id,
			 upload->lines_skipped);
	log_info("studio: stored profile '%" PRId64 "' samples=%" PRIu64 " stacks=%" PRIu64, id,
		 upload->samples, upload->stacks);
	snprintf(text, sizeof(text), "%" PRId64, gpid);
	json = json__new_object();
	(void)json__add_str(json, "message", "ok");
	(void)json__add_str(json, "gpid", text);
	answer_json(request, 200, json);
}

/* 0, or answered and an error. */
static int unpack_upload(const struct httpd_request *request, struct buf *out)
{
	const char *coding = httpd_call__header(request->call, "Content-Encoding");
	int err;

	if (coding && !strcasecmp(coding, "gzip"))
		err = gzip__unpack(request->body, request->body_len, out);
	else
		err = buf__append(out, request->body, request->body_len);
	if (err == -E2BIG)
		answer_message(request, 413, "the body is too large when unpacked: 64 MiB at most");
	else if (err == -EBADMSG)
		answer_message(request, 400, "the body is not gzip");
	else if (err)
		answer_failure(request, "read the upload", err);
	return err;
}

void api_upload(struct api *self, const struct httpd_request *request)
{
	const char *name = httpd_call__header(request->call, "GPROFILER-SERVICE-NAME");
	struct json_object *detail = NULL;
	struct upload upload = { 0 };
	struct buf plain _auto_buf_ = { 0 };
	const char *why = "";
	char service[256];
	int err;

	clean_service(name ? name : "", service, sizeof(service));
	if (!*service) {
		struct check check = { 0 };

		check__fail(&check, "gprofiler-service-name", "value_error.missing",
			    "field required");
		answer_detail(request, check.detail);
		return;
	}
	buf__init(&plain, UPLOAD_PLAIN_MAX_BYTES);
	if (unpack_upload(request, &plain))
		return;
	err = upload__parse(&upload, plain.data ? plain.data : "", plain.len, &detail, &why);
	if (!err) {
		store_upload(self, request, &upload, service);
	} else if (detail) {
		answer_detail(request, detail);
	} else if (err == -EBADMSG) {
		log_warn("studio: upload of '%s' refused, header line: %s", service, why);
		answer_message(request, 400, "Failed to parse v2 metadata");
	} else {
		answer_failure(request, "read the upload", err);
	}
	upload__clear(&upload);
}
