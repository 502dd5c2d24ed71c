/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What reviewers found wrong in the first agent of this protocol, each as a test of ours. Examples and fields that
 * were not documented: test_control_protocol.c.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

#include "fake_host.h"
#include "fake_operator.h"
#include "pp/base/log.h"
#include "pp/metrics.h"

static char lines[8192];
static uint32_t errors;

static void on_line(void *arg, enum log_level level, const char *line, size_t len)
{
	size_t at = strlen(lines);

	snprintf(lines + at, sizeof(lines) - at, "%s\n", line);
	errors += level == LOG_LVL_ERROR;
}

static int set_up_log(void **state)
{
	lines[0] = '\0';
	errors = 0;
	log_set_sink(on_line, NULL);
	return set_up(state);
}

static int tear_down_log(void **state)
{
	log_set_sink(NULL, NULL);
	return tear_down(state);
}

static uint32_t lines_with(const char *text)
{
	const char *at = lines;
	uint32_t cnt = 0;

	while ((at = strstr(at, text))) {
		cnt++;
		at++;
	}
	return cnt;
}

static void review_the_interval_that_was_set_is_kept(void **state)
{
	control__start(host.control);
	wire_answer(beat(), 200, NO_COMMAND);
	assert_in_range(wire_timer->after_ms, 27000, 33000);
}

static void review_failed_heartbeat_is_an_error_said_once(void **state)
{
	int i;

	control__start(host.control);
	for (i = 0; i < 4; i++)
		wire_break(beat(), -ECONNREFUSED);
	assert_int_equal(errors, 1); /* and not again within minutes */
	assert_int_equal(lines_with("heartbeat failed"), 1);
}

static void review_not_successful_is_not_successful_without_command(void **state)
{
	uint64_t failed = metric__get(METRIC_HEARTBEATS_FAILED);
	uint64_t sent = metric__get(METRIC_HEARTBEATS_SENT);

	control__start(host.control);
	wire_answer(beat(), 200, NO_COMMAND);
	assert_int_equal(metric__get(METRIC_HEARTBEATS_SENT) - sent, 1);
	assert_int_equal(errors, 0);
	wire_answer(
		beat(), 200,
		"{\"success\":false,\"message\":\"x\",\"profiling_command\":null,\"command_id\":null}");
	assert_int_equal(metric__get(METRIC_HEARTBEATS_FAILED) - failed, 1);
	assert_int_equal(errors, 1);
}

static void review_no_line_is_logged_twice(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	command(ID(01), "start", ADHOC);
	command(ID(01), "start", ADHOC);
	assert_int_equal(lines_with("control: command '" ID(01) "'"), 1);
}

static void review_ids_are_marked_only_for_valid_types(void **state)
{
	control__start(host.control);
	command(ID(01), "restart", "{}");
	reported(ID(01), "Unknown command type 'restart'");
	assert_null(strstr(beat()->body, ID(01)));
	command(ID(01), "restart", "{}"); /* but it is not failed again */
	nothing_reported();
	command(ID(02), "stop", "{}");
	assert_non_null(strstr(beat()->body, ID(02)));
}

static void review_start_that_fails_leaves_room_for_the_next(void **state)
{
	control__start(host.control);
	host.refuse = -ENOMEM;
	command(ID(01), "start", CONTINUOUS);
	reported(ID(01), "no BTF");
	host.refuse = 0;
	command(ID(01), "start", CONTINUOUS);
	assert_int_equal(host.starts, 0);
	command(ID(02), "start", CONTINUOUS);
	assert_non_null(host_run(ID(02)));
}

static void review_stop_that_makes_no_sense_is_failed_and_stops_nothing(void **state)
{
	static const char *const configs[] = { "{\"stop_level\":7}",
					       "{\"stop_level\":\"process\",\"pids\":[\"x\"]}",
					       "{\"stop_level\":\"process\",\"pids\":[-4]}",
					       "{\"stop_level\":\"process\",\"pids\":{}}" };
	char id[64];
	size_t i;

	control__start(host.control);
	command(ID(01), "start", CONTINUOUS);
	for (i = 0; i < ARRAY_SIZE(configs); i++) {
		snprintf(id, sizeof(id), "00000000-0000-4000-8000-0000000001%02zu", i);
		command(id, "stop", configs[i]);
		reported(id, "");
	}
	assert_int_equal(host.stops, 0);
}

static void review_failure_is_not_followed_by_completed(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	host_ends(ID(01), "no memory");
	control__run_sampling(host.control, ID(01)); /* too late */
	reported(ID(01), "no memory");
	command(ID(01), "start", ADHOC);
	nothing_reported();
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up_log, tear_down_log)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(review_the_interval_that_was_set_is_kept),
		TEST(review_failed_heartbeat_is_an_error_said_once),
		TEST(review_not_successful_is_not_successful_without_command),
		TEST(review_no_line_is_logged_twice),
		TEST(review_ids_are_marked_only_for_valid_types),
		TEST(review_start_that_fails_leaves_room_for_the_next),
		TEST(review_stop_that_makes_no_sense_is_failed_and_stops_nothing),
		TEST(review_failure_is_not_followed_by_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
