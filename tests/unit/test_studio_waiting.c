/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Waiting heartbeats without HTTP and without a store: who is answered with what and when, on a clock of our
 * own, and a long random life in which each call is answered exactly once.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=clock_mono_ns */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "../../user/studio/waiting.c"

#define CALLS 20000

uint64_t __wrap_clock_mono_ns(void);

struct httpd_call {
	bool is_held, is_answered, is_gone;
	char command[UUID_TEXT_BYTES];
	void (*gone)(void *arg);
	void *arg;
};

static struct httpd_call calls[CALLS];
static uint64_t clock_ns;
static struct loop *loop;
static struct waiting *waiting;
static const char *ready; /* for that host there is a command */
static int deliver_err;
static unsigned int asked_cnt;

uint64_t __wrap_clock_mono_ns(void)
{
	return clock_ns;
}

int httpd_call__hold(struct httpd_call *self, void (*gone)(void *arg), void *arg)
{
	self->is_held = true;
	self->gone = gone;
	self->arg = arg;
	return 0;
}

void command__clear(struct command *self)
{
	*self = (struct command){ 0 };
}

static int deliver(void *arg, const struct waiter_id *id, struct command *ret_command)
{
	asked_cnt++;
	if (deliver_err)
		return deliver_err;
	if (!ready || strcmp(ready, id->hostname) != 0)
		return -ENOENT;
	snprintf(ret_command->id, sizeof(ret_command->id), "for %s", id->hostname);
	return 0;
}

static void answer(void *arg, struct httpd_call *call, const struct command *command)
{
	assert_true(call->is_held && !call->is_answered && !call->is_gone);
	call->is_answered = true;
	if (command)
		memcpy(call->command, command->id, sizeof(call->command));
}

static void stop_loop(void *arg)
{
	loop__stop(loop);
}

/* What is due on the loop happens. */
static void turn(void)
{
	struct loop_timer *timer;

	assert_int_equal(loop_timer__new(loop, stop_loop, NULL, &timer), 0);
	assert_int_equal(loop_timer__start(timer, 2, 0), 0);
	(void)loop__run(loop);
	loop_timer__free(timer);
}

static void pass(uint32_t ms)
{
	clock_ns += ms * 1000000ull;
	on_tick(waiting);
}

static int add(int call, const char *hostname, const char *agent, uint32_t wait_s)
{
	const struct waiter_id id = { hostname, "svc", agent, 0 };

	return waiting__add(waiting, &id, &calls[call], wait_s);
}

static void leave(int call)
{
	calls[call].is_gone = true;
	calls[call].gone(calls[call].arg);
}

static int set_up_max(uint32_t max)
{
	static const struct waiting_ops ops = { deliver, answer, NULL };

	memset(calls, 0, sizeof(calls));
	clock_ns = 1000000000000ull;
	ready = NULL;
	deliver_err = 0;
	asked_cnt = 0;
	return loop__new(&loop) || waiting__new(loop, &ops, max, &waiting);
}

static int set_up(void **state)
{
	return set_up_max(1000);
}

static int tear_down(void **state)
{
	waiting__free(take_ptr(waiting));
	loop__free(take_ptr(loop));
	return 0;
}

static void a_command_goes_to_who_waits_for_it_and_to_nobody_else(void **state)
{
	assert_int_equal(add(0, "a", "x", 50), 0);
	assert_int_equal(add(1, "b", "x", 50), 0);
	ready = "a";
	waiting__wake(waiting, "a", "other");
	waiting__wake(waiting, "c", "svc");
	turn();
	assert_int_equal(asked_cnt, 0);
	waiting__wake(waiting, "a", "svc");
	waiting__wake(waiting, "a", "svc");
	assert_false(calls[0].is_answered);
	turn();
	assert_string_equal(calls[0].command, "for a");
	assert_false(calls[1].is_answered);
	assert_int_equal(waiting__cnt(waiting), 1);
	leave(1);
	assert_int_equal(waiting__cnt(waiting), 0);
}

static void woken_for_nothing_it_waits_on(void **state)
{
	assert_int_equal(add(0, "a", "x", 10), 0);
	waiting__wake(waiting, "a", "svc");
	turn();
	assert_int_equal(asked_cnt, 1);
	assert_false(calls[0].is_answered);
	pass(9900);
	assert_false(calls[0].is_answered);
	pass(600);
	assert_true(calls[0].is_answered);
	assert_string_equal(calls[0].command, "");
}

static void a_store_that_fails_lets_the_agent_ask_again(void **state)
{
	assert_int_equal(add(0, "a", "x", 10), 0);
	deliver_err = -EBUSY;
	waiting__wake(waiting, "a", "svc");
	turn();
	assert_true(calls[0].is_answered);
	assert_string_equal(calls[0].command, "");
}

static void nobody_waits_shorter_than_asked_nor_longer_than_55_s(void **state)
{
	static const uint32_t asked_s[] = { 1, 2, 54, 55, 56, 1000000 };

	for (int i = 0; i < (int)ARRAY_SIZE(asked_s); i++) {
		char agent[8];

		snprintf(agent, sizeof(agent), "%d", i);
		assert_int_equal(add(i, "a", agent, asked_s[i]), 0);
	}
	for (uint32_t ms = 0; ms <= 60000; ms += 100) {
		for (int i = 0; i < (int)ARRAY_SIZE(asked_s); i++) {
			const uint32_t wanted_ms = min_of(asked_s[i], 55u) * 1000;

			if (ms < wanted_ms)
				assert_false(calls[i].is_answered);
			if (ms >= wanted_ms + 600)
				assert_true(calls[i].is_answered);
		}
		pass(100);
	}
}

static void a_machine_that_slept_answers_all(void **state)
{
	for (int i = 0; i < 50; i++) {
		char agent[8];

		snprintf(agent, sizeof(agent), "%d", i);
		assert_int_equal(add(i, "a", agent, (uint32_t)i + 1), 0);
	}
	pass(10000000);
	for (int i = 0; i < 50; i++)
		assert_true(calls[i].is_answered);
	assert_int_equal(waiting__cnt(waiting), 0);
}

static void woken_when_its_time_had_passed_it_is_not_forgotten(void **state)
{
	assert_int_equal(add(0, "a", "x", 1), 0);
	waiting__wake(waiting, "a", "svc");
	pass(5000);
	turn();
	assert_false(calls[0].is_answered);
	pass(300);
	assert_true(calls[0].is_answered);
}

static void a_newer_call_of_an_agent_ends_the_older(void **state)
{
	assert_int_equal(add(0, "a", "x", 50), 0);
	assert_int_equal(add(1, "a", "y", 50), 0);
	assert_int_equal(add(2, "a", "x", 50), 0);
	assert_true(calls[0].is_answered);
	assert_false(calls[1].is_answered);
	ready = "a";
	waiting__wake(waiting, "a", "svc");
	turn();
	assert_string_equal(calls[0].command, "");
	assert_string_equal(calls[1].command, "for a");
	assert_string_equal(calls[2].command, "for a");
}

static void too_many_are_told_not_to_wait(void **state)
{
	tear_down(state);
	assert_int_equal(set_up_max(2), 0);
	assert_int_equal(add(0, "a", "x", 50), 0);
	assert_int_equal(add(1, "b", "x", 50), 0);
	assert_int_equal(add(2, "c", "x", 50), -EBUSY);
	assert_false(calls[2].is_held);
	assert_int_equal(add(3, "a", "x", 50), 0);
	leave(1);
	assert_int_equal(add(4, "c", "x", 50), 0);
	leave(3);
	leave(4);
}

static uint32_t chance(uint32_t n)
{
	static uint64_t seed = 7;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static void each_call_is_answered_once_or_leaves(void **state)
{
	static const char *const hosts[] = { "a", "b", "c", "d" }, *const agents[] = { "x", "y" };
	int next = 0, left = 0;

	while (next < CALLS) {
		const int one = max_of(next - 1 - (int)chance(8), 0);

		ready = hosts[chance(4)];
		switch (chance(6)) {
		case 0: waiting__wake(waiting, hosts[chance(4)], "svc"); break;
		case 1: on_serve(waiting); break;
		case 2: pass(chance(2000)); break;
		case 3:
			if (calls[one].is_held && !calls[one].is_answered && !calls[one].is_gone) {
				leave(one);
				left++;
			}
			break;
		default:
			assert_int_equal(
				add(next++, hosts[chance(4)], agents[chance(2)], chance(70)), 0);
		}
		assert_true(waiting__cnt(waiting) <= 8);
	}
	ready = NULL;
	on_serve(waiting);
	pass(100000);
	for (int i = 0; i < CALLS; i++)
		assert_true(calls[i].is_answered != calls[i].is_gone);
	assert_int_equal(waiting__cnt(waiting), 0);
	assert_true(left > 100);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_command_goes_to_who_waits_for_it_and_to_nobody_else),
		T(woken_for_nothing_it_waits_on),
		T(a_store_that_fails_lets_the_agent_ask_again),
		T(nobody_waits_shorter_than_asked_nor_longer_than_55_s),
		T(a_machine_that_slept_answers_all),
		T(woken_when_its_time_had_passed_it_is_not_forgotten),
		T(a_newer_call_of_an_agent_ends_the_older),
		T(too_many_are_told_not_to_wait),
		T(each_call_is_answered_once_or_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
