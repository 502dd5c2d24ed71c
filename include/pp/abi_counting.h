/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ABI_COUNTING_H
#define PP_ABI_COUNTING_H
/*
 * The contract between bpf/counting.bpf.c and user/collect/counting.c: what counters advanced by, per CPU and per
 * process in a cgroup. Include <linux/types.h> (or the BPF equivalent) first.
 */

#define PP_EVENTS_MAX 16 /* counted at once */
#define PP_GROUPS_MAX 4 /* events that are on a PMU together or not at all */

struct pp_counted_key {
	__u64 cgroup_id; /* of the unified hierarchy */
	__u64 start_boottime_ns;
	__u32 tgid;
	__u32 pad;
};

/* Of one CPU, or of one process in one cgroup; grows only. */
struct pp_counted {
	__u64 on_cpu_ns;
	__u64 switches; /* how often a task of it left a CPU */
	__u64 events[PP_EVENTS_MAX]; /* in the units of each event; not scaled */
	__u64 enabled_ns[PP_GROUPS_MAX];
	__u64 running_ns[PP_GROUPS_MAX]; /* less than enabled_ns: multiplexed */
};

struct pp_counted_process {
	struct pp_counted sums;
	char comm[16]; /* of its leader, when that left a CPU last; else "" */
};

/* What a program writes on its own CPU alone. */
struct pp_counted_cpu {
	struct pp_counted
		all; /* the last readings themselves; on_cpu_ns: when that was, 0: not yet */
	struct pp_counted idle;
	struct pp_counted others; /* processes that the table had no room for */
	__u64 read_errors; /* readings that the kernel refused: what came meanwhile is in the next one */
	__u64 backwards; /* readings below the one before: not counted */
	__u64 table_full;
	__u64 runs;
	__u64 timed; /* runs that timed themselves */
	__u64 timed_ns;
};

_Static_assert(sizeof(struct pp_counted_key) == 24, "no padding, it is hashed");

#endif
