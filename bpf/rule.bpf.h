/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_RULE_H
#define PP_BPF_RULE_H
/*
 * The rule at an address of a file, from the rows of its page; one that is not loaded is asked for. No branch
 * in the search, as in range.bpf.h. Who wants a rule looks into rule_cache.bpf.h first.
 */
#include "maps.bpf.h"
#include "range.bpf.h"

#define RULE_ABSENT 15ull /* a cfa form that no table has: the page is not loaded */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PP_DIR_MAX);
	__type(key, __u32);
	__type(value, struct pp_dir_entry);
} pp_dir SEC(".maps"); /* user writes window, pp_sample the rest */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PP_RULES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} pp_rules SEC(".maps"); /* user writes, pp_sample reads */

/* Sizes, not types: clang 14 describes an inner value only as a forward declaration. */
struct rows_part {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, PP_PART_WORDS * 4);
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, PP_PARTS_MAX);
	__uint(key_size, 4);
	__array(values, struct rows_part);
} pp_parts SEC(".maps"); /* user makes parts, pp_sample reads */

/* Asks user space for a page, once in a generation; if the ring is full, the next sample asks again. */
static __always_inline void ask_page(struct scratch *s, struct pp_dir_entry *entry, __u32 dir_index)
{
	struct pp_rec_page rec = {};

	if (entry->asked == s->walk.generation)
		return;
	rec.head.len = sizeof(rec);
	rec.head.kind = PP_REC_PAGE;
	rec.head.cpu = bpf_get_smp_processor_id();
	rec.head.time_ns = bpf_ktime_get_ns();
	rec.proc = s->rec.key.proc;
	rec.tid = s->rec.tid;
	rec.dir_index = dir_index;
	rec.sp = s->walk.sp;
	if (!bpf_ringbuf_output(&pp_ring, &rec, sizeof(rec), 0))
		entry->asked = s->walk.generation;
}

/* The rule id of the row in force at off, in the window that begins at unit. */
#define ROW_STEPS_FIRST	 512 /* a KiB has at most 1,024 rows */
#define ROW_AT(words, i) ((words)[MASKED((i), PP_PART_WORDS - 1)])
static __always_inline __u32 find_row(const __u32 *words, __u64 unit, __u64 off)
{
	__u64 base = unit * PP_UNIT_WORDS, rows = base + PP_INDEX_WORDS;
	__u64 kib = off >> 10, wanted = off << 16 | 0xffff;
	__u64 low = ROW_AT(words, base + (kib >> 1)) >> (16 * (kib & 1)) & 0xffff;
	__u64 high = ROW_AT(words, base + ((kib + 1) >> 1)) >> (16 * ((kib + 1) & 1)) & 0xffff;

#pragma unroll
	for (__u64 step = ROW_STEPS_FIRST; step; step >>= 1) {
		__u64 no = mask_greater(low + step, high);

		no |= mask_greater(ROW_AT(words, rows + low + (step & ~no)), wanted);
		low += step & ~no;
	}
	return ROW_AT(words, rows + low) & 0xffff;
}

/* The range has pages that are left by frame pointer: its frames look at their page first from now on. */
static __always_inline void walk_learn_by_fp(struct walk *walk, __u64 addr)
{
	struct recent_ranges *recent = recent_ranges_get();
	struct recent_range *known;

	walk->range_has_by_fp = 1;
	if (!recent)
		return;
	known = recent_ranges__at(recent, walk, addr);
	if (known->tag == walk->ranges_tag && known->range.start_addr == walk->range.start_addr)
		known->has_by_fp = 1;
}

static __always_inline __u32 walk_dir_index(const struct walk *walk, __u64 vaddr)
{
	return (walk->range.dir_first + (__u32)(vaddr >> PP_PAGE_SHIFT)) & (PP_DIR_MAX - 1);
}

/* The rule at vaddr of the walk's range; RULE_ABSENT if its page is not loaded. */
__weak __noinline __u64 find_rule(__u64 vaddr)
{
	struct scratch *s = scratch_get();
	__u32 window, part, zero = 0, id, dir_index;
	struct pp_dir_entry *entry;
	__u32 *words;
	__u64 *rule;
	void *inner;

	if (!s)
		return PP_RULE_NONE;
	dir_index = walk_dir_index(&s->walk, vaddr);
	entry = bpf_map_lookup_elem(&pp_dir, &dir_index);
	if (!entry)
		return PP_RULE_NONE;
	window = *(volatile __u32 *)&entry->window;
	if (!(window & PP_WINDOW_AT)) {
		if (window != PP_WINDOW_ABSENT)
			return PP_RULE_NONE;
		ask_page(s, entry, dir_index);
		return RULE_ABSENT;
	}
	if (entry->used != s->walk.generation)
		entry->used = s->walk.generation;
	entry->hits++;
	if (window & PP_WINDOW_BY_FP)
		walk_learn_by_fp(&s->walk, vaddr + s->walk.range.bias);
	part = window >> 13 & (PP_PARTS_MAX - 1);
	inner = bpf_map_lookup_elem(&pp_parts, &part);
	if (!inner)
		return PP_RULE_NONE;
	words = bpf_map_lookup_elem(inner, &zero);
	if (!words)
		return PP_RULE_NONE;
	id = find_row(words, window & (PP_PART_UNITS - 1), vaddr & (PP_PAGE_BYTES - 1));
	rule = bpf_map_lookup_elem(&pp_rules, &id);
	return rule ? *rule : PP_RULE_NONE;
}

#endif
