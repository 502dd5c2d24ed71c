/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics: counters only go up, from any thread, and their names are fit to be published.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pp/metrics.h"

static void a_counter_starts_at_zero_and_adds_up(void **state)
{
	for (int id = 0; id < METRIC_CNT; id++)
		assert_int_equal(metric__get((enum metric_id)id), 0);
	metric__add(METRIC_RUNS_STARTED, 1);
	metric__add(METRIC_RUNS_STARTED, 41);
	assert_int_equal(metric__get(METRIC_RUNS_STARTED), 42);
	assert_int_equal(metric__get(METRIC_RUNS_FAILED), 0);
}

static void *add_many(void *arg)
{
	for (int i = 0; i < 10000; i++)
		metric__add(METRIC_MAPS_READ, 1);
	return NULL;
}

static void no_count_is_lost_between_threads(void **state)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metric__get(METRIC_MAPS_READ), 40000);
}

static void names_are_distinct_and_of_one_alphabet(void **state)
{
	for (int id = 0; id < METRIC_CNT; id++) {
		const char *name = metric__name((enum metric_id)id);

		assert_true(strlen(name) > 0);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				 strlen(name));
		assert_true(strlen(metric__text((enum metric_id)id)) > 0);
		for (int other = 0; other < id; other++)
			assert_string_not_equal(name, metric__name((enum metric_id)other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_starts_at_zero_and_adds_up),
		cmocka_unit_test(no_count_is_lost_between_threads),
		cmocka_unit_test(names_are_distinct_and_of_one_alphabet),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
