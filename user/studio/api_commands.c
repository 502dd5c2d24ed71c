/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What became of the orders: each command, and the commands of a request together.
 */
#include "internal.h"
#include "store_fleet.h"

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#include <string.h>

#define COMMANDS_LISTED	    200 /* unless more are asked for */
#define COMMANDS_LISTED_MAX INT64_C(2000)
#define ORDERS_LISTED_MAX   100

static void add_time(struct json_object *item, const char *name, int64_t ms)
{
	(void)(ms ? json__add_int(item, name, ms) : json__add_null(item, name));
}

static void add_count(struct json_object *item, const char *name, int64_t n)
{
	(void)(n >= 0 ? json__add_int(item, name, n) : json__add_null(item, name));
}

static struct json_object *words(const char *text)
{
	struct json_object *list = json__new_array();
	char word[UUID_TEXT_BYTES];
	size_t len;

	for (; *text; text += len + (text[len] == ' ')) {
		len = strcspn(text, " ");
		if (len < sizeof(word)) {
			memcpy(word, text, len);
			word[len] = '\0';
			(void)json__add_str(list, NULL, word);
		}
	}
	return list;
}

static struct json_object *pids_of(const char *config_text)
{
	struct json_object *config _auto_json_ = NULL;
	struct json_object *pids;

	if (!json__parse(config_text, strlen(config_text), &config) &&
	    !json__get_array(config, "pids", &pids))
		return json__get(pids);
	return json__new_array();
}

static int list_command(void *arg, const struct stored_command *command)
{
	struct json_object *item = json__new_object();

	(void)json__add_str(item, "id", command->id);
	(void)json__add(item, "request_ids", words(command->request_ids));
	(void)json__add_str(item, "hostname", command->hostname);
	(void)json__add_str(item, "service", command->service);
	(void)json__add_str(item, "type", command->type);
	(void)json__add_bool(item, "continuous", command->is_continuous);
	(void)json__add_str(item, "state", command->state);
	(void)json__add_str(item, "reason", command->reason);
	(void)json__add(item, "pids", pids_of(command->config));
	(void)json__add_int(item, "rate_hz", command->rate_hz);
	(void)json__add_int(item, "duration_s", command->duration_s);
	(void)json__add_int(item, "made_ms", command->made_ms);
	add_time(item, "sent_ms", command->sent_ms);
	add_time(item, "received_ms", command->received_ms);
	add_time(item, "begun_ms", command->begun_ms);
	add_time(item, "ended_ms", command->ended_ms);
	add_count(item, "samples", command->samples);
	add_count(item, "lost", command->lost);
	add_time(item, "profile", command->profile);
	return json__add(arg, NULL, item);
}

void api_commands(struct api *self, const struct httpd_request *request)
{
	const struct command_filter filter = {
		.hostname = httpd_call__query(request->call, "hostname"),
		.service = httpd_call__query(request->call, "service"),
		.request_id = httpd_call__query(request->call, "request_id"),
	};
	const char *limit = httpd_call__query(request->call, "limit");
	int64_t max = COMMANDS_LISTED;
	struct json_object *list = json__new_array();
	struct json_object *json;
	int err;

	if (limit && text_whole(limit, &max))
		max = min_of(max_of(max, INT64_C(0)), COMMANDS_LISTED_MAX);
	err = store__each_command(self->store, &filter, (uint32_t)max, list_command, list);
	if (err) {
		json__put(list);
		answer_failure(request, "list the commands", err);
		return;
	}
	json = json__new_object();
	(void)json__add_u64(json, "now_ms", now_ms());
	(void)json__add(json, "commands", list);
	answer_json(request, 200, json);
}

static int list_order(void *arg, const struct stored_order *order)
{
	struct json_object *item = json__new_object();
	struct json_object *states = json__new_object();
	int i;

	(void)json__add_str(item, "request_id", order->request_id);
	(void)json__add_str(item, "id", order->command_id);
	(void)json__add_str(item, "hostname", order->hostname);
	(void)json__add_str(item, "service", order->service);
	(void)json__add_str(item, "type", order->type);
	(void)json__add_bool(item, "continuous", order->is_continuous);
	(void)json__add_str(item, "state", order->state);
	(void)json__add_str(item, "reason", order->reason);
	(void)json__add_int(item, "rate_hz", order->rate_hz);
	(void)json__add_int(item, "duration_s", order->duration_s);
	(void)json__add_int(item, "made_ms", order->made_ms);
	add_time(item, "begun_ms", order->begun_ms);
	add_count(item, "samples", order->samples);
	add_count(item, "lost", order->lost);
	add_time(item, "profile", order->profile);
	(void)json__add_int(item, "commands", order->cnt);
	(void)json__add_int(item, "processes", order->pid_cnt);
	for (i = 0; i < COMMAND_STATES; i++)
		if (order->state_cnts[i])
			(void)json__add_int(states, command_states[i], order->state_cnts[i]);
	(void)json__add(item, "states", states);
	return json__add(arg, NULL, item);
}

static int read_orders(void *arg, struct store *store, struct json_object **ret_json)
{
	struct json_object *list = json__new_array();
	const int err = store__each_order(store, ORDERS_LISTED_MAX, list_order, list);

	*ret_json = json__new_object();
	(void)json__add_u64(*ret_json, "now_ms", now_ms());
	(void)json__add(*ret_json, "orders", list);
	return err;
}

void api_orders(struct api *self, const struct httpd_request *request)
{
	api__read(self, request, read_orders, NULL);
}
