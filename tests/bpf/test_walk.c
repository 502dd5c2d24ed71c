/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From frame to frame: each form of a rule, what is read of the stack, and each way in which a walk ends. Where
 * rules come from is in test_walk_tables.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "made_process.h"

#define SIMPLE	  RULE_RSP(16) /* one word of its own, then the return address */
#define PUSHES_FP rule_make(PP_CFA_REG, REG_RBP, 16, PP_FP_AT_CFA, -16, 0)
#define RULES(...)                                                         \
	do {                                                               \
		const uint64_t _rules[] = { __VA_ARGS__ };                 \
		made__set_rules(_rules, sizeof(_rules) / sizeof(*_rules)); \
	} while (0)
/* The frames behind the first. */
#define FRAMES(...)                                                                          \
	do {                                                                                 \
		const uint64_t _frames[] = { __VA_ARGS__ };                                  \
		assert_int_equal(made.sample.depth, 1 + sizeof(_frames) / sizeof(*_frames)); \
		for (uint32_t _i = 1; _i < made.sample.depth; _i++)                          \
			assert_int_equal(made.sample.frames[_i], _frames[_i - 1]);           \
	} while (0)

static int begin(void **state)
{
	made__begin();
	return 0;
}

static void end_rule_is_complete(void **state)
{
	RULES(SIMPLE, RULE_END);
	put_word(stack_at(8), in_function(1));
	made__sample(0, stack_at(0), 0);
	FRAMES(in_function(1));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);
	assert_int_equal(made.sample.key.maps, 9 << 2);
	assert_int_equal(made.sample.key.end, PP_END_COMPLETE);
}

static void saved_frame_pointer_is_followed(void **state)
{
	RULES(PUSHES_FP, SIMPLE, PUSHES_FP, RULE_END);
	put_word(stack_at(0x40), stack_at(0x80)); /* caller's rbp */
	put_word(stack_at(0x48), in_function(1));
	put_word(stack_at(0x58), in_function(2));
	put_word(stack_at(0x80), 1234);
	put_word(stack_at(0x88), in_function(3));
	made__sample(0, stack_at(0), stack_at(0x40));
	FRAMES(in_function(1), in_function(2), in_function(3));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);
}

static void call_may_be_the_last_instruction_of_its_function(void **state)
{
	uint64_t end_of_1 = CODE_ADDR + 2 * FUNCTION_BYTES;

	for (int is_plain = 0; is_plain < 2; is_plain++) {
		RULES(SIMPLE, SIMPLE, is_plain ? RULE_RSP(32) : RULE_UNSUPPORTED, RULE_END);
		put_word(stack_at(8), end_of_1); /* first byte of function 2 */
		put_word(stack_at(0x18), end_of_1);
		put_word(stack_at(0x28), in_function(3));
		made__sample(0, stack_at(0), 0);
		FRAMES(end_of_1, end_of_1, in_function(3));
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
		made__sample(1, stack_at(0x10), 0);
		FRAMES(end_of_1, in_function(3));
	}
	made.regs.ip = end_of_1; /* interrupted there, it is function 2 */
	put_word(stack_at(0x28), in_function(3));
	made.regs.regs[REG_RSP] = stack_at(0x10);
	host__sample(&made.regs, &made.sample);
	FRAMES(in_function(3));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);
}

static void cfa_by_any_register_but_a_caller_s_that_callees_save(void **state)
{
	for (uint32_t reg = 0; reg < 16; reg++) {
		bool is_saved = reg == 3 || reg >= 12; /* rbx, r12 to r15 */

		if (reg == REG_RSP || reg == REG_RBP)
			continue;
		for (uint32_t callees = 0; callees < 12; callees++) {
			bool is_known = !callees || !is_saved;

			RULES(rule_make(PP_CFA_REG, reg, 24, PP_FP_SAME, 0, 0), RULE_END, SIMPLE);
			memset(&made.regs, 0, sizeof(made.regs));
			made.regs.regs[reg] = stack_at(0x200);
			put_word(stack_at(0x210), in_function(1));
			for (uint32_t i = 1; i <= callees; i++)
				put_word(stack_at(i * 16 - 8), in_function(i < callees ? 2 : 0));
			made__sample(callees ? 2 : 0, stack_at(0), 0);
			assert_int_equal(made.sample.depth, callees + 1 + is_known);
			assert_int_equal(made.sample.end, is_known ? PP_END_COMPLETE : PP_END_RULE);
		}
	}
}

static void registers_are_not_trusted_behind_a_guess(void **state)
{
	RULES(rule_make(PP_CFA_REG, 0, 24, PP_FP_SAME, 0, 0), RULE_END, PP_RULE_NONE);
	made.regs.regs[0] = stack_at(0x200);
	put_word(stack_at(0x210), in_function(1));
	put_word(stack_at(0x10), 0);
	put_word(stack_at(0x18), in_function(0));
	made__sample(2, stack_at(0), stack_at(0x10));
	FRAMES(in_function(0) | PP_FRAME_GUESSED);
	assert_int_equal(made.sample.end, PP_END_RULE | PP_WALK_GUESSED);
}

static void deref_reads_the_cfa(void **state)
{
	RULES(rule_make(PP_CFA_DEREF, REG_RBP, -8, PP_FP_AT_FP, 0, 2), RULE_END);
	put_word(stack_at(0x38), stack_at(0x90)); /* at rbp - 8; CFA is 16 above what it says */
	put_word(stack_at(0x40), 77);
	put_word(stack_at(0x98), in_function(1));
	made__sample(0, stack_at(0), stack_at(0x40));
	FRAMES(in_function(1));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);

	made__sample(0, stack_at(0), 0x1000); /* nothing to read there */
	assert_int_equal(made.sample.end, PP_END_FAULT);
}

static void plt_pushes_from_its_parameter_on(void **state)
{
	for (uint32_t pc = 0; pc < 32; pc++) {
		bool pushed = (pc & 15) >= 11;

		RULES(RULE_PLT(11), RULE_END, RULE_END);
		put_word(stack_at(0), pushed ? 5 : in_function(1));
		put_word(stack_at(8), in_function(2));
		made.regs.ip = CODE_ADDR + 0x20 + pc;
		made.regs.regs[REG_RSP] = stack_at(0);
		host__sample(&made.regs, &made.sample);
		FRAMES(in_function(pushed ? 2 : 1));
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
	}
}

static void return_address_where_the_rule_says(void **state)
{
	uint64_t at_param = rule_make(PP_CFA_REG, REG_RSP, 64, PP_FP_SAME, 0, -5) |
			    (uint64_t)PP_RA_AT_CFA_PARAM << 10;

	RULES(at_param, RULE_END);
	put_word(stack_at(64 - 40), in_function(1));
	made__sample(0, stack_at(0), 0);
	FRAMES(in_function(1));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);
}

static void return_address_in_a_register_of_the_innermost_frame(void **state)
{
	uint64_t vfork = rule_make(PP_CFA_REG, REG_RSP, 0, PP_FP_SAME, 0, 0) |
			 (uint64_t)PP_RA_IN_REG << 10 | 5ull << 12;

	RULES(vfork, SIMPLE, RULE_END);
	made.regs.regs[5] = in_function(1);
	put_word(stack_at(8), in_function(2));
	for (int i = 0; i < 2; i++) { /* in a system call rdi is what is known */
		made.regs.is_in_kernel = i;
		made__sample(0, stack_at(0), 0);
		FRAMES(in_function(1), in_function(2));
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
	}
	made.regs.is_in_kernel = false;
	RULES(vfork, SIMPLE, RULE_END);
	put_word(stack_at(8), in_function(0));
	made__sample(1, stack_at(0), 0);
	FRAMES(in_function(0));
	assert_int_equal(made.sample.end, PP_END_RULE);
}

/* What the kernel pushes for a handler, at sp of its trampoline. */
static void put_signal_frame(uint64_t sp, uint64_t ip, const uint64_t regs[16])
{
	static const uint8_t order[16] = { 8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7 };

	for (uint32_t i = 0; i < 16; i++)
		put_word(sp + 40 + i * 8, regs[order[i]]);
	put_word(sp + 40 + 128, ip);
}

static void signal_frame_gives_back_all_registers(void **state)
{
	uint64_t regs[16] = { [REG_RSP] = stack_at(0x5000), [REG_RBP] = stack_at(0x5100) };
	uint64_t begin_of_3 = CODE_ADDR + 3 * FUNCTION_BYTES;

	for (uint32_t reg = 0; reg < 16; reg++) {
		if (reg == REG_RSP || reg == REG_RBP)
			continue;
		RULES(SIMPLE, RULE_SIGNAL, RULE_UNSUPPORTED,
		      rule_make(PP_CFA_REG, reg, 8, PP_FP_SAME, 0, 0), PUSHES_FP, RULE_END);
		put_word(stack_at(8), in_function(1));
		regs[reg] = stack_at(0x5020);
		put_signal_frame(stack_at(16), begin_of_3,
				 regs); /* not yet in function 3's body: exact */
		put_word(stack_at(0x5020), in_function(4));
		put_word(stack_at(0x5108), in_function(5));
		made__sample(0, stack_at(0), 0);
		FRAMES(in_function(1), begin_of_3 | PP_FRAME_EXACT, in_function(4), in_function(5));
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
		regs[reg] = 0;
	}
}

static void handler_near_what_it_interrupted_does_not_blur_it(void **state)
{
	const uint64_t near[16] = { [REG_RSP] = stack_at(0x20), [3] = stack_at(0x20) };

	RULES(SIMPLE, RULE_SIGNAL, SIMPLE, rule_make(PP_CFA_REG, 3, 8, PP_FP_SAME, 0, 0), RULE_END);
	put_word(stack_at(8), in_function(1));
	put_signal_frame(stack_at(16), in_function(2), near);
	put_word(stack_at(0x28), in_function(4)); /* was read before the signal frame was */
	made__sample(0, stack_at(0), 0);
	FRAMES(in_function(1), in_function(2) | PP_FRAME_EXACT, in_function(4));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);

	put_word(stack_at(0x28),
		 in_function(3)); /* what is interrupted has registers, its caller has not */
	made__sample(0, stack_at(0), 0);
	FRAMES(in_function(1), in_function(2) | PP_FRAME_EXACT, in_function(3));
	assert_int_equal(made.sample.end, PP_END_RULE);
}

static void misaligned_read_does_not_blur_the_next(void **state)
{
	uint64_t deref = rule_make(PP_CFA_DEREF, REG_RBP, 0, PP_FP_SAME, 0, 0) |
			 (uint64_t)PP_RA_IN_REG << 10 | 5ull << 12;

	RULES(deref, SIMPLE, SIMPLE, RULE_END);
	made.regs.regs[5] = in_function(1);
	memcpy((uint8_t *)made.stack + 0x101, &(uint64_t){ stack_at(0x200) }, 8);
	put_word(stack_at(0x208), in_function(2));
	put_word(stack_at(0x218), in_function(3));
	made__sample(0, stack_at(0), stack_at(0x101));
	FRAMES(in_function(1), in_function(2), in_function(3));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);
}

static void signal_frame_may_be_on_a_stack_above_or_below(void **state)
{
	const uint64_t below[16] = { [REG_RSP] = stack_at(0x100) };

	RULES(RULE_SIGNAL, SIMPLE, RULE_END);
	put_signal_frame(stack_at(0x4000), in_function(1), below);
	put_word(stack_at(0x108), in_function(2));
	made__sample(0, stack_at(0x4000), 0);
	FRAMES(in_function(1) | PP_FRAME_EXACT, in_function(2));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);

	made__sample(0, stack_at(STACK_BYTES - 100), 0); /* half of it is not there */
	assert_int_equal(made.sample.end, PP_END_FAULT);
}

static void cycle_of_signal_frames_ends(void **state)
{
	const uint64_t same[16] = { [REG_RSP] = stack_at(0x4000) };

	RULES(RULE_SIGNAL);
	put_signal_frame(stack_at(0x4000), in_function(0), same);
	made__sample(0, stack_at(0x4000), 0);
	assert_int_equal(made.sample.depth, PP_USER_FRAMES_MAX);
	assert_int_equal(made.sample.end, PP_END_FRAMES_MAX);
}

static void frame_must_lie_above_but_for_a_switch_of_stacks(void **state)
{
	uint64_t down = rule_make(PP_CFA_REG, REG_RBP, 16, PP_FP_AT_CFA, -16, 0);

	put_word(stack_at(0x1000), 0);
	put_word(stack_at(0x1008), in_function(1));
	RULES(down, RULE_END);
	made__sample(0, stack_at(0x2000), stack_at(0x1000));
	assert_int_equal(made.sample.depth, 1);
	assert_int_equal(made.sample.end, PP_END_STACK_ORDER);

	RULES((down & ~15ull) | PP_CFA_SWITCH, RULE_END);
	made__sample(0, stack_at(0x2000), stack_at(0x1000));
	FRAMES(in_function(1));
	assert_int_equal(made.sample.end, PP_END_COMPLETE);

	RULES(RULE_RSP(0)); /* its own frame again and again */
	put_word(stack_at(0x2000 - 8), in_function(0));
	made__sample(0, stack_at(0x2000), 0);
	assert_int_equal(made.sample.end, PP_END_STACK_ORDER);
	RULES(RULE_RSP(-16));
	made__sample(0, stack_at(0x2000), 0);
	assert_int_equal(made.sample.end, PP_END_STACK_ORDER);
	RULES(RULE_RSP(0), RULE_RSP(-8), RULE_RSP(4), RULE_RSP(8)); /* and of a caller's frame */
	for (uint32_t i = 0; i < 3; i++) {
		put_word(stack_at(0x2000), in_function(i));
		put_word(stack_at(0x2000 - 8), in_function(3));
		made__sample(3, stack_at(0x2000), 0);
		assert_int_equal(made.sample.depth, 2);
		assert_int_equal(made.sample.end, PP_END_STACK_ORDER);
	}
	RULES(RULE_RSP(12)); /* misaligned */
	made__sample(0, stack_at(0x2000), 0);
	assert_int_equal(made.sample.end, PP_END_STACK_ORDER);
}

static void cycle_of_switches_ends(void **state)
{
	RULES(rule_make(PP_CFA_SWITCH, REG_RBP, 16, PP_FP_AT_CFA, -16, 0));
	put_word(stack_at(0x1000), stack_at(0x1000));
	put_word(stack_at(0x1008), in_function(0));
	made__sample(0, stack_at(0x2000), stack_at(0x1000));
	assert_int_equal(made.sample.end, PP_END_FRAMES_MAX);
}

static void unknown_frame_pointer_is_never_followed(void **state)
{
	RULES(rule_make(PP_CFA_REG, REG_RSP, 16, PP_FP_UNKNOWN, 0, 0), SIMPLE);
	put_word(stack_at(8), in_function(1));
	put_word(stack_at(0x18), in_function(2)); /* no rule: by frame pointer */
	put_word(stack_at(0x108), in_function(3));
	made__sample(0, stack_at(0), stack_at(0x100));
	FRAMES(in_function(1), in_function(2));
	assert_int_equal(made.sample.end, PP_END_FP_OUTSIDE | PP_WALK_GUESSED);
}

static void code_without_rows_is_walked_by_frame_pointer_and_marked(void **state)
{
	RULES(SIMPLE, PP_RULE_NONE, RULE_END);
	put_word(stack_at(8), in_function(1));
	put_word(stack_at(0x100), 0);
	put_word(stack_at(0x108), in_function(2));
	made__sample(0, stack_at(0), stack_at(0x100));
	FRAMES(in_function(1), in_function(2) | PP_FRAME_GUESSED);
	assert_int_equal(made.sample.end, PP_END_COMPLETE | PP_WALK_GUESSED);

	/* each limit of a frame pointer, in the first frame and in others */
	for (uint32_t first = 0; first < 2; first++) {
		RULES(PP_RULE_NONE, RULE_RSP(8));
		put_word(stack_at(0), in_function(0));
		put_word(stack_at(0x200), in_function(0));
		made__sample(first, stack_at(0), 0);
		assert_int_equal(made.sample.end, PP_END_FP_ZERO | PP_WALK_GUESSED);
		made__sample(first, stack_at(0), stack_at(0x104));
		assert_int_equal(made.sample.end, PP_END_FP_OUTSIDE | PP_WALK_GUESSED);
		made__sample(first, stack_at(0x200), stack_at(0x100));
		assert_int_equal(made.sample.depth, 1 + first);
		assert_int_equal(made.sample.end, PP_END_FP_OUTSIDE | PP_WALK_GUESSED);
		made__sample(first, stack_at(0x200), stack_at(0x200 - 8)); /* half below */
		assert_int_equal(made.sample.depth, 1 + first);
		made__sample(first, stack_at(0), stack_at(8) + (64ull << 20));
		assert_int_equal(made.sample.end, PP_END_FP_OUTSIDE | PP_WALK_GUESSED);
		assert_int_equal(made.sample.depth, 1 + first);
		made__sample(first, stack_at(0), stack_at(0) + (64ull << 20) - 8);
		assert_int_equal(made.sample.end, PP_END_FAULT | PP_WALK_GUESSED);
	}
}

static void frame_pointers_form_a_chain_upwards(void **state)
{
	RULES(PP_RULE_NONE);
	for (uint32_t known = 0; known < 2; known++) { /* with and without ranges */
		put_word(stack_at(0x100), stack_at(0x110));
		put_word(stack_at(0x108), in_function(1));
		put_word(stack_at(0x110), stack_at(0x118)); /* overlaps this frame */
		put_word(stack_at(0x118), in_function(2));
		put_word(stack_at(0x120), in_function(3));
		made__sample(0, stack_at(0), stack_at(0x100));
		FRAMES(in_function(1) | PP_FRAME_GUESSED, in_function(2) | PP_FRAME_GUESSED);
		assert_int_equal(made__end(), PP_END_FP_OUTSIDE);
		host__set_process(NULL);
	}
}

static void every_limit_holds_with_the_program_of_the_last_resort(void **state)
{
	made.regs.by_frame_pointer = true;
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.end, PP_END_FP_ZERO | PP_WALK_GUESSED);
	made__sample(0, stack_at(0), stack_at(0x104));
	assert_int_equal(made.sample.end, PP_END_FP_OUTSIDE | PP_WALK_GUESSED);
	made__sample(0, stack_at(0x200), stack_at(0x100));
	assert_int_equal(made.sample.end, PP_END_FP_OUTSIDE | PP_WALK_GUESSED);
	made__sample(0, stack_at(0), stack_at(65ull << 20));
	assert_int_equal(made.sample.end, PP_END_FP_OUTSIDE | PP_WALK_GUESSED);
}

static void return_to_nowhere_ends(void **state)
{
	const uint64_t nowhere[] = { 0, PP_FRAME_EXACT, PP_FRAME_GUESSED, ~0ull,
				     0xffffffff81000000 };

	RULES(SIMPLE);
	for (uint32_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
		put_word(stack_at(8), nowhere[i]);
		made__sample(0, stack_at(0), 0);
		assert_int_equal(made.sample.depth, 1);
		assert_int_equal(made.sample.end, PP_END_RETURN_ZERO);
	}
	put_word(stack_at(8),
		 CODE_ADDR + PP_PAGE_BYTES + 1); /* in no range: the mappings are asked for */
	fake_kernel.now_ns = 1000000000;
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.depth, 2);
	assert_int_equal(made.sample.end, PP_END_NO_MAPPING);
	assert_int_equal(made.sample.proc_cnt, 1);
	assert_int_equal(made.sample.proc.why, PP_ASK_NO_RANGE);
}

/* every: how many plain frames come before one that is not. */
static void check_depth(uint32_t depth, uint32_t every)
{
	uint32_t wanted = depth < PP_USER_FRAMES_MAX ? depth : PP_USER_FRAMES_MAX;

	RULES(SIMPLE, (SIMPLE & ~15ull) | PP_CFA_SWITCH, RULE_END);
	for (uint32_t i = 1; i < depth; i++)
		put_word(stack_at(i * 16 - 8), in_function(i == depth - 1 ? 2 : i % every == 0));
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.depth, wanted);
	assert_int_equal(made.sample.end,
			 depth < PP_USER_FRAMES_MAX ? PP_END_COMPLETE : PP_END_FRAMES_MAX);
	for (uint32_t i = 1; i < wanted; i++)
		assert_int_equal(made.sample.frames[i],
				 in_function(i == depth - 1 ? 2 : i % every == 0));
}

static void stack_of_256_frames_is_whole_and_more_is_cut(void **state)
{
	for (uint32_t every = 1; every < 40; every++)
		for (int more = -20; more <= 20; more++)
			check_depth((uint32_t)(PP_USER_FRAMES_MAX + more), every);
	check_depth(PP_USER_FRAMES_MAX - 1, PP_USER_FRAMES_MAX);
	check_depth(PP_USER_FRAMES_MAX, PP_USER_FRAMES_MAX);
}

static void frames_of_any_size_are_read(void **state)
{
	/* what a frame saves lies near its begin, its return address at its end: more than a window apart */
	for (uint64_t bytes = 32; bytes <= 6000; bytes += 8) {
		RULES(rule_make(PP_CFA_REG, REG_RSP, (int64_t)bytes, PP_FP_AT_CFA,
				16 - (int64_t)bytes, 0),
		      PUSHES_FP, RULE_END);
		put_word(stack_at(16), stack_at(0x7000));
		put_word(stack_at(bytes - 8), in_function(1));
		put_word(stack_at(0x7000), 0);
		put_word(stack_at(0x7008), in_function(2));
		made__sample(0, stack_at(0), 0);
		FRAMES(in_function(1), in_function(2));
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
		/* the same one call further out */
		RULES(rule_make(PP_CFA_REG, REG_RSP, (int64_t)bytes, PP_FP_AT_CFA,
				16 - (int64_t)bytes, 0),
		      PUSHES_FP, RULE_END, RULE_RSP(8));
		memmove(&made.stack[1], &made.stack[0], (bytes + 16));
		put_word(stack_at(0), in_function(0));
		made__sample(3, stack_at(0), 0);
		FRAMES(in_function(0), in_function(1), in_function(2));
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
	}
}

static void stack_is_read_up_to_the_last_word_before_what_is_absent(void **state)
{
	RULES(SIMPLE, RULE_END);
	made.page_is_absent[1] = true;
	for (uint64_t at = 0; at < 4096; at += 8) {
		put_word(stack_at(at), in_function(1)); /* the only return address */
		if (at >= 8) {
			made__sample(0, stack_at(at - 8), 0);
			FRAMES(in_function(1));
			assert_int_equal(made.sample.end, PP_END_COMPLETE);
		}
		put_word(stack_at(at), 0);
	}
	put_word(stack_at(4096 - 8), in_function(0)); /* further out the same */
	RULES(SIMPLE, RULE_END, RULE_RSP(8), RULE_RSP(24));
	for (uint32_t last = 1; last < 4; last++) {
		made__sample(2, stack_at(4096 - 8), 0);
		put_word(stack_at(4096 - 8), in_function(last));
		made__sample(2, stack_at(4096 - 8), 0);
		assert_int_equal(made.sample.depth, 2);
		assert_int_equal(made.sample.end, last == 1 ? PP_END_COMPLETE : PP_END_FAULT);
	}
	made__sample(0, stack_at(4096 - 8), 0); /* the return address is absent */
	assert_int_equal(made.sample.end, PP_END_FAULT);
	made__sample(0, stack_at(4096), 0);
	assert_int_equal(made.sample.end, PP_END_FAULT);
}

static void hostile_registers_end_the_walk(void **state)
{
	const uint64_t hostile[] = { 0,
				     1,
				     7,
				     8,
				     4095,
				     0x7ffffffff000 - 8,
				     0x7ffffffff000,
				     1ull << 47,
				     1ull << 63,
				     0xffff888000000000,
				     ~0ull - 7,
				     ~0ull - 15,
				     ~0ull };
	const uint64_t rules[] = { SIMPLE,
				   PUSHES_FP,
				   PP_RULE_NONE,
				   RULE_SIGNAL,
				   RULE_PLT(3),
				   rule_make(PP_CFA_DEREF, REG_RSP, 0, PP_FP_AT_FP, 8, 0),
				   RULE_RSP(-PP_RULE_CFA_MAX),
				   RULE_RSP(PP_RULE_CFA_MAX) };

	for (uint32_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		for (uint32_t k = 0; k < sizeof(hostile) / sizeof(*hostile); k++) {
			RULES(rules[i]);
			made__sample(0, hostile[k], hostile[k]);
			assert_int_equal(made.sample.depth, 1);
			assert_int_not_equal(made__end(), PP_END_COMPLETE);
			host__reset();
			made__begin(); /* no ranges: by frame pointer */
			host__set_process(NULL);
			made__sample(0, hostile[k], hostile[k]);
			assert_int_equal(made.sample.depth, 1);
		}
}

static void rule_forms_that_do_not_exist_end_the_walk(void **state)
{
	for (uint64_t form = PP_CFA_SWITCH + 1; form < 16; form++) {
		RULES(form | (uint64_t)REG_RSP << 4 | 16ull << 40, RULE_END);
		put_word(stack_at(8), in_function(1));
		made__sample(0, stack_at(0), 0);
		assert_int_not_equal(made__end(), PP_END_COMPLETE);
	}
}

static void end_is_part_of_the_name_of_a_stack(void **state)
{
	struct pp_stack_id complete;

	RULES(RULE_END);
	made__sample(0, stack_at(0), 0);
	complete = made.sample.key.user_stack;
	made__sample(0, stack_at(8), 3);
	assert_memory_equal(&complete, &made.sample.key.user_stack, sizeof(complete));
	RULES(RULE_UNSUPPORTED);
	made__sample(0, stack_at(0), 0);
	assert_memory_not_equal(&complete, &made.sample.key.user_stack, sizeof(complete));
	assert_int_equal(made.sample.depth, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(end_rule_is_complete),
		TEST(saved_frame_pointer_is_followed),
		TEST(call_may_be_the_last_instruction_of_its_function),
		TEST(cfa_by_any_register_but_a_caller_s_that_callees_save),
		TEST(registers_are_not_trusted_behind_a_guess),
		TEST(deref_reads_the_cfa),
		TEST(plt_pushes_from_its_parameter_on),
		TEST(return_address_where_the_rule_says),
		TEST(return_address_in_a_register_of_the_innermost_frame),
		TEST(signal_frame_gives_back_all_registers),
		TEST(handler_near_what_it_interrupted_does_not_blur_it),
		TEST(misaligned_read_does_not_blur_the_next),
		TEST(signal_frame_may_be_on_a_stack_above_or_below),
		TEST(cycle_of_signal_frames_ends),
		TEST(frame_must_lie_above_but_for_a_switch_of_stacks),
		TEST(cycle_of_switches_ends),
		TEST(unknown_frame_pointer_is_never_followed),
		TEST(code_without_rows_is_walked_by_frame_pointer_and_marked),
		TEST(frame_pointers_form_a_chain_upwards),
		TEST(every_limit_holds_with_the_program_of_the_last_resort),
		TEST(return_to_nowhere_ends),
		TEST(stack_of_256_frames_is_whole_and_more_is_cut),
		TEST(frames_of_any_size_are_read),
		TEST(stack_is_read_up_to_the_last_word_before_what_is_absent),
		TEST(hostile_registers_end_the_walk),
		TEST(rule_forms_that_do_not_exist_end_the_walk),
		TEST(end_is_part_of_the_name_of_a_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
