/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_RANGE_H
#define PP_BPF_RANGE_H
/*
 * In which range of its process does an address lie? Searches have no branch in their steps: the verifier
 * follows every path of a branch, 2^n of them. What is global and weak is verified once and not looked into
 * by clang.
 */
#include "walk.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PP_RANGES_MAX);
	__type(key, __u32);
	__type(value, struct pp_range);
} pp_ranges SEC(".maps"); /* user writes, pp_sample reads */

/* All ones if a > b, without a branch; both below 2^63. clang makes a branch of it where it sees through. */
static __always_inline __u64 mask_greater(__u64 a, __u64 b)
{
	__s64 difference = (__s64)(b - a);

	asm volatile("" : "+r"(difference));
	return (__u64)(difference >> 63);
}

/*
 * Ranges that this CPU's walks went through: a stack changes between few libraries, and a search touches a
 * cache line a step. A range has a place in each MiB of it.
 */
#define RECENT_RANGES_MAX  64
#define RECENT_RANGE_SHIFT 20
struct recent_range {
	__u64 tag; /* whose it is: walk.ranges_tag */
	__u64 has_by_fp; /* PP_WINDOW_BY_FP was seen in it */
	struct pp_range range;
};
struct recent_ranges {
	struct recent_range at[RECENT_RANGES_MAX];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct recent_ranges);
} pp_recent_ranges SEC(".maps"); /* pp_sample only */

static __always_inline struct recent_ranges *recent_ranges_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pp_recent_ranges, &zero);
}

static __always_inline struct recent_range *recent_ranges__at(struct recent_ranges *self,
							      const struct walk *walk, __u64 addr)
{
	__u64 at = (addr >> RECENT_RANGE_SHIFT) + walk->ranges_tag;

	return &self->at[MASKED(at, RECENT_RANGES_MAX - 1)];
}

static __always_inline void walk_enter(struct walk *walk, const struct recent_range *known)
{
	walk->range = known->range;
	walk->range_bytes = known->range.end_addr - known->range.start_addr;
	walk->range_has_by_fp = known->has_by_fp;
}

/* Puts the range that holds addr into the walk, if it is a recent one. */
static __always_inline bool walk_enter_recent(struct walk *walk, struct recent_ranges *recent,
					      __u64 addr)
{
	const struct recent_range *known = recent_ranges__at(recent, walk, addr);
	const struct pp_range *range = &known->range;

	if (known->tag != walk->ranges_tag ||
	    addr - range->start_addr >= range->end_addr - range->start_addr)
		return false;
	walk_enter(walk, known);
	return true;
}

/*
 * Puts the range that holds addr into the walk. Returns 0 if there is none.
 */
#define RANGE_STEPS_FIRST 2048 /* up to 4,095 ranges in a process */
__weak __noinline int find_range(__u64 addr)
{
	struct scratch *s = scratch_get();
	struct recent_ranges *recent = recent_ranges_get();
	struct recent_range *known;
	struct pp_range *range;
	__u64 at = 0;
	__u32 key;

	if (!s || !recent || !s->walk.range_cnt)
		return 0;
#pragma unroll
	for (__u64 step = RANGE_STEPS_FIRST; step; step >>= 1) {
		__u64 beyond = mask_greater(at + step, s->walk.range_cnt - 1ull);
		__u64 probe = (at + step) & ~beyond;

		key = (__u32)(s->walk.range_first + probe);
		range = bpf_map_lookup_elem(&pp_ranges, &key);
		if (!range)
			return 0;
		/* beyond the end the first range is probed: its start is never greater than that at "at" */
		beyond |= mask_greater(range->start_addr, addr);
		at += step & ~beyond;
	}
	key = (__u32)(s->walk.range_first + at);
	range = bpf_map_lookup_elem(&pp_ranges, &key);
	if (!range || addr < range->start_addr || addr >= range->end_addr)
		return 0;
	known = recent_ranges__at(recent, &s->walk, addr);
	known->tag = s->walk.ranges_tag;
	known->has_by_fp = 0;
	known->range = *range;
	walk_enter(&s->walk, known);
	return 1;
}

#endif
