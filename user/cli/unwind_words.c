/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules for people: in words, and followed from given registers to the addresses that they lead to. The
 * words are an interface of `pulseprof unwind`: scripts compare them with what readelf says.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "unwind.h"

#define REG_FP 6
#define REG_SP 7

static const char *const register_names[] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi",
					      "rbp", "rsp", "r8",  "r9",  "r10", "r11",
					      "r12", "r13", "r14", "r15" };
_Static_assert(sizeof(register_names) == 16 * sizeof(char *), "PP_RULE_CFA_REG has 4 bits");

struct words {
	char *text;
	size_t len;
};

static void say(struct words *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct words *self, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(self->text + self->len, RULE_WORDS_BYTES - self->len, fmt, ap);
	va_end(ap);
	self->len = min_of(self->len + (size_t)max_of(n, 0), (size_t)RULE_WORDS_BYTES - 1);
}

static void say_cfa(struct words *self, uint64_t rule)
{
	const char *name = register_names[PP_RULE_CFA_REG(rule)];
	long long off = PP_RULE_CFA_BYTES(rule), param = PP_RULE_PARAM(rule);

	switch (PP_RULE_CFA_FORM(rule)) {
	case PP_CFA_DEREF:
		say(self, "CFA = *(%s%+lld)", name, off);
		if (param)
			say(self, "%+lld", param * 8);
		break;
	case PP_CFA_SWITCH: say(self, "CFA = %s%+lld, maybe on another stack", name, off); break;
	case PP_CFA_PLT: say(self, "CFA = rsp+8, and 8 more where (pc & 15) >= %lld", param); break;
	default: say(self, "CFA = %s%+lld", name, off); break;
	}
}

static void say_fp(struct words *self, uint64_t rule)
{
	long long off = PP_RULE_FP_BYTES(rule);

	switch (PP_RULE_FP_FORM(rule)) {
	case PP_FP_AT_CFA: say(self, ", rbp at CFA%+lld", off); break;
	case PP_FP_AT_FP: say(self, ", rbp at rbp%+lld", off); break;
	case PP_FP_UNKNOWN: say(self, ", rbp unknown"); break;
	default: break; /* the caller's: nothing to be said */
	}
}

static void say_ra(struct words *self, uint64_t rule)
{
	switch (PP_RULE_RA_FORM(rule)) {
	case PP_RA_AT_CFA: say(self, ", return address at CFA-8"); break;
	case PP_RA_AT_CFA_PARAM:
		say(self, ", return address at CFA%+lld", (long long)PP_RULE_PARAM(rule) * 8);
		break;
	case PP_RA_IN_REG:
		say(self, ", return address in %s", register_names[PP_RULE_RA_REG(rule)]);
		break;
	default: break;
	}
}

const char *rule__words(uint64_t rule, char text[RULE_WORDS_BYTES])
{
	struct words words = { .text = text };

	text[0] = '\0';
	switch (PP_RULE_CFA_FORM(rule)) {
	case PP_CFA_NONE: say(&words, "none: by frame pointer"); break;
	case PP_CFA_REG:
	case PP_CFA_DEREF:
	case PP_CFA_PLT:
	case PP_CFA_SWITCH:
		say_cfa(&words, rule);
		say_fp(&words, rule);
		say_ra(&words, rule);
		break;
	case PP_CFA_SIGNAL: say(&words, "signal frame: registers from the ucontext at rsp"); break;
	case PP_CFA_END: say(&words, "outermost frame"); break;
	default: say(&words, "unsupported: the stack ends here, marked"); break;
	}
	return text;
}

const char *range_kind_name(uint32_t kind)
{
	switch (kind) {
	case PP_RANGE_TABLE: return "table";
	case PP_RANGE_FP: return "fp";
	case PP_RANGE_JIT: return "jit";
	default: return "unknown";
	}
}

static bool find_register(const struct frame_state *state, uint32_t reg, uint64_t *ret_value)
{
	if (reg == REG_SP && state->has_sp)
		*ret_value = state->sp;
	else if (reg == REG_FP && state->has_fp)
		*ret_value = state->fp;
	else
		return false;
	return true;
}

static bool find_cfa(uint64_t rule, uint64_t pc, const struct frame_state *state,
		     int (*read)(void *arg, uint64_t addr, uint64_t *ret_word), void *arg,
		     uint64_t *ret_cfa)
{
	uint64_t base;

	switch (PP_RULE_CFA_FORM(rule)) {
	case PP_CFA_NONE: /* as a function with a frame pointer */
		*ret_cfa = state->fp + 16;
		return state->has_fp;
	case PP_CFA_REG:
		if (!find_register(state, PP_RULE_CFA_REG(rule), &base))
			return false;
		*ret_cfa = base + (uint64_t)PP_RULE_CFA_BYTES(rule);
		return true;
	case PP_CFA_DEREF:
		if (!find_register(state, PP_RULE_CFA_REG(rule), &base) ||
		    read(arg, base + (uint64_t)PP_RULE_CFA_BYTES(rule), &base))
			return false;
		*ret_cfa = base + (uint64_t)PP_RULE_PARAM(rule) * 8;
		return true;
	case PP_CFA_PLT:
		*ret_cfa = state->sp + 8 + ((int64_t)(pc & 15) >= PP_RULE_PARAM(rule) ? 8 : 0);
		return state->has_sp;
	default: return false;
	}
}

void rule__follow(uint64_t rule, uint64_t pc, const struct frame_state *state,
		  int (*read)(void *arg, uint64_t addr, uint64_t *ret_word), void *arg,
		  struct frame_reads *ret_reads)
{
	struct frame_reads reads = { 0 };

	reads.has_cfa = find_cfa(rule, pc, state, read, arg, &reads.cfa);
	if (rule == PP_RULE_NONE) {
		reads.has_fp_addr = reads.has_ra_addr = reads.has_cfa;
		reads.fp_addr = reads.cfa - 16;
		reads.ra_addr = reads.cfa - 8;
		*ret_reads = reads;
		return;
	}
	if (PP_RULE_FP_FORM(rule) == PP_FP_AT_CFA) {
		reads.has_fp_addr = reads.has_cfa;
		reads.fp_addr = reads.cfa + (uint64_t)PP_RULE_FP_BYTES(rule);
	} else if (PP_RULE_FP_FORM(rule) == PP_FP_AT_FP) {
		reads.has_fp_addr = state->has_fp;
		reads.fp_addr = state->fp + (uint64_t)PP_RULE_FP_BYTES(rule);
	}
	reads.has_ra_addr = reads.has_cfa && PP_RULE_RA_FORM(rule) != PP_RA_IN_REG;
	reads.ra_addr = reads.cfa + (PP_RULE_RA_FORM(rule) == PP_RA_AT_CFA_PARAM ?
					     (uint64_t)PP_RULE_PARAM(rule) * 8 :
					     (uint64_t)-8);
	*ret_reads = reads;
}
