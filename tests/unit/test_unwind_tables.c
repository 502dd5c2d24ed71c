/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables as a program in the kernel sees them: ranges of processes, pages on demand, what is shared, what
 * is refused. Memory that changes hands under a slow reader is in test_unwind_tables_race.c.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=unwind_file__open,--wrap=unwind_file__from_memory,--wrap=unwind_file__close,--wrap=unwind_file__page,--wrap=proc_table__module,--wrap=proc__read_memory,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "tables_rig.h"

static const struct made_file library = { .vaddr = 0x1000,
					  .off = 0x1000,
					  .pages = 2,
					  .content = { 7, 100, 3 } };

static int set_up(void **state)
{
	rig_open(4 * MIB);
	return 0;
}

static int tear_down(void **state)
{
	rig_close();
	return 0;
}

static void assert_range(uint32_t at, uint64_t start_addr, uint64_t end_addr, uint32_t kind,
			 uint64_t bias)
{
	assert_int_equal(rig.ranges[at].start_addr, start_addr);
	assert_int_equal(rig.ranges[at].end_addr, end_addr);
	assert_int_equal(rig.ranges[at].kind, kind);
	assert_int_equal(rig.ranges[at].bias, bias);
}

static void mappings_become_ranges(void **state)
{
	struct mapping mappings[] = {
		file_at(0x400000, add_file(&library), 0x1000, 0x20000),
		file_at(0x420000, 0, 0, 0x1000), /* its file could not be opened */
		other_at(BASE, 0x1000, MAPPING_ANON, ""),
		other_at(BASE + 0x1000, 0x1000, MAPPING_ANON, "[heap]"),
		other_at(BASE + 0x3000, 0x1000, MAPPING_FILE, "/memfd:doublemapper"),
		other_at(BASE + 0x4000, 0x1000, MAPPING_SPECIAL, "[uprobes]"),
		other_at(0xffffffffff600000, 0x1000, MAPPING_SPECIAL, "[vsyscall]"),
	};
	struct pp_proc_info info = set(1, mappings, ARRAY_SIZE(mappings));
	const struct pp_proc_id id = { 1, 1, 1001 };
	uint32_t at = info.range_first;

	assert_int_equal(info.epoch, 1);
	assert_int_equal(info.range_cnt, 5);
	assert_int_equal(info.check, pp_proc_check(&id, 1, at, 5));
	assert_range(at, 0x400000, 0x420000, PP_RANGE_TABLE, 0x400000 - 0x1000);
	assert_range(at + 1, 0x420000, 0x421000, PP_RANGE_FP, 0);
	assert_range(at + 2, BASE, BASE + 0x2000, PP_RANGE_JIT, 0);
	assert_range(at + 3, BASE + 0x3000, BASE + 0x4000, PP_RANGE_JIT, 0);
	assert_range(at + 4, BASE + 0x4000, BASE + 0x5000, PP_RANGE_FP, 0);
	/* [vsyscall] lies in the kernel's half */
}

static void a_mapping_begins_with_the_page_that_holds_the_segment(void **state)
{
	const struct made_file lld = {
		.vaddr = 0x202340, .off = 0x1340, .pages = 1, .content = { 9, 10, 1 }
	};
	struct mapping mapping = file_at(BASE, add_file(&lld), 0x1000, 0x11000);
	struct pp_proc_info info = set(1, &mapping, 1);

	assert_int_equal(info.range_cnt, 1);
	assert_range(info.range_first, BASE, BASE + 0x11000, PP_RANGE_TABLE, BASE - 0x202000);
}

static void what_lies_outside_of_segments_never_leads_to_another_files_pages(void **state)
{
	uint32_t module = add_file(&library); /* code at [0x1000, 0x21000) */
	struct mapping mapping = file_at(BASE, module, 0, 0x100000);
	struct pp_proc_info info = set(1, &mapping, 1);
	uint32_t at = info.range_first;

	assert_int_equal(info.range_cnt, 3);
	assert_range(at, BASE, BASE + 0x1000, PP_RANGE_FP, 0);
	assert_range(at + 1, BASE + 0x1000, BASE + 0x21000, PP_RANGE_TABLE, BASE);
	assert_range(at + 2, BASE + 0x21000, BASE + 0x100000, PP_RANGE_FP, 0);
	mapping =
		file_at(BASE, module, 0x20000, 0x1000); /* a piece of it, as mprotect makes them */
	info = set(2, &mapping, 1);
	assert_range(info.range_first, BASE, BASE + 0x1000, PP_RANGE_TABLE, BASE - 0x20000);
	mapping.module = add_file(&(struct made_file){
		.vaddr = 0x10000, .off = 0xfff, .pages = 1, .content = { 5, 10, 1 } });
	info = set(3, &mapping, 1); /* segments that no loader could map */
	assert_range(info.range_first, BASE, BASE + 0x1000, PP_RANGE_FP, 0);
}

static void the_vdso_has_a_table(void **state)
{
	struct mapping mapping = other_at(BASE, 0x2000, MAPPING_VDSO, "[vdso]");
	struct pp_proc_info info = set(1, &mapping, 1);

	assert_int_equal(rig.ranges[info.range_first].kind, PP_RANGE_TABLE);
	assert_int_equal(rig.ranges[info.range_first].bias, BASE);
	want(&info, BASE + 0x800);
	assert_int_equal(rule_at(&info, BASE + 0x800) >> 40, 0xfd50);
	info = set(2, &mapping, 1);
	assert_int_equal(stats_now().files, 1);
}

static void the_epoch_changes_when_the_mappings_do(void **state)
{
	uint32_t module = add_file(&library);
	struct mapping here = file_at(BASE, module, 0x1000, 0x20000);
	struct mapping there = file_at(BASE + 0x100000, module, 0x1000, 0x20000);
	struct pp_proc_info first = set(1, &here, 1), second;

	second = set(1, &here, 1);
	assert_memory_equal(&first, &second, sizeof(first));
	second = set(1, &there, 1);
	assert_int_equal(second.epoch, 2);
	assert_int_not_equal(second.range_first, first.range_first);
	assert_range(first.range_first, BASE, BASE + 0x20000, PP_RANGE_TABLE, BASE - 0x1000);
	second = set(1, &here, 1);
	assert_int_equal(second.epoch, 3);
	assert_int_not_equal(second.range_first, first.range_first); /* still in quarantine */
	second = set(1, NULL, 0);
	assert_int_equal(second.epoch, 4);
	assert_int_equal(second.range_cnt, 0);
	rig.self->processes[0].epoch = PP_EPOCH_MAX;
	assert_int_equal(set(1, &here, 1).epoch, 1); /* 0 would mean: none known */
}

static void forked_workers_share_their_ranges(void **state)
{
	struct mapping mapping = file_at(BASE, add_file(&library), 0x1000, 0x20000);
	struct pp_proc_info parent = set(1, &mapping, 1), child = set(2, &mapping, 1);
	const struct proc_id id = process_id(1);

	assert_int_equal(parent.range_first, child.range_first);
	assert_int_equal(stats_now().ranges, 1);
	unwind_tables__drop_process(rig.self, &id);
	unwind_tables__drop_process(rig.self, &id);
	settle();
	assert_int_equal(stats_now().processes, 1);
	mapping.start_addr += 0x1000;
	mapping.off += 0x1000;
	assert_int_not_equal(set(3, &mapping, 1).range_first, child.range_first);
	assert_range(child.range_first, BASE, BASE + 0x20000, PP_RANGE_TABLE, BASE - 0x1000);
}

static void a_page_is_there_once_it_was_wanted(void **state)
{
	struct mapping mapping = file_at(BASE, add_file(&library), 0x1000, 0x20000);
	struct pp_proc_info info = set(1, &mapping, 1);
	uint64_t addr = BASE + 0x8000; /* vaddr 0x9000, row 57 of 100 */

	assert_int_equal(rule_at(&info, addr), RULE_ABSENT);
	want(&info, addr);
	want(&info, addr);
	assert_int_equal(fake_files.converted, 1);
	assert_int_equal(rule_at(&info, addr), made_rule(7, 0, 0x9000 / 655 % 3));
	assert_int_equal(rule_at(&info, BASE + 0x10000), RULE_ABSENT);
	assert_int_equal(stats_now().pages_loaded, 1);
	assert_int_equal(stats_now().rows, 100);
	assert_int_equal(stats_now().bytes, 3 * 64 * 4);
	assert_int_equal(stats_now().part_bytes, 2 * MIB);
	unwind_tables__want_page(rig.self, UINT32_MAX, &(struct proc_id){ 0 }, 0, 0);
	unwind_tables__want_page(rig.self, 0, &(struct proc_id){ 0 }, 0, 0);
	assert_false(wire_work_off());
}

static void pages_without_rows_or_damaged_are_not_asked_for_again(void **state)
{
	struct made_file file = library;
	struct mapping mapping;
	struct pp_proc_info info;

	file.content.row_cnt = NO_ROWS;
	mapping = file_at(BASE, add_file(&file), 0x1000, 0x20000);
	info = set(1, &mapping, 1);
	want(&info, BASE);
	assert_int_equal(rig.dir[dir_index(&info, BASE)].window, PP_WINDOW_NO_ROWS);
	assert_int_equal(stats_now().pages_failed, 0);
	file.content.row_cnt = BROKEN;
	mapping = file_at(BASE, add_file(&file), 0x1000, 0x20000);
	info = set(2, &mapping, 1);
	want(&info, BASE);
	assert_int_equal(rig.dir[dir_index(&info, BASE)].window, PP_WINDOW_NO_ROWS);
	assert_int_equal(stats_now().pages_failed, 1);
}

static void a_file_changed_while_it_is_read_gives_no_rows(void **state)
{
	uint32_t module = add_file(&library);
	struct mapping mapping = file_at(BASE, module, 0x1000, 0x20000);
	struct pp_proc_info info = set(1, &mapping, 1), later;

	assert_int_equal(ftruncate(rig.modules[module].fd, 0x30000), 0);
	want(&info, BASE);
	assert_int_equal(rule_at(&info, BASE), PP_RULE_NONE);
	assert_int_equal(stats_now().pages_failed, 1);
	later = set(1, &mapping, 1); /* another file now */
	assert_int_equal(later.epoch, 2);
	want(&later, BASE);
	assert_int_equal(rule_at(&later, BASE), made_rule(7, 0, 0x1000 / 655 % 3));
}

static void a_stack_is_complete_after_two_rounds(void **state)
{
	struct made_file big = library;
	struct mapping mapping;
	struct pp_proc_info info;
	const struct proc_id id = process_id(1);
	uint64_t stack[32];

	big.pages = 100;
	mapping = file_at(BASE, add_file(&big), 0x1000, 100 * PP_PAGE_BYTES);
	info = set(1, &mapping, 1);
	for (uint32_t i = 0; i < 32; i++) /* every other word is data */
		stack[i] = i % 2 ? BASE + i * 2 * PP_PAGE_BYTES + 0x123 : i * 8191;
	rig.stack = stack;
	rig.stack_bytes = sizeof(stack);
	unwind_tables__want_page(rig.self, dir_index(&info, BASE), &id, 1, 0x7ffc0000);
	assert_true(wire_work_off());
	assert_true(wire_work_off());
	assert_false(wire_work_off());
	for (uint32_t i = 1; i < 32; i += 2)
		assert_int_not_equal(rule_at(&info, stack[i]), RULE_ABSENT);
	assert_int_equal(stats_now().pages_loaded, 17);
	assert_int_equal(fake_files.opened, 1);
}

static void equal_files_share_a_slice_once_they_were_compared(void **state)
{
	struct made_file image = library;
	struct mapping a, b;
	struct pp_proc_info first, second, forged;

	image.vaddr = image.off = 0; /* the contents stand where the entry is */
	image.build_id = "1234567";
	a = file_at(BASE, add_file(&image), 0, 0x20000);
	b = file_at(BASE + 0x500000, add_file(&image), 0, 0x20000);
	first = set(1, &a, 1);
	want(&first, BASE);
	second = set(2, &b, 1);
	assert_int_not_equal(dir_index(&first, BASE), dir_index(&second, BASE + 0x500000));
	work_all();
	assert_int_equal(dir_index(&first, BASE), dir_index(&second, BASE + 0x500000));
	assert_int_equal(rule_at(&second, BASE + 0x500000), made_rule(7, 0, 0));
	assert_int_equal(stats_now().files, 1);
	assert_memory_equal(&(struct pp_proc_info[]){ set(2, &b, 1) }, &second, sizeof(second));

	image.content.id = 666; /* a build id is only a claim */
	b = file_at(BASE + 0x900000, add_file(&image), 0, 0x20000);
	forged = set(3, &b, 1);
	work_all();
	want(&forged, BASE + 0x900000);
	assert_int_equal(rule_at(&forged, BASE + 0x900000), made_rule(666, 0, 0));
	assert_int_equal(rule_at(&first, BASE), made_rule(7, 0, 0));
	assert_int_equal(stats_now().files, 2);
}

/* frames.so with one byte changed, as another container has it. Returns how many files are told apart. */
static uint32_t files_with_change_at(uint32_t off)
{
	_auto_close_ int fd = open("tests/data/elf/frames.so", O_RDONLY | O_CLOEXEC);
	char data[8192];
	ssize_t len = read(fd, data, sizeof(data));

	assert_in_range(len, 0xf80, sizeof(data) - 1);
	unwind_tables__drop_all(rig.self);
	for (uint32_t i = 1; i <= 2; i++) {
		int copy = memfd_create("frames", MFD_CLOEXEC);
		struct mapping mapping = file_at(BASE, rig.module_cnt, 0, 0x1000);

		assert_int_equal(write(copy, data, (size_t)len), len);
		rig.modules[rig.module_cnt++] = (struct proc_module){ .fd = copy, .path = "" };
		assert_int_equal(rig.ranges[set(i, &mapping, 1).range_first].kind, PP_RANGE_TABLE);
		data[off]++;
	}
	work_all();
	return stats_now().files;
}

static void files_are_told_apart_where_their_rows_are_made_from(void **state)
{
	assert_int_equal(files_with_change_at(0xf50), 1); /* .dynamic: no rows come from there */
	assert_int_equal(files_with_change_at(0xb98 + 0x30), 2); /* .eh_frame */
	assert_int_equal(files_with_change_at(offsetof(Elf64_Ehdr, e_entry)), 2);
}

static int count_file(void *arg, const struct unwind_loaded_file *file)
{
	*(struct unwind_loaded_file *)arg = *file;
	return 0;
}

static void loaded_files_tell_their_facts(void **state)
{
	struct mapping mapping = file_at(BASE, add_file(&library), 0x1000, 0x20000);
	struct pp_proc_info info = set(1, &mapping, 1);
	struct unwind_loaded_file file;

	want(&info, BASE);
	rig.dir[dir_index(&info, BASE)].hits = 5;
	assert_int_equal(unwind_tables__each_file(rig.self, count_file, &file), 0);
	assert_int_equal(file.page_cnt, 3);
	assert_int_equal(file.pages_loaded, 1);
	assert_int_equal(file.rows, 100);
	assert_int_equal(file.bytes, 3 * 64 * 4);
	assert_int_equal(file.hits, 5);
	assert_int_equal(file.range_cnt, 1);
}

static void everything_is_given_back(void **state)
{
	struct mapping mapping = file_at(BASE, add_file(&library), 0x1000, 0x20000);
	struct pp_proc_info info = set(1, &mapping, 1);
	struct unwind_stats none = { 0 };

	want(&info, BASE);
	unwind_tables__want_page(rig.self, dir_index(&info, BASE + 0x10000), &(struct proc_id){ 0 },
				 0, 0);
	unwind_tables__drop_all(rig.self); /* while a worker still converts */
	none.pages_converted = 1;
	none.convert_ns = stats_now().convert_ns;
	assert_memory_equal(&(struct unwind_stats[]){ stats_now() }, &none, sizeof(none));
	assert_int_equal(rig.part_cnt, 0);
	info = set(1, &mapping, 1);
	assert_int_equal(info.epoch, 1);
	work_all();
	assert_int_equal(rule_at(&info, BASE + 0x10000), RULE_ABSENT);
	want(&info, BASE + 0x10000);
	assert_int_equal(rule_at(&info, BASE + 0x10000), made_rule(7, 1, 0x1000 / 655 % 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(mappings_become_ranges),
		TEST(a_mapping_begins_with_the_page_that_holds_the_segment),
		TEST(what_lies_outside_of_segments_never_leads_to_another_files_pages),
		TEST(the_vdso_has_a_table),
		TEST(the_epoch_changes_when_the_mappings_do),
		TEST(forked_workers_share_their_ranges),
		TEST(a_page_is_there_once_it_was_wanted),
		TEST(pages_without_rows_or_damaged_are_not_asked_for_again),
		TEST(a_file_changed_while_it_is_read_gives_no_rows),
		TEST(a_stack_is_complete_after_two_rounds),
		TEST(equal_files_share_a_slice_once_they_were_compared),
		TEST(files_are_told_apart_where_their_rows_are_made_from),
		TEST(loaded_files_tell_their_facts),
		TEST(everything_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
