/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables at their limits: memory that is full, rules, ranges and directory that are full, hostile
 * processes, and what the machine allows. What is not done is counted, and done later where there is room.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=unwind_file__open,--wrap=unwind_file__from_memory,--wrap=unwind_file__close,--wrap=unwind_file__page,--wrap=proc_table__module,--wrap=proc__read_memory,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "tables_rig.h"

#define NS_PER_SEC	1000000000ull
#define BIG_ROWS	(30 * PP_UNIT_WORDS - PP_INDEX_WORDS) /* a window of 30 units */
#define WINDOWS_IN_PART (PP_PART_UNITS / 30)

static int tear_down(void **state)
{
	rig_close();
	return 0;
}

static int set_up_small(void **state)
{
	rig_open(2 * MIB + 100);
	return 0;
}

/* A file of code, mapped whole at an address of its own. */
static struct mapping map_new(uint32_t number, uint32_t pages, uint32_t row_cnt, uint32_t rule_cnt)
{
	const struct made_file file = { .pages = pages, .content = { number, row_cnt, rule_cnt } };

	return file_at(BASE + ((uint64_t)number << 32), add_file(&file), 0,
		       (uint64_t)pages * PP_PAGE_BYTES);
}

static uint32_t now_s;
static void tick_s(uint32_t seconds)
{
	for (uint32_t i = 0; i < seconds; i++)
		unwind_tables__tick(rig.self, ++now_s * NS_PER_SEC);
}

static void memory_never_grows_beyond_the_budget(void **state)
{
	struct mapping mapping = map_new(1, 1000, BIG_ROWS, 2);
	struct pp_proc_info info = set(1, &mapping, 1);

	for (uint32_t i = 0; i < 1000; i++) {
		want(&info, mapping.start_addr + i * PP_PAGE_BYTES);
		assert_in_range(rig.part_cnt, 0, 1);
	}
	assert_in_range(stats_now().bytes, MIB / 2, 2 * MIB);
	assert_true(stats_now().pages_evicted > 0);
	assert_true(stats_now().pages_refused > 0); /* thrashing: not all at once */
}

static void without_a_budget_nothing_is_loaded(void **state)
{
	struct mapping mapping;
	struct pp_proc_info info;

	rig_open(2 * MIB - 1);
	mapping = map_new(1, 10, 10, 2);
	info = set(1, &mapping, 1);
	want(&info, mapping.start_addr);
	assert_int_equal(rule_at(&info, mapping.start_addr), RULE_ABSENT);
	assert_int_equal(rig.part_cnt, 0);
	assert_int_equal(stats_now().pages_refused, 1);
}

static void what_was_used_last_stays(void **state)
{
	struct mapping mapping = map_new(1, WINDOWS_IN_PART + 8, BIG_ROWS, 2);
	struct pp_proc_info info = set(1, &mapping, 1);
	uint64_t used = mapping.start_addr + 3 * PP_PAGE_BYTES, fresh;

	for (uint32_t i = 0; i < WINDOWS_IN_PART; i++)
		want(&info, mapping.start_addr + i * PP_PAGE_BYTES);
	assert_int_equal(stats_now().pages_evicted, 0);
	tick_s(12);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(rule_at(&info, used), made_rule(1, 3, 0)); /* stamps it */
		fresh = mapping.start_addr + (WINDOWS_IN_PART + i) * PP_PAGE_BYTES;
		want(&info, fresh);
		settle();
		assert_int_equal(rule_at(&info, fresh), made_rule(1, WINDOWS_IN_PART + i, 0));
		tick_s(12);
	}
	assert_true(stats_now().pages_evicted >= 8);
	assert_int_equal(rule_at(&info, mapping.start_addr + PP_PAGE_BYTES), RULE_ABSENT);
	assert_int_equal(stats_now().pages_refused, 0);
}

static void an_evicted_windows_memory_rests_until_programs_have_ended(void **state)
{
	struct mapping mapping = map_new(1, WINDOWS_IN_PART + 1, BIG_ROWS, 2);
	struct pp_proc_info info = set(1, &mapping, 1);
	uint64_t fresh = mapping.start_addr + WINDOWS_IN_PART * PP_PAGE_BYTES;
	uint32_t before, windows[WINDOWS_IN_PART];

	for (uint32_t i = 0; i < WINDOWS_IN_PART; i++)
		want(&info, mapping.start_addr + i * PP_PAGE_BYTES);
	for (uint32_t i = 0; i < WINDOWS_IN_PART; i++)
		windows[i] = rig.dir[dir_index(&info, mapping.start_addr) + i].window;
	before = rig.tables.generation;
	want(&info, fresh);
	assert_int_not_equal(rig.tables.generation, before); /* evicted pages may be asked for */
	unwind_tables__settled(rig.self);
	for (uint32_t i = 0; i < WINDOWS_IN_PART; i++) /* as a slow program still reads them */
		assert_int_equal(read_window(windows[i], 0), made_rule(1, i, 0));
	assert_int_equal(rule_at(&info, fresh), RULE_ABSENT);
	unwind_tables__settled(rig.self);
	assert_int_equal(rule_at(&info, fresh), made_rule(1, WINDOWS_IN_PART, 0));
	assert_int_equal(fake_files.converted, WINDOWS_IN_PART + 1);
}

static void files_that_nobody_maps_make_room_first(void **state)
{
	struct mapping old = map_new(1, 10, BIG_ROWS, 2);
	struct mapping mapping = map_new(2, WINDOWS_IN_PART, BIG_ROWS, 2);
	struct pp_proc_info gone = set(1, &old, 1), info = set(2, &mapping, 1);
	const struct proc_id id = process_id(1);

	for (uint32_t i = 0; i < WINDOWS_IN_PART - 10; i++)
		want(&info, mapping.start_addr + i * PP_PAGE_BYTES);
	tick_s(30);
	for (uint32_t i = 0; i < 10; i++)
		want(&gone, old.start_addr + i * PP_PAGE_BYTES);
	unwind_tables__drop_process(rig.self, &id);
	want(&info, mapping.end_addr - 1);
	settle();
	assert_int_equal(rule_at(&info, mapping.end_addr - 1) >> 40, 2);
	assert_int_equal(stats_now().pages_evicted, 9); /* a batch: 1/32 of the budget */
	assert_int_equal(stats_now().pages_loaded, WINDOWS_IN_PART - 8);
}

static void rules_that_no_window_names_are_used_again(void **state)
{
	uint32_t refused;

	/* six files that fill the ids and then go; their pages are evicted by nobody */
	for (uint32_t i = 1; i <= 6; i++) {
		struct mapping mapping = map_new(i, 2, 1600, 1600);
		struct pp_proc_info info = set(i, &mapping, 1);

		want(&info, mapping.start_addr);
		want(&info, mapping.start_addr + PP_PAGE_BYTES);
	}
	assert_int_equal(stats_now().rules_refused, 2); /* 12 * 1600 > 16383 */
	assert_in_range(stats_now().rules, 16000, PP_RULES_MAX - 1);
	refused = rig.dir[1 + 2 * 5].window;
	assert_int_equal(refused, PP_WINDOW_ABSENT);
	for (uint32_t i = 1; i <= 3; i++) {
		const struct proc_id id = process_id(i);

		unwind_tables__drop_process(rig.self, &id);
		windows__unload(rig.self, 2 * i - 1);
		windows__unload(rig.self, 2 * i);
	}
	tick_s(1);
	assert_in_range(stats_now().rules, 4 * 1600, 6 * 1600);
	for (uint32_t i = 3; i <= 5; i++) {
		assert_int_equal(rig.dir[11].window, PP_WINDOW_ABSENT);
		unwind_tables__want_page(rig.self, 11, &(struct proc_id){ 0 }, 0, 0);
		work_all();
		if (i < 5) /* slow programs may still read the old rules */
			assert_int_equal(stats_now().rules_refused, i);
		unwind_tables__settled(rig.self);
	}
	assert_int_equal(read_window(rig.dir[11].window, 0), made_rule(6, 0, 0));
	assert_int_equal(read_window(rig.dir[8].window, 0), made_rule(4, 1, 0));
	assert_int_equal(stats_now().rules_refused, 4);
}

static void a_page_of_endless_rules_is_not_loaded(void **state)
{
	struct mapping mapping = map_new(1, 1, 4000, 4000);
	struct pp_proc_info info = set(1, &mapping, 1);

	want(&info, mapping.start_addr);
	assert_int_equal(rig.dir[dir_index(&info, mapping.start_addr)].window, PP_WINDOW_NO_ROWS);
	assert_int_equal(stats_now().rules_refused, 1);
	assert_int_equal(stats_now().rules, 0);
}

static void a_hostile_process_cannot_take_everybodys_ranges(void **state)
{
	struct mapping *mappings = calloc(10000, sizeof(*mappings));
	struct pp_proc_info info;
	const struct proc_id id = process_id(1);

	for (uint32_t i = 0; i < 10000; i++) /* alternating, so that nothing can be joined */
		mappings[i] = other_at(BASE + i * 0x2000, 0x1000,
				       i % 2 ? MAPPING_ANON : MAPPING_SPECIAL, "");
	info = set(1, mappings, 10000);
	assert_int_equal(info.range_cnt, 4095);
	assert_int_equal(stats_now().ranges_refused, 10000 - 4095);
	/* the surplus is walked by frame pointer */
	assert_int_equal(rig.ranges[info.range_first + 4094].kind, PP_RANGE_FP);
	assert_int_equal(rig.ranges[info.range_first + 4094].end_addr, mappings[9999].end_addr);
	for (uint32_t i = 2; i < 120; i++) {
		mappings[0].start_addr++; /* each has ranges of its own */
		info = set(i, mappings, 10000);
		assert_in_range(info.range_cnt, 64, 4095);
	}
	assert_int_equal(set(200, mappings, 30).range_cnt, 30);
	unwind_tables__drop_process(rig.self, &id);
	settle();
	assert_in_range(set(1, mappings, 10000).range_cnt, 64, 200);
	for (uint32_t i = 0; i < 10000; i++)
		mappings[i].kind = MAPPING_ANON;
	info = set(1, mappings, 10000); /* JIT areas become one, with the gaps */
	assert_int_equal(info.range_cnt, 1);
	assert_int_equal(rig.ranges[info.range_first].end_addr, mappings[9999].end_addr);
	free(mappings);
}

static void ranges_without_room_are_refused_and_counted(void **state)
{
	struct mapping mappings[64];
	struct pp_proc_info info;
	uint32_t i = 0;
	int err;

	for (uint32_t k = 0; k < 64; k++)
		mappings[k] = other_at(BASE + k * 0x2000, 0x1000, MAPPING_ANON + k % 2 * 2, "");
	do {
		const struct proc_id id = process_id(++i);

		mappings[0].start_addr++;
		err = unwind_tables__set_process(rig.self, &id, mappings, 64, NULL, &info);
	} while (!err);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(i, PP_RANGES_MAX / 64 + 1);
	assert_int_equal(stats_now().ranges_refused, 64);
}

static void five_thousand_processes_are_known_at_a_time(void **state)
{
	struct mapping mapping[2] = { map_new(1, 10, 10, 2), map_new(2, 10, 10, 2) };
	uint32_t first = set(5000, mapping, 2).range_first;

	for (uint32_t i = 1; i < 5000; i++) {
		mapping[0].start_addr += 0x10000 * (i % 2); /* half of them workers of the other */
		mapping[0].end_addr += 0x10000 * (i % 2);
		assert_int_equal(set(i, mapping, 2).range_cnt, 2);
	}
	assert_int_equal(stats_now().processes, 5000);
	assert_int_equal(stats_now().ranges, 2 * 2501);
	for (uint32_t i = 1; i < 5000; i++) {
		const struct proc_id id = process_id(i);

		unwind_tables__drop_process(rig.self, &id);
	}
	assert_int_equal(stats_now().ranges, 2);
	assert_int_equal(set(5000, (struct mapping[]){ mapping[0] }, 1).epoch, 2);
	assert_int_not_equal(rig.ranges[first].end_addr, 0);
}

static void a_full_directory_forgets_who_is_gone(void **state)
{
	struct mapping mapping;
	struct pp_proc_info info;
	uint32_t refused = 0;

	for (uint32_t i = 1; i <= 8; i++) { /* each takes a quarter, and its process goes */
		const struct proc_id id = process_id(i);

		mapping = map_new(i, PP_DIR_MAX / 4, 10, 2);
		info = set(i, &mapping, 1);
		refused += rig.ranges[info.range_first].kind == PP_RANGE_FP;
		unwind_tables__drop_process(rig.self, &id);
		tick_s(1);
		settle();
	}
	assert_int_equal(refused, 0);
	for (uint32_t i = 9; i <= 12; i++) { /* these stay */
		mapping = map_new(i, PP_DIR_MAX / 4, 10, 2);
		info = set(i, &mapping, 1);
		refused += rig.ranges[info.range_first].kind == PP_RANGE_FP;
		tick_s(1);
		settle();
	}
	assert_int_equal(refused, 1); /* index 0 is nobody's */
	assert_int_equal(stats_now().ranges_refused, 1);
}

static void a_slice_comes_to_another_file_in_another_generation(void **state)
{
	struct mapping mapping = map_new(1, PP_DIR_MAX / 2, 10, 2);
	struct pp_proc_info info = set(1, &mapping, 1);
	uint32_t cached, first = rig.ranges[info.range_first].dir_first;
	const struct proc_id id = process_id(1);

	unwind_tables__drop_process(rig.self, &id);
	mapping = map_new(2, PP_DIR_MAX / 2, 10, 2); /* no room: the first one goes */
	(void)set(2, &mapping, 1);
	cached = rig.tables.generation; /* programs end, and leave what they found in the cache */
	settle();
	info = set(2, &mapping, 1);
	assert_int_equal(rig.ranges[info.range_first].dir_first, first);
	assert_int_not_equal(rig.tables.generation, cached);
}

static uint64_t bytes_of(const char *path)
{
	struct unwind_options options;
	struct sysroot root;

	assert_int_equal(sysroot__open_root(&root, path), 0);
	options = unwind_options__default(&root);
	sysroot__close(&root);
	assert_null(options.cache_dir);
	return options.bytes_max;
}

static void tables_take_a_quarter_of_the_memory_cgroup_at_most(void **state)
{
	assert_int_equal(bytes_of("tests/data/sysroot/limited/v2"), 6 * MIB); /* of the parent */
	assert_int_equal(bytes_of("tests/data/sysroot/limited/v1"), 3 * MIB);
	assert_int_equal(bytes_of("tests/data/sysroot/limited/hidden"), 1 * MIB);
	assert_int_equal(bytes_of("tests/data/sysroot/limited/open"), 16 * MIB);
	assert_int_equal(bytes_of("tests/data/sysroot/bare"), 16 * MIB);
	rig_open(MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)  cmocka_unit_test_setup_teardown(name, set_up_small, tear_down)
#define TEST2(name) cmocka_unit_test_setup_teardown(name, NULL, tear_down)
		TEST(memory_never_grows_beyond_the_budget),
		TEST2(without_a_budget_nothing_is_loaded),
		TEST(what_was_used_last_stays),
		TEST(an_evicted_windows_memory_rests_until_programs_have_ended),
		TEST(files_that_nobody_maps_make_room_first),
		TEST(rules_that_no_window_names_are_used_again),
		TEST(a_page_of_endless_rules_is_not_loaded),
		TEST(a_hostile_process_cannot_take_everybodys_ranges),
		TEST(ranges_without_room_are_refused_and_counted),
		TEST(five_thousand_processes_are_known_at_a_time),
		TEST(a_slice_comes_to_another_file_in_another_generation),
		TEST(a_full_directory_forgets_who_is_gone),
		TEST2(tables_take_a_quarter_of_the_memory_cgroup_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
