/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Metrics from counts. A ratio is of sums, never a mean of ratios; where a part is missing there is no value but the
 * reason. Formulas: the CPU vendors' (Intel TMA, AMD pipeline utilization, Arm telemetry-solution) as Linux 6.12
 * tools/perf/pmu-events and PerfSpect 3.17 have them.
 */
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/counter_window.h"

#define RUNNING_MIN 0.05 /* of the time; below that a scaled count means nothing */
#define INPUTS_MAX  4
#define NOT_ASKED   "an event that it needs was not counted"

enum kind {
	KIND_RATIO, /* factor * sum of the numerators / denominator */
	KIND_PER_S, /* sum of the numerators per second of the window */
	KIND_PER_CPU_NS, /* the same per ns on CPU */
	KIND_UTILIZATION,
};

struct formula {
	struct counter_metric metric;
	enum kind kind;
	double factor;
	/* Alternatives: the first whose events are all in the set counts. */
	const char *over[3][INPUTS_MAX];
	const char *under;
};

static const struct formula formulas[] = {
	{ { "cpu_utilization", "percent", "cpu%", "time on CPU; of a process 100 is one CPU" },
	  KIND_UTILIZATION,
	  100,
	  { { NULL } },
	  NULL },
	{ { "frequency", "GHz", "GHz", "cycles per ns on CPU" },
	  KIND_PER_CPU_NS,
	  1,
	  { { "cycles" } },
	  NULL },
	{ { "ipc", "instr/cycle", "IPC", "instructions per cycle" },
	  KIND_RATIO,
	  1,
	  { { "instructions" } },
	  "cycles" },
	{ { "cpi", "cycles/instr", "CPI", "cycles per instruction" },
	  KIND_RATIO,
	  1,
	  { { "cycles" } },
	  "instructions" },
	{ { "branch_mispredict_ratio", "ratio", "br-miss", "mispredicted of all branches" },
	  KIND_RATIO,
	  1,
	  { { "branch_misses" }, { "branch-misses" } },
	  "branches" },
	{ { "branch_mpki", "per 1000 instr", "brMPKI", "mispredicted branches" },
	  KIND_RATIO,
	  1000,
	  { { "branch_misses" }, { "branch-misses" } },
	  "instructions" },
	{ { "l1d_mpki", "per 1000 instr", "L1MPKI", "L1 data misses" },
	  KIND_RATIO,
	  1000,
	  { { "l1d_misses" } },
	  "instructions" },
	{ { "l2_mpki", "per 1000 instr", "L2MPKI", "L2 misses" },
	  KIND_RATIO,
	  1000,
	  { { "l2_misses" } },
	  "instructions" },
	{ { "llc_mpki", "per 1000 instr", "LLCMPKI", "last level misses (AMD: fills from memory)" },
	  KIND_RATIO,
	  1000,
	  { { "llc_misses" }, { "llc_misses_core" } },
	  "instructions" },
	{ { "dtlb_walks_pki", "per 1000 instr", "dTLB", "page walks for data" },
	  KIND_RATIO,
	  1000,
	  { { "dtlb_walks" }, { "dtlb_load_walks", "dtlb_store_walks" } },
	  "instructions" },
	{ { "itlb_walks_pki", "per 1000 instr", "iTLB", "page walks for code" },
	  KIND_RATIO,
	  1000,
	  { { "itlb_walks" } },
	  "instructions" },
	{ { "page_faults", "1/s", "faults/s", "page faults" },
	  KIND_PER_S,
	  1,
	  { { "page-faults" } },
	  NULL },
	{ { "major_faults", "1/s", "major/s", "page faults that read a file" },
	  KIND_PER_S,
	  1,
	  { { "major-faults" } },
	  NULL },
	{ { "context_switches", "1/s", "switch/s", "context switches" },
	  KIND_PER_S,
	  1,
	  { { "context-switches" } },
	  NULL },
	{ { "cpu_migrations", "1/s", "migr/s", "moves to another CPU" },
	  KIND_PER_S,
	  1,
	  { { "cpu-migrations" } },
	  NULL },
};

uint32_t counter_metrics__cnt(void)
{
	return ARRAY_SIZE(formulas);
}

const struct counter_metric *counter_metrics__at(uint32_t i)
{
	return &formulas[i].metric;
}

static void fail(struct counter_value *value, enum counter_status status, const char *why)
{
	*value = (struct counter_value){ .status = status, .why = why };
}

void counter_set__count(const struct counter_set *self, uint32_t event,
			const struct pp_counted *sums, struct counter_value *ret_value)
{
	const struct counter_event *known = &self->events[event];
	uint64_t enabled = sums->enabled_ns[self->group[event]];
	uint64_t running = sums->running_ns[self->group[event]];

	if (known->status != COUNTER_OK) {
		fail(ret_value, known->status, known->why);
		return;
	}
	*ret_value = (struct counter_value){ .value = (double)sums->events[event],
					     .why = "",
					     .running_ratio = 1 };
	if (known->is_own) {
		ret_value->value = (double)sums->switches;
		return;
	}
	if (self->group[event] == COUNTER_GROUP_SOFTWARE || (running >= enabled && enabled))
		return;
	if (!enabled) {
		fail(ret_value, COUNTER_NOT_COUNTED, "it was not on a CPU");
		return;
	}
	ret_value->running_ratio = (double)running / (double)enabled;
	if (ret_value->running_ratio < RUNNING_MIN) {
		fail(ret_value, COUNTER_NOT_COUNTED, "it was on a counter too short a time");
		return;
	}
	ret_value->value = ret_value->value * (double)enabled / (double)running;
	ret_value->status = COUNTER_MULTIPLEXED;
}

static bool find_event(const struct counter_set *set, const char *name, uint32_t *ret_event)
{
	for (uint32_t i = 0; i < set->cnt; i++)
		if (!strcmp(set->events[i].name, name)) {
			*ret_event = i;
			return true;
		}
	return false;
}

/* One more part of a metric: its status is the worst of its parts. */
static void add_part(const struct counter_set *set, const struct pp_counted *sums, uint32_t event,
		     struct counter_value *sum)
{
	struct counter_value part;

	counter_set__count(set, event, sums, &part);
	if (!counter_value__is_known(&part)) {
		*sum = part;
		return;
	}
	sum->value += part.value;
	if (part.status == COUNTER_MULTIPLEXED)
		sum->status = COUNTER_MULTIPLEXED;
	if (part.running_ratio < sum->running_ratio)
		sum->running_ratio = part.running_ratio;
}

/* The alternative of which all events are in the set; NULL: none. */
static const char *const *choose(const struct counter_set *set, const struct formula *formula)
{
	for (size_t a = 0; a < ARRAY_SIZE(formula->over) && formula->over[a][0]; a++) {
		bool has_all = true;
		uint32_t event;

		for (size_t i = 0; i < INPUTS_MAX && formula->over[a][i]; i++)
			has_all &= find_event(set, formula->over[a][i], &event);
		if (has_all)
			return formula->over[a];
	}
	return NULL;
}

static void sum_parts(const struct counter_set *set, const struct pp_counted *sums,
		      const char *const *names, struct counter_value *sum)
{
	uint32_t event;

	*sum = (struct counter_value){ .why = "", .running_ratio = 1 };
	for (size_t i = 0; i < INPUTS_MAX && names[i] && counter_value__is_known(sum); i++)
		if (find_event(set, names[i], &event))
			add_part(set, sums, event, sum);
}

static void divide(const struct counter_set *set, const struct pp_counted *sums,
		   const struct formula *formula, struct counter_value *value)
{
	const char *const under_names[INPUTS_MAX] = { formula->under };
	struct counter_value under;
	uint32_t event;

	if (!counter_value__is_known(value))
		return;
	if (!find_event(set, formula->under, &event)) {
		fail(value, COUNTER_MISSING_INPUT, NOT_ASKED);
		return;
	}
	sum_parts(set, sums, under_names, &under);
	if (!counter_value__is_known(&under)) {
		*value = under;
		return;
	}
	if (under.value <= 0) {
		fail(value, COUNTER_MISSING_INPUT, "nothing happened to divide by");
		return;
	}
	value->value = formula->factor * value->value / under.value;
	if (under.status == COUNTER_MULTIPLEXED)
		value->status = COUNTER_MULTIPLEXED;
	if (under.running_ratio < value->running_ratio)
		value->running_ratio = under.running_ratio;
}

static void per(struct counter_value *value, double factor, uint64_t by)
{
	if (!counter_value__is_known(value))
		return;
	if (!by)
		fail(value, COUNTER_MISSING_INPUT, "nothing happened to divide by");
	else
		value->value = factor * value->value / (double)by;
}

void counter_metrics__compute(const struct counter_set *set, const struct counter_window *window,
			      enum counter_scope_kind kind, const struct counter_scope *scope,
			      uint32_t metric, struct counter_value *ret_value)
{
	const struct formula *formula = &formulas[metric];
	uint64_t busy_ns = scope->sums.on_cpu_ns - scope->idle_ns;
	const char *const *names = choose(set, formula);

	if (formula->kind == KIND_UTILIZATION) {
		uint64_t cpus = kind == COUNTER_SOCKET			      ? scope->cpus :
				kind == COUNTER_SYSTEM && !window->is_command ? window->cpu_cnt :
										1;

		*ret_value = (struct counter_value){ .value = (double)busy_ns,
						     .why = "",
						     .running_ratio = 1 };
		per(ret_value, formula->factor, window->wall_ns * cpus);
		return;
	}
	if (!names) {
		bool is_hardware = formula->kind == KIND_RATIO || formula->kind == KIND_PER_CPU_NS;

		if (is_hardware && !set->cpu.pmu[0])
			fail(ret_value, COUNTER_NOT_SUPPORTED, COUNTER_NO_PMU);
		else
			fail(ret_value, COUNTER_MISSING_INPUT, NOT_ASKED);
		return;
	}
	sum_parts(set, &scope->sums, names, ret_value);
	if (formula->kind == KIND_RATIO)
		divide(set, &scope->sums, formula, ret_value);
	else if (formula->kind == KIND_PER_S)
		per(ret_value, formula->factor * 1e9, window->wall_ns);
	else
		per(ret_value, formula->factor, busy_ns);
}
