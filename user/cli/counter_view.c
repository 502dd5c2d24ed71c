/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How counts and metrics are shown: a table with a row per scope, or an object per window with all that is known, raw
 * counts too, so that whoever adds up windows or hosts can do it right.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "counter.h"
#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#define ROWS_MAX 20 /* of a table; JSON has all */

static int add_count(struct json_object *counts, const struct counter_set *set, uint32_t event,
		     const struct pp_counted *sums)
{
	struct json_object *count = json__new_object();
	uint32_t group = set->group[event];
	struct counter_value value;
	int err;

	counter_set__count(set, event, sums, &value);
	if (set->events[event].is_own)
		err = json__add_u64(count, "count", sums->switches);
	else if (counter_value__is_known(&value))
		err = json__add_u64(count, "count", sums->events[event]);
	else
		err = json__add_null(count, "count");
	if (!err && group != COUNTER_GROUP_SOFTWARE) {
		err = json__add_u64(count, "enabled_ns", sums->enabled_ns[group]);
		if (!err)
			err = json__add_u64(count, "running_ns", sums->running_ns[group]);
	}
	if (!err)
		err = json__add_str(count, "status", counter_status__name(value.status));
	return json__add(counts, set->events[event].name, count) ?: err;
}

static int add_metric(struct json_object *metrics, const struct counter_metric *metric,
		      const struct counter_value *value)
{
	struct json_object *entry = json__new_object();
	int err = counter_value__is_known(value) ? json__add_double(entry, "value", value->value) :
						   json__add_null(entry, "value");

	if (!err)
		err = json__add_str(entry, "unit", metric->unit);
	if (!err)
		err = json__add_str(entry, "status", counter_status__name(value->status));
	if (!err && value->status == COUNTER_MULTIPLEXED)
		err = json__add_double(entry, "running_ratio", value->running_ratio);
	if (!err && *value->why)
		err = json__add_str(entry, "why", value->why);
	return json__add(metrics, metric->id, entry) ?: err;
}

static int add_scope(struct json_object *scopes, const struct counter_set *set,
		     const struct counter_window *window, enum counter_scope_kind kind,
		     const struct counter_scope *scope)
{
	struct json_object *entry = json__new_object(), *counts = json__new_object(),
			   *metrics = json__new_object();
	struct counter_value value;
	int err = json__add_str(entry, "scope", counter_scope__kind_name(kind));

	if (!err)
		err = json__add_str(entry, "id", scope->id);
	if (!err && scope->name[0])
		err = json__add_str(entry, "name", scope->name);
	if (!err)
		err = json__add_u64(entry, "on_cpu_ns", scope->sums.on_cpu_ns - scope->idle_ns);
	for (uint32_t i = 0; i < set->cnt && !err; i++)
		err = add_count(counts, set, i, &scope->sums);
	for (uint32_t i = 0; i < counter_metrics__cnt() && !err; i++) {
		counter_metrics__compute(set, window, kind, scope, i, &value);
		err = add_metric(metrics, counter_metrics__at(i), &value);
	}
	err = json__add(entry, "counts", counts) ?: err;
	err = json__add(entry, "metrics", metrics) ?: err;
	return json__add(scopes, NULL, entry) ?: err;
}

static int add_collector(struct json_object *json, const struct counter_window *window)
{
	struct json_object *collector = json__new_object(), *lost = json__new_object();
	int err = json__add_str(collector, "mode", window->by_switch ? "sched_switch" : "interval");

	if (!err)
		err = json__add_double(collector, "overhead_ns_per_switch", window->ns_per_run);
	if (!err)
		err = json__add_u64(collector, "switches", window->runs);
	if (!err)
		err = json__add_double(collector, "overhead_percent", window->cost_percent);
	if (!err)
		err = json__add_u64(lost, "map_full", window->table_full);
	if (!err)
		err = json__add_u64(lost, "read_errors", window->read_errors);
	if (!err)
		err = json__add_u64(lost, "negative_deltas", window->backwards);
	err = json__add(collector, "lost", lost) ?: err;
	return json__add(json, "collector", collector) ?: err;
}

static int print_json(struct cli *cli, const struct counter_set *set,
		      const struct counter_window *window, enum counter_scope_kind per)
{
	_auto_json_ struct json_object *json = json__new_object();
	struct json_object *scopes = json__new_array();
	int err = json__add_int(json, "time", (int64_t)time(NULL));

	if (!err)
		err = json__add_double(json, "interval_s", (double)window->wall_ns / 1e9);
	if (!err)
		err = json__add_int(json, "cpus", window->cpu_cnt);
	for (size_t i = 0; i < window->scope_cnt[per] && !err; i++)
		err = add_scope(scopes, set, window, per, &window->scopes[per][i]);
	err = json__add(json, "scopes", scopes) ?: err;
	if (!err && !window->by_switch && per > COUNTER_CPU)
		err = json__add_str(json, "status", counter_status__name(COUNTER_DISABLED));
	if (!err)
		err = add_collector(json, window);
	if (err || !json)
		return cli__fail(cli, CLI_FAILED, -ENOMEM, NULL, "out of memory");
	view__print_json(cli, json);
	return CLI_DONE;
}

/* A metric that no scope has makes no column. */
static bool has_column(const struct counter_set *set, const struct counter_window *window,
		       enum counter_scope_kind per, uint32_t metric)
{
	struct counter_value value;

	for (size_t i = 0; i < window->scope_cnt[per]; i++) {
		counter_metrics__compute(set, window, per, &window->scopes[per][i], metric, &value);
		if (counter_value__is_known(&value))
			return true;
	}
	return false;
}

static void format_value(const struct counter_value *value, char *text, size_t text_bytes)
{
	const char *mark = value->status == COUNTER_MULTIPLEXED ? "~" : "";

	if (!counter_value__is_known(value))
		snprintf(text, text_bytes, "-");
	else if (value->value >= 1000)
		snprintf(text, text_bytes, "%s%.0f", mark, value->value);
	else
		snprintf(text, text_bytes, "%s%.*f", mark, value->value < 10 ? 3 : 1, value->value);
}

static void print_table(const struct counter_set *set, const struct counter_window *window,
			enum counter_scope_kind per)
{
	bool columns[64] = { false };
	struct counter_value value;
	char text[600];

	if (!window->by_switch && per > COUNTER_CPU) {
		printf("%s: disabled, the cost of it was above its limit\n",
		       counter_scope__kind_name(per));
		return;
	}
	printf("%-8s", counter_scope__kind_name(per));
	for (uint32_t m = 0; m < counter_metrics__cnt(); m++) {
		columns[m] = has_column(set, window, per, m);
		if (columns[m])
			printf(" %9s", counter_metrics__at(m)->title);
	}
	printf("\n");
	for (size_t i = 0; i < window->scope_cnt[per] && i < ROWS_MAX; i++) {
		const struct counter_scope *scope = &window->scopes[per][i];
		bool has_long_id = per == COUNTER_CGROUP || per == COUNTER_CONTAINER;

		printf("%-8s", has_long_id ? "" : scope->id);
		for (uint32_t m = 0; m < counter_metrics__cnt(); m++) {
			if (!columns[m])
				continue;
			counter_metrics__compute(set, window, per, scope, m, &value);
			format_value(&value, text, sizeof(text));
			printf(" %9s", text);
		}
		printf("  %s\n", view__safe(per == COUNTER_CGROUP ? scope->id : scope->name, text,
					    sizeof(text)));
	}
	if (window->scope_cnt[per] > ROWS_MAX)
		printf("(%zu more)\n", window->scope_cnt[per] - ROWS_MAX);
	fflush(stdout);
}

int counter_view__print(struct cli *cli, const struct counter_set *set,
			const struct counter_window *window, enum counter_scope_kind per)
{
	if (cli->json)
		return print_json(cli, set, window, per);
	print_table(set, window, per);
	return CLI_DONE;
}
