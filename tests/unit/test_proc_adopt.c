/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two process tables of runs that go on side by side: what one has read stands in the other with the same
 * epochs, with files of its own, and in the order in which it was read.
 */
#include <fcntl.h>
#include <unistd.h>

#include "record_rig.h"

#define LIB_ADDR 0x7f0000000100ull

static const char *path_at(struct proc_table *table, const struct proc_id *id, uint32_t epoch,
			   uint64_t addr)
{
	const struct mapping *mapping;

	if (proc_table__find_at(table, id, epoch, false, addr, &mapping))
		return "";
	return proc_table__module(table, mapping->module)->path;
}

static uint32_t mapping_cnt(const struct proc_table *table, const struct proc_id *id)
{
	const struct mapping *mappings;
	uint32_t cnt;

	return proc_table__mappings(table, id, &mappings, &cnt) ? 0 : cnt;
}

static void what_one_table_has_read_stands_in_the_other(void **state)
{
	struct rig *rig = *state;
	struct proc_table *other;

	assert_int_equal(proc_table__new(&rig->root, &other), 0);
	assert_int_equal(proc_table__adopt(other, rig->window.table, &process), 0);
	window__clear(&rig->window); /* nothing is borrowed from it */
	assert_int_equal(mapping_cnt(other, &process), 3);
	assert_string_equal(path_at(other, &process, EPOCH, LIB_ADDR), "/usr/lib/a.so");
	assert_string_equal(path_at(other, &process, EPOCH, 0x400100), "/usr/bin/app");
	proc_table__free(other);
}

/* An epoch that is unknown is what all readings agree upon: a library that only one has is then no code. */
static void an_epoch_means_the_same_in_both(void **state)
{
	struct rig *rig = *state;
	struct proc_table *other, *table = rig->window.table;

	assert_int_equal(proc_table__new(&rig->root, &other), 0);
	assert_int_equal(proc_table__adopt(other, table, &process), 0);
	put(rig, "proc/42/maps", APP_LINE LIB_B_LINE);
	assert_int_equal(proc_table__refresh(table, &process, 42, 1ull << 62), 1);
	proc_table__set_epoch(table, &process, EPOCH + 1);
	assert_int_equal(proc_table__adopt(other, table, &process), 0);
	assert_string_equal(path_at(other, &process, EPOCH, LIB_ADDR), "/usr/lib/a.so");
	assert_string_equal(path_at(other, &process, EPOCH + 1, LIB_ADDR), "/usr/lib/b.so");
	/* given out again, nothing read */
	proc_table__set_epoch(table, &process, EPOCH + 2);
	assert_int_equal(proc_table__adopt(other, table, &process), 0);
	assert_string_equal(path_at(other, &process, EPOCH + 2, LIB_ADDR), "/usr/lib/b.so");
	proc_table__free(other);
}

static void what_was_read_earlier_does_not_follow_what_was_read_later(void **state)
{
	struct rig *rig = *state;
	struct proc_table *other;

	assert_int_equal(proc_table__new(&rig->root, &other), 0);
	put(rig, "proc/42/maps", APP_LINE LIB_B_LINE);
	assert_int_equal(proc_table__note(other, &process, 42), 0);
	proc_table__set_epoch(other, &process, EPOCH + 1);
	assert_int_equal(proc_table__adopt(other, rig->window.table, &process), 0);
	assert_int_equal(mapping_cnt(other, &process), 2);
	assert_string_equal(path_at(other, &process, EPOCH + 1, LIB_ADDR), "/usr/lib/b.so");
	proc_table__free(other);
}

static void of_a_process_that_nobody_read_nothing_is_known(void **state)
{
	const struct proc_id nobody = { .pid = 43 };
	const struct proc_id next = { .pid = 42,
				      .exec_id = 1,
				      .start_boottime_ns = process.start_boottime_ns };
	struct rig *rig = *state;
	struct proc_table *other;

	assert_int_equal(proc_table__new(&rig->root, &other), 0);
	assert_int_equal(proc_table__adopt(other, rig->window.table, &nobody), -ESRCH);
	put(rig, "proc/42/maps", APP_LINE LIB_B_LINE);
	assert_int_equal(proc_table__note(other, &next, 42), 0); /* it has called exec since */
	assert_int_equal(proc_table__adopt(other, rig->window.table, &process), -ESRCH);
	proc_table__free(other);
}

static void files_stay_open_when_the_first_table_goes(void **state)
{
	const struct proc_module *module;
	struct proc_table *first, *second;
	struct sysroot root;
	const struct mapping *mapping;
	struct proc_stat stat;
	struct proc_id self = { .pid = (uint32_t)getpid() };
	const uint64_t addr = (uintptr_t)mapping_cnt;
	char magic[4];

	assert_int_equal(sysroot__open_root(&root, "/"), 0);
	assert_int_equal(proc__stat(&root, self.pid, &stat), 0);
	self.start_boottime_ns = stat.start_ticks * PP_NSEC_PER_TICK;
	assert_int_equal(proc_table__new(&root, &first), 0);
	assert_int_equal(proc_table__new(&root, &second), 0);
	assert_int_equal(proc_table__note(first, &self, self.pid), 0);
	assert_int_equal(proc_table__adopt(second, first, &self), 0);
	proc_table__free(first);
	assert_int_equal(proc_table__find(second, &self, addr, &mapping), 0);
	module = proc_table__module(second, mapping->module);
	assert_true(module->fd >= 0);
	assert_int_equal(fcntl(module->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(pread(module->fd, magic, 4, 0), 4);
	assert_memory_equal(magic, "\177ELF", 4);
	proc_table__free(second);
	sysroot__close(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(what_one_table_has_read_stands_in_the_other),
		RIG_TEST(an_epoch_means_the_same_in_both),
		RIG_TEST(what_was_read_earlier_does_not_follow_what_was_read_later),
		RIG_TEST(of_a_process_that_nobody_read_nothing_is_known),
		RIG_TEST(files_stay_open_when_the_first_table_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
