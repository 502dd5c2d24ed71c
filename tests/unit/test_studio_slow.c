/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Jobs for the workers without HTTP: their order, their bounds, clients that leave, an end in the middle. The
 * loop and its workers are real.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>

#include "../../user/studio/slow.c"

struct httpd_call {
	bool is_held;
	void (*gone)(void *arg);
	void *arg;
};

struct test_job {
	struct slow_job job;
	int number;
	bool is_blocking;
};

static struct httpd_call calls[1000];
static struct loop *loop;
static struct slow *slow;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int ran[1000], ran_cnt; /* of one queue, whose jobs never run at the same time */
static int finished[1000], finished_cnt, orphans, freed;
static bool is_one_enough; /* the loop stops after each */

int httpd_call__hold(struct httpd_call *self, void (*gone)(void *arg), void *arg)
{
	*self = (struct httpd_call){ true, gone, arg };
	return 0;
}

static void run(struct slow_job *job)
{
	struct test_job *self = (struct test_job *)job;

	if (self->is_blocking) {
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
	}
	if (job->queue == SLOW_UPLOAD)
		ran[ran_cnt++] = self->number;
}

static void finish(struct slow_job *job, const struct httpd_request *request)
{
	struct test_job *self = (struct test_job *)job;

	finished[finished_cnt++] = self->number;
	if (is_one_enough)
		loop__stop(loop);
	if (request->call)
		assert_ptr_equal(request->call, &calls[self->number]);
	else
		orphans++;
}

static void free_job(struct slow_job *job)
{
	freed++;
	free(job);
}

static int add_to(enum slow_queue queue, int number, size_t bytes, bool is_blocking,
		  bool is_for_client)
{
	struct test_job *job = calloc(1, sizeof(*job));
	int err;

	assert_non_null(job);
	job->job.run = run;
	job->job.finish = finish;
	job->job.free = free_job;
	job->job.bytes = bytes;
	job->job.is_for_client = is_for_client;
	job->number = number;
	job->is_blocking = is_blocking;
	calls[number].is_held = false;
	err = slow__add(slow, queue, &job->job, &calls[number]);
	if (err)
		free(job);
	return err;
}

static int add(int number, size_t bytes, bool is_blocking)
{
	return add_to(SLOW_UPLOAD, number, bytes, is_blocking, false);
}

static int set_up(void **state)
{
	ran_cnt = finished_cnt = orphans = freed = 0;
	return loop__new(&loop) || slow__new(loop, &slow);
}

static int tear_down(void **state)
{
	loop__free(take_ptr(loop));
	slow__free(take_ptr(slow));
	return 0;
}

static void jobs_end_in_the_order_in_which_they_came(void **state)
{
	int i;

	for (i = 0; i < 200; i++)
		assert_int_equal(add(i, 1, false), 0);
	(void)loop__run(loop);
	assert_int_equal(finished_cnt, 200);
	assert_int_equal(freed, 200);
	for (i = 0; i < 200; i++)
		assert_true(ran[i] == i && finished[i] == i);
	assert_int_equal(add(0, 1, false), 0);
	(void)loop__run(loop);
	assert_int_equal(finished_cnt, 201);
}

static void what_waits_is_bounded_in_number_and_bytes(void **state)
{
	int i;

	pthread_mutex_lock(&gate);
	for (i = 0; i < SLOW_JOBS_MAX; i++)
		assert_int_equal(add(i, 0, true), 0);
	assert_int_equal(add(i, 0, true), -EBUSY);
	assert_false(calls[i].is_held);
	pthread_mutex_unlock(&gate);
	(void)loop__run(loop);
	assert_int_equal(finished_cnt, SLOW_JOBS_MAX);

	pthread_mutex_lock(&gate);
	assert_int_equal(add(0, SLOW_BYTES_MAX + 1, true), 0);
	assert_int_equal(add(1, 1, true), -EBUSY);
	pthread_mutex_unlock(&gate);
	(void)loop__run(loop);
	assert_int_equal(add(0, SLOW_BYTES_MAX, false), 0);
	(void)loop__run(loop);
	assert_int_equal(finished_cnt, SLOW_JOBS_MAX + 2);
}

static void queues_do_not_wait_for_each_other(void **state)
{
	pthread_mutex_lock(&gate);
	assert_int_equal(add(0, 1, true), 0);
	assert_int_equal(add_to(SLOW_READ, 1, 1, false, true), 0);
	is_one_enough = true;
	(void)loop__run(loop);
	is_one_enough = false;
	assert_int_equal(finished_cnt, 1);
	assert_int_equal(finished[0], 1);
	pthread_mutex_unlock(&gate);
	(void)loop__run(loop);
	assert_int_equal(finished_cnt, 2);
}

static void what_only_its_client_wanted_is_not_done_without_him(void **state)
{
	int i;

	pthread_mutex_lock(&gate);
	for (i = 0; i < 6; i++)
		assert_int_equal(add_to(SLOW_UPLOAD, i, 1, true, i % 2), 0);
	for (i = 0; i < 4; i++)
		calls[i].gone(calls[i].arg);
	assert_int_equal(freed, 2);
	assert_int_equal(add_to(SLOW_UPLOAD, 6, 1, true, true), 0);
	calls[6].gone(calls[6].arg); /* the last one */
	assert_int_equal(add_to(SLOW_UPLOAD, 7, 1, true, true), 0);
	pthread_mutex_unlock(&gate);
	(void)loop__run(loop);
	assert_int_equal(freed, 8);
	assert_int_equal(finished_cnt, 5); /* 0 and 2 for nobody, 4, 5 and 7; not 1, 3 and 6 */
	assert_int_equal(orphans, 2);
	assert_int_equal(finished[2], 4);
}

static void an_end_in_the_middle_loses_no_memory(void **state)
{
	int i;

	pthread_mutex_lock(&gate);
	for (i = 0; i < 10; i++)
		assert_int_equal(add(i, 1, true), 0);
	for (i = 0; i < 10; i++)
		calls[i].gone(calls[i].arg);
	pthread_mutex_unlock(&gate);
	tear_down(state);
	assert_int_equal(freed, 10);
	assert_int_equal(finished_cnt, orphans);
	assert_int_equal(finished_cnt, ran_cnt);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(jobs_end_in_the_order_in_which_they_came),
		T(what_waits_is_bounded_in_number_and_bytes),
		T(queues_do_not_wait_for_each_other),
		T(what_only_its_client_wanted_is_not_done_without_him),
		T(an_end_in_the_middle_loses_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
