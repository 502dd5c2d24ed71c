/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CPU samples of one or two runs at once: filter, kernel stack by the kernel's own unwinder, user stack by unwind.bpf.h, and the sum of
 * it in maps. A stack is stored once, before any count refers to it; where a map is full the whole sample
 * goes through the ring, and where that is full too it is counted as lost. Not here: names, mappings.
 */
#include "cgroup.bpf.h"
#include "count.bpf.h"
#include "frame_pointer.bpf.h"
#include "frames.bpf.h"
#include "process.bpf.h"
#include "sample_maps.bpf.h"

const volatile __u32 pp_has_task_btf;
const volatile __u32 pp_has_task_regs;
const volatile __u64 pp_hash_seed;
const volatile __u32
	pp_hold_rounds; /* tests: stay this long between reading the generation and writing */

struct pp_run pp_run;
struct pp_tables pp_tables;

#define TIMED_EVERY 64 /* one sample in so many times itself */

/* By tables where the process's ranges are known, else by frame pointers alone. */
static __always_inline int walk_user(struct scratch *s, bool by_tables)
{
	struct walk *walk = &s->walk;
	int end = WALK_GOES_ON;

	if (by_tables && walk->range_cnt) {
		for (int i = 1; i < PP_USER_FRAMES_MAX; i++) {
			end = walk_frames();
			if (end != WALK_GOES_ON)
				break;
		}
	} else {
		walk->flags = by_tables && pp_tables.on ? PP_WALK_ABSENT : PP_WALK_GUESSED;
		for (int i = 1; i < PP_USER_FRAMES_MAX; i++) {
			end = walk_window();
			if (end != WALK_GOES_ON)
				break;
		}
	}
	return end == WALK_GOES_ON ? PP_END_FRAMES_MAX : end;
}

static __always_inline void begin_walk(struct walk *walk)
{
	walk->sp = walk->regs[REG_SP];
	walk->fp = walk->regs[REG_FP];
	walk->fp_max = walk->sp + STACK_SPAN_BYTES;
	walk->is_exact = 1;
	walk->has_regs = WALK_REGS_ALL;
	walk->flags = 0;
	walk->generation = *(volatile __u32 *)&pp_tables.generation;
	walk->range.start_addr = 0;
	walk->range.end_addr = 0;
	walk->range_bytes = 0;
	walk->window_bytes = 0;
	walk->hash_lo = pp_hash_seed;
	walk->hash_hi = ~pp_hash_seed;
}

static __always_inline void no_user_stack(struct scratch *s)
{
	s->rec.user.head.depth = 0;
	s->rec.user.head.end = PP_END_NO_USER;
	s->rec.key.end = PP_END_NO_USER;
	s->rec.key.user_stack.lo = 0;
	s->rec.key.user_stack.hi = 0;
}

static __always_inline void read_user_stack(const struct perf_context *ctx, struct scratch *s,
					    __u64 *cnt, bool by_tables)
{
	struct walk *walk = &s->walk;
	struct pp_mm mm;
	__u32 end;

	if (arch_in_user_mode(ctx))
		arch_regs_of_context(ctx, walk->regs, &walk->ip);
	else
		arch_regs_of_task(walk->regs, &walk->ip);
	process__look(s, cnt, &mm);
	if (!walk->ip)
		return;
	begin_walk(walk);
	if (by_tables)
		rule_cache_fetch(walk);
	walk_push(walk, &s->rec.user, walk->ip);
	end = walk_user(s, by_tables);
	if (end == PP_END_NO_MAPPING)
		process__ask_for_range(s, cnt, &mm);
	end |= walk->flags;
	s->rec.user.head.end = end;
	s->rec.key.end = end;
	/* The end belongs to the stack's identity: the same frames may end well or not. */
	hash_word(walk->hash_lo, walk->hash_hi, (__u64)end);
	s->rec.key.user_stack.lo = walk->hash_lo;
	s->rec.key.user_stack.hi = walk->hash_hi | 1; /* never {0,0} */
}

/* The hash of the kernel stack; scalars only, verified once. */
__weak __noinline int hash_kernel_stack(__u32 depth)
{
	struct scratch *s = scratch_get();
	__u64 lo = ~pp_hash_seed, hi = pp_hash_seed;

	if (!s)
		return 0;
	for (__u32 i = 0; i < PP_KERNEL_FRAMES_MAX; i++) {
		if (i >= depth)
			break;
		hash_word(lo, hi, s->rec.kernel.frames[i]);
	}
	s->rec.key.kernel_stack.lo = lo;
	s->rec.key.kernel_stack.hi = hi | 1;
	return 0;
}

static __always_inline void read_kernel_stack(struct perf_context *ctx, struct scratch *s)
{
	long bytes;

	s->rec.kernel.head.depth = 0;
	s->rec.kernel.head.end = 0;
	s->rec.key.kernel_stack.lo = 0;
	s->rec.key.kernel_stack.hi = 0;
	if (arch_in_user_mode(ctx)) /* nothing of the kernel was interrupted */
		return;
	bytes = bpf_get_stack(ctx, s->rec.kernel.frames, PP_KERNEL_FRAMES_MAX * 8, 0);
	if (bytes <= 0)
		return;
	s->rec.kernel.head.depth = (__u32)bytes / 8;
	hash_kernel_stack((__u32)bytes / 8);
}

/*
 * Stores a stack in the smallest class that fits. EEXIST is what we want: another CPU was first. The macro
 * names each map once, so that every call has a constant map and is inlined by the verifier.
 */
#define STORE(stack, id, gen)                                                    \
	((stack)->head.depth <= PP_CLASS_SMALL ?                                 \
		 bpf_map_update_elem(&pp_small_##gen, id, stack, BPF_NOEXIST) :  \
	 (stack)->head.depth <= PP_CLASS_MEDIUM ?                                \
		 bpf_map_update_elem(&pp_medium_##gen, id, stack, BPF_NOEXIST) : \
		 bpf_map_update_elem(&pp_large_##gen, id, stack, BPF_NOEXIST))

static __always_inline bool stored(long err)
{
	return !err || err == -17; /* EEXIST */
}

/* Tests only: makes the time between storing a stack and counting it long. */
__weak __noinline int hold(void)
{
	for (__u32 i = 0; i < pp_hold_rounds; i++)
		bpf_ktime_get_ns();
	return 0;
}

/* Counts the sample of this CPU's scratch. Returns 0, or an error: a map is full. */
#define DEFINE_COUNT_SAMPLE(gen)                                                                 \
	__weak __noinline int count_sample_##gen(__u64 lo, __u64 hi)                             \
	{                                                                                        \
		struct scratch *s = scratch_get();                                               \
		struct pp_count_key key = { lo, hi };                                            \
		struct pp_count *known;                                                          \
		long err;                                                                        \
                                                                                                 \
		if (!s)                                                                          \
			return -1;                                                               \
		known = bpf_map_lookup_elem(&pp_counts_##gen, &key);                             \
		if (known) {                                                                     \
			__sync_fetch_and_add(&known->cnt, 1);                                    \
			return 0;                                                                \
		}                                                                                \
		if (s->rec.user.head.depth &&                                                    \
		    !stored(STORE(&s->rec.user, &s->rec.key.user_stack, gen)))                   \
			return -1;                                                               \
		if (s->rec.kernel.head.depth &&                                                  \
		    !stored(STORE(&s->rec.kernel, &s->rec.key.kernel_stack, gen)))               \
			return -1;                                                               \
		if (pp_hold_rounds)                                                              \
			hold();                                                                  \
		s->count.key = s->rec.key;                                                       \
		s->count.cnt = 1;                                                                \
		s->count.tid = s->rec.tid;                                                       \
		err = bpf_map_update_elem(&pp_counts_##gen, &key, &s->count, BPF_NOEXIST);       \
		if (err != -17)                                                                  \
			return err;                                                              \
		known = bpf_map_lookup_elem(&pp_counts_##gen, &key); /* another CPU was first */ \
		if (!known)                                                                      \
			return -1;                                                               \
		__sync_fetch_and_add(&known->cnt, 1);                                            \
		return 0;                                                                        \
	}
DEFINE_COUNT_SAMPLE(0)
DEFINE_COUNT_SAMPLE(1)

static __always_inline long send_whole(struct scratch *s, __u32 generation)
{
	s->rec.generation = generation;
	s->rec.head.kind = PP_REC_STACK;
	s->rec.head.cpu = bpf_get_smp_processor_id();
	s->rec.head.time_ns = bpf_ktime_get_ns();
	if (s->rec.kernel.head.depth) {
		s->rec.head.len = sizeof(s->rec);
		return bpf_ringbuf_output(&pp_ring, &s->rec, sizeof(s->rec), 0);
	}
	s->rec.head.len = PP_REC_STACK_USER_ONLY_BYTES;
	return bpf_ringbuf_output(&pp_ring, &s->rec, PP_REC_STACK_USER_ONLY_BYTES, 0);
}

static __always_inline void keep_sample(struct scratch *s, __u64 *cnt, __u32 generation)
{
	const __u64 *words = (const __u64 *)&s->rec.key;
	__u64 lo = pp_hash_seed, hi = ~pp_hash_seed;
	int err;

#pragma unroll
	for (__u32 i = 0; i < sizeof(struct pp_sample_key) / 8; i++)
		hash_word(lo, hi, words[i]);
	err = generation ? count_sample_1(lo, hi) : count_sample_0(lo, hi);
	if (err < 0) {
		if (send_whole(s, generation)) {
			count(cnt, PP_CNT_LOST_FULL);
			return;
		}
		count(cnt, PP_CNT_OVERFLOWED);
	}
	count(cnt, PP_CNT_ACCEPTED);
}

/* Returns 0 to go on, else the counter of the reason. Cheapest first; nothing is unwound before. */
static __always_inline __u32 filtered_by(struct scratch *s, __u32 slot)
{
	__u32 filters = *AT_SLOT(pp_run.filters, slot);

	if ((filters & PP_FILTER_NO_IDLE) && !s->rec.tid)
		return PP_CNT_FILTERED_IDLE;
	if (filters & PP_FILTER_PIDS) {
		__u32 tgid = s->rec.key.proc.tgid;
		struct pp_filter_pid *wanted = bpf_map_lookup_elem(&pp_filter_pids, &tgid);

		if (!wanted || !*AT_SLOT(wanted->root, slot) ||
		    wanted->start_ticks != s->rec.key.proc.start_boottime_ns / PP_NSEC_PER_TICK)
			return PP_CNT_FILTERED_PID;
	}
	if (filters & PP_FILTER_COMMS) {
		__u32 *slots = bpf_map_lookup_elem(&pp_filter_comms, s->rec.key.comm);

		if (!slots || !(*slots >> slot & 1))
			return PP_CNT_FILTERED_COMM;
	}
	if ((filters & PP_FILTER_CGROUPS) && !cgroup_is_wanted(s->rec.key.cgroup_id, slot))
		return PP_CNT_FILTERED_CGROUP;
	return 0;
}

static __always_inline void take_sample(struct perf_context *ctx, __u64 *cnt, __u32 slot,
					__u32 generation, bool by_tables)
{
	struct scratch *s = scratch_get();
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	bool has_mm = false;
	__u32 reason;

	count(cnt, PP_CNT_TAKEN);
	if (!s) {
		count(cnt, PP_CNT_LOST_SCRATCH);
		return;
	}
	s->rec.tid = (__u32)pid_tgid;
	s->rec.key.proc.tgid = pid_tgid >> 32;
	task__read_id(&s->rec.key.proc, &has_mm);
	bpf_get_current_comm(s->rec.key.comm, PP_COMM_BYTES);
	s->rec.key.cgroup_id = bpf_get_current_cgroup_id();
	reason = filtered_by(s, slot);
	if (reason) {
		count(cnt, reason);
		return;
	}
	s->rec.key.event = 0;
	s->rec.key.slot = slot;
	s->rec.key.maps = 0;
	s->rec.key.maps_tgid = 0;
	read_kernel_stack(ctx, s);
	no_user_stack(s);
	if (has_mm) /* kernel threads have rubbish in their saved registers */
		read_user_stack(ctx, s, cnt, by_tables);
	keep_sample(s, cnt, generation);
}

static __always_inline int sample(struct perf_context *ctx, bool by_tables)
{
	struct pp_cpu_counters *cpu = cpu_counters();
	struct scratch *s = scratch_get();
	__u64 begin_ns, accepted, *cnt;
	__u32 slot = PP_PERIOD_SLOT(ctx->sample_period), generation;

	if (!cpu)
		return 0;
	if (s && s->told_slot) {
		slot = MASKED(s->told_slot - 1, PP_SLOTS - 1);
		s->told_slot = 0;
	}
	/* Locked: orders "entered" before the reading of the generation. */
	__sync_fetch_and_add(&cpu->entered, 1);
	generation = generation_now();
	cnt = counters_of(cpu, slot, generation);
	if (cnt[PP_CNT_TAKEN] % TIMED_EVERY) {
		take_sample(ctx, cnt, slot, generation, by_tables);
	} else {
		begin_ns = bpf_ktime_get_ns();
		accepted = cnt[PP_CNT_ACCEPTED];
		take_sample(ctx, cnt, slot, generation, by_tables);
		if (cnt[PP_CNT_ACCEPTED] != accepted) { /* filtered ones would flatter the mean */
			count(cnt, PP_CNT_TIMED);
			cnt[PP_CNT_TIMED_NS] += bpf_ktime_get_ns() - begin_ns;
		}
	}
	__sync_fetch_and_add(&cpu->left, 1);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} pp_sampler SEC(".maps"); /* user puts in the one that is loaded */

/*
 * In front of the sampler for events whose period is not ours to mark: one of each page fault, a million instructions. No
 * other perf_event program comes between on this CPU: the kernel runs no second one inside of a first.
 */
static __always_inline int sample_for(struct perf_context *ctx, __u32 slot)
{
	struct scratch *s = scratch_get();

	if (!s)
		return 0;
	s->told_slot = slot + 1;
	bpf_tail_call(ctx, &pp_sampler, 0);
	s->told_slot = 0; /* not there: never expected */
	return 0;
}

#define DEFINE_EVENT(slot)                            \
	SEC("perf_event")                             \
	int pp_event_##slot(struct perf_context *ctx) \
	{                                             \
		return sample_for(ctx, slot);         \
	}
DEFINE_EVENT(0)
DEFINE_EVENT(1)
DEFINE_EVENT(2)
DEFINE_EVENT(3)
_Static_assert(PP_SLOTS == 4, "a program for each");

/*
 * Two programs, one of them loaded: a function that a verifier refuses must not be part of the last resort,
 * and up to 6.7 verifiers look at each function of a program, called or not.
 */
SEC("perf_event")
int pp_sample(struct perf_context *ctx)
{
	return sample(ctx, true);
}

SEC("perf_event")
int pp_sample_fp(struct perf_context *ctx)
{
	return sample(ctx, false);
}
