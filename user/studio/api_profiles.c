/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The page's own lists and single profiles, under /api/studio.
 */
#include "internal.h"

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROFILES_LISTED_MAX 200

struct listing {
	const struct httpd_request *request;
	struct json_object *items;
	uint64_t now;
	int64_t active_cnt;
};

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

/* On a worker: a fleet's list takes a while. */
static int make_hosts(void *arg, struct store *store, struct json_object **ret_json)
{
	struct listing list = { NULL, json__new_array(), now_ms(), 0 };
	struct json_object *json = json__new_object();
	const int err = store__each_host(store, list.now, list_host, &list);

	(void)json__add_u64(json, "now_ms", list.now);
	(void)json__add(json, "hosts", list.items);
	*ret_json = json;
	return err;
}

void api_hosts(struct api *self, const struct httpd_request *request)
{
	api__read(self, request, make_hosts, NULL);
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

/* rest is "ID" or "ID/flamegraph". */
void api_profile(struct api *self, const struct httpd_request *request, const char *rest)
{
	struct stored_profile profile;
	char *end = NULL;
	const int64_t id = *rest >= '1' && *rest <= '9' ? strtoll(rest, &end, 10) : 0;
	const bool wants_html = end && !strcmp(end, "/flamegraph");
	int err;

	err = end && (!*end || wants_html) ? store__profile(self->store, id, &profile) : -ENOENT;
	if (err == -ENOENT)
		answer_message(request, 404, "no such profile");
	else if (err)
		answer_failure(request, "read the profile", err);
	else
		api__show(self, request, &profile, wants_html);
}
