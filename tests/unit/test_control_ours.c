/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the controller has beyond the Studio's protocol: answers that are held, the ends of runs in beats, the
 * operator's own headers and policy.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

#include <time.h>

#include "fake_host.h"
#include "fake_operator.h"
#include "pp/base/clock.h"
#include "pp/spec_policy.h"

static const char *const headers[] = { "authorization: Basic b3A6c2VjcmV0", "X-Tenant: 7", NULL };
static struct spec_policy policy;

static int set_up_ours(void **state)
{
	memset(&host, 0, sizeof(host));
	memset(&policy, 0, sizeof(policy));
	policy.rate_max_hz = 200;
	policy.runs_max = 1;
	host.policy = &policy;
	host.headers = headers;
	host.wait_s = 20;
	return host_begin();
}

/* The server held the answer for so long. */
static void held(uint64_t ms, const char *body)
{
	struct net_call *call = beat();

	assert_non_null(strstr(call->body, "\"wait_s\":20"));
	wire_now_ns += ms * 1000000;
	wire_answer(call, 200, body);
}

/* The first beat, and one after a failure, does not ask the server to hold its answer: can it be reached? */
static void heard_at_once(void)
{
	assert_null(strstr(beat()->body, "wait_s"));
	wire_answer(beat(), 200, NO_COMMAND);
	assert_in_range(wire_timer->after_ms, 990, 1000);
}

static void server_that_holds_its_answers_is_asked_again_at_once(void **state)
{
	control__start(host.control);
	heard_at_once();
	held(20000, NO_COMMAND);
	assert_int_equal(wire_timer->after_ms, 0);
	held(20000, NO_COMMAND);
	assert_int_equal(wire_timer->after_ms, 0);
	held(50, "{\"success\":true,\"command_id\":\"" ID(01) "\",\"profiling_command\":"
							      "{\"command_type\":\"stop\"}}");
	assert_in_range(wire_timer->after_ms, 1, 100);
	held(20000, NO_COMMAND);
	assert_int_equal(wire_timer->after_ms, 0);
}

static void server_that_does_not_hold_them_is_left_in_peace(void **state)
{
	control__start(host.control);
	heard_at_once();
	held(3, NO_COMMAND);
	assert_in_range(wire_timer->after_ms, 26900, 33000);
	held(20000, NO_COMMAND); /* a slow one once */
	held(3, NO_COMMAND);
	assert_in_range(wire_timer->after_ms, 26900, 33000);
	/* One that invents a new command each time is asked once a second. */
	held(3, "{\"success\":true,\"command_id\":\"" ID(01) "\",\"profiling_command\":"
							     "{\"command_type\":\"stop\"}}");
	assert_in_range(wire_timer->after_ms, 990, 1000);
}

static void way_that_cuts_held_answers_is_not_used_for_them(void **state)
{
	int i;

	control__start(host.control);
	for (i = 0; i < 3; i++) {
		heard_at_once();
		assert_non_null(strstr(beat()->body, "wait_s"));
		wire_now_ns += 10000000000;
		wire_answer(beat(), 504, "");
	}
	assert_null(strstr(beat()->body, "wait_s"));
}

static void end_of_a_run_does_not_wait_for_a_held_answer(void **state)
{
	struct net_call *waiting;

	control__start(host.control);
	command(ID(01), "start", ADHOC);
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	waiting = beat();
	wire_now_ns += 5000000000;
	host_ends(ID(01), NULL);
	assert_true(waiting->answered); /* given up */
	assert_int_equal(wire_timer->after_ms, 0);
	assert_non_null(strstr(beat()->body, "\"state\":\"done\",\"samples\":7,\"lost\":1"));
	wire_break(beat(), -ECONNRESET);
	assert_non_null(strstr(beat()->body, "\"state\":\"done\"")); /* until it was heard */
	wire_answer(beat(), 200, NO_COMMAND);
	assert_null(strstr(beat()->body, "pulseprof_runs"));
}

static void end_right_after_a_beat_does_not_wait_either(void **state)
{
	struct net_call *waiting;

	control__start(host.control);
	command(ID(01), "start", ADHOC);
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	waiting = beat();
	wire_now_ns += 100000000;
	host_ends(ID(01), NULL);
	assert_false(waiting->answered);
	assert_int_equal(wire_timer->after_ms, 400);
	wire_expire();
	assert_non_null(strstr(beat()->body, "\"state\":\"done\""));
	assert_true(waiting->answered);
}

static void headers_of_the_operator_go_along(void **state)
{
	control__start(host.control);
	assert_non_null(
		strstr(beat()->headers, "authorization: Basic b3A6c2VjcmV0\nX-Tenant: 7\n"));
	assert_null(strstr(beat()->headers, "Bearer")); /* his takes the token's place */
	command(ID(01), "stop", "{}");
	assert_non_null(strstr(wire_open(DONE)->headers, "X-Tenant: 7\n"));
}

static void policy_refuses_with_its_reason(void **state)
{
	control__start(host.control);
	command(ID(01), "start", "{\"frequency\":201}");
	assert_non_null(strstr(wire_open(DONE)->body, "\"failed\""));
	reported(ID(01), "policy");
	command(ID(02), "start", "{\"frequency\":200,\"continuous\":true}");
	assert_non_null(host_run(ID(02)));
	command(ID(03), "start", "{\"frequency\":99}"); /* a second run */
	reported(ID(03), "policy");
	command(ID(04), "start", "{\"frequency\":99,\"continuous\":true}"); /* in place of it */
	assert_true(host_run(ID(02))->stop_asked);
	host_ends(ID(02), NULL);
	assert_non_null(host_run(ID(04)));
}

static void place_that_becomes_free_is_taken_at_once(void **state)
{
	host.refuse = -EBUSY;
	control__start(host.control);
	command(ID(01), "start", "{\"frequency\":99}");
	assert_null(host_run(ID(01)));
	host.refuse = 0;
	control__poke(host.control);
	assert_non_null(host_run(ID(01)));
}

/* Quiet hours around now, for longer than a test takes. */
static void be_quiet(void)
{
	time_t now = (time_t)(clock_real_ns() / 1000000000);
	struct tm tm = { 0 };
	uint32_t minute;

	localtime_r(&now, &tm);
	minute = (uint32_t)(tm.tm_hour * 60 + tm.tm_min);
	policy.quiet_from = (minute + 24 * 60 - 60) % (24 * 60);
	policy.quiet_to = (minute + 60) % (24 * 60);
}

static void be_loud(void)
{
	policy.quiet_from = policy.quiet_to;
}

static void continuous_run_goes_on_after_quiet_hours(void **state)
{
	policy.runs_max = 2;
	control__start(host.control);
	command(ID(01), "start", "{\"frequency\":99,\"continuous\":true}");
	command(ID(02), "start", ADHOC);
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	be_quiet();
	host_ends(ID(01), NULL);
	host_ends(ID(02), NULL);
	control__poke(host.control);
	assert_null(host_run(ID(01)));
	command(ID(03), "start",
		"{\"frequency\":99,\"continuous\":true}"); /* one that never began is refused */
	assert_null(host_run(ID(03)));
	be_loud();
	control__poke(host.control);
	assert_non_null(host_run(ID(01)));
	assert_false(host_run(ID(01))->is_again); /* nothing was interrupted */
	assert_null(host_run(ID(02))); /* its profile is what it had until then */
}

static void stop_ends_what_pauses(void **state)
{
	control__start(host.control);
	command(ID(01), "start", "{\"frequency\":99,\"continuous\":true}");
	control__run_sampling(host.control, ID(01));
	be_quiet();
	host_ends(ID(01), NULL);
	command(ID(02), "stop", "{\"stop_level\":\"host\"}");
	be_loud();
	control__poke(host.control);
	assert_null(host_run(ID(01)));
}

static void hardware_metrics_are_of_the_run(void **state)
{
	control__start(host.control);
	command(ID(01), "start", "{\"enable_perfspect\":true,\"max_processes\":\"x\"}");
	assert_non_null(host_run(ID(01)));
	assert_true(host_run(ID(01))->spec.counters);
	assert_null(strstr(beat()->body, "enable_perfspect"));
}

static void server_that_asks_for_a_pause_gets_it(void **state)
{
	struct http_reply busy = { .status = 503, .body = "", .retry_after_s = 200 };

	control__start(host.control);
	wire_reply(beat(), &busy);
	assert_in_range(wire_timer->after_ms, 200000, 240000);
	busy.retry_after_s = HTTP_RETRY_AFTER_MAX_S; /* not so long that the host seems gone */
	wire_reply(beat(), &busy);
	assert_in_range(wire_timer->after_ms, 300000, 360000);
	wire_answer(beat(), 503, "");
	assert_in_range(wire_timer->after_ms, 96000, 144000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up_ours, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(server_that_holds_its_answers_is_asked_again_at_once),
		TEST(server_that_does_not_hold_them_is_left_in_peace),
		TEST(way_that_cuts_held_answers_is_not_used_for_them),
		TEST(end_of_a_run_does_not_wait_for_a_held_answer),
		TEST(end_right_after_a_beat_does_not_wait_either),
		TEST(headers_of_the_operator_go_along),
		TEST(policy_refuses_with_its_reason),
		TEST(server_that_asks_for_a_pause_gets_it),
		TEST(place_that_becomes_free_is_taken_at_once),
		TEST(continuous_run_goes_on_after_quiet_hours),
		TEST(stop_ends_what_pauses),
		TEST(hardware_metrics_are_of_the_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
