/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Raw tracepoints that keep the pid filter true while a run needs them: children of followed processes
 * are added at fork, processes are removed when their last thread exits. Attached only with such a filter;
 * needs no tracefs and no kprobes.
 */
#include "count.bpf.h"

/* TP_PROTO(parent, child): before the child runs for the first time. */
SEC("raw_tp/sched_process_fork")
int pp_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx->args[0];
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	struct pp_cpu_counters *cpu = cpu_counters();
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid);
	__u32 child_tgid = BPF_CORE_READ(child, tgid);
	struct pp_filter_pid *known, added = {};

	__u64 *cnt;

	if (!cpu)
		return 0;
	cnt = cpu->cnt[generation_now()];
	count(cnt, PP_CNT_RUNS_FORK);
	if (child_tgid == parent_tgid) /* a thread: the filter is by process */
		return 0;
	known = bpf_map_lookup_elem(&pp_filter_pids, &parent_tgid);
	if (!known || !(known->flags & PP_FILTER_FOLLOW))
		return 0;
	added.start_ticks = BPF_CORE_READ(child, start_boottime) / PP_NSEC_PER_TICK;
	added.flags = PP_FILTER_FOLLOW;
	if (bpf_map_update_elem(&pp_filter_pids, &child_tgid, &added, BPF_ANY))
		count(cnt, PP_CNT_FILTER_FULL);
	return 0;
}

/* TP_PROTO(task): after signal->live was decremented, so 0 means the last thread. */
SEC("raw_tp/sched_process_exit")
int pp_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	struct pp_cpu_counters *cpu = cpu_counters();
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (!cpu)
		return 0;
	count(cpu->cnt[generation_now()], PP_CNT_RUNS_EXIT);
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&pp_filter_pids, &tgid);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
