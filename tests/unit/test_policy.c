/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The local policy: each limit at its edge, hours over midnight, and what its texts may say.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "pp/spec_policy.h"

#define NOON (12 * 60)

static struct session_spec wish(uint32_t rate_hz, uint32_t duration_s)
{
	struct session_spec spec;

	session_spec__init(&spec);
	spec.rate_hz = rate_hz;
	spec.duration_s = duration_s;
	return spec;
}

static void assert_refused(const struct spec_policy *policy, const struct session_spec *spec,
			   uint32_t runs, const char *setting)
{
	const char *why = NULL;

	assert_int_equal(spec_policy__check(policy, spec, NOON, runs, &why), -EPERM);
	assert_non_null(strstr(why, setting));
	assert_int_equal(spec_policy__check(policy, spec, NOON, runs, NULL), -EPERM);
}

static void assert_allowed(const struct spec_policy *policy, const struct session_spec *spec,
			   uint32_t runs)
{
	const char *why = NULL;

	assert_int_equal(spec_policy__check(policy, spec, NOON, runs, &why), 0);
	assert_null(why);
}

static void nothing_said_allows_everything(void **state)
{
	const struct spec_policy policy = { 0 };
	struct session_spec spec = wish(SPEC_RATE_MAX_HZ, 0);

	spec.continuous = true;
	for (uint32_t minute = 0; minute < 24 * 60; minute++)
		assert_int_equal(spec_policy__check(&policy, &spec, minute, 1000, NULL), 0);
	assert_true(spec_policy__allows_mode(&policy, "allocation"));
	assert_true(spec_policy__allows_event(&policy, "cache-misses"));
}

static void each_maximum_is_still_allowed(void **state)
{
	const struct spec_policy policy = { .rate_max_hz = 100,
					    .duration_max_s = 60,
					    .runs_max = 2 };
	struct session_spec spec = wish(100, 60);

	assert_allowed(&policy, &spec, 0);
	assert_allowed(&policy, &spec, 1);
	assert_refused(&policy, &spec, 2, "policy_max_runs");
	spec = wish(101, 60);
	assert_refused(&policy, &spec, 0, "policy_max_frequency");
	spec = wish(100, 61);
	assert_refused(&policy, &spec, 0, "policy_max_duration");
	spec = wish(100, 0); /* until stopped */
	assert_refused(&policy, &spec, 0, "policy_max_duration");
}

static void targets_are_host_and_pids(void **state)
{
	struct session_spec host = wish(99, 1), pids = wish(99, 1);
	struct spec_policy policy = { 0 };
	const char *why = NULL;

	assert_int_equal(session_spec__add_pid_num(&pids, 1, NULL), 0);
	assert_int_equal(spec_policy__set_targets(&policy, "pids", &why), 0);
	assert_allowed(&policy, &pids, 0);
	assert_refused(&policy, &host, 0, "policy_targets");
	assert_int_equal(spec_policy__set_targets(&policy, "host", &why), 0);
	assert_allowed(&policy, &host, 0);
	assert_refused(&policy, &pids, 0, "policy_targets");
	assert_int_equal(spec_policy__set_targets(&policy, " pids, host ", &why), 0);
	assert_allowed(&policy, &host, 0);
	assert_allowed(&policy, &pids, 0);
	assert_int_equal(spec_policy__set_targets(&policy, "all", &why), 0);
	assert_allowed(&policy, &host, 0);
	assert_null(why);
	assert_int_equal(spec_policy__set_targets(&policy, "host, moon", &why), -EINVAL);
	assert_string_equal(why, "must be host, pids or both");
}

static void continuous_runs_can_be_refused(void **state)
{
	const struct spec_policy policy = { .no_continuous = true };
	struct session_spec spec = wish(99, 60);

	assert_allowed(&policy, &spec, 0);
	spec.continuous = true;
	assert_refused(&policy, &spec, 0, "policy_continuous");
}

static void modes_and_events_are_lists(void **state)
{
	struct session_spec spec = wish(99, 60);
	struct spec_policy policy = { 0 };

	assert_int_equal(spec_policy_words__set(&policy.modes, "cpu,allocation", NULL), 0);
	assert_int_equal(policy.modes.cnt, 2);
	assert_allowed(&policy, &spec, 0);
	assert_true(spec_policy__allows_mode(&policy, "allocation"));
	assert_false(spec_policy__allows_mode(&policy, "none"));
	assert_int_equal(spec_policy_words__set(&policy.modes, "allocation", NULL), 0);
	assert_refused(&policy, &spec, 0, "policy_modes");
	assert_int_equal(spec_policy_words__set(&policy.modes, "all", NULL), 0);

	assert_int_equal(spec_policy_words__set(&policy.events, "cpu-clock", NULL), 0);
	assert_allowed(&policy, &spec, 0);
	assert_true(spec_policy__allows_event(&policy, "cycles"));
	assert_false(spec_policy__allows_event(&policy, "cache-misses"));
	assert_int_equal(spec_policy_words__set(&policy.events, "cache-misses", NULL), 0);
	assert_refused(&policy, &spec, 0, "policy_events");
	assert_true(spec_policy__allows_event(&policy, "cache-misses"));
	assert_int_equal(session_spec__set_event(&spec, "cache-misses", NULL), 0);
	assert_allowed(&policy, &spec, 0);
	assert_int_equal(session_spec__set_event(&spec, "page-faults", NULL), 0);
	assert_refused(&policy, &spec, 0, "policy_events");
}

static void long_lists_and_words_are_refused(void **state)
{
	char word[SPEC_POLICY_WORD_BYTES + 1], list[3 * SPEC_POLICY_WORDS_MAX + 8];
	struct spec_policy_words words = { .cnt = 1, .words = { "cpu" } };
	const char *why = NULL;

	memset(word, 'x', sizeof(word) - 1);
	word[SPEC_POLICY_WORD_BYTES] = '\0';
	assert_int_equal(spec_policy_words__set(&words, word, &why), -EINVAL);
	assert_non_null(why);
	assert_string_equal(words.words[0], "cpu");
	word[SPEC_POLICY_WORD_BYTES - 1] = '\0';
	assert_int_equal(spec_policy_words__set(&words, word, NULL), 0);
	assert_string_equal(words.words[0], word);
	memset(list, ',', sizeof(list));
	list[2 * SPEC_POLICY_WORDS_MAX] = '\0';
	for (int i = 0; i < SPEC_POLICY_WORDS_MAX; i++)
		list[2 * i] = 'y';
	assert_int_equal(spec_policy_words__set(&words, list, NULL), 0);
	assert_int_equal(words.cnt, SPEC_POLICY_WORDS_MAX);
	memcpy(&list[2 * SPEC_POLICY_WORDS_MAX], "y", 2);
	assert_int_equal(spec_policy_words__set(&words, list, NULL), -EINVAL);
}

static void quiet_hours_may_go_over_midnight(void **state)
{
	static const struct {
		const char *hours;
		uint32_t minute;
		bool is_quiet;
	} cases[] = {
		{ "22:00-06:00", 22 * 60, true },     { "22:00-06:00", 21 * 60 + 59, false },
		{ "22:00-06:00", 0, true },	      { "22:00-06:00", 5 * 60 + 59, true },
		{ "22:00-06:00", 6 * 60, false },     { "08:30-09:00", 8 * 60 + 29, false },
		{ "08:30-09:00", 8 * 60 + 30, true }, { "08:30-09:00", 8 * 60 + 59, true },
		{ "08:30-09:00", 9 * 60, false },     { "00:00-23:59", 23 * 60 + 59, false },
		{ "00:00-23:59", 0, true },	      { "", NOON, false },
	};
	struct session_spec spec = wish(99, 1);
	struct spec_policy policy = { 0 };
	const char *why = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(spec_policy__set_quiet(&policy, cases[i].hours, &why), 0);
		assert_int_equal(spec_policy__is_quiet(&policy, cases[i].minute),
				 cases[i].is_quiet);
		assert_int_equal(spec_policy__check(&policy, &spec, cases[i].minute, 0, NULL),
				 cases[i].is_quiet ? -EPERM : 0);
	}
}

static void hours_that_are_none_are_refused(void **state)
{
	static const char *const texts[] = { "22:00",	    "22:00-24:00", "22:60-23:00",
					     "2:00-6:00",   "22-06",	   "22:00-22:00",
					     "22:00-06:0x", "22:00_06:00", "-1:00-06:00",
					     "22:00-06:00 " };
	struct spec_policy policy = { .quiet_from = 1, .quiet_to = 2 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *why = NULL;

		assert_int_equal(spec_policy__set_quiet(&policy, texts[i], &why), -EINVAL);
		assert_string_equal(why, "must be two times of the day, as 22:00-06:00");
	}
	assert_int_equal(policy.quiet_from, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_allows_everything),
		cmocka_unit_test(each_maximum_is_still_allowed),
		cmocka_unit_test(targets_are_host_and_pids),
		cmocka_unit_test(continuous_runs_can_be_refused),
		cmocka_unit_test(modes_and_events_are_lists),
		cmocka_unit_test(long_lists_and_words_are_refused),
		cmocka_unit_test(quiet_hours_may_go_over_midnight),
		cmocka_unit_test(hours_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
