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

/* Threads of one process leave several CPUs at a time. */
static __always_inline void add(__u64 *sum, __u64 by)
{
	if (by)
		__sync_fetch_and_add(sum, by);
}

/* to: NULL where it is nobody's, and at the first reading, which only begins. */
static __always_inline void read_event(struct pp_counted_cpu *cpu, struct pp_counted *to, __u32 i,
				       __u32 at)
{
	__u32 group = MASKED(pp_group[i], PP_GROUPS_MAX - 1);
	struct bpf_perf_event_value value = {};
	__u64 by;

	if (pp_is_leader[i]) {
		if (bpf_perf_event_read_value(&pp_events, at, &value, sizeof(value))) {
			cpu->read_errors++;
			return;
		}
		by = advance(cpu, &cpu->all.enabled_ns[group], value.enabled);
		if (to)
			add(&to->enabled_ns[group], by);
		by = advance(cpu, &cpu->all.running_ns[group], value.running);
		if (to)
			add(&to->running_ns[group], by);
	} else { /* a quarter of the cost */
		value.counter = bpf_perf_event_read(&pp_events, at);
		if (is_error(value.counter)) {
			cpu->read_errors++;
			return;
		}
	}
	by = advance(cpu, &cpu->all.events[i], value.counter);
	if (to)
		add(&to->events[i], by);
}

static __always_inline void read_events(struct pp_counted_cpu *cpu, struct pp_counted *to)
{
	__u32 at = bpf_get_smp_processor_id();

#pragma unroll
	for (__u32 i = 0; i < PP_EVENTS_MAX; i++) {
		if (i >= pp_event_cnt)
			break;
		if (!pp_is_absent[i])
			read_event(cpu, to, i, at);
		at += pp_cpu_cnt;
	}
}

static __always_inline struct pp_counted_process *find_process(__u32 tgid)
{
	static const struct pp_counted_process nothing;
	struct pp_counted_key key = { .cgroup_id = bpf_get_current_cgroup_id(), .tgid = tgid };
	struct pp_counted_process *known;
	struct pp_proc_id id = {};
	bool has_mm;

	task__read_id(&id, &has_mm);
	key.start_boottime_ns = id.start_boottime_ns;
	known = bpf_map_lookup_elem(&pp_counted, &key);
	if (known)
		return known;
	(void)bpf_map_update_elem(&pp_counted, &key, &nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(&pp_counted, &key);
}

/* It may have a new name since it was forked: looked at for its first switches, later now and then. */
static __always_inline void read_comm(struct pp_counted_process *process, __u64 pid_tgid)
{
	__u64 switches = process->sums.switches;

	if ((__u32)pid_tgid == pid_tgid >> 32 && (switches < 8 || !(switches & 63)))
		bpf_get_current_comm(process->comm, sizeof(process->comm));
}

/* Whose it is; NULL: of a process that is not asked for. */
static __always_inline struct pp_counted *find_owner(struct pp_counted_cpu *cpu)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 tgid = pid_tgid >> 32;
	struct pp_counted_process *process;

	if (!tgid)
		return &cpu->idle;
	if (pp_follow && !bpf_map_lookup_elem(&pp_followed, &tgid))
		return 0;
	process = find_process(tgid);
	if (!process) {
		cpu->table_full++;
		return &cpu->others;
	}
	read_comm(process, pid_tgid);
	return &process->sums;
}

static __always_inline void take(struct pp_counted_cpu *cpu, __u64 now_ns, bool is_switch)
{
	struct pp_counted *owner = cpu->all.on_cpu_ns ? find_owner(cpu) : 0;
	__u64 before_ns = cpu->all.on_cpu_ns;

	cpu->all.on_cpu_ns = now_ns;
	cpu->all.switches += is_switch;
	if (owner) {
		add(&owner->on_cpu_ns, now_ns - before_ns);
		add(&owner->switches, is_switch);
	}
	read_events(cpu, owner);
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
