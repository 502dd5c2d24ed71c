/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The record room without a kernel: what the kernel counted becomes a profile, over the process table of
 * tests/data/sysroot/record. The life of a run is tested where there is a kernel (tests/e2e).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/record/internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define APP_ADDR     0x400123ull
#define ANON_ADDR    0x7f0000000010ull
#define NOWHERE_ADDR 0x123456ull
#define KERNEL_ADDR  0xffffffff81000010ull

struct rig {
	struct sysroot root;
	struct window window;
	struct collect_stats stats;
};

static int rig__open(void **state)
{
	static struct rig rig;

	memset(&rig, 0, sizeof(rig));
	rig.stats.clock = "cpu-clock";
	rig.stats.clock_is_software = true;
	rig.stats.rate_hz = 99;
	assert_int_equal(sysroot__open_root(&rig.root, "tests/data/sysroot/record"), 0);
	assert_int_equal(window__begin(&rig.window, &rig.root, NULL), 0);
	*state = &rig;
	return 0;
}

static int rig__close(void **state)
{
	struct rig *rig = *state;

	window__clear(&rig->window);
	sysroot__close(&rig->root);
	return 0;
}

static void add(struct rig *rig, uint32_t tgid, const uint64_t *user, uint32_t user_depth,
		const uint64_t *kernel, uint32_t kernel_depth, uint64_t cnt)
{
	struct pp_sample_key key = {
		.proc = { .tgid = tgid, .start_boottime_ns = 1000 * PP_NSEC_PER_TICK },
		.comm = "app",
		.end = user_depth ? PP_END_FP_ZERO : PP_END_NO_USER,
	};
	struct collect_count count = {
		.key = &key,
		.tid = tgid,
		.user_depth = user_depth,
		.kernel_depth = kernel_depth,
		.user_stored = true,
		.kernel_stored = true,
		.user_addrs = user,
		.kernel_addrs = kernel,
		.cnt = cnt,
	};

	window__add(&rig->window, &count, 1);
	rig->stats.counters[PP_CNT_TAKEN] += cnt;
	rig->stats.counters[PP_CNT_ACCEPTED] += cnt;
}

static const struct profile_sample *only_sample(const struct rig *rig)
{
	assert_int_equal(rig->window.profile->sample_cnt, 1);
	return &rig->window.profile->samples[0];
}

/* The text of the i-th frame of the only sample, leaf first. */
static const char *frame_text(const struct rig *rig, uint32_t i)
{
	static char text[64];
	const struct profile *profile = rig->window.profile;
	const struct profile_stack *stack = &profile->stacks[only_sample(rig)->stack];

	assert_true(i < stack->depth);
	return profile_frame__text(profile, profile->stack_frames[stack->first + i], text,
				   sizeof(text));
}

static uint32_t depth_of(const struct rig *rig)
{
	return rig->window.profile->stacks[only_sample(rig)->stack].depth;
}

static void addresses_become_module_and_offset(void **state)
{
	static const uint64_t user[] = { APP_ADDR, ANON_ADDR }, kernel[] = { KERNEL_ADDR };
	struct rig *rig = *state;

	add(rig, 42, user, 2, kernel, 1, 3);
	assert_int_equal(depth_of(rig), 3);
	assert_string_equal(frame_text(rig, 0), "[unknown]");
	assert_string_equal(frame_text(rig, 1), "app+0x1123");
	assert_string_equal(frame_text(rig, 2), "[anon]");
	assert_int_equal(only_sample(rig)->weight, 3);
	assert_int_equal(only_sample(rig)->end, STACK_END_JIT_CUT);
}

static void a_leaf_in_no_mapping_stays_as_an_unknown_frame(void **state)
{
	static const uint64_t user[] = { NOWHERE_ADDR, APP_ADDR };
	struct rig *rig = *state;

	add(rig, 42, user, 2, NULL, 0, 1);
	assert_int_equal(depth_of(rig), 2);
	assert_string_equal(frame_text(rig, 0), "[unknown]");
	assert_string_equal(frame_text(rig, 1), "app+0x1123");
	assert_int_equal(only_sample(rig)->end, STACK_END_NO_FRAME_POINTER);
}

static void a_caller_in_no_mapping_cuts_the_stack(void **state)
{
	static const uint64_t user[] = { APP_ADDR, NOWHERE_ADDR, APP_ADDR };
	struct rig *rig = *state;

	add(rig, 42, user, 3, NULL, 0, 1);
	assert_int_equal(depth_of(rig), 1);
	assert_int_equal(only_sample(rig)->end, STACK_END_BAD_RETURN);
}

static void a_process_that_has_gone_keeps_its_samples(void **state)
{
	static const uint64_t user[] = { APP_ADDR, APP_ADDR + 8 };
	struct rig *rig = *state;

	add(rig, 4711, user, 2, NULL, 0, 5);
	assert_string_equal(frame_text(rig, 0), "[unknown]");
	assert_int_equal(only_sample(rig)->weight, 5);
}

static void a_closed_window_adds_up(void **state)
{
	static const uint64_t user[] = { APP_ADDR };
	const struct session_spec spec = { .rate_hz = 99 };
	struct rig *rig = *state;
	const struct profile_account *account = &rig->window.profile->account;

	add(rig, 42, user, 1, NULL, 0, 7);
	add(rig, 42, NULL, 0, user, 1, 2);
	rig->stats.counters[PP_CNT_TAKEN] += 6;
	rig->stats.counters[PP_CNT_FILTERED_IDLE] = 4;
	rig->stats.counters[PP_CNT_LOST_FULL] = 2;
	rig->stats.expected = 16;
	assert_int_equal(window__close(&rig->window, &rig->root, &rig->stats, &spec), 0);
	assert_int_equal(profile__check(rig->window.profile), 0);
	assert_int_equal(account->accepted, 9);
	assert_int_equal(account->filtered, 4);
	assert_int_equal(account->lost, 2);
	assert_int_equal(account->missed, 1);
	assert_string_equal(account->lost_by[0].name, "maps_full");
	assert_true(rig->window.profile->meta.mem_pct > 74.9 &&
		    rig->window.profile->meta.mem_pct < 75.1);
}

static void where_the_kernel_cannot_tell_cgroups_paths_do(void **state)
{
	static const uint64_t user[] = { APP_ADDR };
	static const struct wanted_cgroups wanted = { .cnt = 2, .paths = { "/x", "/docker/a1" } };
	const struct session_spec spec = { .rate_hz = 99 };
	struct rig *rig = *state;
	const struct profile_account *account = &rig->window.profile->account;

	rig->window.wanted = &wanted;
	add(rig, 42, user, 1, NULL, 0, 7);
	add(rig, 43, user, 1, NULL, 0, 4); /* in another one */
	add(rig, 0, NULL, 0, user, 1, 2); /* idle */
	add(rig, 4711, user, 1, NULL, 0, 1); /* has gone */
	assert_int_equal(only_sample(rig)->weight, 7);
	assert_int_equal(window__close(&rig->window, &rig->root, &rig->stats, &spec), 0);
	assert_int_equal(profile__check(rig->window.profile), 0);
	assert_int_equal(account->accepted, 7);
	assert_int_equal(account->filtered, 6);
	assert_string_equal(account->filtered_by[0].name, "cgroup");
	assert_int_equal(account->lost, 1);
	assert_string_equal(account->lost_by[0].name, "cgroup_unknown");
}

static void other_cgroups_are_looked_for_again(void **state)
{
	static const uint64_t user[] = { APP_ADDR };
	static struct wanted_cgroups wanted = { .cnt = 1, .paths = { "/docker/a1" } };
	struct rig *rig = *state;

	rig->window.wanted = &wanted;
	add(rig, 42, user, 1, NULL, 0, 7);
	wanted.paths[0] = "/";
	window__forget_members(&rig->window);
	add(rig, 43, user, 1, NULL, 0, 4);
	add(rig, 0, NULL, 0, user, 1, 2);
	assert_int_equal(rig->window.added, 13);
	assert_int_equal(rig->window.unwanted + rig->window.unplaced, 0);
}

static void what_a_failed_drain_left_behind_is_lost_by_name(void **state)
{
	static const uint64_t user[] = { APP_ADDR };
	const struct session_spec spec = { .rate_hz = 99 };
	struct rig *rig = *state;
	const struct profile_account *account = &rig->window.profile->account;

	add(rig, 42, user, 1, NULL, 0, 7);
	rig->stats.counters[PP_CNT_TAKEN] += 3;
	rig->stats.counters[PP_CNT_ACCEPTED] += 3;
	assert_int_equal(window__close(&rig->window, &rig->root, &rig->stats, &spec), 0);
	assert_int_equal(profile__check(rig->window.profile), 0);
	assert_int_equal(account->accepted, 7);
	assert_int_equal(account->lost, 3);
	assert_string_equal(account->lost_by[0].name, "not_drained");
}

static void what_was_delivered_uncounted_counts_as_taken(void **state)
{
	static const uint64_t user[] = { APP_ADDR };
	const struct session_spec spec = { .rate_hz = 99 };
	struct rig *rig = *state;

	add(rig, 42, user, 1, NULL, 0, 7);
	rig->stats.counters[PP_CNT_TAKEN] = 0;
	rig->stats.counters[PP_CNT_ACCEPTED] = 0;
	assert_int_equal(window__close(&rig->window, &rig->root, &rig->stats, &spec), 0);
	assert_int_equal(profile__check(rig->window.profile), 0);
	assert_int_equal(rig->window.profile->account.taken, 7);
	assert_int_equal(rig->window.profile->account.lost, 0);
}

static void more_taken_than_expected_is_no_negative_miss(void **state)
{
	static const uint64_t user[] = { APP_ADDR };
	const struct session_spec spec = { .rate_hz = 99 };
	struct rig *rig = *state;

	add(rig, 42, user, 1, NULL, 0, 7);
	rig->stats.expected = 6;
	assert_int_equal(window__close(&rig->window, &rig->root, &rig->stats, &spec), 0);
	assert_int_equal(rig->window.profile->account.expected, 7);
	assert_int_equal(rig->window.profile->account.missed, 0);
	assert_int_equal(profile__check(rig->window.profile), 0);
}

#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, rig__open, rig__close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(addresses_become_module_and_offset),
		RIG_TEST(a_leaf_in_no_mapping_stays_as_an_unknown_frame),
		RIG_TEST(a_caller_in_no_mapping_cuts_the_stack),
		RIG_TEST(a_process_that_has_gone_keeps_its_samples),
		RIG_TEST(a_closed_window_adds_up),
		RIG_TEST(where_the_kernel_cannot_tell_cgroups_paths_do),
		RIG_TEST(other_cgroups_are_looked_for_again),
		RIG_TEST(what_a_failed_drain_left_behind_is_lost_by_name),
		RIG_TEST(what_was_delivered_uncounted_counts_as_taken),
		RIG_TEST(more_taken_than_expected_is_no_negative_miss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
