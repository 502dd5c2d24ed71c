/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Raw tracepoints, attached only while a run needs them; no tracefs and no kprobes. Two keep the pid filter
 * true: children of followed processes are added at fork, processes are removed when their last thread
 * exits. The third tells of a new image before its first sample, which would be lost for complete stacks.
 */
#include "cgroup.bpf.h"
#include "count.bpf.h"
#include "task.bpf.h"

/* Whose descendant the child becomes, for one run. */
static __always_inline __u32 inherited_root(const struct pp_filter_pid *parent, __u32 slot)
{
	return pp_run.filters[slot] & PP_FILTER_FOLLOW ? parent->root[slot] : 0;
}

/* TP_PROTO(parent, child): before the child runs for the first time. */
SEC("raw_tp/sched_process_fork")
int pp_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx->args[0];
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	struct pp_cpu_counters *cpu = cpu_counters();
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid);
	__u32 child_tgid = BPF_CORE_READ(child, tgid);
	__u32 generation = generation_now();
	struct pp_filter_pid *known, added = {};
	__u32 roots = 0;

	if (!cpu)
		return 0;
	count(counters_of(cpu, 0, generation), PP_CNT_RUNS_FORK);
	if (child_tgid == parent_tgid) /* a thread: the filter is by process */
		return 0;
	known = bpf_map_lookup_elem(&pp_filter_pids, &parent_tgid);
	if (!known)
		return 0;
#pragma unroll
	for (__u32 slot = 0; slot < PP_SLOTS; slot++) {
		added.root[slot] = inherited_root(known, slot);
		roots |= added.root[slot];
	}
	if (!roots)
		return 0;
	added.start_ticks = BPF_CORE_READ(child, start_boottime) / PP_NSEC_PER_TICK;
	if (!bpf_map_update_elem(&pp_filter_pids, &child_tgid, &added, BPF_ANY))
		return 0;
#pragma unroll
	for (__u32 slot = 0; slot < PP_SLOTS; slot++)
		if (added.root[slot])
			count(counters_of(cpu, slot, generation), PP_CNT_FILTER_FULL);
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
	count(counters_of(cpu, 0, generation_now()), PP_CNT_RUNS_EXIT);
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&pp_filter_pids, &tgid);
	return 0;
}

/* Reading an image's mappings costs user space 0.1 ms: not more than so many a second are announced. */
#define EXECS_A_SECOND 32
struct {
	__u64 second;
	__u32 cnt;
} pp_execs;

static __always_inline bool exec_is_within_budget(__u64 now_ns)
{
	__u64 second = now_ns / 1000000000;

	if (pp_execs.second != second) { /* two CPUs may both begin it: a few more then */
		pp_execs.second = second;
		pp_execs.cnt = 0;
	}
	return pp_execs.cnt++ < EXECS_A_SECOND;
}

/* The runs that may sample it, a bit each. */
static __always_inline __u32 runs_of(__u32 tgid)
{
	struct pp_filter_pid *wanted = bpf_map_lookup_elem(&pp_filter_pids, &tgid);
	__u64 cgroup_id = bpf_get_current_cgroup_id();
	__u32 slots = 0;

#pragma unroll
	for (__u32 slot = 0; slot < PP_SLOTS; slot++)
		if (pp_run.filters[slot] & PP_FILTER_ON &&
		    (!(pp_run.filters[slot] & PP_FILTER_PIDS) || (wanted && wanted->root[slot])) &&
		    (!(pp_run.filters[slot] & PP_FILTER_CGROUPS) ||
		     cgroup_is_wanted(cgroup_id, slot)))
			slots |= 1u << slot;
	return slots;
}

/* TP_PROTO(task, old_pid, bprm): the new image is in place, its loader has not run yet. */
SEC("raw_tp/sched_process_exec")
int pp_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct pp_rec_proc rec = {};
	struct pp_cpu_counters *cpu = cpu_counters();
	struct pp_proc_info info = {};
	bool has_mm;

	if (!cpu)
		return 0;
	count(counters_of(cpu, 0, generation_now()), PP_CNT_RUNS_EXEC);
	rec.head.time_ns = bpf_ktime_get_ns();
	rec.tid = (__u32)bpf_get_current_pid_tgid();
	rec.proc.tgid = bpf_get_current_pid_tgid() >> 32;
	rec.slots = runs_of(rec.proc.tgid);
	if (!rec.slots)
		return 0;
	if (!exec_is_within_budget(rec.head.time_ns))
		return 0;
	task__read_id(&rec.proc, &has_mm);
	task__read_mm(&rec.mm);
	rec.head.len = sizeof(rec);
	rec.head.kind = PP_REC_PROC;
	rec.head.cpu = bpf_get_smp_processor_id();
	rec.why = PP_ASK_EXEC;
	bpf_get_current_comm(rec.comm, sizeof(rec.comm));
	if (bpf_ringbuf_output(&pp_ring, &rec, sizeof(rec), 0))
		return 0; /* its first sample asks again */
#pragma unroll
	for (__u32 slot = 0; slot < PP_SLOTS; slot++)
		info.window[slot] = rec.slots >> slot & 1 ? pp_run.window[slot] : 0;
	info.asked_ns = rec.head.time_ns;
	info.ask_ms = PP_EXEC_ANSWER_MS;
	bpf_map_update_elem(&pp_procs, &rec.proc, &info, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
