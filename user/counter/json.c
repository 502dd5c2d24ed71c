/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A window of counting as JSON: all that is known of each scope, raw counts too, so that whoever adds up windows or hosts
 * can do it right. The names are an interface (hwmetrics_detail), append-only.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"
#include "pp/counter_window.h"

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

int counter_json__add_scopes(struct json_object *json, const struct counter_set *set,
			     const struct counter_window *window, uint32_t kinds,
			     size_t max_of_kind)
{
	struct json_object *scopes = json__new_array();
	int err = 0;

	for (int kind = 0; kind < COUNTER_SCOPE_CNT; kind++)
		for (size_t i = 0; i < window->scope_cnt[kind] && i < max_of_kind && !err; i++)
			if (kinds >> kind & 1)
				err = add_scope(scopes, set, window, kind,
						&window->scopes[kind][i]);
	err = json__add(json, "scopes", scopes) ?: err;
	if (!err && !window->by_switch)
		err = json__add_str(json, "by_process", counter_status__name(COUNTER_DISABLED));
	return err ?: add_collector(json, window);
}

static int add_event(struct json_object *events, const struct counter_set *set, uint32_t i)
{
	const struct counter_event *event = &set->events[i];
	struct json_object *entry = json__new_object();
	char config[24];
	int err = json__add_str(entry, "key", event->name);

	snprintf(config, sizeof(config), "0x%llx", (unsigned long long)event->code.config);
	if (!err)
		err = json__add_str(entry, "name", event->what);
	if (!err)
		err = json__add_u64(entry, "type", event->code.type);
	if (!err)
		err = json__add_str(entry, "config", config);
	if (!err)
		err = json__add_u64(entry, "group", set->group[i]);
	if (!err)
		err = json__add_str(entry, "status", counter_status__name(event->status));
	if (!err && *event->why)
		err = json__add_str(entry, "why", event->why);
	return json__add(events, NULL, entry) ?: err;
}

int counter_json__add_set(struct json_object *json, const struct counter_set *set)
{
	struct json_object *pmu = json__new_object(), *events = json__new_array();
	bool has_pmu = set->cpu.pmu[0] != '\0';
	int err = json__add_str(pmu, "status", has_pmu ? "full" : "none");

	if (!err && !has_pmu)
		err = json__add_str(pmu, "why", COUNTER_NO_PMU);
	if (!err)
		err = json__add_str(pmu, "cpu_id", set->cpu.id);
	if (!err)
		err = json__add_str(pmu, "cpu_model", set->cpu.model);
	if (!err)
		err = json__add_str(pmu, "uarch", set->cpu.uarch); /* NULL: null */
	if (!err)
		err = json__add_u64(pmu, "free_counters", set->free_counters);
	err = json__add(json, "pmu", pmu) ?: err;
	for (uint32_t i = 0; i < set->cnt && !err; i++)
		err = add_event(events, set, i);
	return json__add(json, "events", events) ?: err;
}

/* PerfSpect's names of the same figure, so that what reads its summaries reads ours: facts of its 3.17, by vendor. */
static const struct {
	const char *id, *names[3]; /* Intel, AMD, Arm; NULL: it has none, or means another thing */
	double factor;
} perfspect_names[] = {
	{ "cpu_utilization", { "CPU utilization %", "CPU utilization %", NULL }, 1 },
	{ "frequency",
	  { "CPU operating frequency (in GHz)", "CPU operating frequency (in GHz)", NULL },
	  1 },
	{ "ipc", { "IPC", "IPC", "ipc" }, 1 },
	{ "cpi", { "CPI", "CPI", NULL }, 1 },
	{ "branch_mispredict_ratio",
	  { "branch misprediction ratio", "Branch Misprediction Ratio",
	    "branch_misprediction_ratio" },
	  1 },
	{ "l1d_mpki",
	  { "L1D MPI (includes data+rfo w/ prefetches)", NULL, "l1d_cache_mpki" },
	  0.001 },
	{ "l2_mpki",
	  { "L2 MPI (includes code+data+rfo w/ prefetches)", NULL, "l2_cache_mpki" },
	  0.001 },
};

int counter_json__add_flat(struct json_object *json, const char *name,
			   const struct counter_set *set, const struct counter_window *window)
{
	int vendor = !strncmp(set->cpu.id, "GenuineIntel", 12) ? 0 :
		     !strncmp(set->cpu.id, "AuthenticAMD", 12) ? 1 :
								 2;
	struct json_object *flat = json__new_object();
	const struct counter_scope *system = window->scopes[COUNTER_SYSTEM];
	bool has_hardware = false;
	int err = 0;

	for (uint32_t m = 0; m < counter_metrics__cnt() && system && !err; m++)
		for (size_t i = 0; i < ARRAY_SIZE(perfspect_names) && !err; i++) {
			const char *known = perfspect_names[i].names[vendor];
			struct counter_value value;
			char text[32];

			if (!known || strcmp(counter_metrics__at(m)->id, perfspect_names[i].id))
				continue;
			counter_metrics__compute(set, window, COUNTER_SYSTEM, system, m, &value);
			if (!counter_value__is_known(&value))
				continue;
			/* Arm's are per thousand there, too */
			snprintf(text, sizeof(text), "%.6g",
				 value.value * (vendor == 2 ? 1 : perfspect_names[i].factor));
			has_hardware |= i > 0;
			err = json__add_str(flat, known, text);
		}
	if (err || !has_hardware) {
		json__put(flat);
		return err ?: json__add_null(json, name);
	}
	return json__add(json, name, flat);
}
