/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COUNTER_WINDOW_H
#define PP_COUNTER_WINDOW_H
/*
 * What was counted in a window of time, by scope, and the metrics that follow from it. Part of the door of counter.
 */
#include <stddef.h>

#include "pp/collect_counting.h"
#include "pp/counter.h"

struct buf;
struct json_object;
struct container_names;

/* The events of a run, in the order in which they are counted. */
struct counter_set {
	struct counter_cpu cpu;
	struct counter_event events[PP_EVENTS_MAX];
	uint32_t cnt;
	uint32_t free_counters; /* of the PMU, when the set was made */
	uint32_t group[PP_EVENTS_MAX];
};
#define COUNTER_GROUP_SOFTWARE 0 /* always on: counts of it are never scaled, and have no times */
/* What this machine has, for all metrics: software events, and of hardware what its counters hold without turns. */
int counter_set__default(const struct sysroot *root, struct counter_set *ret_set);
/* names: separated by commas. -EINVAL, -E2BIG with *ret_name (borrowed from ret_set): the one that is none, or too many. */
int counter_set__parse(const struct sysroot *root, const char *names, struct counter_set *ret_set,
		       const char **ret_name);

/* Counting, from __start to __free: loaded only then. */
struct counter_run;
/*
 * cost_max_percent: of all CPU time; above it, in a window, processes and what is made of them are counted no more
 * (disabled), so that only the readings cost. 0: no limit. pid: 0, or a process that has not run yet, with what
 * descends from it. As collect_counting__new.
 */
int counter_run__start(const struct sysroot *root, struct counter_set *set, uint32_t pid,
		       double cost_max_percent, struct counter_run **ret_run, const char **ret_why);
void counter_run__free(struct counter_run *self);

enum counter_scope_kind {
	COUNTER_SYSTEM,
	COUNTER_SOCKET,
	COUNTER_CPU,
	COUNTER_CGROUP,
	COUNTER_CONTAINER,
	COUNTER_PROCESS,
	COUNTER_SCOPE_CNT
};
const char *counter_scope__kind_name(enum counter_scope_kind kind);

struct counter_scope {
	char id[512]; /* "all", a socket's or CPU's number, a cgroup's path, a container's id, a pid */
	char name[512]; /* container or process; else "" */
	struct pp_counted sums; /* of the window */
	uint64_t idle_ns; /* of on_cpu_ns: system, socket and cpu */
	uint32_t cpus; /* of a socket */
};
struct counter_window {
	uint64_t wall_ns;
	uint32_t cpu_cnt;
	bool is_command; /* system is the command with what descends from it; 100 percent are one CPU */
	struct counter_scope *scopes[COUNTER_SCOPE_CNT]; /* those with the most time on CPU first */
	size_t scope_cnt[COUNTER_SCOPE_CNT];
	struct pp_counted others; /* processes for which there was no room: in system and cpu only */
	bool by_switch; /* false: system and CPUs only, as the cost was above its limit */
	double cost_percent; /* of all CPU time, by what the program timed of itself */
	uint64_t read_errors, backwards, table_full, runs;
	double ns_per_run;
};
/* What was counted since the last call, or since the start. names may be NULL: containers go by their ids. */
int counter_run__read(struct counter_run *self, struct container_names *names,
		      struct counter_window *ret_window);
void counter_window__clear(struct counter_window *self);

struct counter_value {
	double value;
	enum counter_status status; /* value counts for ok and multiplexed only */
	const char *why; /* static; "" when there is nothing to say */
	double running_ratio;
};
static inline bool counter_value__is_known(const struct counter_value *self)
{
	return self->status == COUNTER_OK || self->status == COUNTER_MULTIPLEXED;
}
/* An event's count in a scope, scaled to the whole time. */
void counter_set__count(const struct counter_set *self, uint32_t event,
			const struct pp_counted *sums, struct counter_value *ret_value);

/* Metrics: ids, units and formulas are an interface, append-only. */
struct counter_metric {
	const char *id;
	const char *unit;
	const char *title; /* of a column */
	const char *help;
};
uint32_t counter_metrics__cnt(void);
const struct counter_metric *counter_metrics__at(uint32_t i);
void counter_metrics__compute(const struct counter_set *set, const struct counter_window *window,
			      enum counter_scope_kind kind, const struct counter_scope *scope,
			      uint32_t metric, struct counter_value *ret_value);

/*
 * Members of a JSON object; 0 or -ENOMEM. scopes: "scopes" of these kinds (a bit each), at most so many of each, and
 * "collector". set: "pmu" and "events". flat: PerfSpect's names to numbers as text, of the whole host; null where there
 * is nothing of hardware.
 */
int counter_json__add_scopes(struct json_object *json, const struct counter_set *set,
			     const struct counter_window *window, uint32_t kinds,
			     size_t max_of_kind);
/* A page for people, without scripts and other files; start_text: UTC. 0 or what out says. */
int counter_report__write(struct buf *out, const char *hostname, const char *start_text,
			  const struct counter_set *set, const struct counter_window *window);
int counter_json__add_set(struct json_object *json, const struct counter_set *set);
int counter_json__add_flat(struct json_object *json, const char *name,
			   const struct counter_set *set, const struct counter_window *window);

#endif
