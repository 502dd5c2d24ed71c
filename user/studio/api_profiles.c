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
#define FILTER_MAX_BYTES    256

struct listing {
	struct json_object *items;
	uint64_t now;
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
	(void)json__add_str(json, "status",
			    strcmp(host->command_status, "expired") != 0 ?
				    command_status(host->command_status) :
				    host->command_status);
	(void)json__add_str(json, "state", host->command_status);
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

/* On a worker: a fleet's list takes a while. The page reckons ages with the studio's clock. */
static int make_hosts(void *arg, struct store *store, struct json_object **ret_json)
{
	struct listing list = { json__new_array(), now_ms() };
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
	(void)json__add_str(item, "command_id", profile->command_id);
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

struct profiles_job { /* freed as it is */
	struct profile_query query;
	char filter[FILTER_MAX_BYTES + 1];
};

static int make_profiles(void *arg, struct store *store, struct json_object **ret_json)
{
	const struct profiles_job *job = arg;
	struct listing list = { json__new_array(), now_ms() };
	struct json_object *json = json__new_object();
	uint64_t total = 0, evicted = 0;
	int err;

	err = store__each_profile(store, &job->query, list_profile, &list);
	err = err ? err : store__count_profiles(store, job->filter, &total);
	err = err ? err : store__counter(store, "profiles_evicted", &evicted);
	(void)json__add_u64(json, "now_ms", list.now);
	(void)json__add(json, "profiles", list.items);
	(void)json__add_u64(json, "total", total);
	(void)json__add_u64(json, "evicted", evicted);
	*ret_json = json;
	return err;
}

/* -1: not a number from 0 to max. */
static int64_t query_number(const struct httpd_request *request, const char *name, int64_t max,
			    int64_t fallback)
{
	const char *text = httpd_call__query(request->call, name);
	long long value;
	char *end;

	if (!text || !*text)
		return fallback;
	errno = 0;
	value = strtoll(text, &end, 10);
	return *end || *text < '0' || *text > '9' || errno || value > max ? -1 : value;
}

void api_profiles(struct api *self, const struct httpd_request *request)
{
	const char *filter = httpd_call__query(request->call, "filter");
	const int64_t limit =
		query_number(request, "limit", PROFILES_LISTED_MAX, PROFILES_LISTED_MAX);
	const int64_t offset = query_number(request, "offset", INT64_MAX, 0);
	struct profiles_job *job;

	if (limit < 0 || offset < 0 || (filter && strlen(filter) > FILTER_MAX_BYTES)) {
		answer_message(request, 422,
			       "limit is at most 200, limit and offset are whole numbers from 0, "
			       "filter has at most 256 bytes");
		return;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		answer_failure(request, "read the lists", -ENOMEM);
		return;
	}
	snprintf(job->filter, sizeof(job->filter), "%s", filter ? filter : "");
	job->query = (struct profile_query){ job->filter, limit, offset };
	api__read(self, request, make_profiles, job);
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
