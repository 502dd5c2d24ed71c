/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fleet as operators see it, read from the store. What is written there: store_hosts.c,
 * store_inventory.c.
 */
#include "store_fleet.h"
#include "filter.h"
#include "store_db.h"

#include "pp/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

extern const char pp_asset_host_status_sql[], pp_asset_targets_sql[];
extern const char pp_asset_workloads_sql[], pp_asset_workload_counts_sql[];
extern const char pp_asset_orders_sql[];

const char *const scope_names[SCOPES + 1] = {
	"service", "namespace", "host", "workload", "pod", "container", "process", NULL,
};

/* All the statements take the same parameters, but that a count has no page. */
#define PAGE  "tittttttttttitii"
#define COUNT "tittttttttttit"
static int stmt__filtered(struct store *self, struct stmt *stmt, const char *sql, const char *types,
			  const struct filter *filter, int64_t since_ms, int64_t offset)
{
	const char *const *texts = filter->texts;

	return stmt__new(self, stmt, sql, types, filter->scope, since_ms, texts[FILTER_SERVICE],
			 texts[FILTER_HOSTNAME], texts[FILTER_ADDRESS], texts[FILTER_NAMESPACE],
			 texts[FILTER_WORKLOAD], texts[FILTER_POD], texts[FILTER_CONTAINER],
			 texts[FILTER_PROCESS], texts[FILTER_STATUS], texts[FILTER_TYPE],
			 (int64_t)filter->is_exact, texts[FILTER_PIDS], (int64_t)filter->limit,
			 offset);
}

static int store__count_services(struct store *self, const struct filter *filter, int64_t since_ms,
				 int64_t *ret_total)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT count(*) FROM hosts h WHERE last_seen_ms>=?1 AND (?2 IS NULL OR EXISTS"
		" (SELECT 1 FROM json_each(?2) f WHERE CASE WHEN ?3 THEN h.service=f.value"
		" ELSE instr(lower(h.service), lower(f.value)) END))",
		"iti", since_ms, filter->texts[FILTER_SERVICE], (int64_t)filter->is_exact);
	err = err ? err : stmt__step(&stmt);
	if (err > 0)
		*ret_total = stmt__int(&stmt, 0);
	return err < 0 ? err : 0;
}

int store__each_status(struct store *self, const struct filter *filter, int64_t since_ms,
		       int (*fn)(void *arg, const struct stored_status *status), void *arg,
		       int64_t *ret_total)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__filtered(self, &stmt, pp_asset_host_status_sql, PAGE, filter, since_ms,
			     filter->offset);
	while (!err && (err = stmt__step(&stmt)) == 1) {
		const struct stored_status status = {
			.host = stmt__int(&stmt, 0),
			.hostname = stmt__text(&stmt, 1),
			.service = stmt__text(&stmt, 2),
			.address = stmt__text(&stmt, 3),
			.last_seen_ms = stmt__int(&stmt, 4),
			.type = stmt__text(&stmt, 5),
			.state = stmt__text(&stmt, 6),
			.reason = stmt__text(&stmt, 7),
			.config = stmt__text(&stmt, 8),
			.samples = stmt__int(&stmt, 9),
			.lost = stmt__int(&stmt, 10),
			.word = stmt__text(&stmt, 11),
		};

		err = fn(arg, &status);
	}
	return err ? err : store__count_services(self, filter, since_ms, ret_total);
}

static void workload__read(struct stmt *stmt, struct stored_workload *row)
{
	size_t i;

	*row = (struct stored_workload){
		.service = stmt__text(stmt, 0),
		.namespace = stmt__text(stmt, 7),
		.hostname = stmt__text(stmt, 8),
		.address = stmt__text(stmt, 9),
		.pod_name = stmt__text(stmt, 10),
		.container_name = stmt__text(stmt, 11),
		.workload_name = stmt__text(stmt, 12),
		.workload_kind = stmt__text(stmt, 13),
		.process_name = stmt__text(stmt, 14),
		.pid = stmt__is_null(stmt, 15) ? -1 : stmt__int(stmt, 15),
		.pids = stmt__text(stmt, 16),
		.host_cnt = stmt__int(stmt, 17),
		.namespace_cnt = stmt__int(stmt, 18),
		.pod_cnt = stmt__int(stmt, 19),
		.container_cnt = stmt__int(stmt, 20),
		.process_cnt = stmt__int(stmt, 21),
		.last_seen_ms = stmt__int(stmt, 22),
		.agent_version = stmt__text(stmt, 23),
		.run_mode = stmt__text(stmt, 24),
		.type = stmt__text(stmt, 25),
		.is_continuous = stmt__int(stmt, 26),
		.rate_hz = stmt__int(stmt, 27),
		.config = stmt__text(stmt, 28),
		.state = stmt__text(stmt, 29),
	};
	for (i = 0; i < 6; i++)
		row->keys[i] = stmt__text(stmt, 1 + (int)i);
}

/* A page behind the last row says nothing of how many there are. */
static int store__total(struct store *self, const struct filter *filter, int64_t since_ms,
			int64_t *ret_total)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__filtered(self, &stmt, pp_asset_workloads_sql, PAGE, filter, since_ms, 0);
	err = err ? err : stmt__step(&stmt);
	*ret_total = err > 0 ? stmt__int(&stmt, 30) : 0;
	return err < 0 ? err : 0;
}

int store__each_workload(struct store *self, const struct filter *filter, int64_t since_ms,
			 int (*fn)(void *arg, const struct stored_workload *row), void *arg,
			 int64_t *ret_total)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	struct stored_workload row;
	int64_t total = -1;
	int err;

	err = stmt__filtered(self, &stmt, pp_asset_workloads_sql, PAGE, filter, since_ms,
			     filter->offset);
	while (!err && (err = stmt__step(&stmt)) == 1) {
		total = stmt__int(&stmt, 30);
		workload__read(&stmt, &row);
		err = fn(arg, &row);
	}
	stmt__done(&stmt);
	if (!err && total < 0)
		err = store__total(self, filter, since_ms, &total);
	*ret_total = total;
	return err;
}

int store__count_workloads(struct store *self, const struct filter *filter, int64_t since_ms,
			   int64_t ret_counts[SCOPES])
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int i, err;

	err = stmt__filtered(self, &stmt, pp_asset_workload_counts_sql, COUNT, filter, since_ms, 0);
	err = err ? err : stmt__step(&stmt);
	for (i = 0; err > 0 && i < SCOPES; i++)
		ret_counts[i] = stmt__int(&stmt, i);
	return err < 0 ? err : 0;
}

static int store__query_targets(struct store *self, const struct target_query *query,
				struct stmt *stmt)
{
	const char *scope = scope_names[query->scope];

	if (query->scope == SCOPE_SERVICE)
		return stmt__new(
			self, stmt,
			"SELECT hostname, NULL FROM hosts WHERE service=?1 AND last_seen_ms>=?2"
			" ORDER BY hostname",
			"ti", query->service, query->since_ms);
	if (query->scope == SCOPE_HOST)
		return stmt__new(
			self, stmt,
			"SELECT hostname, NULL FROM hosts WHERE service=?1 AND last_seen_ms>=?2"
			" AND hostname IN (SELECT json_extract(value, '$.hostname') FROM"
			" json_each(?3)) ORDER BY hostname",
			"tit", query->service, query->since_ms, query->entities);
	return stmt__new(self, stmt, pp_asset_targets_sql, "ttit", scope, query->service,
			 query->since_ms, query->entities);
}

int store__each_target(struct store *self, const struct target_query *query,
		       int (*fn)(void *arg, const char *hostname, int64_t pid), void *arg)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = store__query_targets(self, query, &stmt);
	while (!err && (err = stmt__step(&stmt)) == 1)
		err = fn(arg, stmt__text(&stmt, 0),
			 stmt__is_null(&stmt, 1) ? -1 : stmt__int(&stmt, 1));
	return err;
}

int store__events(struct store *self, const char *hostname, const char *service, int64_t since_ms,
		  char **ret_events)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	const char *events;
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT events FROM hosts WHERE hostname=?1 AND service=?2 AND last_seen_ms>=?3",
		"tti", hostname, service, since_ms);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err ? err : -ENOENT;
	events = stmt__text(&stmt, 0);
	*ret_events = events ? strdup(events) : NULL;
	return events && !*ret_events ? -ENOMEM : 0;
}

int store__capacity(struct store *self, int64_t since_ms, int64_t *ret_hosts, int64_t *ret_busy)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int err;

	err = stmt__new(
		self, &stmt,
		"SELECT (SELECT count(*) FROM hosts WHERE last_seen_ms>=?1), (SELECT count(*) FROM"
		" (SELECT DISTINCT hostname, service FROM commands WHERE " COMMAND_OPEN
		" AND type='start'))",
		"i", since_ms);
	err = err ? err : stmt__step(&stmt);
	if (err <= 0)
		return err;
	*ret_hosts = stmt__int(&stmt, 0);
	*ret_busy = stmt__int(&stmt, 1);
	return 0;
}

int store__is_busy(struct store *self, const char *hostname, const char *service)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	const int err = stmt__new(
		self, &stmt,
		"SELECT 1 FROM commands WHERE hostname=?1 AND service=?2 AND " COMMAND_OPEN
		" AND type='start' LIMIT 1",
		"tt", hostname, service);

	return err ? err : stmt__step(&stmt);
}

/* As in orders.sql. */
const char *const command_states[COMMAND_STATES] = {
	"pending", "sent",    "received",   "sampling", "done",
	"failed",  "expired", "superseded", "stopped",
};

int store__each_order(struct store *self, uint32_t max,
		      int (*fn)(void *arg, const struct stored_order *order), void *arg)
{
	struct stmt stmt _auto_stmt_ = { 0 };
	int i, err;

	err = stmt__new(self, &stmt, pp_asset_orders_sql, "i", (int64_t)max);
	while (!err && (err = stmt__step(&stmt)) == 1) {
		struct stored_order order = {
			.request_id = stmt__text(&stmt, 0),
			.command_id = stmt__text(&stmt, 1),
			.hostname = stmt__text(&stmt, 2),
			.service = stmt__text(&stmt, 3),
			.type = stmt__text(&stmt, 4),
			.is_continuous = stmt__int(&stmt, 5),
			.state = stmt__text(&stmt, 6),
			.reason = stmt__text(&stmt, 7),
			.rate_hz = stmt__int(&stmt, 8),
			.duration_s = stmt__int(&stmt, 9),
			.made_ms = stmt__int(&stmt, 10),
			.begun_ms = stmt__int(&stmt, 11),
			.profile = stmt__int(&stmt, 12),
			.samples = stmt__int(&stmt, 13),
			.lost = stmt__int(&stmt, 14),
			.cnt = stmt__int(&stmt, 15),
			.pid_cnt = stmt__int(&stmt, 16),
		};

		for (i = 0; i < COMMAND_STATES; i++)
			order.state_cnts[i] = stmt__int(&stmt, 17 + i);
		err = fn(arg, &order);
	}
	return err;
}
