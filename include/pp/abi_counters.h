/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ABI_COUNTERS_H
#define PP_ABI_COUNTERS_H
/*
 * The counters that the kernel side writes: one list of id, name, kind, meaning. From it come the BPF enum,
 * the reasons in every summary and the terms of the arithmetic. The user side's own are in metrics.h.
 */

/* Counters of the kernel side. Names are append-only. Kinds: TAKEN, ACCEPTED, FILTERED and LOST are the
 * terms of the arithmetic (taken = accepted + filtered + lost); INFO stands beside it. */
#define PP_COUNTERS(X)                                                                           \
	X(TAKEN, "taken", TAKEN, "program entered with a sample")                                \
	X(ACCEPTED, "accepted", ACCEPTED, "counted in a map or sent by the ring")                \
	X(FILTERED_IDLE, "idle", FILTERED, "the CPU was idle")                                   \
	X(FILTERED_PID, "pid", FILTERED, "a process that was not asked for")                     \
	X(FILTERED_COMM, "comm", FILTERED, "a thread name that was not asked for")               \
	X(FILTERED_CGROUP, "cgroup", FILTERED, "a cgroup that was not asked for")                \
	X(LOST_FULL, "maps_full", LOST, "count or stack map full and the ring too")              \
	X(LOST_SCRATCH, "no_scratch", LOST, "per-CPU memory not there (never expected)")         \
	X(OVERFLOWED, "overflowed", INFO, "map full, sent whole by the ring (not lost)")         \
	X(PROC_RECORD_LOST, "proc_record_lost", INFO, "new process not announced, ring full")    \
	X(PROC_TABLE_FULL, "proc_table_full", INFO, "new process not remembered, table full")    \
	X(FILTER_FULL, "filter_full", INFO, "child process not added to the filter, table full") \
	X(TIMED, "timed", INFO, "samples that timed themselves")                                 \
	X(TIMED_NS, "timed_ns", INFO, "ns spent in those")                                       \
	X(RUNS_FORK, "runs_fork", INFO, "runs of pp_fork")                                       \
	X(RUNS_EXIT, "runs_exit", INFO, "runs of pp_exit")                                       \
	X(RUNS_EXEC, "runs_exec", INFO, "runs of pp_exec")
enum pp_counter_kind {
	PP_KIND_TAKEN,
	PP_KIND_ACCEPTED,
	PP_KIND_FILTERED,
	PP_KIND_LOST,
	PP_KIND_INFO,
};
enum pp_counter {
#define X(id, name, kind, text) PP_CNT_##id,
	PP_COUNTERS(X)
#undef X
		PP_CNT_MAX
};

#define PP_GENERATIONS 2 /* of maps and counters: one is written, the other drained */
#define PP_SLOTS       4 /* runs at once; a power of two */

/*
 * What a program writes per CPU. Counters stand by run, and by generation as the maps do, so that what a drain
 * finds and what was counted agree exactly. What concerns no run is counted in the first slot. entered and left enclose each run of pp_sample: after a flip, the old
 * generation is still once left has caught up with the entered that was read after the flip.
 */
struct pp_cpu_counters {
	__u64 cnt[PP_SLOTS][PP_GENERATIONS][PP_CNT_MAX];
	__u64 entered;
	__u64 left;
};

#endif
