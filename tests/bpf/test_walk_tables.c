/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a rule comes from: range of the process, page, window, row, cache; what is asked of user space when
 * something is not there; and that nothing which stands in the tables or on the stack makes a walk endless
 * or read beside its memory (sanitizers watch).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "made_process.h"

#define SIMPLE	 RULE_RSP(16)
#define DIR_CODE (DIR_FIRST + (uint32_t)(CODE_VADDR >> PP_PAGE_SHIFT))

static int begin(void **state)
{
	made__begin();
	return 0;
}

static uint64_t random_word(void)
{
	static uint64_t word = 1;

	word = word * 6364136223846793005ull + 1442695040888963407ull;
	return word >> 11 ^ word << 31;
}

static void every_offset_of_a_page_finds_its_row(void **state)
{
	struct host_tables host = host__tables();
	struct unwind_page *page = unwind_page__new(PP_PAGE_ROWS_MAX, 2);
	uint16_t ids[2] = { 1, 2 };
	uint32_t row_cnt = 0, row = 0;

	host.rules[1] = RULE_END;
	host.rules[2] = RULE_UNSUPPORTED;
	/* alternating; dense (a row a byte), then thin, so that some KiB have none and one has 1,024 */
	for (uint32_t off = 0; off < PP_PAGE_BYTES && row_cnt < PP_PAGE_ROWS_MAX;
	     off += off >= 2048 && off < 3072 ?
			    1 :
			    1 + (uint32_t)(random_word() % (off < 30000 ? 9 : 5000)))
		page->rows[row_cnt] = PP_ROW(off, row_cnt & 1), row_cnt++;
	page->row_cnt = row_cnt;
	unwind_page__write(page, ids, made.part + 7 * PP_UNIT_WORDS);
	host.dir[DIR_CODE].window = PP_WINDOW_AT | 2u << 13 | 7;
	for (uint32_t off = 0; off < PP_PAGE_BYTES; off++) {
		while (row + 1 < row_cnt && page->rows[row + 1] >> 16 <= off)
			row++;
		made.regs.ip = CODE_ADDR + off;
		host__sample(&made.regs, &made.sample);
		assert_int_equal(made.sample.end, row & 1 ? PP_END_RULE : PP_END_COMPLETE);
	}
	free(page);
}

static void callers_of_a_page_of_frame_pointers_need_no_row(void **state)
{
	struct host_tables host = host__tables();
	const uint64_t rules[] = { SIMPLE, RULE_UNSUPPORTED, RULE_END };

	made__set_rules(rules, 3);
	host.dir[DIR_CODE].window |= PP_WINDOW_BY_FP;
	put_word(stack_at(8), in_function(1)); /* the innermost frame by its row */
	put_word(stack_at(0x100), stack_at(0x200));
	put_word(stack_at(0x108), in_function(2));
	put_word(stack_at(0x200), 0);
	put_word(stack_at(0x208), in_function(1));
	made__sample(0, stack_at(0), stack_at(0x100));
	assert_int_equal(made.sample.depth, 4);
	assert_int_equal(made.sample.frames[1], in_function(1));
	assert_int_equal(made.sample.frames[2], in_function(2));
	assert_int_equal(made.sample.frames[3], in_function(1));
	assert_int_equal(made.sample.end, PP_END_RULE); /* no frame pointer: back to the rows */
	assert_int_equal(host.dir[DIR_CODE].used, host.tables->generation);
	made__sample(1, stack_at(0), stack_at(0x100));
	assert_int_equal(made.sample.depth, 1);
	assert_int_equal(made.sample.end, PP_END_RULE);
}

static void absent_page_is_asked_for_once_in_a_generation(void **state)
{
	struct host_tables host = host__tables();

	host.dir[DIR_CODE].window = PP_WINDOW_ABSENT;
	put_word(stack_at(0x108), in_function(1));
	for (int generation = 0; generation < 3; generation++) {
		host.tables->generation++;
		for (int i = 0; i < 3; i++) {
			made__sample(0, stack_at(0x40), stack_at(0x100));
			assert_int_equal(made.sample.page_cnt, i == 0);
			assert_int_equal(made.sample.depth, 2);
			assert_int_equal(made.sample.frames[1], in_function(1) | PP_FRAME_GUESSED);
			assert_int_equal(made.sample.end, PP_END_FP_ZERO | PP_WALK_ABSENT);
			if (i)
				continue;
			assert_int_equal(made.sample.pages[0].dir_index, DIR_CODE);
			assert_int_equal(made.sample.pages[0].sp, stack_at(0x40));
			assert_int_equal(made.sample.pages[0].tid, HOST_TID);
			assert_int_equal(made.sample.pages[0].proc.tgid, HOST_TGID);
		}
	}
}

static void full_ring_is_asked_again(void **state)
{
	struct host_tables host = host__tables();

	host.dir[DIR_CODE].window = PP_WINDOW_ABSENT;
	fake_kernel.ring_is_full = true;
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.page_cnt, 0);
	fake_kernel.ring_is_full = false;
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.page_cnt, 1);
}

static void absent_rule_is_not_kept_in_the_cache(void **state)
{
	const uint64_t rules[] = { SIMPLE, RULE_END };
	struct host_tables host = host__tables();
	uint32_t window;

	made__set_rules(rules, 2);
	put_word(stack_at(8), in_function(1));
	window = host.dir[DIR_CODE].window;
	host.dir[DIR_CODE].window = PP_WINDOW_ABSENT;
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made__end(), PP_END_FP_ZERO);
	host.dir[DIR_CODE].window = window; /* in the same generation */
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.end, PP_END_COMPLETE);
}

static void page_without_rows_is_guessed_and_not_asked_for(void **state)
{
	host__tables().dir[DIR_CODE].window = PP_WINDOW_NO_ROWS;
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.end, PP_END_FP_ZERO | PP_WALK_GUESSED);
	assert_int_equal(made.sample.page_cnt, 0);
}

static void cache_serves_within_its_generation(void **state)
{
	const uint64_t rules[] = { RULE_END };
	struct host_tables host = host__tables();

	made__set_rules(rules, 1);
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.end, PP_END_COMPLETE);
	assert_int_equal(host.dir[DIR_CODE].hits, 1);
	assert_int_equal(host.dir[DIR_CODE].used, host.tables->generation);
	host.rules[1] = RULE_UNSUPPORTED; /* never done by user space: only to see who answers */
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.end, PP_END_COMPLETE);
	assert_int_equal(host.dir[DIR_CODE].hits, 1);
	host.tables->generation++;
	made__sample(0, stack_at(0), 0);
	assert_int_equal(made.sample.end, PP_END_RULE);
	assert_int_equal(host.dir[DIR_CODE].hits, 2);
}

static void torn_cache_line_is_not_believed(void **state)
{
	const uint64_t rules[] = { RULE_END, RULE_UNSUPPORTED };
	struct host_tables host = host__tables();
	struct pp_cached_rule *line = NULL, whole;

	made__set_rules(rules, 2);
	made__sample(0, stack_at(0), 0);
	for (uint32_t i = 0; i < PP_RULE_CACHE_MAX; i++)
		if (host.cache[i].rule)
			line = &host.cache[i];
	assert_non_null(line);
	whole = *line;
	for (int bit = 0; bit < 64; bit++) { /* the rule of another CPU's line, or its key */
		*line = whole;
		line->rule ^= 1ull << bit;
		made__sample(0, stack_at(0), 0);
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
		*line = whole;
		line->key_xor_rule ^= 1ull << bit;
		made__sample(0, stack_at(0), 0);
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
	}
}

static void each_address_of_4095_ranges_finds_its_range(void **state)
{
	enum { CNT = 4095, STRIDE = 0x30000 };
	struct host_tables host = host__tables();

	for (uint32_t cnt = 1; cnt <= CNT; cnt = cnt < 70	   ? cnt + 1 :
						 cnt * 2 - 1 < CNT ? cnt * 2 - 1 :
								     cnt + CNT) {
		struct pp_proc_info info = { .epoch = 1, .range_first = 100, .range_cnt = cnt };

		for (uint32_t i = 0; i < cnt; i++)
			host.ranges[100 + i] =
				(struct pp_range){ .start_addr = CODE_ADDR + i * STRIDE,
						   .end_addr = CODE_ADDR + i * STRIDE + 0x20000,
						   .kind = i & 1 ? PP_RANGE_JIT : PP_RANGE_FP };
		host__set_process(&info);
		for (uint32_t i = 0; i < cnt; i += 1 + i / 64) {
			uint32_t mark = i & 1 ? PP_WALK_JIT : PP_WALK_GUESSED;
			const uint64_t inside[] = { 0, 1, 0x1ffff };

			for (int k = 0; k < 3; k++) {
				made.regs.ip = CODE_ADDR + i * STRIDE + inside[k];
				host__sample(&made.regs, &made.sample);
				assert_int_equal(made.sample.end, PP_END_FP_ZERO | mark);
			}
			made.regs.ip = CODE_ADDR + i * STRIDE + 0x20000;
			host__sample(&made.regs, &made.sample);
			assert_int_equal(made.sample.end, PP_END_NO_MAPPING);
		}
		made.regs.ip = CODE_ADDR - 1;
		host__sample(&made.regs, &made.sample);
		assert_int_equal(made.sample.end, PP_END_NO_MAPPING);
	}
}

static void unknown_process_is_announced_and_walked_by_frame_pointer(void **state)
{
	host__set_process(NULL);
	put_word(stack_at(0x100), stack_at(0x200));
	put_word(stack_at(0x108), 0x4444);
	put_word(stack_at(0x208), 0x5555);
	made__sample(0, stack_at(0), stack_at(0x100));
	assert_int_equal(made.sample.depth, 3);
	assert_int_equal(made.sample.frames[1], 0x4444 | PP_FRAME_GUESSED);
	assert_int_equal(made.sample.frames[2], 0x5555 | PP_FRAME_GUESSED);
	assert_int_equal(made.sample.end, PP_END_FP_ZERO | PP_WALK_ABSENT);
	assert_int_equal(made.sample.proc_cnt, 1);
	assert_int_equal(made.sample.proc.why, PP_ASK_NEW);
	assert_non_null(host__process());
	made__sample(0, stack_at(0), stack_at(0x100)); /* once */
	assert_int_equal(made.sample.proc_cnt, 0);
	assert_int_equal(made.sample.cnt[PP_CNT_ACCEPTED], 1);
}

static void row_of_a_recycled_process_is_not_believed(void **state)
{
	struct pp_proc_info *row = (struct pp_proc_info *)host__process();
	const uint64_t rules[] = { RULE_END };

	made__set_rules(rules, 1);
	for (int i = 0; i < 3; i++) {
		struct pp_proc_info whole = *row;

		row->epoch += i == 0;
		row->range_first += i == 1;
		row->range_cnt += i == 2;
		made__sample(0, stack_at(0), 0);
		assert_int_equal(made__end(), PP_END_FP_ZERO); /* by frame pointer */
		assert_int_equal(made.sample.key.maps, 0);
		*row = whole;
		made__sample(0, stack_at(0), 0);
		assert_int_equal(made.sample.end, PP_END_COMPLETE);
	}
}

/* Any rule; most are such that a walk goes on. */
static uint64_t random_rule(void)
{
	uint64_t rule = random_word();
	int64_t cfa_bytes = (int64_t)(random_word() % 32) * 8;

	if (random_word() % 16)
		rule = rule_make(PP_CFA_REG, random_word() % 16 ? REG_RSP : REG_RBP, cfa_bytes,
				 (uint32_t)(random_word() % (random_word() % 8 ? 2 : 4)),
				 (int64_t)(random_word() % 64) * 8 - 256, 0);
	return rule;
}

static uint64_t random_value(void)
{
	switch (random_word() % 32) {
	case 0: return random_word();
	case 1: return random_word() % 3;
	case 2:
	case 3: return stack_at(random_word() % STACK_BYTES & ~7ull);
	case 4: return CODE_ADDR + (random_word() % FUNCTIONS_MAX) * FUNCTION_BYTES;
	default: return CODE_ADDR + random_word() % PP_PAGE_BYTES;
	}
}

/* What stands in the tables, on the stack and in the registers. */
static void make_anything(int round)
{
	struct host_tables host = host__tables();
	uint64_t rules[FUNCTIONS_MAX];

	for (uint32_t i = 0; i < FUNCTIONS_MAX; i++)
		rules[i] = random_rule();
	made__set_rules(rules, FUNCTIONS_MAX);
	for (uint32_t i = 0; i < STACK_BYTES / 8; i++)
		made.stack[i] = random_value();
	for (uint32_t i = 0; i < STACK_PAGES; i++)
		made.page_is_absent[i] = random_word() % 16 == 0;
	for (int i = 0; i < 16; i++)
		made.regs.regs[i] = random_value();
	if (round % 8 == 0) /* a window that is none */
		for (uint32_t i = 0; i < 2000; i++)
			made.part[3 * PP_UNIT_WORDS + random_word() % 400] =
				(uint32_t)random_word();
	if (round % 8 == 1)
		host.dir[DIR_CODE].window = (uint32_t)random_word() | PP_WINDOW_AT;
	made.regs.ip = in_function((uint32_t)(random_word() % FUNCTIONS_MAX));
	made.regs.regs[REG_RSP] = stack_at(random_word() % STACK_BYTES & ~7ull);
}

static void walk_is_bounded_whatever_stands_in_tables_and_memory(void **state)
{
	uint64_t frames = 0;

	for (int round = 0; round < 3000; round++) {
		make_anything(round);
		fake_kernel.reads = 0;
		host__sample(&made.regs, &made.sample);
		assert_in_range(made.sample.depth, 1, PP_USER_FRAMES_MAX);
		assert_in_range(made__end(), 1, PP_END_STACK_ORDER);
		assert_in_range(fake_kernel.reads, 0, 6 * PP_USER_FRAMES_MAX);
		assert_int_equal(made.sample.cnt[PP_CNT_ACCEPTED], 1);
		frames += made.sample.depth;
	}
	assert_in_range(frames, 9000, UINT64_MAX); /* they do walk */
}

static void many_frames_at_once_are_those_of_single_steps(void **state)
{
	for (int round = 0; round < 3000; round++) {
		struct host_sample by_steps;

		make_anything(round);
		host__sample_by_steps(&made.regs, &by_steps);
		host__sample(&made.regs, &made.sample);
		assert_int_equal(made.sample.depth, by_steps.depth);
		assert_memory_equal(made.sample.frames, by_steps.frames, 8 * by_steps.depth);
		assert_int_equal(made.sample.end, by_steps.end);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(every_offset_of_a_page_finds_its_row),
		TEST(callers_of_a_page_of_frame_pointers_need_no_row),
		TEST(absent_page_is_asked_for_once_in_a_generation),
		TEST(full_ring_is_asked_again),
		TEST(absent_rule_is_not_kept_in_the_cache),
		TEST(page_without_rows_is_guessed_and_not_asked_for),
		TEST(cache_serves_within_its_generation),
		TEST(torn_cache_line_is_not_believed),
		TEST(each_address_of_4095_ranges_finds_its_range),
		TEST(unknown_process_is_announced_and_walked_by_frame_pointer),
		TEST(row_of_a_recycled_process_is_not_believed),
		TEST(walk_is_bounded_whatever_stands_in_tables_and_memory),
		TEST(many_frames_at_once_are_those_of_single_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
