/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Call frame programs to rules: every opcode and expression from hand-made bytes, and what becomes of damaged
 * programs. Rules are compared bit by bit: rules of equal meaning are equal.
 */
#include "pp/elf_cfi.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "made_cfi.h"

/* The rows of one program behind the usual CIE, without the gaps around them. */
static void run_program(const void *program, size_t len, struct rows *rows,
			struct elf_cfi_stats *ret_stats)
{
	struct bytes eh = { .len = 0 };
	struct made_frames made = { .eh = { .data = eh.data } };

	put_cie(&eh);
	put_fde(&eh, FDE_VADDR, FDE_BYTES, program, len);
	made.eh.len = eh.len;
	assert_int_equal(read_made(&made, rows, ret_stats), 0);
	assert_true(rows->cnt >= 1);
	assert_int_equal(rows->rows[0].vaddr, 0);
	assert_int_equal(rows->rows[0].rule, PP_RULE_NONE);
}

/* The rule after a program; all of it is in force at the end. */
static uint64_t last_rule(const void *program, size_t len)
{
	struct elf_cfi_stats stats;
	struct rows rows;

	run_program(program, len, &rows, &stats);
	assert_int_equal(stats.damaged, 0);
	assert_int_equal(rule_at(&rows, FDE_VADDR + FDE_BYTES), PP_RULE_NONE);
	return rule_at(&rows, FDE_VADDR + FDE_BYTES - 1);
}
#define RULE_OF(...)                                  \
	({                                            \
		const uint8_t b_[] = { __VA_ARGS__ }; \
		last_rule(b_, sizeof(b_));            \
	})

static void test_cfa_opcodes_give_their_rules(void **state)
{
	assert_int_equal(RULE_OF(0), RSP8);
	assert_int_equal(RULE_OF(0x0e, 16), REG(7, 16));
	assert_int_equal(RULE_OF(0x0e, 0x80, 0x01), REG(7, 128));
	assert_int_equal(RULE_OF(0x0d, 6), REG(6, 8));
	assert_int_equal(RULE_OF(0x0c, 6, 16), REG(6, 16));
	assert_int_equal(RULE_OF(0x0c, 10, 0), REG(10, 0));
	assert_int_equal(RULE_OF(0x12, 7, 0x7e), REG(7, 16)); /* def_cfa_sf -2 * -8 */
	assert_int_equal(RULE_OF(0x13, 0x7d), REG(7, 24)); /* def_cfa_offset_sf */
	assert_int_equal(RULE_OF(0x13, 1), REG(7, -8));
	assert_int_equal(RULE_OF(0x2e, 32), RSP8); /* GNU_args_size */
	assert_int_equal(RULE_OF(0x0c, 16, 8), UNSUPPORTED); /* relative to rip */
	assert_int_equal(RULE_OF(0x0c, 0xff, 0xff, 0x03, 8), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0e, 0xff, 0xff, 0xff, 0x03), REG(7, 8388607));
	assert_int_equal(RULE_OF(0x0e, 0x80, 0x80, 0x80, 0x04), UNSUPPORTED);
	/* as libgcc has it: the offset is remembered below an expression, the register ends it */
	assert_int_equal(RULE_OF(0x0f, 2, 0x76, 0, 0x0e, 24), REG(6, 0));
	assert_int_equal(RULE_OF(0x0f, 2, 0x76, 0, 0x0e, 24, 0x0d, 7), REG(7, 24));
}

static void test_register_opcodes_give_their_rules(void **state)
{
	assert_int_equal(RULE_OF(0x86, 2), RSP8 | FP_AT(-16));
	assert_int_equal(RULE_OF(0x86, 2, 0xc6), RSP8); /* restore */
	assert_int_equal(RULE_OF(0x86, 2, 0x06, 6), RSP8); /* restore_extended */
	assert_int_equal(RULE_OF(0x05, 6, 2), RSP8 | FP_AT(-16));
	assert_int_equal(RULE_OF(0x11, 6, 2), RSP8 | FP_AT(-16));
	assert_int_equal(RULE_OF(0x11, 6, 0x7e), RSP8 | FP_AT(16));
	assert_int_equal(RULE_OF(0x2f, 6, 2), RSP8 | FP_AT(16)); /* GNU_negative_offset_extended */
	assert_int_equal(RULE_OF(0x05, 6, 0x80, 0x10), RSP8 | FP_AT(-16384));
	assert_int_equal(RULE_OF(0x05, 6, 0x81, 0x10), RSP8 | FP_UNKNOWN); /* too far for a rule */
	assert_int_equal(RULE_OF(0x07, 6), RSP8 | FP_UNKNOWN);
	assert_int_equal(RULE_OF(0x07, 6, 0x08, 6), RSP8);
	assert_int_equal(RULE_OF(0x09, 6, 0), RSP8 | FP_UNKNOWN); /* in rax */
	assert_int_equal(RULE_OF(0x14, 6, 0), RSP8 | FP_UNKNOWN); /* its value is the CFA */
	assert_int_equal(RULE_OF(0x16, 6, 2, 0x77, 0), RSP8 | FP_UNKNOWN);
	assert_int_equal(RULE_OF(0x07, 16), PP_CFA_END);
	assert_int_equal(RULE_OF(0x0c, 16, 8, 0x86, 2, 0x07, 16), PP_CFA_END);
	assert_int_equal(RULE_OF(0x09, 16, 5), RSP8 | RA_IN(5)); /* vfork: in rdi */
	assert_int_equal(RULE_OF(0x09, 16, 17), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x90, 3), RSP8 | RA_AT(-24));
	assert_int_equal(RULE_OF(0x90, 3, 0xd0), RSP8);
	assert_int_equal(RULE_OF(0x08, 16), UNSUPPORTED); /* the caller continues here? */
	assert_int_equal(RULE_OF(0x14, 16, 8), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x2d), UNSUPPORTED); /* signed return addresses */
	assert_int_equal(RULE_OF(0x83, 2, 0x09, 3, 0, 0x16, 12, 1, 0x30), RSP8); /* not ours */
	assert_int_equal(RULE_OF(0x05, 0xff, 0xff, 0xff, 0xff, 0x0f, 2), RSP8);
}

/* A rule means that the caller's rsp is the CFA. */
static void test_another_rsp_than_the_cfa_is_unsupported(void **state)
{
	assert_int_equal(RULE_OF(0x14, 7, 0), RSP8);
	assert_int_equal(RULE_OF(0x15, 7, 0), RSP8);
	assert_int_equal(RULE_OF(0x14, 7, 8), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x87, 2), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x09, 7, 8), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x08, 7), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x87, 2, 0xc7), RSP8);
}

static void test_expressions_give_rules_or_are_unsupported(void **state)
{
	/* a realigned stack; *(rsp + 1048) + 8 of libcrypto */
	assert_int_equal(RULE_OF(0x0f, 3, 0x76, 0x78, 0x06), DEREF(6, -8, 0));
	assert_int_equal(RULE_OF(0x0f, 6, 0x77, 0x98, 0x08, 0x06, 0x23, 8), DEREF(7, 1048, 8));
	assert_int_equal(RULE_OF(0x0f, 6, 0x77, 0x98, 0x08, 0x06, 0x38, 0x22), DEREF(7, 1048, 8));
	assert_int_equal(RULE_OF(0x0f, 6, 0x77, 0x98, 0x08, 0x06, 0x38, 0x1c), DEREF(7, 1048, -8));
	assert_int_equal(RULE_OF(0x0f, 5, 0x77, 8, 0x06, 0x23, 4), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0f, 4, 0x77, 8, 0x06, 0x06), UNSUPPORTED);
	/* register + n, however it is said */
	assert_int_equal(RULE_OF(0x0f, 2, 0x76, 16), REG(6, 16));
	assert_int_equal(RULE_OF(0x0f, 3, 0x92, 6, 16), REG(6, 16));
	assert_int_equal(RULE_OF(0x0f, 4, 0x76, 0, 0x40, 0x22), REG(6, 16));
	assert_int_equal(RULE_OF(0x0f, 5, 0x08, 200, 0x76, 0, 0x22), REG(6, 200));
	assert_int_equal(RULE_OF(0x0f, 5, 0x76, 0, 0x09, 0xf8, 0x22), REG(6, -8));
	/* the linker's PLT, with and without endbr64 */
	assert_int_equal(RULE_OF(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24,
				 0x22),
			 PLT(11));
	assert_int_equal(RULE_OF(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x39, 0x2a, 0x33, 0x24,
				 0x22),
			 PLT(9));
	assert_int_equal(RULE_OF(0x0f, 11, 0x77, 16, 0x80, 0, 0x3f, 0x1a, 0x39, 0x2a, 0x33, 0x24,
				 0x22),
			 UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0f, 11, 0x77, 8, 0x80, 0, 0x37, 0x1a, 0x39, 0x2a, 0x33, 0x24,
				 0x22),
			 UNSUPPORTED);
	/* places: by rbp, by the CFA, by the CFA's own register */
	assert_int_equal(RULE_OF(0x10, 6, 2, 0x76, 0), RSP8 | FP_AT_FP(0));
	assert_int_equal(RULE_OF(0x10, 6, 2, 0x23, 8), RSP8 | FP_AT(8));
	assert_int_equal(RULE_OF(0x10, 6, 2, 0x77, 0), RSP8 | FP_AT(-8));
	assert_int_equal(RULE_OF(0x0c, 6, 16, 0x10, 6, 2, 0x76, 0), REG(6, 16) | FP_AT(-16));
	assert_int_equal(RULE_OF(0x10, 6, 2, 0x73, 0), RSP8 | FP_UNKNOWN);
	assert_int_equal(RULE_OF(0x10, 16, 2, 0x77, 16), RSP8 | RA_AT(8));
	assert_int_equal(RULE_OF(0x10, 16, 2, 0x77, 0), RSP8);
	assert_int_equal(RULE_OF(0x10, 16, 2, 0x73, 0), UNSUPPORTED);
	/* too much, too little, unknown */
	assert_int_equal(RULE_OF(0x0f, 0), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0f, 1, 0x22), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0f, 1, 0x96), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0f, 3, 0x76, 0, 0x94), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0f, 1, 0x76), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0f, 10, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30,
				 0x22),
			 UNSUPPORTED);
}

/* rows: vaddr - FDE_VADDR, rule, ... */
static void check_rows(const void *program, size_t len, uint32_t cnt, const uint64_t *expected)
{
	struct elf_cfi_stats stats;
	struct rows rows;

	run_program(program, len, &rows, &stats);
	assert_int_equal(stats.damaged, 0);
	assert_int_equal(rows.cnt, cnt / 2 + 2);
	for (uint32_t i = 0; i < cnt / 2; i++) {
		assert_int_equal(rows.rows[i + 1].vaddr, FDE_VADDR + expected[2 * i]);
		assert_int_equal(rows.rows[i + 1].rule, expected[2 * i + 1]);
	}
}
#define ROWS(...)                                                                        \
	sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), (const uint64_t[]) \
	{                                                                                \
		__VA_ARGS__                                                              \
	}

static void test_advances_close_rows(void **state)
{
	check_rows(BYTES(0x41, 0x0e, 16), ROWS(0, RSP8, 1, REG(7, 16)));
	check_rows(BYTES(0x02, 200, 0x0e, 16), ROWS(0, RSP8, 200, REG(7, 16)));
	check_rows(BYTES(0x03, 0x2c, 1, 0x0e, 16), ROWS(0, RSP8, 300, REG(7, 16)));
	check_rows(BYTES(0x04, 0x2c, 1, 0, 0, 0x0e, 16), ROWS(0, RSP8, 300, REG(7, 16)));
	check_rows(BYTES(0x1d, 0x2c, 1, 0, 0, 0, 0, 0, 0, 0x0e, 16),
		   ROWS(0, RSP8, 300, REG(7, 16)));
	check_rows(BYTES(0x01, 0x10, 0x10, 0, 0, 0, 0, 0, 0, 0x0e, 16),
		   ROWS(0, RSP8, 16, REG(7, 16)));
	check_rows(BYTES(0x41, 0x40, 0x0e, 16, 0x40), ROWS(0, RSP8, 1, REG(7, 16)));
	/* equal neighbours are one row */
	check_rows(BYTES(0x41, 0x83, 2, 0x41, 0x0e, 16), ROWS(0, RSP8, 2, REG(7, 16)));
	check_rows(BYTES(0x41, 0x0e, 16, 0x0a, 0x41, 0x0e, 8, 0x41, 0x0b, 0x41, 0x0e, 24),
		   ROWS(0, RSP8, 1, REG(7, 16), 2, RSP8, 3, REG(7, 16), 4, REG(7, 24)));
	/* what stands behind the code is not looked at */
	check_rows(BYTES(0x41, 0x0e, 16, 0x03, 0xff, 1, 0x0e, 24), ROWS(0, RSP8, 1, REG(7, 16)));
	check_rows(BYTES(0x41, 0x0e, 16, 0x1d, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x3f),
		   ROWS(0, RSP8, 1, REG(7, 16)));
}

/* Damaged programs keep the rows before the damage; from there on there is a gap. */
static void check_damage(const void *program, size_t len, uint64_t good_bytes)
{
	struct elf_cfi_stats stats;
	struct rows rows;

	run_program(program, len, &rows, &stats);
	assert_int_equal(stats.damaged, 1);
	for (uint64_t i = 0; i < FDE_BYTES; i++)
		assert_int_equal(rule_at(&rows, FDE_VADDR + i) != PP_RULE_NONE, i < good_bytes);
}

static void test_damaged_programs_end_in_a_gap(void **state)
{
	struct bytes many = { .len = 0 };

	check_damage(BYTES(0x3f), 0); /* no such opcode */
	check_damage(BYTES(0x44, 0x3f), 4);
	check_damage(BYTES(0x44, 0x0e), 4); /* cut off */
	check_damage(BYTES(0x44, 0x0e, 0x80), 4);
	check_damage(BYTES(0x44, 0x03, 1), 4);
	check_damage(BYTES(0x44, 0x0f, 5, 0x77, 8), 4);
	check_damage(BYTES(0x44, 0x0b), 4); /* nothing was remembered */
	check_damage(BYTES(0x44, 0x01, 0, 0x10, 0, 0, 0, 0, 0, 0), 4); /* back */
	/* numbers of more than 64 bits; products too */
	check_damage(BYTES(0x44, 0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03),
		     4);
	check_damage(BYTES(0x44, 0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
			   0),
		     4);
	check_damage(BYTES(0x44, 0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		     4);
	check_damage(BYTES(0x44, 0x86, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), 4);
	check_damage(BYTES(0x44, 0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		     4);
	PUT(&many, 0x44);
	for (int i = 0; i < 1000; i++)
		PUT(&many, 0x0a);
	check_damage(many.data, many.len, 4);
}

/* Extremes that are legal, and cost nothing. */
static void test_extremes_are_no_damage(void **state)
{
	check_rows(BYTES(0x41, 0x0e, 16, 0x1d, 0, 0, 0, 0, 0, 0, 0, 0x10),
		   ROWS(0, RSP8, 1, REG(7, 16)));
	check_rows(BYTES(0x41, 0x07, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		   ROWS(0, RSP8));
	assert_int_equal(RULE_OF(0x12, 7, 0x81, 0x80, 0x80, 0x80, 0x78), UNSUPPORTED);
	assert_int_equal(RULE_OF(0x0e, 0x90, 0x80, 0x80, 0), REG(7, 16)); /* padded LEB */
	assert_int_equal(RULE_OF(0x13, 0xfe, 0xff, 0xff, 0x7f), REG(7, 16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cfa_opcodes_give_their_rules),
		cmocka_unit_test(test_register_opcodes_give_their_rules),
		cmocka_unit_test(test_another_rsp_than_the_cfa_is_unsupported),
		cmocka_unit_test(test_expressions_give_rules_or_are_unsupported),
		cmocka_unit_test(test_advances_close_rows),
		cmocka_unit_test(test_damaged_programs_end_in_a_gap),
		cmocka_unit_test(test_extremes_are_no_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
