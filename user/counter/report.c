/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A window of counting as one page for people: tables and bars, drawn here. No script, nothing from elsewhere, so it may
 * stand in any frame of any network. What is not known is said with its reason, never drawn as 0.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/counter_window.h"

#define ROWS_MAX  20
#define BAR_WIDTH 240

static const char style[] =
	"body{font:14px/1.45 system-ui,sans-serif;color:#1c2430;background:#fff;margin:2em auto;max-width:68em;padding:0 "
	"1em}h1{font-size:20px;margin:0}h2{font-size:15px;margin:2em 0 .4em}p{margin:.3em 0;color:#52606d}"
	"table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25em .9em .25em 0;border-bottom:1px solid "
	"#e4e7eb;white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.w{white-space:normal;"
	"color:#7b8794}svg{display:block}@media(prefers-color-scheme:dark){body{color:#e4e7eb;background:#14181d}p,td.w{color:"
	"#9aa5b1}th,td{border-color:#323f4b}}";

/* Names of processes are anybody's text. */
static void put_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			buf__puts(out, "&lt;");
		else if (*text == '>')
			buf__puts(out, "&gt;");
		else if (*text == '&')
			buf__puts(out, "&amp;");
		else if (*text == '"')
			buf__puts(out, "&quot;");
		else
			buf__putc(out, *text >= ' ' && *text < 0x7f ? *text : '?');
	}
}

static void put_bar(struct buf *out, double percent)
{
	double width = percent < 0 ? 0 : percent > 100 ? BAR_WIDTH : percent * BAR_WIDTH / 100;

	buf__printf(
		out,
		"<svg width=\"%d\" height=\"12\" role=\"img\" aria-label=\"%.1f %%\"><rect width=\"%d\" height=\"12\" "
		"rx=\"2\" fill=\"#9aa5b1\" fill-opacity=\".25\"/><rect width=\"%.1f\" height=\"12\" rx=\"2\" "
		"fill=\"#2f7fd1\"/></svg>",
		BAR_WIDTH, percent, BAR_WIDTH, width);
}

static void put_value(struct buf *out, const struct counter_value *value)
{
	if (!counter_value__is_known(value))
		buf__puts(out, "<td class=\"n\">&ndash;</td>");
	else
		buf__printf(out, "<td class=\"n\">%.*f</td>", value->value < 10 ? 3 : 1,
			    value->value);
}

static void put_metrics(struct buf *out, const struct counter_set *set,
			const struct counter_window *window)
{
	struct counter_value value;

	buf__puts(
		out,
		"<h2>The host</h2><table><tr><th>Metric</th><th class=\"n\">Value</th><th>Unit</th>"
		"<th>Status</th><th></th></tr>");
	for (uint32_t m = 0; m < counter_metrics__cnt(); m++) {
		const struct counter_metric *metric = counter_metrics__at(m);

		counter_metrics__compute(set, window, COUNTER_SYSTEM,
					 window->scopes[COUNTER_SYSTEM], m, &value);
		buf__puts(out, "<tr><td>");
		put_text(out, metric->id);
		buf__puts(out, "</td>");
		put_value(out, &value);
		buf__printf(out, "<td>%s</td><td>%s</td><td class=\"w\">", metric->unit,
			    counter_status__name(value.status));
		put_text(out, *value.why ? value.why : metric->help);
		buf__puts(out, "</td></tr>");
	}
	buf__puts(out, "</table>");
}

/* Columns that some scope has. */
static void put_scopes(struct buf *out, const struct counter_set *set,
		       const struct counter_window *window, enum counter_scope_kind kind,
		       const char *title)
{
	bool has[64] = { false };
	struct counter_value value;
	size_t cnt = window->scope_cnt[kind] < ROWS_MAX ? window->scope_cnt[kind] : ROWS_MAX;

	if (!cnt)
		return;
	buf__printf(out, "<h2>%s</h2><table><tr><th></th><th></th>", title);
	for (uint32_t m = 0; m < counter_metrics__cnt(); m++) {
		for (size_t i = 0; i < cnt && !has[m]; i++) {
			counter_metrics__compute(set, window, kind, &window->scopes[kind][i], m,
						 &value);
			has[m] = counter_value__is_known(&value);
		}
		if (has[m])
			buf__printf(out, "<th class=\"n\">%s</th>", counter_metrics__at(m)->title);
	}
	buf__puts(out, "</tr>");
	for (size_t i = 0; i < cnt; i++) {
		const struct counter_scope *scope = &window->scopes[kind][i];

		buf__puts(out, "<tr><td>");
		put_text(out, scope->name[0] ? scope->name : scope->id);
		if (kind == COUNTER_PROCESS) {
			buf__puts(out, " ");
			put_text(out, scope->id);
		}
		buf__puts(out, "</td><td>");
		counter_metrics__compute(set, window, kind, scope, 0, &value);
		put_bar(out, value.value);
		buf__puts(out, "</td>");
		for (uint32_t m = 0; m < counter_metrics__cnt(); m++) {
			if (!has[m])
				continue;
			counter_metrics__compute(set, window, kind, scope, m, &value);
			put_value(out, &value);
		}
		buf__puts(out, "</tr>");
	}
	buf__puts(out, "</table>");
	if (window->scope_cnt[kind] > cnt)
		buf__printf(out, "<p>and %zu more</p>", window->scope_cnt[kind] - cnt);
}

int counter_report__write(struct buf *out, const char *hostname, const char *start_text,
			  const struct counter_set *set, const struct counter_window *window)
{
	buf__puts(out, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
	put_text(out, hostname);
	buf__printf(out, " &ndash; counters</title><style>%s</style></head><body><h1>", style);
	put_text(out, hostname);
	buf__printf(out, "</h1><p>%s UTC &middot; %.1f s &middot; %u CPUs", start_text,
		    (double)window->wall_ns / 1e9, window->cpu_cnt);
	if (set->cpu.model[0]) {
		buf__puts(out, " &middot; ");
		put_text(out, set->cpu.model);
	}
	buf__puts(out, "</p>");
	if (!set->cpu.pmu[0])
		buf__puts(
			out,
			"<p>This machine offers no hardware counters: software counters only.</p>");
	buf__printf(
		out,
		"<p>Counted at each switch in the kernel: %.0f ns each, %.3f %% of all CPU time.",
		window->ns_per_run, window->cost_percent);
	if (!window->by_switch)
		buf__puts(out, " That was above the limit, so processes were not counted.");
	buf__puts(out, "</p>");
	if (window->scope_cnt[COUNTER_SYSTEM])
		put_metrics(out, set, window);
	put_scopes(out, set, window, COUNTER_CPU, "CPUs");
	put_scopes(out, set, window, COUNTER_CONTAINER, "Containers");
	put_scopes(out, set, window, COUNTER_PROCESS, "Processes");
	buf__puts(out, "</body></html>\n");
	return out->err;
}
