/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_UNWIND_H
#define PP_BPF_UNWIND_H
/*
 * One frame further: address -> range of the process -> rule -> the caller's registers. Per frame the
 * cheapest sound rule: a row if its page is loaded, else the frame pointer, marked; what cannot be followed
 * ends the walk and says so.
 */
#include "range.bpf.h"
#include "rule_cache.bpf.h"
#include "step.bpf.h"

/*
 * One frame further. Returns WALK_GOES_ON, then walk->ip is the caller's, or an enum pp_end.
 */
__weak __noinline int walk_step(void)
{
	struct scratch *s = scratch_get();
	struct rule_cache *cache = rule_cache_get();
	__u64 addr, rule = PP_RULE_NONE, mark = 0;
	struct walk *walk;
	int end;

	if (!s || !cache)
		return PP_END_FAULT;
	walk = &s->walk;
	addr = walk->ip - !walk->is_exact; /* a call may be the last instruction of its function */
	if ((addr < walk->range.start_addr || addr >= walk->range.end_addr) && !find_range(addr))
		return PP_END_NO_MAPPING;
	if (walk->range.kind == PP_RANGE_TABLE)
		rule = rule_at(walk, cache, addr - walk->range.bias);
	switch (PP_RULE_CFA_FORM(rule)) {
	case PP_CFA_END: return PP_END_COMPLETE;
	case PP_CFA_UNSUPPORTED: return PP_END_RULE;
	case PP_CFA_SIGNAL:
		end = walk_signal();
		mark = PP_FRAME_EXACT;
		break;
	case PP_CFA_REG:
	case PP_CFA_DEREF:
	case PP_CFA_PLT:
	case PP_CFA_SWITCH:
		end = step_by_rule(walk, rule);
		walk->is_exact = 0;
		walk_leave_regs(walk);
		break;
	default:
		walk->flags |= walk->range.kind == PP_RANGE_JIT ? PP_WALK_JIT :
			       rule == RULE_ABSENT		? PP_WALK_ABSENT :
								  PP_WALK_GUESSED;
		end = step_by_fp(walk);
		mark = PP_FRAME_GUESSED;
		walk->is_exact = 0;
		walk->has_regs = WALK_REGS_NONE;
		break;
	}
	if (end != WALK_GOES_ON)
		return end;
	if (!walk->ip || walk->ip >= PP_FRAME_GUESSED)
		return PP_END_RETURN_ZERO;
	walk_push(walk, &s->rec.user, walk->ip | mark);
	return s->rec.user.head.depth >= PP_USER_FRAMES_MAX ? PP_END_FRAMES_MAX : WALK_GOES_ON;
}

#endif
