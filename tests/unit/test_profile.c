/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The waist: identical things exist once, weights add up, limits hold and leave the profile as it was,
 * and every broken equation is noticed.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=intern__bytes */
#include "pp/profile.h"
#include "pp/profile_inlined.h"

#include <errno.h>
#include <stdio.h>

#include "made_profile.h"
#include "pp/base/cleanup.h"

static size_t pretended_bytes;

size_t __real_intern__bytes(const struct intern *self);
size_t __wrap_intern__bytes(const struct intern *self);

size_t __wrap_intern__bytes(const struct intern *self)
{
	return pretended_bytes ? pretended_bytes : __real_intern__bytes(self);
}

static void identical_things_exist_once_but_modules_are_numbered(void **state)
{
	struct profile *profile = NULL;
	uint32_t a, b;

	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(profile->module_cnt, 1);
	assert_int_equal(profile__module(profile, "/bin/x", "", &a), 0);
	assert_int_equal(a, 1);
	assert_int_equal(profile__module(profile, "/bin/x", "", &b), 0);
	assert_int_equal(b, 2);

	assert_int_equal(profile__frame(profile, FRAME_NATIVE, a, 16, true, &a), 0);
	assert_int_equal(profile__frame(profile, FRAME_NATIVE, 1, 16, true, &b), 0);
	assert_int_equal(a, b);
	assert_int_equal(profile__frame(profile, FRAME_NATIVE, 1, 16, false, &b), 0);
	assert_int_not_equal(a, b);
	assert_int_equal(profile__frame(profile, FRAME_VDSO, 1, 16, true, &b), 0);
	assert_int_not_equal(a, b);

	assert_int_equal(profile__stack(profile, (uint32_t[]){ 0, 1 }, 2, 0, &a), 0);
	assert_int_equal(profile__stack(profile, (uint32_t[]){ 0, 1 }, 2, 0, &b), 0);
	assert_int_equal(a, b);
	assert_int_equal(profile__stack(profile, (uint32_t[]){ 0, 1 }, 2, 1, &b), 0);
	assert_int_not_equal(a, b);
	assert_int_equal(profile__stack(profile, NULL, 0, 0, &a), 0);
	assert_int_equal(profile__stack(profile, NULL, 0, 0, &b), 0);
	assert_int_equal(a, b);
	assert_int_equal(profile->stack_cnt, 3);
	profile__free(profile);
}

static void a_reused_pid_is_another_process(void **state)
{
	struct profile *profile = NULL;
	uint32_t a, b;

	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(profile__process(profile, 7, 0, 1000, "one", &a), 0);
	assert_int_equal(profile__process(profile, 7, 0, 2000, "two", &b), 0);
	assert_int_not_equal(a, b);
	assert_int_equal(profile__process(profile, 7, 1, 1000, "exec", &b), 0);
	assert_int_not_equal(a, b);
	assert_int_equal(profile__process(profile, 7, 0, 1000, "ignored", &b), 0);
	assert_int_equal(a, b);
	assert_string_equal(intern__str(profile->strings, profile->processes[a].name), "one");
	profile__free(profile);
}

static void equal_samples_add_up_and_others_stay_apart(void **state)
{
	struct profile *profile = NULL;

	assert_int_equal(profile__new(&profile), 0);
	made_frame(profile, FRAME_KERNEL, NULL, 1, "f");
	made_sample(profile, 1, "a", (uint32_t[]){ 0 }, 1, 1, STACK_END_NONE, 2);
	made_sample(profile, 1, "a", (uint32_t[]){ 0 }, 1, 1, STACK_END_NONE, 3);
	assert_int_equal(profile->sample_cnt, 1);
	assert_int_equal(profile->samples[0].weight, 5);
	made_sample(profile, 1, "a", (uint32_t[]){ 0 }, 1, 1, STACK_END_COMPLETE, 1);
	made_sample(profile, 1, "b", (uint32_t[]){ 0 }, 1, 1, STACK_END_NONE, 1);
	assert_int_equal(profile__add(profile, 0, "a", 99, 0, STACK_END_NONE, 1), 0);
	assert_int_equal(profile->sample_cnt, 4);
	assert_int_equal(profile__add(profile, 0, "c", 0, 0, STACK_END_NONE, 0), 0);
	assert_int_equal(profile->sample_cnt, 4);
	assert_int_equal(profile->processes[0].weight, 8);
	profile__free(profile);
}

static void many_stacks_are_found_again(void **state)
{
	struct profile *profile = NULL;
	uint32_t ids[3], stack;

	assert_int_equal(profile__new(&profile), 0);
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 20000; i++) {
			for (uint32_t j = 0; j < 3; j++)
				assert_int_equal(profile__frame(profile, FRAME_KERNEL, 0,
								i / (j + 1), true, &ids[j]),
						 0);
			assert_int_equal(profile__stack(profile, ids, 3, 3, &stack), 0);
			assert_int_equal(stack, i);
		}
	}
	assert_int_equal(profile->stack_cnt, 20000);
	assert_int_equal(profile->stack_frame_cnt, 60000);
	assert_int_equal(profile->frame_cnt, 20000);
	assert_true(profile__bytes(profile) < 4 << 20);
	profile__free(profile);
}

static void past_a_limit_the_profile_stays_as_it_was(void **state)
{
	static uint32_t deep[PROFILE_DEPTH_MAX + 1];
	static char long_text[70000];
	struct profile *profile = made_small();
	uint32_t id = 4711, samples = profile->sample_cnt;

	assert_int_equal(profile__stack(profile, deep, PROFILE_DEPTH_MAX + 1, 0, &id), -E2BIG);
	memset(long_text, 'x', sizeof(long_text) - 1);
	assert_int_equal(profile__string(profile, long_text, &id), -E2BIG);
	pretended_bytes = PROFILE_BYTES_MAX;
	assert_int_equal(profile__module(profile, "/new", "", &id), -E2BIG);
	assert_int_equal(profile__process(profile, 999, 0, 0, "new", &id), -E2BIG);
	assert_int_equal(profile__frame(profile, FRAME_KERNEL, 0, 4711, true, &id), -E2BIG);
	assert_int_equal(profile__stack(profile, deep, 9, 0, &id), -E2BIG);
	assert_int_equal(profile__add(profile, 0, "new", 1, 0, STACK_END_NONE, 5), -E2BIG);
	/* What is there already can still be counted. */
	assert_int_equal(profile__add(profile, 0, "myapp", 0, 0, STACK_END_COMPLETE, 5), 0);
	pretended_bytes = 0;
	assert_int_equal(id, 4711);
	assert_int_equal(profile->sample_cnt, samples);
	profile->account.accepted += 5;
	profile->account.taken += 5;
	profile->account.expected += 5;
	assert_int_equal(profile__check(profile), 0);
	profile__free(profile);
}

static void every_broken_equation_is_noticed(void **state)
{
	struct profile *profile = made_small();
	uint64_t *terms[] = { &profile->account.expected,
			      &profile->account.missed,
			      &profile->account.taken,
			      &profile->account.accepted,
			      &profile->account.filtered,
			      &profile->account.lost,
			      &profile->account.filtered_by[0].cnt,
			      &profile->account.lost_by[0].cnt,
			      &profile->samples[3].weight,
			      &profile->processes[1].weight };
	uint32_t *references[] = { &profile->samples[0].process, &profile->samples[0].stack,
				   &profile->samples[0].end,	 &profile->stack_frames[2],
				   &profile->stacks[1].first,	 &profile->frames[0].module };

	for (size_t i = 0; i < ARRAY_SIZE(terms); i++) {
		(*terms[i])++;
		assert_int_equal(profile__check(profile), -EBADMSG);
		(*terms[i])--;
	}
	for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
		uint32_t right = *references[i];

		*references[i] = 0x7fffffff;
		assert_int_equal(profile__check(profile), -EBADMSG);
		*references[i] = right;
	}
	assert_int_equal(profile__check(profile), 0);
	profile__free(profile);
}

static void reasons_of_one_name_are_one_row(void **state)
{
	struct profile_account account = { 0 };

	profile_account__filtered(&account, "idle", 2);
	profile_account__filtered(&account, "pid", 1);
	profile_account__filtered(&account, "idle", 3);
	profile_account__lost(&account, "maps_full", 4);
	assert_int_equal(account.filtered_by_cnt, 2);
	assert_int_equal(account.filtered_by[0].cnt, 5);
	assert_int_equal(account.filtered, 6);
	assert_int_equal(account.lost, 4);
}

static void totals_count_samples_not_stacks(void **state)
{
	struct profile *profile = made_small();
	struct profile_totals totals;

	profile__totals(profile, &totals);
	assert_int_equal(totals.user_stacks, 7 + 3 + 4 + 2 + 1 + 6 + 8);
	assert_int_equal(totals.user_stacks_complete, 7 + 3 + 4 + 8);
	assert_int_equal(totals.by_end[STACK_END_NONE], 6);
	assert_int_equal(totals.by_end[STACK_END_NO_FRAME_POINTER], 2);
	assert_int_equal(totals.by_end[STACK_END_NOT_STORED], 6);
	assert_int_equal(totals.frames_unnamed, 1);
	profile__free(profile);
}

static void no_frame_text_holds_an_address(void **state)
{
	struct profile *profile = made_small();
	const struct {
		enum profile_frame_kind kind;
		const char *module;
		uint64_t off;
		const char *text;
	} cases[] = {
		{ FRAME_NATIVE, "/usr/lib/libfoo.so.1", 0xabc, "libfoo.so.1+0xabc" },
		{ FRAME_NATIVE, "plain", 0xabc, "plain+0xabc" },
		{ FRAME_NATIVE, "/odd/", 0xabc, "/odd/+0xabc" },
		{ FRAME_NATIVE, NULL, 0x7f1234567000, "[unknown]" },
		{ FRAME_ANON, NULL, 0x7f1234567000, "[anon]" },
		{ FRAME_KERNEL, NULL, 0xffffffffdeadbeef, "[unknown]" },
		{ FRAME_VDSO, "[vdso]", 0x77, "[vdso]+0x77" },
	};
	char text[64], tiny[4];
	uint32_t frame;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		frame = made_frame(profile, cases[i].kind, cases[i].module, cases[i].off, NULL);
		assert_string_equal(profile_frame__text(profile, frame, text, sizeof(text)),
				    cases[i].text);
	}
	assert_string_equal(profile_frame__text(profile, frame, tiny, sizeof(tiny)), "[vd");
	profile__free(profile);
}

static void names_of_ends_are_as_published(void **state)
{
	assert_string_equal(profile_stack_end__name(STACK_END_NONE), "no_user_stack");
	assert_string_equal(profile_stack_end__name(STACK_END_COMPLETE), "complete");
	assert_string_equal(profile_stack_end__name(STACK_END_NO_FRAME_POINTER),
			    "no_frame_pointer");
	assert_string_equal(profile_stack_end__name(STACK_END_CNT), "unknown");
	profile__free(NULL);
}

static void inlined_functions_become_frames(void **state)
{
	struct profile *profile;
	uint32_t a, b, in_a, in_a_too, name, stack, kernel;
	const struct profile_stack *row;

	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(profile__string(profile, "inner", &name), 0);
	assert_int_equal(profile__frame(profile, FRAME_NATIVE, 0, 1, 0, &a), 0);
	assert_int_equal(profile__frame(profile, FRAME_NATIVE, 0, 2, 0, &b), 0);
	assert_int_equal(profile__frame(profile, FRAME_KERNEL, 0, 3, 0, &kernel), 0);
	assert_int_equal(profile__stack(profile, (uint32_t[]){ kernel, a, b, a }, 4, 1, &stack), 0);
	assert_int_equal(profile__inlined(profile, a, name, 0, 7, &in_a), 0);
	assert_int_equal(profile__inlined(profile, in_a, name, 0, 8, &in_a_too), 0);
	assert_int_equal(profile__expand_inlined(profile), 0);
	row = &profile->stacks[stack];
	assert_int_equal(row->depth, 8);
	assert_int_equal(row->kernel_depth, 1);
	assert_memory_equal(profile->stack_frames + row->first,
			    ((uint32_t[]){ kernel, in_a_too, in_a, a, b, in_a_too, in_a, a }), 32);
	assert_int_equal(profile__check(profile), 0);
	profile__free(profile);
}

static void a_stack_that_would_be_too_deep_stays_without(void **state)
{
	uint32_t frames[PROFILE_DEPTH_MAX], a, inner, stack;
	struct profile *profile;

	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(profile__frame(profile, FRAME_NATIVE, 0, 1, 0, &a), 0);
	for (uint32_t i = 0; i < PROFILE_DEPTH_MAX; i++)
		frames[i] = a;
	assert_int_equal(profile__stack(profile, frames, PROFILE_DEPTH_MAX - 3, 0, &stack), 0);
	assert_int_equal(profile__inlined(profile, a, 0, 0, 1, &inner), 0);
	assert_int_equal(profile__expand_inlined(profile), 0);
	assert_int_equal(profile->stacks[stack].depth, PROFILE_DEPTH_MAX);
	assert_memory_equal(profile->stack_frames, /* the three next to the leaf have theirs */
			    ((uint32_t[]){ inner, a, inner, a, inner, a, a, a }), 32);
	profile__free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identical_things_exist_once_but_modules_are_numbered),
		cmocka_unit_test(inlined_functions_become_frames),
		cmocka_unit_test(a_stack_that_would_be_too_deep_stays_without),
		cmocka_unit_test(a_reused_pid_is_another_process),
		cmocka_unit_test(equal_samples_add_up_and_others_stay_apart),
		cmocka_unit_test(many_stacks_are_found_again),
		cmocka_unit_test(past_a_limit_the_profile_stays_as_it_was),
		cmocka_unit_test(every_broken_equation_is_noticed),
		cmocka_unit_test(reasons_of_one_name_are_one_row),
		cmocka_unit_test(totals_count_samples_not_stacks),
		cmocka_unit_test(no_frame_text_holds_an_address),
		cmocka_unit_test(names_of_ends_are_as_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
