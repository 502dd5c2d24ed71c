/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* UNIT_LDFLAGS: -Wl,--wrap=setpriority */
/*
 * base: the event loop. Handles freed from their own callbacks, descriptors closed right after, work
 * that is run, cancelled or waited for. Every run of a loop here ends by itself or by loop__stop.
 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pp/base/clock.h"
#include "pp/base/loop.h"

static struct loop *loop;
static struct loop_timer *timer;
static struct loop_io *io;
static struct loop_signal *sig;
static int calls, last_events, last_err;

static int new_loop(void **state)
{
	calls = last_events = last_err = 0;
	timer = NULL;
	io = NULL;
	sig = NULL;
	return loop__new(&loop);
}

static int free_loop(void **state)
{
	loop__free(loop);
	return 0;
}

static void count_call(void *arg)
{
	calls++;
}

static void stop_at_third(void *arg)
{
	if (++calls == 3)
		loop_timer__stop(timer);
}

static void free_own_timer(void *arg)
{
	calls++;
	loop_timer__free(timer);
}

static void an_empty_loop_ends_at_once(void **state)
{
	assert_int_equal(loop__run(loop), 0);
	loop_timer__free(NULL);
	loop_io__free(NULL);
	loop_signal__free(NULL);
	loop__free(NULL);
}

static void a_timer_fires_once_or_until_stopped(void **state)
{
	assert_int_equal(loop_timer__new(loop, count_call, NULL, &timer), 0);
	assert_false(loop_timer__is_active(timer));
	assert_int_equal(loop_timer__start(timer, 0, 0), 0);
	assert_true(loop_timer__is_active(timer));
	loop__run(loop);
	assert_int_equal(calls, 1);
	assert_false(loop_timer__is_active(timer));
	loop_timer__free(timer);

	calls = 0;
	assert_int_equal(loop_timer__new(loop, stop_at_third, NULL, &timer), 0);
	assert_int_equal(loop_timer__start(timer, 0, 1), 0);
	loop__run(loop);
	assert_int_equal(calls, 3);
	loop_timer__free(timer);
}

static void a_timer_is_never_early_after_a_long_callback(void **state)
{
	uint64_t start_ns, until_ns;

	assert_int_equal(loop_timer__new(loop, count_call, NULL, &timer), 0);
	/* The loop's idea of now is as old as loop__new: start must not count from there. */
	for (until_ns = clock_mono_ns() + 3000000; clock_mono_ns() < until_ns;)
		;
	start_ns = clock_mono_ns();
	assert_int_equal(loop_timer__start(timer, 5, 0), 0);
	loop__run(loop);
	/* libuv counts in whole milliseconds. */
	assert_true(clock_mono_ns() - start_ns >= 4000000);
	loop_timer__free(timer);
}

static void a_timer_may_free_itself(void **state)
{
	assert_int_equal(loop_timer__new(loop, free_own_timer, NULL, &timer), 0);
	assert_int_equal(loop_timer__start(timer, 0, 1), 0);
	loop__run(loop);
	assert_int_equal(calls, 1);
}

static void stop_loop(void *arg)
{
	calls++;
	loop__stop(loop);
}

static void a_stopped_loop_can_run_again_and_frees_what_is_left(void **state)
{
	struct loop_timer *other;

	assert_int_equal(loop_timer__new(loop, stop_loop, NULL, &timer), 0);
	assert_int_equal(loop_timer__new(loop, count_call, NULL, &other), 0);
	assert_int_equal(loop_timer__start(timer, 0, 1), 0);
	assert_int_equal(loop_timer__start(other, 3600000, 0), 0);
	loop__run(loop);
	assert_int_equal(calls, 1);
	loop__run(loop);
	assert_int_equal(calls, 2);
	/* Both timers are still active; free_loop ends them. */
}

static void note_io(void *arg, int events, int err)
{
	int *fds = arg;

	calls++;
	last_events = events;
	last_err = err;
	loop_io__free(io);
	close(fds[0]);
	close(fds[1]);
}

static void a_descriptor_may_be_closed_right_after_its_handle(void **state)
{
	for (int round = 0; round < 10; round++) {
		int fds[2]; /* the same two numbers each time */

		assert_int_equal(pipe(fds), 0);
		assert_int_equal(loop_io__new(loop, fds[0], LOOP_READ, note_io, fds, &io), 0);
		assert_int_equal(write(fds[1], "x", 1), 1);
		loop__run(loop);
		assert_int_equal(calls, round + 1);
		assert_int_equal(last_events, LOOP_READ);
		assert_int_equal(last_err, 0);
	}
}

static void pause_io(void *arg, int events, int err)
{
	calls++;
	last_events = events;
	assert_int_equal(loop_io__set(io, 0), 0);
}

static void a_paused_descriptor_does_not_keep_the_loop(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(loop_io__new(loop, fds[0], LOOP_READ | LOOP_WRITE, pause_io, NULL, &io),
			 0);
	loop__run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(last_events, LOOP_WRITE);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop__run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(loop_io__set(io, LOOP_READ), 0);
	loop__run(loop);
	assert_int_equal(calls, 2);
	assert_int_equal(last_events, LOOP_READ);
	loop_io__free(io);
	close(fds[0]);
	close(fds[1]);
}

static void note_error(void *arg, int events, int err)
{
	calls++;
	last_events = events;
	last_err = err;
	loop_io__free(io);
}

static void the_closed_other_end_of_a_pipe_is_an_error_once(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(loop_io__new(loop, fds[1], LOOP_WRITE, note_error, NULL, &io), 0);
	loop__run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(last_events, 0);
	assert_int_equal(last_err, -EIO);
	close(fds[1]);
}

static void a_regular_file_cannot_be_polled(void **state)
{
	char name[] = "/tmp/pulseprof-unit-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	(void)unlink(name); /* the descriptor is enough */
	assert_int_equal(loop_io__new(loop, fd, LOOP_READ, note_error, NULL, &io), -EPERM);
	assert_null(io);
	close(fd);
}

static void note_signal(void *arg, int signo)
{
	calls = signo;
	loop_signal__free(sig);
}

static void a_signal_arrives_on_the_loop(void **state)
{
	assert_int_equal(loop_signal__new(loop, SIGUSR1, note_signal, NULL, &sig), 0);
	raise(SIGUSR1);
	assert_int_equal(calls, 0);
	loop__run(loop);
	assert_int_equal(calls, SIGUSR1);
}

struct job {
	sem_t *gate;
	sem_t *running;
	int ran, dones, err;
};

static void run_job(void *arg)
{
	struct job *job = arg;

	if (job->running)
		sem_post(job->running);
	if (job->gate)
		while (sem_wait(job->gate) && errno == EINTR)
			;
	job->ran = 1;
}

static void job_done(void *arg, int err)
{
	struct job *job = arg;

	job->dones++;
	job->err = err;
}

static void work_runs_and_is_reported_once(void **state)
{
	struct job jobs[20] = { { .ran = 0 } };

	for (int i = 0; i < 20; i++)
		assert_int_equal(work__submit(loop, run_job, job_done, &jobs[i]), 0);
	loop__run(loop);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(jobs[i].ran, 1);
		assert_int_equal(jobs[i].dones, 1);
		assert_int_equal(jobs[i].err, 0);
	}
}

/* The first one that was cancelled lets the running ones go: they end after the rest was cancelled. */
static void open_gate_when_cancelled(void *arg, int err)
{
	struct job *job = arg;

	if (err && !calls++) {
		sem_post(job->gate);
		sem_post(job->gate);
	}
	job_done(arg, err);
}

static void the_end_waits_for_running_work_and_cancels_the_rest(void **state)
{
	struct job jobs[10] = { { .ran = 0 } };
	sem_t gate, running;

	sem_init(&gate, 0, 0);
	sem_init(&running, 0, 0);
	for (int i = 0; i < 10; i++) {
		jobs[i].gate = &gate;
		jobs[i].running = &running;
		assert_int_equal(work__submit(loop, run_job, open_gate_when_cancelled, &jobs[i]),
				 0);
	}
	sem_wait(&running);
	sem_wait(&running);
	/* Two workers stand at the gate, eight jobs wait. */
	loop__free(loop);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(jobs[i].dones, 1);
		assert_int_equal(jobs[i].ran, i < 2);
		assert_int_equal(jobs[i].err, i < 2 ? 0 : -ECANCELED);
	}
	assert_int_equal(loop__new(&loop), 0);
}

static void submit_again(void *arg, int err)
{
	struct job *job = arg;

	job->dones++;
	loop_timer__free(timer);
	job->err = work__submit(loop, run_job, job_done, job);
}

static void nothing_new_starts_while_the_loop_ends(void **state)
{
	struct job job = { .ran = 0 };

	assert_int_equal(loop_timer__new(loop, count_call, NULL, &timer), 0);
	assert_int_equal(loop_timer__start(timer, 0, 1), 0);
	assert_int_equal(work__submit(loop, run_job, submit_again, &job), 0);
	loop__free(loop);
	assert_int_equal(job.dones, 1);
	assert_int_equal(job.err, -ECANCELED);
	assert_int_equal(calls, 0);
	assert_int_equal(loop__new(&loop), 0);
}

static int given_nice, priority_err;
static int worker_nice; /* of the worker, one or the other, whose priority was set last */

int __wrap_setpriority(int which, id_t who, int nice);
int __wrap_setpriority(int which, id_t who, int nice)
{
	assert_int_equal(which, PRIO_PROCESS);
	errno = priority_err;
	if (priority_err)
		return -1;
	if (who) {
		__atomic_store_n(&worker_nice, nice, __ATOMIC_SEQ_CST);
		return 0;
	}
	given_nice = nice;
	calls++;
	return 0;
}

static void hurry_is_undone_and_done_once(void **state)
{
	int before = getpriority(PRIO_PROCESS, 0);

	priority_err = 0;
	assert_int_equal(loop__hurry(loop, false), 0);
	assert_int_equal(calls, 0);
	assert_int_equal(loop__hurry(loop, true), 0);
	assert_int_equal(loop__hurry(loop, true), 0);
	assert_int_equal(calls, 1);
	assert_true(given_nice <= -10);
	assert_int_equal(loop__hurry(loop, false), 0);
	assert_int_equal(calls, 2);
	assert_int_equal(given_nice, before);
}

static void without_the_right_to_hurry_nothing_changes(void **state)
{
	priority_err = EACCES;
	assert_int_equal(loop__hurry(loop, true), -EPERM);
	assert_int_equal(loop__hurry(loop, false), 0);
	assert_int_equal(calls, 0);
}

static int nice_at_begin, nice_when_patient;

static void begin_hurried_then_wait(void *arg)
{
	nice_at_begin = __atomic_load_n(&worker_nice, __ATOMIC_SEQ_CST);
	if (arg)
		work__be_patient();
	nice_when_patient = __atomic_load_n(&worker_nice, __ATOMIC_SEQ_CST);
}

static void ignore_done(void *arg, int err)
{
	assert_int_equal(err, 0);
}

static void workers_are_hurried_with_the_loop_but_for_patient_work(void **state)
{
	int before = getpriority(PRIO_PROCESS, 0), patient = 1;

	priority_err = 0;
	worker_nice = 100;
	assert_int_equal(loop__hurry(loop, true), 0);
	loop__run(loop);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(work__submit(loop, begin_hurried_then_wait, ignore_done, &patient),
				 0);
		loop__run(loop);
		assert_true(nice_at_begin <= -10);
		assert_int_equal(nice_when_patient, before);
		assert_int_equal(work__submit(loop, begin_hurried_then_wait, ignore_done, NULL), 0);
		loop__run(loop);
		assert_true(nice_when_patient <= -10); /* patience ended with its work */
	}
	assert_int_equal(loop__hurry(loop, false), 0);
	assert_int_equal(worker_nice, before);
	worker_nice = 100;
	assert_int_equal(work__submit(loop, begin_hurried_then_wait, ignore_done, &patient), 0);
	loop__run(loop);
	assert_int_equal(worker_nice, 100); /* between runs nobody's priority is touched */
	work__be_patient(); /* on the loop's thread: nothing */
	assert_int_equal(worker_nice, 100);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, new_loop, free_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_LOOP(an_empty_loop_ends_at_once),
		ON_LOOP(a_timer_fires_once_or_until_stopped),
		ON_LOOP(a_timer_is_never_early_after_a_long_callback),
		ON_LOOP(a_timer_may_free_itself),
		ON_LOOP(a_stopped_loop_can_run_again_and_frees_what_is_left),
		ON_LOOP(a_descriptor_may_be_closed_right_after_its_handle),
		ON_LOOP(a_paused_descriptor_does_not_keep_the_loop),
		ON_LOOP(the_closed_other_end_of_a_pipe_is_an_error_once),
		ON_LOOP(a_regular_file_cannot_be_polled),
		ON_LOOP(a_signal_arrives_on_the_loop),
		ON_LOOP(work_runs_and_is_reported_once),
		ON_LOOP(the_end_waits_for_running_work_and_cancels_the_rest),
		ON_LOOP(nothing_new_starts_while_the_loop_ends),
		ON_LOOP(hurry_is_undone_and_done_once),
		ON_LOOP(workers_are_hurried_with_the_loop_but_for_patient_work),
		ON_LOOP(without_the_right_to_hurry_nothing_changes),
	};

	return cmocka_run_group_tests_name("base_loop", tests, NULL, NULL);
}
