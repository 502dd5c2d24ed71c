/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How counts and metrics are shown: a table with a row per scope, or a line of JSON per window.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "counter.h"
#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"

#define ROWS_MAX 20 /* of a table; JSON has all */

static int print_json(struct cli *cli, const struct counter_set *set,
		      const struct counter_window *window, enum counter_scope_kind per)
{
	_auto_json_ struct json_object *json = json__new_object();
	int err = json__add_int(json, "time", (int64_t)time(NULL));

	if (!err)
		err = json__add_double(json, "interval_s", (double)window->wall_ns / 1e9);
	if (!err)
		err = json__add_int(json, "cpus", window->cpu_cnt);
	if (!err)
		err = counter_json__add_scopes(json, set, window, 1u << per, SIZE_MAX);
	if (!err && !window->by_switch && per > COUNTER_CPU)
		err = json__add_str(json, "status", counter_status__name(COUNTER_DISABLED));
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

/* Names of processes are anybody's text: the format knows backslash, quote and line end. */
static void print_labels(enum counter_scope_kind per, const struct counter_scope *scope,
			 const char *event)
{
	const char *const labels[][2] = { { "id", scope->id },
					  { "name", scope->name },
					  { "event", event } };

	printf("{scope=\"%s\"", counter_scope__kind_name(per));
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		if (!*labels[i][1])
			continue;
		printf(",%s=\"", labels[i][0]);
		for (const char *c = labels[i][1]; *c; c++)
			putchar(*c >= ' ' && *c < 0x7f && *c != '"' && *c != '\\' ? *c : '_');
		putchar('"');
	}
	printf("} ");
}

/* What has no value has no line. Counts are of the window, so they are gauges, too. */
static void print_prometheus(const struct counter_set *set, const struct counter_window *window,
			     enum counter_scope_kind per)
{
	struct counter_value value;

	for (uint32_t m = 0; m < counter_metrics__cnt(); m++) {
		const struct counter_metric *metric = counter_metrics__at(m);

		if (!has_column(set, window, per, m))
			continue;
		printf("# HELP pulseprof_counter_%s %s (%s)\n# TYPE pulseprof_counter_%s gauge\n",
		       metric->id, metric->help, metric->unit, metric->id);
		for (size_t i = 0; i < window->scope_cnt[per]; i++) {
			counter_metrics__compute(set, window, per, &window->scopes[per][i], m,
						 &value);
			if (!counter_value__is_known(&value))
				continue;
			printf("pulseprof_counter_%s", metric->id);
			print_labels(per, &window->scopes[per][i], "");
			printf("%.9g\n", value.value);
		}
	}
	printf("# HELP pulseprof_counter_events events in the window, scaled where multiplexed\n"
	       "# TYPE pulseprof_counter_events gauge\n");
	for (size_t i = 0; i < window->scope_cnt[per]; i++)
		for (uint32_t e = 0; e < set->cnt; e++) {
			counter_set__count(set, e, &window->scopes[per][i].sums, &value);
			if (!counter_value__is_known(&value))
				continue;
			printf("pulseprof_counter_events");
			print_labels(per, &window->scopes[per][i], set->events[e].name);
			printf("%.0f\n", value.value);
		}
	fflush(stdout);
}

int counter_view__print(struct cli *cli, bool for_prometheus, const struct counter_set *set,
			const struct counter_window *window, enum counter_scope_kind per)
{
	if (for_prometheus) {
		print_prometheus(set, window, per);
		return CLI_DONE;
	}
	if (cli->json)
		return print_json(cli, set, window, per);
	print_table(set, window, per);
	return CLI_DONE;
}
