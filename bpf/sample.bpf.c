/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CPU samples: filter, kernel stack by the kernel's own unwinder, user stack by walk_window, and the sum of
 * it in maps. A stack is stored once, before any count refers to it; where a map is full the whole sample
 * goes through the ring, and where that is full too it is counted as lost. Not here: names, mappings.
 */
#include "arch_x86_64.bpf.h"
#include "count.bpf.h"
#include "sample_maps.bpf.h"
#include "task.bpf.h"
#include "walk.bpf.h"

const volatile __u32 pp_has_task_btf;
const volatile __u32 pp_has_task_regs;
const volatile __u64 pp_hash_seed;
const volatile __u32
	pp_hold_rounds; /* tests: stay this long between reading the generation and writing */

struct pp_run pp_run;

#define TIMED_EVERY  64 /* one sample in so many times itself */
#define WALK_GOES_ON (-1)

static __always_inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pp_scratch, &zero);
}

/* Reads the stack from fp on: a window if it can be had, else (page edge, paged out) the two words. */
static __always_inline long walk_read_window(struct walk *walk, __u64 fp)
{
	walk->window_addr = fp;
	walk->window_bytes = WINDOW_BYTES;
	if (!bpf_probe_read_user(walk->window, WINDOW_BYTES, (void *)fp))
		return 0;
	walk->window_bytes = 16;
	if (!bpf_probe_read_user(walk->window, 16, (void *)fp))
		return 0;
	walk->window_bytes = 0;
	return -1;
}

/*
 * As many frames by the frame pointer as one window holds. Returns WALK_GOES_ON or an enum pp_end. Global
 * and weak: clang may not look into it, the verifier does so once. The state stays in registers between
 * frames: kept in memory it was half of a frame's cost.
 */
__weak __noinline int walk_window(void)
{
	struct scratch *s = scratch_get();
	struct walk *walk;
	__u64 fp, low, lo, hi, depth, at;
	int end = WALK_GOES_ON;

	if (!s)
		return PP_END_FAULT;
	walk = &s->walk;
	fp = walk->fp;
	if (!fp)
		return PP_END_FP_ZERO;
	low = walk->low;
	if ((fp & 7) || fp < low || fp >= walk->high)
		return PP_END_FP_OUTSIDE;
	if (walk_read_window(walk, fp))
		return PP_END_FAULT;
	lo = walk->hash_lo;
	hi = walk->hash_hi;
	depth = s->rec.user.head.depth;
	at = 0;
	for (int i = 0; i < WINDOW_WORDS / 2; i++) {
		__u64 caller;

		at = MASKED(at >> 3, WINDOW_WORDS - 1);
		caller = walk->window[at + 1];
		if (!caller || (caller >> 63)) {
			end = PP_END_RETURN_ZERO;
			break;
		}
		s->rec.user.frames[MASKED(depth, PP_USER_FRAMES_MAX - 1)] = caller;
		hash_word(lo, hi, caller);
		depth++;
		low = fp + 16;
		fp = walk->window[at];
		if (depth >= PP_USER_FRAMES_MAX) {
			end = PP_END_FRAMES_MAX;
			break;
		}
		/* Below low, odd, zero or beyond the window: what the next call looks at. */
		at = fp - walk->window_addr;
		if ((fp & 7) || fp < low || at > WINDOW_BYTES - 16 || at + 16 > walk->window_bytes)
			break;
	}
	walk->fp = fp;
	walk->low = low;
	walk->hash_lo = lo;
	walk->hash_hi = hi;
	s->rec.user.head.depth = depth;
	return end;
}

static __always_inline void walk_user(struct scratch *s, const struct user_regs *regs)
{
	struct walk *walk = &s->walk;
	int end = PP_END_FRAMES_MAX;

	walk->fp = regs->fp;
	walk->low = regs->sp;
	walk->high = regs->sp + STACK_SPAN_BYTES;
	walk->hash_lo = pp_hash_seed;
	walk->hash_hi = ~pp_hash_seed;
	walk_push(walk, &s->rec.user, regs->ip);
	for (int i = 1; i < PP_USER_FRAMES_MAX; i++) {
		int step = walk_window();

		if (step != WALK_GOES_ON) {
			end = step;
			break;
		}
	}
	s->rec.user.head.end = end;
	s->rec.key.end = end;
	/* The end belongs to the stack's identity: the same frames may end well or not. */
	hash_word(walk->hash_lo, walk->hash_hi, (__u64)end);
	s->rec.key.user_stack.lo = walk->hash_lo;
	s->rec.key.user_stack.hi = walk->hash_hi | 1; /* never {0,0} */
}

static __always_inline void read_user_stack(const struct perf_context *ctx, struct scratch *s,
					    bool has_mm)
{
	struct user_regs regs;

	s->rec.user.head.depth = 0;
	s->rec.user.head.end = PP_END_NO_USER;
	s->rec.key.end = PP_END_NO_USER;
	s->rec.key.user_stack.lo = 0;
	s->rec.key.user_stack.hi = 0;
	if (!has_mm) /* kernel threads have rubbish in their saved registers */
		return;
	if (arch_in_user_mode(ctx))
		arch_regs_of_context(ctx, &regs);
	else
		arch_regs_of_task(&regs);
	if (regs.ip)
		walk_user(s, &regs);
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

#define KNOWN_BEFORE 1

/* Tests only: makes the time between storing a stack and counting it long. */
__weak __noinline int hold(void)
{
	for (__u32 i = 0; i < pp_hold_rounds; i++)
		bpf_ktime_get_ns();
	return 0;
}

/* Counts the sample of this CPU's scratch. Returns KNOWN_BEFORE, 0 (new), or an error: a map is full. */
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
			return KNOWN_BEFORE;                                                     \
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

static __always_inline void announce_process(struct scratch *s, __u64 *cnt)
{
	struct pp_proc_info info = {};
	struct pp_rec_proc rec = {};

	if (bpf_map_lookup_elem(&pp_procs, &s->rec.key.proc))
		return;
	if (bpf_map_update_elem(&pp_procs, &s->rec.key.proc, &info, BPF_ANY)) {
		count(cnt, PP_CNT_PROC_TABLE_FULL);
		return;
	}
	rec.head.len = sizeof(rec);
	rec.head.kind = PP_REC_PROC;
	rec.head.cpu = bpf_get_smp_processor_id();
	rec.head.time_ns = bpf_ktime_get_ns();
	rec.proc = s->rec.key.proc;
	rec.tid = s->rec.tid;
	rec.why = PP_ASK_NEW;
	__builtin_memcpy(rec.comm, s->rec.key.comm, PP_COMM_BYTES);
	if (bpf_ringbuf_output(&pp_ring, &rec, sizeof(rec), 0))
		count(cnt, PP_CNT_PROC_RECORD_LOST);
}

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
	if (err != KNOWN_BEFORE)
		announce_process(s, cnt);
}

/* Returns 0 to go on, else the counter of the reason. Cheapest first; nothing is unwound before. */
static __always_inline __u32 filtered_by(struct scratch *s, __u32 filters)
{
	if ((filters & PP_FILTER_NO_IDLE) && !s->rec.tid)
		return PP_CNT_FILTERED_IDLE;
	if (filters & PP_FILTER_PIDS) {
		__u32 tgid = s->rec.key.proc.tgid;
		struct pp_filter_pid *wanted = bpf_map_lookup_elem(&pp_filter_pids, &tgid);

		if (!wanted ||
		    wanted->start_ticks != s->rec.key.proc.start_boottime_ns / PP_NSEC_PER_TICK)
			return PP_CNT_FILTERED_PID;
	}
	if ((filters & PP_FILTER_COMMS) && !bpf_map_lookup_elem(&pp_filter_comms, s->rec.key.comm))
		return PP_CNT_FILTERED_COMM;
	return 0;
}

static __always_inline void take_sample(struct perf_context *ctx, __u64 *cnt, __u32 generation)
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
	reason = filtered_by(s, pp_run.filters);
	if (reason) {
		count(cnt, reason);
		return;
	}
	s->rec.key.cgroup_id = bpf_get_current_cgroup_id();
	s->rec.key.event = 0;
	s->rec.key.maps = 0;
	s->rec.key.pad = 0;
	read_kernel_stack(ctx, s);
	read_user_stack(ctx, s, has_mm);
	keep_sample(s, cnt, generation);
}

SEC("perf_event")
int pp_sample(struct perf_context *ctx)
{
	struct pp_cpu_counters *cpu = cpu_counters();
	__u64 begin_ns, accepted, *cnt;
	__u32 generation;

	if (!cpu)
		return 0;
	/* Locked: orders "entered" before the reading of the generation. */
	__sync_fetch_and_add(&cpu->entered, 1);
	generation = generation_now();
	cnt = cpu->cnt[generation];
	if (cnt[PP_CNT_TAKEN] % TIMED_EVERY) {
		take_sample(ctx, cnt, generation);
	} else {
		begin_ns = bpf_ktime_get_ns();
		accepted = cnt[PP_CNT_ACCEPTED];
		take_sample(ctx, cnt, generation);
		if (cnt[PP_CNT_ACCEPTED] != accepted) { /* filtered ones would flatter the mean */
			count(cnt, PP_CNT_TIMED);
			cnt[PP_CNT_TIMED_NS] += bpf_ktime_get_ns() - begin_ns;
		}
	}
	__sync_fetch_and_add(&cpu->left, 1);
	return 0;
}
