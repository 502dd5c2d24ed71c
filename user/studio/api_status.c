/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The Studio's host status for operators and their tools. Not the page's own lists (api_profiles.c).
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
	(void)json__add_str(item, "profiling_status", command_status(host->command_status));
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
