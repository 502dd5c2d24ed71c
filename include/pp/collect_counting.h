/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_COLLECT_COUNTING_H
#define PP_COLLECT_COUNTING_H
/*
 * Counting: events of each CPU, given by the kernel side to the process that used the CPU when they happened. Loaded
 * and attached from __new to __free. Part of the door of collect. One thread at a time.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/abi_counting.h"
#include "pp/perf_pmu.h"

struct sysroot;
struct collect_counting;

struct collect_event {
	struct perf_code code;
	uint32_t group; /* events of a group stand together, and are on the PMU together; the first one leads */
	bool is_always_on; /* of software: never takes turns, so no time is asked for; enabled_ns stays 0 */
	bool is_absent; /* it is not opened: known not to be there */
	int err; /* filled by __new: -errno if it opens on no CPU; it stays 0 in all sums then */
};

/*
 * pid 0: all processes; else that one, which has not forked yet, and what descends from it. cnt: at most
 * PP_EVENTS_MAX, 0 is allowed (time and switches). -EOPNOTSUPP, -EPERM with *ret_why (static); -ENOMEM, -errno.
 */
int collect_counting__new(const struct sysroot *root, struct collect_event *events, uint32_t cnt,
			  uint32_t pid, struct collect_counting **ret_counting,
			  const char **ret_why);
void collect_counting__free(struct collect_counting *self);

struct collect_counted_cpu {
	int cpu;
	struct pp_counted all, idle;
};
struct collect_counted_process {
	struct pp_counted_key key;
	struct pp_counted_process value;
};
/* Since __new. What never left a CPU is in it. */
struct collect_counts {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	struct collect_counted_cpu *cpus;
	uint32_t cpu_cnt;
	struct collect_counted_process
		*processes; /* ascending: those of one process stand together */
	size_t process_cnt, process_cap;
	struct pp_counted others; /* processes that the table had no room for */
	uint64_t read_errors, backwards, table_full;
	uint64_t runs; /* of the program */
	double ns_per_run; /* as it timed itself */
};
/* Some 10 us a CPU and 1 us a process: a worker's where hosts are large. *ret_counts is given: __clear. */
int collect_counting__read(struct collect_counting *self, struct collect_counts *ret_counts);
void collect_counts__clear(struct collect_counts *self);
/* The order of processes, for bsearch. */
int collect_counted_process__compare(const void *a, const void *b);
/* From now on nothing is done at switches: CPUs are counted whole, by __read, and processes no more. */
void collect_counting__stop_switches(struct collect_counting *self);
/* Forgets a process that has gone, so that the table has room. */
void collect_counting__forget(struct collect_counting *self, const struct pp_counted_key *key);

#endif
