/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_FRAMES_H
#define PP_BPF_FRAMES_H
/*
 * The frames that most code has, many a call and with their state in registers: CFA = rsp or rbp + n, the
 * return address below it, rbp kept or saved; and the frame pointer where there are no rows. Whatever is
 * not plain is left to walk_step (unwind.bpf.h), which decides what it means.
 */
#include "unwind.bpf.h"

#define FRAMES_A_CALL 8
#define PLAIN_MASK    (15ull | 14ull << 4 | 2ull << 8 | 3ull << 10)
#define PLAIN_RULE    ((__u64)PP_CFA_REG | 6ull << 4)
#define RULE_BASE_SP  (1ull << 4) /* of a plain rule: rsp, not rbp */
#define RULE_SAVES_FP (1ull << 8)
#define RULE_BY_FP    (6ull << 4 | RULE_SAVES_FP | 0xffeull << 16 | 16ull << 40) /* PP_CFA_NONE */

struct frame {
	__u64 ip;
	__u64 sp;
	__u64 fp;
	__u64 is_caller; /* ip is a return address */
};

/* The caller's registers by a plain rule. False: this frame needs a closer look. */
static __always_inline bool frame__leave(struct frame *self, struct walk *walk, __u64 rule)
{
	__u64 cfa = (rule & RULE_BASE_SP ? self->sp : self->fp) + PP_RULE_CFA_BYTES(rule);
	__u64 low = cfa - 8, at;

	if ((cfa & 7) || cfa <= self->sp)
		return false;
	if (rule & RULE_SAVES_FP)
		low = cfa + PP_RULE_FP_BYTES(rule);
	if (low > cfa - 8)
		return false;
	at = low - walk->window_addr;
	/* a window that a closer look left may be misaligned */
	if (at >= WINDOW_BYTES || (at & 7) || cfa - walk->window_addr > walk->window_bytes) {
		if (!walk_refill(walk, low) || cfa - low > walk->window_bytes)
			return false;
		at = 0;
	}
	self->ip = walk_word(walk, cfa - 8);
	if (rule & RULE_SAVES_FP)
		self->fp = walk->window[MASKED(at >> 3, WINDOW_WORDS - 1)];
	self->sp = cfa;
	self->is_caller = 1;
	return true;
}

/* Is every caller in this page one by frame pointer? Then its rows need not be fetched into the caches. */
static __always_inline bool page_is_by_fp(const struct walk *walk, __u64 vaddr)
{
	__u32 dir_index = walk_dir_index(walk, vaddr);
	struct pp_dir_entry *entry = bpf_map_lookup_elem(&pp_dir, &dir_index);

	if (!entry || !(entry->window & PP_WINDOW_BY_FP))
		return false;
	if (entry->used != walk->generation)
		entry->used = walk->generation;
	return true;
}

/* The rule to follow; 0: this frame needs a closer look. *ret_mark: what is said about the caller's frame. */
static __always_inline __u64 frame__rule(const struct frame *self, struct walk *walk,
					 struct rule_cache *cache, struct recent_ranges *recent,
					 __u64 *ret_mark)
{
	__u64 addr = self->ip - self->is_caller, rule = PP_RULE_NONE;

	*ret_mark = 0;
	if (addr - walk->range.start_addr >= walk->range_bytes &&
	    !walk_enter_recent(walk, recent, addr))
		return 0;
	if (walk->range_has_by_fp && walk->range.kind == PP_RANGE_TABLE && self->is_caller &&
	    page_is_by_fp(walk, addr - walk->range.bias))
		return PP_CFA_REG | RULE_BY_FP;
	if (walk->range.kind == PP_RANGE_TABLE)
		rule = rule_at(walk, cache, addr - walk->range.bias);
	if ((rule & PLAIN_MASK) == PLAIN_RULE)
		return rule;
	if (PP_RULE_CFA_FORM(rule) != PP_CFA_NONE)
		return 0;
	if ((self->fp & 7) || self->fp < self->sp || self->fp >= walk->fp_max)
		return 0;
	*ret_mark = PP_FRAME_GUESSED;
	walk->flags |= walk->range.kind == PP_RANGE_JIT ? PP_WALK_JIT : PP_WALK_GUESSED;
	return RULE_BY_FP;
}

/* As walk_step, but many plain frames, then one that is not. */
__weak __noinline int walk_frames(void)
{
	struct scratch *s = scratch_get();
	struct rule_cache *cache = rule_cache_get();
	struct recent_ranges *recent = recent_ranges_get();
	int end = WALK_GOES_ON;
	bool is_plain = true;
	__u64 lo, hi, depth, marks = 0;
	struct frame frame;
	struct walk *walk;

	if (!s || !cache || !recent)
		return PP_END_FAULT;
	walk = &s->walk;
	frame.ip = walk->ip;
	frame.sp = walk->sp;
	frame.fp = walk->fp;
	frame.is_caller = !walk->is_exact;
	lo = walk->hash_lo;
	hi = walk->hash_hi;
	depth = s->rec.user.head.depth;
	for (int i = 0; i < FRAMES_A_CALL; i++) {
		__u64 mark, rule = frame__rule(&frame, walk, cache, recent, &mark);

		if (!rule || !frame__leave(&frame, walk, rule)) {
			is_plain = false;
			break;
		}
		if (!frame.ip || frame.ip >= PP_FRAME_GUESSED) {
			end = PP_END_RETURN_ZERO;
			break;
		}
		s->rec.user.frames[MASKED(depth, PP_USER_FRAMES_MAX - 1)] = frame.ip | mark;
		hash_word(lo, hi, frame.ip | mark);
		marks |= mark;
		depth++;
		if (depth >= PP_USER_FRAMES_MAX) {
			end = PP_END_FRAMES_MAX;
			break;
		}
	}
	walk->ip = frame.ip;
	walk->sp = frame.sp;
	walk->fp = frame.fp;
	walk->is_exact = !frame.is_caller;
	if (frame.is_caller)
		walk_leave_regs(walk);
	if (marks)
		walk->has_regs = WALK_REGS_NONE;
	walk->hash_lo = lo;
	walk->hash_hi = hi;
	s->rec.user.head.depth = depth;
	return is_plain ? end : walk_step();
}

#endif
