/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks that the kernel's tables walked, over a process whose mappings change: what is kept, where it is
 * cut, and what is said of its end. The process is a directory made anew for each test.
 */
#include "record_rig.h"

/* app stands still, a library comes and goes at LIB, JIT is anonymous. */
#define APP	0x400100ull
#define LIB	0x7f0000000100ull
#define JIT	0x7f1000000100ull
#define NOWHERE 0x123456ull

#define BEFORE	1ull /* any reading is later */
#define LATER	UINT64_MAX /* no reading is: another one is needed */

/* A sample of frames (leaf first, 0 ends them) with that end and tag. */
static void add(struct rig *rig, const uint64_t *frames, uint32_t end, uint32_t maps,
		uint64_t until_ns)
{
	struct pp_sample_key key = {
		.proc = { .tgid = 42, .start_boottime_ns = process.start_boottime_ns },
		.comm = "app",
		.end = end,
		.maps = maps,
	};
	struct collect_count count = {
		.key = &key,
		.tid = 42,
		.user_stored = true,
		.kernel_stored = true,
		.user_addrs = frames,
		.cnt = 1,
		.until_ns = until_ns,
	};

	while (frames[count.user_depth])
		count.user_depth++;
	window__add(&rig->window, &count, 1);
	assert_int_equal(rig->window.err, 0);
}

/* The only sample as text, leaf first, then how it ended. */
static const char *said(const struct rig *rig)
{
	static char text[512];
	const struct profile *profile = rig->window.profile;
	const struct profile_sample *sample = &profile->samples[0];
	const struct profile_stack *stack = &profile->stacks[sample->stack];
	size_t len = 0;

	assert_int_equal(profile->sample_cnt, 1);
	for (uint32_t i = 0; i < stack->depth; i++) {
		const uint32_t frame = profile->stack_frames[stack->first + i];
		char name[64];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s ",
					profile_frame__text(profile, frame, name, sizeof(name)),
					profile->frames[frame].is_return ? "r" : "",
					profile->frames[frame].is_guessed ? "?" : "");
	}
	snprintf(text + len, sizeof(text) - len, "%s", profile_stack_end__name(sample->end));
	return text;
}

static void a_walk_to_the_end_rule_is_complete(void **state)
{
	static const uint64_t frames[] = { LIB, LIB + 8, APP, 0 };
	struct rig *rig = *state;

	add(rig, frames, PP_END_COMPLETE, EPOCH << 2, LATER);
	assert_string_equal(said(rig), "a.so+0x100 a.so+0x108r app+0x100r complete");
}

static void what_the_kernel_says_of_frames_is_kept(void **state)
{
	static const uint64_t frames[] = { LIB, (LIB + 8) | PP_FRAME_EXACT, APP | PP_FRAME_GUESSED,
					   0 };
	struct rig *rig = *state;

	add(rig, frames, PP_END_RULE | PP_WALK_GUESSED, EPOCH << 2, LATER);
	assert_string_equal(said(rig), "a.so+0x100 a.so+0x108 app+0x100r? no_unwind_rule");
}

static void without_an_epoch_every_caller_was_guessed(void **state)
{
	static const uint64_t frames[] = { LIB, APP, 0 };
	struct rig *rig = *state;

	add(rig, frames, PP_END_FP_ZERO | PP_WALK_ABSENT, 0, LATER);
	assert_string_equal(said(rig), "a.so+0x100 app+0x100r? table_not_loaded");
}

static void a_page_that_was_not_loaded_never_makes_a_complete_stack(void **state)
{
	static const uint64_t frames[] = { LIB, APP, 0 };
	struct rig *rig = *state;

	add(rig, frames, PP_END_COMPLETE | PP_WALK_ABSENT, EPOCH << 2, LATER);
	assert_string_equal(said(rig), "a.so+0x100 app+0x100r table_not_loaded");
}

static void jit_code_is_counted_apart_whatever_the_end(void **state)
{
	static const uint64_t frames[] = { JIT, LIB, APP, 0 };
	static const struct {
		uint32_t end;
		const char *text;
	} rows[] = {
		{ PP_END_COMPLETE | PP_WALK_JIT, "[anon] a.so+0x100r app+0x100r jit_code" },
		{ PP_END_COMPLETE, "[anon] a.so+0x100r app+0x100r jit_code" },
		{ PP_END_FP_OUTSIDE | PP_WALK_JIT | PP_WALK_ABSENT,
		  "[anon] a.so+0x100r app+0x100r jit_code_incomplete" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = *state;

		add(rig, frames, rows[i].end, EPOCH << 2, LATER);
		assert_string_equal(said(rig), rows[i].text);
		rig__close(state);
		rig__open(state);
	}
}

static void a_replaced_library_keeps_the_samples_of_before(void **state)
{
	static const uint64_t frames[] = { LIB, APP, 0 };
	struct rig *rig = *state;

	put(rig, "proc/42/maps", APP_LINE LIB_B_LINE JIT_LINE);
	assert_int_equal(proc_table__refresh(rig->window.table, &process, 42, 1), 1);
	proc_table__set_epoch(rig->window.table, &process, EPOCH + 1);
	add(rig, frames, PP_END_COMPLETE, EPOCH << 2, BEFORE);
	assert_string_equal(said(rig), "a.so+0x100 app+0x100r complete");
}

/* What the maps show after a sample that says they may have changed since EPOCH was read. */
static void after(struct rig *rig, const char *maps, const uint64_t *frames, uint32_t tag)
{
	put(rig, "proc/42/maps", maps);
	add(rig, frames, PP_END_COMPLETE, EPOCH << 2 | tag, LATER);
}

static void a_frame_whose_code_was_replaced_is_cut(void **state)
{
	static const uint64_t frames[] = { APP, LIB, APP + 8, 0 };
	static const char *const lists[] = { APP_LINE LIB_B_LINE JIT_LINE,
					     APP_LINE LIB_A_2_LINE JIT_LINE, APP_LINE };
	static const uint32_t tags[] = { PP_MAPS_MAYBE, PP_MAPS_CHANGED };

	for (size_t i = 0; i < ARRAY_SIZE(lists) * ARRAY_SIZE(tags); i++) {
		struct rig *rig = *state;

		after(rig, lists[i / ARRAY_SIZE(tags)], frames, tags[i % ARRAY_SIZE(tags)]);
		assert_string_equal(said(rig), "app+0x100 stale_mapping");
		rig__close(state);
		rig__open(state);
	}
}

static void a_leaf_whose_code_was_replaced_is_unknown(void **state)
{
	static const uint64_t frames[] = { LIB, APP, 0 };
	struct rig *rig = *state;

	after(rig, APP_LINE LIB_B_LINE JIT_LINE, frames, PP_MAPS_MAYBE);
	assert_string_equal(said(rig), "[unknown] stale_mapping");
}

static void a_change_elsewhere_harms_nothing(void **state)
{
	static const uint64_t frames[] = { APP, APP + 8, 0 };
	struct rig *rig = *state;

	after(rig, APP_LINE LIB_B_LINE, frames, PP_MAPS_CHANGED);
	assert_string_equal(said(rig), "app+0x100 app+0x108r complete");
}

/* The same mappings before and after may have been others in between. */
static void of_a_doubted_frame_the_symbols_ask_whether_it_was_returned_to(void **state)
{
	static const uint64_t frames[] = { APP, LIB, (LIB + 8) | PP_FRAME_EXACT, APP + 8, 0 };
	struct rig *rig = *state;

	after(rig, APP_LINE LIB_A_LINE JIT_LINE, frames, PP_MAPS_MAYBE);
	assert_string_equal(said(rig), "app+0x100 a.so+0x100r? a.so+0x108 app+0x108r complete");
}

static void of_a_process_that_has_gone_only_a_sure_change_is_marked(void **state)
{
	static const uint64_t frames[] = { APP, LIB, 0 };
	static const struct {
		uint32_t tag;
		const char *text;
	} rows[] = {
		{ PP_MAPS_MAYBE, "app+0x100 a.so+0x100r complete" },
		{ PP_MAPS_CHANGED, "app+0x100 a.so+0x100r stale_mapping" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = *state;
		char path[PATH_BYTES];

		snprintf(path, sizeof(path), "%s/proc/42/stat", rig->dir);
		assert_int_equal(unlink(path), 0);
		add(rig, frames, PP_END_COMPLETE, EPOCH << 2 | rows[i].tag, LATER);
		assert_string_equal(said(rig), rows[i].text);
		rig__close(state);
		rig__open(state);
	}
}

static void a_caller_that_is_no_code_is_cut_by_how_it_was_found(void **state)
{
	static const uint64_t by_table[] = { APP, NOWHERE, 0 },
			      by_pointer[] = { APP, NOWHERE | PP_FRAME_GUESSED, 0 };
	struct rig *rig = *state;

	add(rig, by_table, PP_END_NO_MAPPING, EPOCH << 2, LATER);
	assert_string_equal(said(rig), "app+0x100 no_mapping");
	rig__close(state);
	rig__open(state);
	rig = *state;
	add(rig, by_pointer, PP_END_NO_MAPPING, EPOCH << 2, LATER);
	assert_string_equal(said(rig), "app+0x100 bad_return_address");
}

static void a_young_child_is_seen_in_its_parents_mappings(void **state)
{
	static const uint64_t frames[] = { LIB, APP, 0 };
	struct rig *rig = *state;
	struct pp_sample_key key = {
		.proc = { .tgid = 4711, .start_boottime_ns = 7 },
		.end = PP_END_COMPLETE,
		.maps = EPOCH << 2 | PP_MAPS_MAYBE,
		.maps_tgid = 42,
	};
	const struct collect_count count = { .key = &key,
					     .tid = 4711,
					     .user_depth = 2,
					     .user_stored = true,
					     .kernel_stored = true,
					     .user_addrs = frames,
					     .cnt = 1,
					     .until_ns = LATER };

	put(rig, "proc/42/maps", APP_LINE LIB_B_LINE JIT_LINE); /* the parent goes its way */
	assert_int_equal(proc_table__refresh(rig->window.table, &process, 42, 1), 1);
	proc_table__set_epoch(rig->window.table, &process, EPOCH + 1);
	window__add(&rig->window, &count, 1);
	assert_string_equal(said(rig), "a.so+0x100 app+0x100r complete");
}

static void memory_in_use_is_an_average(void **state)
{
	const struct session_spec spec = { .rate_hz = 99 };
	const struct collect_stats stats = { .clock = "cpu-clock" };
	struct rig *rig = *state;

	put(rig, "proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 900 kB\n");
	window__read_memory(&rig->window);
	put(rig, "proc/meminfo", "MemTotal: 1000 kB\n"); /* an old kernel's, or rubbish */
	window__read_memory(&rig->window);
	put(rig, "proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 700 kB\n");
	assert_int_equal(window__close(&rig->window, &rig->root, &stats, &spec), 0);
	assert_true(rig->window.profile->meta.mem_pct > 19.99 &&
		    rig->window.profile->meta.mem_pct < 20.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_walk_to_the_end_rule_is_complete),
		RIG_TEST(memory_in_use_is_an_average),
		RIG_TEST(what_the_kernel_says_of_frames_is_kept),
		RIG_TEST(without_an_epoch_every_caller_was_guessed),
		RIG_TEST(a_page_that_was_not_loaded_never_makes_a_complete_stack),
		RIG_TEST(jit_code_is_counted_apart_whatever_the_end),
		RIG_TEST(a_replaced_library_keeps_the_samples_of_before),
		RIG_TEST(a_frame_whose_code_was_replaced_is_cut),
		RIG_TEST(a_leaf_whose_code_was_replaced_is_unknown),
		RIG_TEST(a_change_elsewhere_harms_nothing),
		RIG_TEST(of_a_doubted_frame_the_symbols_ask_whether_it_was_returned_to),
		RIG_TEST(of_a_process_that_has_gone_only_a_sure_change_is_marked),
		RIG_TEST(a_caller_that_is_no_code_is_cut_by_how_it_was_found),
		RIG_TEST(a_young_child_is_seen_in_its_parents_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
