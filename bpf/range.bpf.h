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
 * Puts the range that holds addr into the walk. Returns 0 if there is none.
 */
#define RANGE_STEPS_FIRST 2048 /* up to 4,095 ranges in a process */
__weak __noinline int find_range(__u64 addr)
{
	struct scratch *s = scratch_get();
	struct pp_range *range;
	__u64 at = 0;
	__u32 key;

	if (!s || !s->walk.range_cnt)
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
	s->walk.range = *range;
	s->walk.range_bytes = range->end_addr - range->start_addr;
	return 1;
}

#endif
