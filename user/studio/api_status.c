/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The Studio's host status and workload status, for operators, their tools and the page. Made by a worker.
 * Not the page's own lists (api_profiles.c).
 */
#include "filter.h"
#include "internal.h"
#include "store_fleet.h"

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_DEFAULT   1000 /* of workload status */
#define HOSTS_DEFAULT  50000 /* the Studio's clients expect all of them */
#define PIDS_SHOWN_MAX 4096 /* of one row */

static int64_t seen_since(const struct filter *filter)
{
	return filter->has_offline ? 0 : (int64_t)now_ms() - HOST_OFFLINE_MS;
}

static struct json_object *config_member(const char *config, const char *name)
{
	struct json_object *json _auto_json_ = NULL;
	struct json_object *value;

	if (!config || json__parse(config, strlen(config), &json) ||
	    json__get_any(json, name, &value))
		return NULL;
	return json__get(value);
}

static struct json_object *command_pids(const char *config)
{
	struct json_object *pids = config_member(config, "pids");

	return pids ? pids : json__new_array();
}

static int list_host(void *arg, const struct stored_status *host)
{
	struct json_object *item = json__new_object();
	char seen[CLOCK_TEXT_BYTES];

	(void)json__add_int(item, "id", host->host);
	(void)json__add_str(item, "service_name", host->service);
	(void)json__add_str(item, "hostname", host->hostname);
	(void)json__add_str(item, "ip_address", host->address);
	(void)json__add(item, "pids", command_pids(host->config));
	(void)json__add_str(item, "command_type", host->type);
	(void)json__add_str(item, "profiling_status", host->word);
	(void)json__add_str(item, "heartbeat_timestamp",
			    clock_utc_text((uint64_t)host->last_seen_ms * 1000000, seen));
	if (host->state)
		(void)json__add_str(item, "state", host->state);
	if (host->reason)
		(void)json__add_str(item, "reason", host->reason);
	if (host->samples >= 0) {
		(void)json__add_int(item, "samples", host->samples);
		(void)json__add_int(item, "lost", host->lost);
	}
	return json__add(arg, NULL, item);
}

static int read_hosts(void *arg, struct store *store, struct json_object **ret_json)
{
	const struct filter *filter = arg;
	struct json_object *hosts = json__new_array();
	struct json_object *json;
	int64_t total = 0;
	int err;

	err = store__each_status(store, filter, seen_since(filter), list_host, hosts, &total);
	if (filter->wants_list) {
		*ret_json = hosts;
		return err;
	}
	*ret_json = json = json__new_object();
	(void)json__add_u64(json, "active_count", json__len(hosts));
	(void)json__add_int(json, "total_count", total);
	(void)json__add(json, "hosts", hosts);
	return err;
}

void api_host_status(struct api *self, const struct httpd_request *request)
{
	struct check check = { 0 };
	struct filter *filter = NULL;
	const int err = filter__new(request->call, HOSTS_DEFAULT, &check, &filter);

	if (check.detail)
		answer_detail(request, check.detail);
	else if (err)
		answer_failure(request, "list the hosts", err);
	else
		api__read(self, request, read_hosts, filter);
	if (check.detail)
		free(filter);
}

/* ---- workload status ---- */

struct rows {
	struct json_object *items;
	const char *scope;
};

/* "service|host|..." as the real web app has it; only a name, nothing takes it apart again. */
static void add_id(struct json_object *item, const struct rows *self,
		   const struct stored_workload *row)
{
	const bool has_namespace = !strcmp(self->scope, "namespace") ||
				   !strcmp(self->scope, "workload") ||
				   !strcmp(self->scope, "pod") || !strcmp(self->scope, "container");
	struct buf id _auto_buf_ = { 0 };
	size_t i;

	buf__init(&id, 4096);
	buf__puts(&id, row->service);
	for (i = 0; i < ARRAY_SIZE(row->keys); i++) {
		if (row->keys[i])
			buf__printf(&id, "|%s", row->keys[i]);
		else if ((i == 1 && has_namespace) || (i == 3 && !strcmp(self->scope, "container")))
			buf__putc(&id, '|');
	}
	(void)json__add_str(item, "id", id.data);
}

static int compare_pids(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static struct json_object *pids_json(const char *text)
{
	int64_t pids[PIDS_SHOWN_MAX];
	struct json_object *list = json__new_array();
	size_t cnt = 0, i;
	char *end;

	for (; text && *text && cnt < PIDS_SHOWN_MAX; text = *end ? end + 1 : end)
		pids[cnt++] = strtoll(text, &end, 10);
	qsort(pids, cnt, sizeof(*pids), compare_pids);
	for (i = 0; i < cnt; i++)
		(void)json__add_int(list, NULL, pids[i]);
	return list;
}

/* As the real web app sums it up: which profilers have settings of their own. */
static void add_profilers(struct json_object *item, const char *config)
{
	struct json_object *configs _auto_json_ = config_member(config, "profiler_configs");

	(void)json__add_str(item, "profilerSummary", json__len(configs) ? "Custom" : "Default");
}

static void add_start(struct json_object *item, const struct stored_workload *row)
{
	(void)json__add_str(item, "commandType", row->type ? row->type : "N/A");
	(void)json__add_str(item, "profilingStatus", row->type ? "active" : "stopped");
	(void)json__add_str(item, "profilingMode", row->is_continuous ? "Continuous" : "Ad Hoc");
	if (row->type)
		(void)json__add_int(item, "frequency", row->rate_hz);
	else
		(void)json__add_null(item, "frequency");
	add_profilers(item, row->config);
	if (row->state)
		(void)json__add_str(item, "state", row->state);
}

static int list_row(void *arg, const struct stored_workload *row)
{
	struct rows *self = arg;
	struct json_object *item = json__new_object();
	char seen[CLOCK_TEXT_BYTES];

	add_id(item, self, row);
	(void)json__add_str(item, "scope", self->scope);
	(void)json__add_str(item, "serviceName", row->service);
	(void)json__add_str(item, "namespace", row->namespace);
	(void)json__add_str(item, "hostname", row->hostname);
	(void)json__add_str(item, "ipAddress", row->address);
	(void)json__add_str(item, "podName", row->pod_name);
	(void)json__add_str(item, "containerName", row->container_name);
	(void)json__add_str(item, "workloadName", row->workload_name);
	(void)json__add_str(item, "workloadKind", row->workload_kind);
	(void)json__add_str(item, "processName", row->process_name);
	if (row->pid >= 0)
		(void)json__add_int(item, "pid", row->pid);
	else
		(void)json__add_null(item, "pid");
	(void)json__add(item, "pids", pids_json(row->pids));
	(void)json__add_int(item, "activeHosts", row->host_cnt);
	(void)json__add_int(item, "hostCount", row->host_cnt);
	(void)json__add_int(item, "namespaceCount", row->namespace_cnt);
	(void)json__add_int(item, "podCount", row->pod_cnt);
	(void)json__add_int(item, "containerCount", row->container_cnt);
	(void)json__add_int(item, "processCount", row->process_cnt);
	add_start(item, row);
	(void)json__add_str(item, "heartbeatTimestamp",
			    clock_utc_text((uint64_t)row->last_seen_ms * 1000000, seen));
	(void)json__add_str(item, "agentVersion", row->agent_version);
	(void)json__add_str(item, "runMode", row->run_mode);
	return json__add(self->items, NULL, item);
}

static int read_workloads(void *arg, struct store *store, struct json_object **ret_json)
{
	const struct filter *filter = arg;
	const int64_t since_ms = seen_since(filter);
	struct rows rows = { json__new_array(), filter->scope };
	struct json_object *json = json__new_object();
	struct json_object *tabs = json__new_object();
	int64_t counts[SCOPES] = { 0 }, total = 0;
	uint64_t left_out = 0;
	int i, err;

	err = store__each_workload(store, filter, since_ms, list_row, &rows, &total);
	err = err ? err : store__count_workloads(store, filter, since_ms, counts);
	err = err ? err : store__counter(store, "inventory_left_out", &left_out);
	for (i = 0; i < SCOPES; i++)
		(void)json__add_int(tabs, scope_names[i], counts[i]);
	(void)json__add_str(json, "scope", filter->scope);
	(void)json__add(json, "rows", rows.items);
	(void)json__add(json, "tabCounts", tabs);
	(void)json__add_int(json, "activeHosts", counts[SCOPE_HOST]);
	(void)json__add_int(json, "totalCount", total);
	if (left_out) /* of heartbeats with more containers or processes than are kept */
		(void)json__add_u64(json, "leftOut", left_out);
	*ret_json = json;
	return err;
}

static bool is_scope(const char *text)
{
	int i;

	for (i = 0; i < SCOPES; i++)
		if (!strcmp(text, scope_names[i]))
			return true;
	return false;
}

void api_workload_status(struct api *self, const struct httpd_request *request)
{
	struct check check = { 0 };
	struct filter *filter = NULL;
	const int err = filter__new(request->call, ROWS_DEFAULT, &check, &filter);

	if (!err && !filter->scope[0])
		snprintf(filter->scope, sizeof(filter->scope), "service");
	if (!err && !is_scope(filter->scope))
		check__fail_at(&check, check_loc("query", "scope"), "value_error",
			       "scope must be service, namespace, host, workload, pod, container or"
			       " process");
	if (check.detail)
		answer_detail(request, check.detail);
	else if (err)
		answer_failure(request, "list the workloads", err);
	else
		api__read(self, request, read_workloads, filter);
	if (check.detail)
		free(filter);
}
