/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_BPF_STEP_H
#define PP_BPF_STEP_H
/*
 * The ways from a frame to its caller: by a rule of the tables, by the frame pointer, by what the kernel
 * pushed for a signal handler. Each returns WALK_GOES_ON with the caller's registers in the walk, or the end.
 */
#include "walk.bpf.h"

/* What the kernel pushed before it called the handler. Returns WALK_GOES_ON or an end. */
__weak __noinline int walk_signal(void)
{
	struct scratch *s = scratch_get();
	struct walk *walk;

	if (!s)
		return PP_END_FAULT;
	walk = &s->walk;
	walk->window_bytes = 0;
	if (bpf_probe_read_user(walk->window, GREGS_WORDS * 8, (void *)(walk->sp + GREGS_OFF)))
		return PP_END_FAULT;
	arch_regs_of_signal(walk->window, walk->regs, &walk->ip);
	walk->sp = walk->regs[REG_SP];
	walk->fp = walk->regs[REG_FP];
	walk->fp_max =
		walk->sp + STACK_SPAN_BYTES; /* the handler may have had a stack of its own */
	walk->is_exact = 1;
	walk->has_regs = WALK_REGS_ALL;
	return WALK_GOES_ON;
}

/* By frame pointer: the caller's at [fp], its address at [fp + 8]. */
static __always_inline int step_by_fp(struct walk *walk)
{
	__u64 fp = walk->fp;

	if (!fp)
		return PP_END_FP_ZERO;
	if ((fp & 7) || fp < walk->sp || fp >= walk->fp_max)
		return PP_END_FP_OUTSIDE;
	if ((!walk_has(walk, fp) || !walk_has(walk, fp + 8)) && !walk_refill(walk, fp))
		return PP_END_FAULT;
	if (!walk_has(walk, fp + 8))
		return PP_END_FAULT;
	walk->fp = walk_word(walk, fp);
	walk->ip = walk_word(walk, fp + 8);
	walk->sp = fp + 16;
	return WALK_GOES_ON;
}

/* A register of this frame, or no telling. */
static __always_inline bool frame_register(const struct walk *walk, __u32 reg, __u64 *ret_value)
{
	if (reg == REG_SP)
		*ret_value = walk->sp;
	else if (reg == REG_FP)
		*ret_value = walk->fp;
	else if (walk->has_regs == WALK_REGS_ALL ||
		 (walk->has_regs == WALK_REGS_NOT_SAVED && REGS_NOT_SAVED >> reg & 1))
		*ret_value = walk->regs[MASKED(reg, REGS_CNT - 1)];
	else
		return false;
	return true;
}

static __always_inline bool read_stack(struct walk *walk, __u64 addr, __u64 *ret_word)
{
	if (!walk_has(walk, addr) && !walk_refill(walk, addr))
		return false;
	if (!walk_has(walk, addr))
		return false;
	*ret_word = walk_word(walk, addr);
	return true;
}

/* The canonical frame address. Returns WALK_GOES_ON or an end. */
static __always_inline int find_cfa(struct walk *walk, __u64 rule, __u64 *ret_cfa)
{
	__u64 base;

	if (!frame_register(walk, PP_RULE_CFA_REG(rule), &base))
		return PP_END_RULE;
	base += PP_RULE_CFA_BYTES(rule);
	switch (PP_RULE_CFA_FORM(rule)) {
	case PP_CFA_REG:
	case PP_CFA_SWITCH: break;
	case PP_CFA_DEREF:
		if (!read_stack(walk, base, &base))
			return PP_END_FAULT;
		base += PP_RULE_PARAM(rule) * 8;
		break;
	case PP_CFA_PLT:
		base = walk->sp + 8 + (((walk->ip & 15) >= (__u64)PP_RULE_PARAM(rule)) << 3);
		break;
	default: return PP_END_RULE;
	}
	*ret_cfa = base;
	return WALK_GOES_ON;
}

/* By rule. The window is filled from the lower of the two places, so that both are in it. */
static __always_inline int step_by_rule(struct walk *walk, __u64 rule)
{
	__u64 cfa, ra_at, fp_at, fp = walk->fp, ip;
	__u32 ra_form = PP_RULE_RA_FORM(rule), fp_form = PP_RULE_FP_FORM(rule);
	int end = find_cfa(walk, rule, &cfa);

	if (end != WALK_GOES_ON)
		return end;
	/* A call pushes an address, so the caller's frame lies above; but one that keeps it in a register. */
	if ((cfa & 7) || (PP_RULE_CFA_FORM(rule) != PP_CFA_SWITCH &&
			  (cfa < walk->sp || (cfa == walk->sp && ra_form != PP_RA_IN_REG))))
		return PP_END_STACK_ORDER;
	ra_at = cfa - 8;
	if (ra_form == PP_RA_AT_CFA_PARAM)
		ra_at = cfa + PP_RULE_PARAM(rule) * 8;
	fp_at = cfa + PP_RULE_FP_BYTES(rule);
	if (fp_form == PP_FP_AT_FP)
		fp_at = walk->fp + PP_RULE_FP_BYTES(rule);
	if (fp_form == PP_FP_AT_CFA || fp_form == PP_FP_AT_FP) {
		if (!read_stack(walk, fp_at, &fp))
			return PP_END_FAULT;
	} else if (fp_form == PP_FP_UNKNOWN) {
		fp = FP_UNKNOWN;
	}
	if (ra_form == PP_RA_IN_REG) {
		if (walk->has_regs != WALK_REGS_ALL)
			return PP_END_RULE;
		ip = walk->regs[MASKED(PP_RULE_RA_REG(rule), REGS_CNT - 1)];
	} else if (!read_stack(walk, ra_at, &ip)) {
		return PP_END_FAULT;
	}
	walk->ip = ip;
	walk->sp = cfa;
	walk->fp = fp;
	return WALK_GOES_ON;
}

#endif
