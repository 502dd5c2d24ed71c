/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting: at each switch what the CPU's counters advanced by goes to the process that leaves. A process that never
 * leaves is told by running the same program on its CPU (BPF_PROG_TEST_RUN), so it is a raw tracepoint, which that
 * takes, and looks at the current task alone. An object of its own: loaded while counters are asked for, and only then.
 */
#include "task.bpf.h"

#include "pp/abi_counting.h"

const volatile __u32 pp_has_task_btf;
const volatile __u32 pp_event_cnt;
const volatile __u32 pp_cpu_cnt; /* stride of pp_events */
const volatile __u32 pp_follow; /* count processes in pp_followed only, and what they fork */
const volatile __u32 pp_group[PP_EVENTS_MAX]; /* of each event */
const volatile __u32 pp_is_absent[PP_EVENTS_MAX]; /* opened on no CPU: not read */
const volatile __u32 pp_is_leader[PP_EVENTS_MAX]; /* of its group: tells how long the group was on */

#define TIMED_EVERY 64 /* one run in so many times itself */

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); /* event * pp_cpu_cnt + CPU */
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, __u32);
} pp_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pp_counted_cpu);
} pp_counted_cpu SEC(".maps"); /* pp_switch writes, user reads */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, struct pp_counted_key);
	__type(value, struct pp_counted_process);
} pp_counted SEC(".maps"); /* pp_switch adds, user reads and removes those that have gone */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32); /* tgid */
	__type(value, __u32);
} pp_followed SEC(".maps"); /* user begins, pp_count_fork adds, pp_switch reads */

/* A reading that the kernel refuses is a small negative number (-EINVAL, -ENOENT, -EBUSY). */
static __always_inline bool is_error(__u64 value)
{
	return value > -4096ull;
}

/*
 * From the last reading to this one; the kernel keeps counters at 64 bits. Backwards goes a virtual machine that was
 * moved: that reading only begins.
 */
static __always_inline __u64 advance(struct pp_counted_cpu *cpu, __u64 *last, __u64 now)
{
	__u64 by = now - *last;

	*last = now;
	if ((__s64)by >= 0)
		return by;
	cpu->backwards++;
	return 0;
}

static __always_inline void read_events(struct pp_counted_cpu *cpu, struct pp_counted *by)
{
	__u32 at = bpf_get_smp_processor_id();

#pragma unroll
	for (__u32 i = 0; i < PP_EVENTS_MAX; i++) {
		struct bpf_perf_event_value value = {};
		__u32 group = MASKED(pp_group[i], PP_GROUPS_MAX - 1);

		if (i >= pp_event_cnt)
			break;
		if (pp_is_absent[i]) {
			/* nothing to read */
		} else if (pp_is_leader[i]) {
			if (bpf_perf_event_read_value(&pp_events, at, &value, sizeof(value))) {
				cpu->read_errors++;
			} else {
				by->events[i] = advance(cpu, &cpu->last[i], value.counter);
				by->enabled_ns[group] =
					advance(cpu, &cpu->last_enabled_ns[group], value.enabled);
				by->running_ns[group] =
					advance(cpu, &cpu->last_running_ns[group], value.running);
			}
		} else { /* a quarter of the cost */
			value.counter = bpf_perf_event_read(&pp_events, at);
			if (is_error(value.counter))
				cpu->read_errors++;
			else
				by->events[i] = advance(cpu, &cpu->last[i], value.counter);
		}
		at += pp_cpu_cnt;
	}
}

static __always_inline void add(struct pp_counted *to, const struct pp_counted *by)
{
	to->on_cpu_ns += by->on_cpu_ns;
	to->switches += by->switches;
#pragma unroll
	for (__u32 i = 0; i < PP_EVENTS_MAX; i++) {
		if (i >= pp_event_cnt)
			break;
		to->events[i] += by->events[i];
	}
#pragma unroll
	for (__u32 i = 0; i < PP_GROUPS_MAX; i++) {
		to->enabled_ns[i] += by->enabled_ns[i];
		to->running_ns[i] += by->running_ns[i];
	}
}

/* Threads of one process leave several CPUs at a time. */
static __always_inline void add_shared(struct pp_counted *to, const struct pp_counted *by)
{
	__sync_fetch_and_add(&to->on_cpu_ns, by->on_cpu_ns);
	if (by->switches)
		__sync_fetch_and_add(&to->switches, by->switches);
#pragma unroll
	for (__u32 i = 0; i < PP_EVENTS_MAX; i++) {
		if (i >= pp_event_cnt)
			break;
		if (by->events[i])
			__sync_fetch_and_add(&to->events[i], by->events[i]);
	}
#pragma unroll
	for (__u32 i = 0; i < PP_GROUPS_MAX; i++) {
		if (by->enabled_ns[i])
			__sync_fetch_and_add(&to->enabled_ns[i], by->enabled_ns[i]);
		if (by->running_ns[i])
			__sync_fetch_and_add(&to->running_ns[i], by->running_ns[i]);
	}
}

static __always_inline void give_to_process(struct pp_counted_cpu *cpu, const struct pp_counted *by,
					    __u32 tgid)
{
	static const struct pp_counted_process nothing;
	struct pp_counted_key key = { .cgroup_id = bpf_get_current_cgroup_id(), .tgid = tgid };
	struct pp_counted_process *known;
	struct pp_proc_id id = {};
	bool has_mm;

	if (pp_follow && !bpf_map_lookup_elem(&pp_followed, &tgid))
		return;
	task__read_id(&id, &has_mm);
	key.start_boottime_ns = id.start_boottime_ns;
	known = bpf_map_lookup_elem(&pp_counted, &key);
	if (!known) {
		(void)bpf_map_update_elem(&pp_counted, &key, &nothing, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&pp_counted, &key);
	}
	if (known) {
		add_shared(&known->sums, by);
		if ((__u32)bpf_get_current_pid_tgid() ==
		    tgid) /* it may have a new one since it was forked */
			bpf_get_current_comm(known->comm, sizeof(known->comm));
		return;
	}
	cpu->table_full++;
	add(&cpu->others, by);
}

static __always_inline void take(struct pp_counted_cpu *cpu, __u64 now_ns, bool is_switch)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct pp_counted by = {};
	bool is_first = !cpu->time_ns;

	by.on_cpu_ns = now_ns - cpu->time_ns;
	by.switches = is_switch;
	cpu->time_ns = now_ns;
	read_events(cpu, &by);
	if (is_first) {
		cpu->backwards = 0;
		return;
	}
	add(&cpu->all, &by);
	if (tgid)
		give_to_process(cpu, &by, tgid);
	else
		add(&cpu->idle, &by);
}

static __always_inline int take_and_time(bool is_switch)
{
	__u32 zero = 0;
	struct pp_counted_cpu *cpu = bpf_map_lookup_elem(&pp_counted_cpu, &zero);
	__u64 now_ns = bpf_ktime_get_ns();

	if (!cpu)
		return 0;
	take(cpu, now_ns, is_switch);
	if (cpu->runs++ % TIMED_EVERY == 0) {
		cpu->timed++;
		cpu->timed_ns += bpf_ktime_get_ns() - now_ns;
	}
	return 0;
}

/* The one that leaves is still the current task. */
SEC("raw_tp/sched_switch")
int pp_switch(void *ctx)
{
	return take_and_time(true);
}

/* Run by user space on each CPU before it reads: what runs there has not left. */
SEC("raw_tp/sched_switch")
int pp_count_now(void *ctx)
{
	return take_and_time(false);
}

/* TP_PROTO(parent, child): before the child runs for the first time. */
SEC("raw_tp/sched_process_fork")
int pp_count_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	__u32 parent_tgid = bpf_get_current_pid_tgid() >> 32;
	__u32 child_tgid = BPF_CORE_READ(child, tgid), yes = 1;

	if (bpf_map_lookup_elem(&pp_followed, &parent_tgid))
		(void)bpf_map_update_elem(&pp_followed, &child_tgid, &yes, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
