/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of a program's questions, between a played kernel and played tables: when mappings are read,
 * what is put into the process table, how often a process may ask, who is forgotten.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=collect_tables__get,--wrap=collect__put_process,--wrap=collect__drop_process,--wrap=unwind_tables__new,--wrap=unwind_tables__free,--wrap=unwind_tables__set_process,--wrap=unwind_tables__drop_process,--wrap=unwind_tables__want_page,--wrap=unwind_tables__settled,--wrap=unwind_tables__tick,--wrap=unwind_tables__drop_all,--wrap=unwind_tables__stats */
#include "record_rig.h"

#include "fake_loop.h"
#include "pp/collect_tables.h"
#include "pp/unwind_tables.h"

static struct {
	bool has_no_walk; /* the kernel does not take it */
	int refuse_new; /* unwind_tables__new fails with this */
	int refuse; /* set_process fails with this */
	struct pp_tables tables;
	struct unwind_options options;

	uint32_t epoch; /* of process 42 */
	uint32_t mapping_cnt; /* as set last */
	uint64_t first_inode;
	struct pp_proc_info row; /* as put last */
	uint32_t puts, drops_kernel, drops_tables, drops_all, pages, settled, ticks;
} kernel;

int __wrap_collect_tables__get(struct collect *self, struct collect_tables *ret_tables);
int __wrap_collect__put_process(struct collect *self, const struct pp_proc_id *proc,
				const struct pp_proc_info *info);
void __wrap_collect__drop_process(struct collect *self, const struct pp_proc_id *proc);
int __wrap_unwind_tables__new(struct loop *loop, const struct sysroot *root,
			      const struct unwind_memory *memory,
			      const struct unwind_options *options,
			      struct unwind_tables **ret_tables);
void __wrap_unwind_tables__free(struct unwind_tables *self);
int __wrap_unwind_tables__set_process(struct unwind_tables *self, const struct proc_id *id,
				      const struct mapping *mappings, uint32_t mapping_cnt,
				      const struct proc_table *modules,
				      struct pp_proc_info *ret_info);
void __wrap_unwind_tables__drop_process(struct unwind_tables *self, const struct proc_id *id);
void __wrap_unwind_tables__want_page(struct unwind_tables *self, uint32_t dir_index,
				     const struct proc_id *id, uint32_t tid, uint64_t sp);
void __wrap_unwind_tables__settled(struct unwind_tables *self);
void __wrap_unwind_tables__tick(struct unwind_tables *self, uint64_t now_ns);
void __wrap_unwind_tables__drop_all(struct unwind_tables *self);
void __wrap_unwind_tables__stats(const struct unwind_tables *self, struct unwind_stats *ret_stats);

int __wrap_collect_tables__get(struct collect *self, struct collect_tables *ret_tables)
{
	*ret_tables = (struct collect_tables){ .tables = &kernel.tables };
	return kernel.has_no_walk ? -EOPNOTSUPP : 0;
}

int __wrap_collect__put_process(struct collect *self, const struct pp_proc_id *proc,
				const struct pp_proc_info *info)
{
	kernel.row = *info;
	kernel.puts++;
	return 0;
}

void __wrap_collect__drop_process(struct collect *self, const struct pp_proc_id *proc)
{
	kernel.drops_kernel++;
}

int __wrap_unwind_tables__new(struct loop *loop, const struct sysroot *root,
			      const struct unwind_memory *memory,
			      const struct unwind_options *options,
			      struct unwind_tables **ret_tables)
{
	kernel.options = *options;
	if (kernel.refuse_new)
		return kernel.refuse_new;
	*ret_tables = (struct unwind_tables *)&kernel;
	return 0;
}

void __wrap_unwind_tables__free(struct unwind_tables *self)
{
}

int __wrap_unwind_tables__set_process(struct unwind_tables *self, const struct proc_id *id,
				      const struct mapping *mappings, uint32_t mapping_cnt,
				      const struct proc_table *modules,
				      struct pp_proc_info *ret_info)
{
	uint64_t inode = mapping_cnt > 1 ? mappings[1].inode : 0;

	if (kernel.refuse)
		return kernel.refuse;
	if (mapping_cnt != kernel.mapping_cnt || inode != kernel.first_inode)
		kernel.epoch++;
	kernel.mapping_cnt = mapping_cnt;
	kernel.first_inode = inode;
	*ret_info = (struct pp_proc_info){ .epoch = kernel.epoch, .range_cnt = mapping_cnt };
	return 0;
}

void __wrap_unwind_tables__drop_process(struct unwind_tables *self, const struct proc_id *id)
{
	kernel.drops_tables++;
}

void __wrap_unwind_tables__want_page(struct unwind_tables *self, uint32_t dir_index,
				     const struct proc_id *id, uint32_t tid, uint64_t sp)
{
	assert_int_equal(dir_index, 17);
	assert_int_equal(id->pid, 42);
	assert_int_equal(tid, 43);
	assert_int_equal(sp, 0x7ffe0000);
	kernel.pages++;
}

void __wrap_unwind_tables__settled(struct unwind_tables *self)
{
	kernel.settled++;
}

void __wrap_unwind_tables__tick(struct unwind_tables *self, uint64_t now_ns)
{
	kernel.ticks++;
}

void __wrap_unwind_tables__drop_all(struct unwind_tables *self)
{
	kernel.drops_all++;
}

void __wrap_unwind_tables__stats(const struct unwind_tables *self, struct unwind_stats *ret_stats)
{
	*ret_stats = (struct unwind_stats){ .pages_loaded = 3,
					    .pages_converted = 10 * (kernel.settled + 1) };
}

static struct unwinder *begin(struct rig *rig, bool has_no_walk)
{
	const struct record_options options = { .cache_dir = "/cache" };
	struct unwinder *unwinder;

	memset(&kernel, 0, sizeof(kernel));
	kernel.has_no_walk = has_no_walk;
	window__clear(&rig->window); /* the rig's has read the process already */
	assert_int_equal(window__begin(&rig->window, &rig->root, NULL), 0);
	assert_int_equal(unwinder__new(NULL, &rig->root, NULL, &options, &unwinder), 0);
	unwinder__begin(unwinder);
	unwinder__mark(unwinder, &rig->window.mark);
	return unwinder;
}

/* A sample asks; the mm it saw is told apart by its seq. */
static void ask(struct rig *rig, struct unwinder *unwinder, uint32_t tgid, enum pp_ask why,
		uint32_t seq)
{
	const struct pp_rec_proc rec = {
		.proc = { .tgid = tgid, .start_boottime_ns = process.start_boottime_ns },
		.tid = tgid,
		.why = why,
		.mm = { .seq = seq },
	};

	unwinder__process(unwinder, rig->window.table, &rec);
}

/* A window ends and the next one begins, as of a single run. */
static void end_window(struct rig *rig, struct unwinder *unwinder,
		       struct profile_tables *ret_tables)
{
	const struct unwinder_mark *mark = &rig->window.mark;

	unwinder__end_window(unwinder, mark, mark->window, ret_tables);
	unwinder__mark(unwinder, &rig->window.mark);
}

static void a_new_process_gets_its_ranges(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);
	const struct mapping *mapping;

	assert_int_equal(kernel.tables.on, 1);
	assert_string_equal(kernel.options.cache_dir, "/cache");
	ask(rig, unwinder, 42, PP_ASK_NEW, 7);
	assert_int_equal(kernel.puts, 1);
	assert_int_equal(kernel.row.epoch, 1);
	assert_int_equal(kernel.row.range_cnt, 3);
	assert_int_equal(kernel.row.mm.seq, 7);
	assert_int_equal(kernel.row.ask_ms, 2);
	assert_int_equal(
		proc_table__find_at(rig->window.table, &process, 1, false, 0x400100, &mapping), 0);
	unwinder__free(unwinder);
}

static void readings_that_bring_nothing_become_rare(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);

	ask(rig, unwinder, 42, PP_ASK_NEW, 1);
	for (uint32_t i = 1, ask_ms = 4; i < 14; i++, ask_ms *= 2) {
		wire_now_ns += 10000000000;
		ask(rig, unwinder, 42, PP_ASK_MAYBE, 1 + i);
		assert_int_equal(kernel.puts, 1 + i);
		assert_int_equal(kernel.row.epoch, 1);
		assert_int_equal(kernel.row.mm.seq,
				 1 + i); /* its samples are not doubted any more */
		assert_int_equal(kernel.row.ask_ms, min_of(ask_ms, 1600u));
	}
	put(rig, "proc/42/maps", APP_LINE LIB_B_LINE JIT_LINE);
	wire_now_ns += 10000000000;
	ask(rig, unwinder, 42, PP_ASK_CHANGED, 99);
	assert_int_equal(kernel.row.epoch, 2);
	assert_int_equal(kernel.row.ask_ms, 2);
	unwinder__free(unwinder);
}

static void what_was_asked_too_soon_is_not_answered(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);

	ask(rig, unwinder, 42, PP_ASK_NEW, 1);
	wire_now_ns += 10000000000;
	ask(rig, unwinder, 42, PP_ASK_MAYBE, 2);
	assert_int_equal(kernel.puts, 2);
	ask(rig, unwinder, 42, PP_ASK_MAYBE, 3);
	assert_int_equal(kernel.puts, 2);
	/* announced again, its row is empty: the mappings as they were read, with the mm of then */
	ask(rig, unwinder, 42, PP_ASK_NEW, 4);
	assert_int_equal(kernel.puts, 3);
	assert_int_equal(kernel.row.mm.seq, 2);
	assert_int_equal(kernel.row.range_cnt, 3);
	unwinder__free(unwinder);
}

static void what_the_tables_refuse_is_walked_by_frame_pointer(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);

	kernel.refuse = -ENOSPC;
	ask(rig, unwinder, 42, PP_ASK_NEW, 7);
	assert_int_equal(kernel.puts, 1);
	assert_int_equal(kernel.row.epoch, 0);
	assert_int_equal(kernel.row.range_cnt, 0);
	assert_true(kernel.row.ask_ms >= 2);
	unwinder__free(unwinder);
}

static void without_the_walk_maps_are_read_and_nothing_else_happens(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, true);
	struct profile_tables tables;
	const struct mapping *mapping;

	ask(rig, unwinder, 42, PP_ASK_NEW, 7);
	assert_int_equal(proc_table__find(rig->window.table, &process, 0x400100, &mapping), 0);
	assert_int_equal(kernel.row.epoch, 0);
	unwinder__drained(unwinder);
	unwinder__tick(unwinder);
	end_window(rig, unwinder, &tables);
	assert_false(tables.on);
	assert_int_equal(tables.off_err, -EOPNOTSUPP);
	unwinder__end(unwinder);
	wire_expire();
	assert_int_equal(kernel.settled + kernel.ticks + kernel.drops_all, 0);
	unwinder__free(unwinder);
}

static void tables_that_find_no_memory_leave_a_profile_by_frame_pointers(void **state)
{
	const struct record_options options = { .cache_dir = "/cache" };
	struct rig *rig = *state;
	struct unwinder *unwinder;
	struct unwinder_mark mark;

	memset(&kernel, 0, sizeof(kernel));
	kernel.refuse_new = -ENOMEM;
	assert_int_equal(unwinder__new(NULL, &rig->root, NULL, &options, &unwinder), 0);
	assert_int_equal(kernel.tables.on, 0); /* programs mark what they guess */
	unwinder__mark(unwinder, &mark);
	assert_false(mark.tables.on);
	assert_int_equal(mark.tables.off_err, -ENOMEM);
	unwinder__free(unwinder);
}

static void pages_drains_and_ticks_are_passed_on(void **state)
{
	const struct pp_rec_page page = {
		.proc = { .tgid = 42, .start_boottime_ns = process.start_boottime_ns },
		.tid = 43,
		.dir_index = 17,
		.sp = 0x7ffe0000,
	};
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);
	struct profile_tables tables;

	unwinder__page(unwinder, &page);
	unwinder__tick(unwinder);
	assert_int_equal(kernel.pages + kernel.ticks, 2);
	end_window(rig, unwinder, &tables);
	assert_true(tables.on);
	assert_int_equal(tables.pages, 3);
	assert_int_equal(tables.pages_converted, 0);
	unwinder__drained(unwinder);
	assert_int_equal(kernel.settled, 1);
	end_window(rig, unwinder, &tables);
	assert_int_equal(tables.pages_converted, 10); /* of this window alone */
	unwinder__free(unwinder);
}

static void who_was_not_sampled_in_a_window_is_forgotten(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);
	struct profile_tables tables;

	for (uint32_t pid = 1000; pid < 1010; pid++) /* gone before their maps could be read */
		ask(rig, unwinder, pid, PP_ASK_NEW, 1);
	ask(rig, unwinder, 42, PP_ASK_NEW, 1);
	end_window(rig, unwinder, &tables);
	assert_int_equal(kernel.drops_kernel, 0);
	ask(rig, unwinder, 42, PP_ASK_NEW, 1);
	end_window(rig, unwinder, &tables);
	assert_int_equal(kernel.drops_kernel, 10);
	assert_int_equal(kernel.drops_tables, 10);
	end_window(rig, unwinder, &tables);
	assert_int_equal(kernel.drops_kernel, 11);
	unwinder__free(unwinder);
}

static void who_was_sampled_in_a_longer_window_of_another_run_stays(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);
	const uint32_t longer = rig->window.mark.window;
	struct profile_tables tables;
	struct unwinder_mark brief;

	ask(rig, unwinder, 42, PP_ASK_NEW, 1);
	for (uint32_t i = 0; i < 3; i++) { /* three short runs beside it */
		unwinder__mark(unwinder, &brief);
		ask(rig, unwinder, 1000 + i, PP_ASK_NEW, 1);
		unwinder__end_window(unwinder, &brief, longer, &tables);
	}
	assert_int_equal(kernel.drops_kernel, 0);
	end_window(rig, unwinder, &tables);
	assert_int_equal(kernel.drops_kernel, 0); /* all of them: in this window */
	end_window(rig, unwinder, &tables);
	assert_int_equal(kernel.drops_kernel, 4);
	unwinder__free(unwinder);
}

static void each_run_is_told_what_came_in_its_own_window(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);
	struct profile_tables tables;
	struct unwinder_mark second;

	unwinder__drained(unwinder);
	unwinder__mark(unwinder, &second);
	unwinder__drained(unwinder);
	unwinder__end_window(unwinder, &second, 1, &tables);
	assert_int_equal(tables.pages_converted, 10);
	unwinder__end_window(unwinder, &rig->window.mark, 1, &tables);
	assert_int_equal(tables.pages_converted, 20);
	unwinder__free(unwinder);
}

static void ten_idle_minutes_give_everything_back(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);

	ask(rig, unwinder, 42, PP_ASK_NEW, 1);
	unwinder__end(unwinder);
	assert_int_equal(wire_timer->after_ms, 600000);
	unwinder__begin(unwinder);
	assert_false(wire_timer->active);
	unwinder__end(unwinder);
	wire_expire();
	assert_int_equal(kernel.drops_tables, 1);
	assert_int_equal(kernel.drops_all, 1);
	unwinder__free(unwinder);
}

static void of_many_processes_those_that_have_gone_are_dropped(void **state)
{
	struct rig *rig = *state;
	struct unwinder *unwinder = begin(rig, false);

	ask(rig, unwinder, 42, PP_ASK_NEW, 1);
	for (uint32_t pid = 1000; pid < 5000; pid++)
		ask(rig, unwinder, pid, PP_ASK_NEW, 1);
	for (uint32_t second = 0; second < 60; second++)
		unwinder__tick(unwinder);
	/* a sixteenth a second, down to 2,047 and what the last second takes */
	assert_true(kernel.drops_kernel >= 4001 - 2047 && kernel.drops_kernel < 4001 - 1900);
	wire_now_ns += 10000000000;
	kernel.puts = 0;
	ask(rig, unwinder, 42, PP_ASK_MAYBE, 2);
	assert_int_equal(kernel.puts, 1);
	assert_int_equal(kernel.row.ask_ms, 4); /* still known */
	unwinder__free(unwinder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_new_process_gets_its_ranges),
		RIG_TEST(readings_that_bring_nothing_become_rare),
		RIG_TEST(what_was_asked_too_soon_is_not_answered),
		RIG_TEST(what_the_tables_refuse_is_walked_by_frame_pointer),
		RIG_TEST(without_the_walk_maps_are_read_and_nothing_else_happens),
		RIG_TEST(tables_that_find_no_memory_leave_a_profile_by_frame_pointers),
		RIG_TEST(pages_drains_and_ticks_are_passed_on),
		RIG_TEST(who_was_not_sampled_in_a_window_is_forgotten),
		RIG_TEST(who_was_sampled_in_a_longer_window_of_another_run_stays),
		RIG_TEST(each_run_is_told_what_came_in_its_own_window),
		RIG_TEST(ten_idle_minutes_give_everything_back),
		RIG_TEST(of_many_processes_those_that_have_gone_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
