/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_RULE_CACHE_H
#define PP_BPF_RULE_CACHE_H
/*
 * Rules that were found once, by {generation, page, offset}: shared by all CPUs and processes. One big value,
 * so that a walk gets its address once.
 */
#include "rule.bpf.h"

struct rule_cache {
	struct pp_cached_rule lines[PP_RULE_CACHE_MAX];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rule_cache);
} pp_rule_cache SEC(".maps"); /* pp_sample only, all CPUs */

#define CACHE_SHIFT 50 /* 64 - log2(PP_RULE_CACHE_MAX) */
_Static_assert(1ull << (64 - CACHE_SHIFT) == PP_RULE_CACHE_MAX, "the hash fills the cache");
static __always_inline struct rule_cache *rule_cache_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pp_rule_cache, &zero);
}

static __always_inline __u64 rule_at(struct walk *walk, struct rule_cache *cache, __u64 vaddr)
{
	__u32 dir_index = walk_dir_index(walk, vaddr);
	__u64 key = (__u64)walk->generation << 32 | dir_index << PP_PAGE_SHIFT |
		    (vaddr & (PP_PAGE_BYTES - 1));
	__u64 at = MASKED(key * HASH_MUL_LO >> CACHE_SHIFT, PP_RULE_CACHE_MAX - 1);
	struct pp_cached_rule *line = &cache->lines[at];
	__u64 rule;

	walk->lines[MASKED(walk->line_cnt, PP_USER_FRAMES_MAX - 1)] = at;
	walk->line_cnt++;

	rule = *(volatile __u64 *)&line->rule;
	if ((*(volatile __u64 *)&line->key_xor_rule ^ rule) == key)
		return rule;
	rule = find_rule(vaddr);
	if (rule == RULE_ABSENT)
		return rule;
	line->rule = rule;
	line->key_xor_rule = key ^ rule;
	return rule;
}

/*
 * Fetches the lines of this CPU's last walk, all at once: stacks have much in common with the one before, and
 * a walk that asks for line after line waits for each of them.
 */
#define LINES_FETCHED_MAX 64
static __always_inline void rule_cache_fetch(struct walk *walk)
{
	struct rule_cache *cache = rule_cache_get();
	__u32 cnt = walk->line_cnt;

	walk->line_cnt = 0;
	if (!cache)
		return;
	for (__u32 i = 0; i < LINES_FETCHED_MAX; i++) {
		__u64 at = MASKED(walk->lines[i], PP_RULE_CACHE_MAX - 1);

		if (i >= cnt)
			break;
		(void)*(volatile __u64 *)&cache->lines[at].rule;
	}
}

#endif
