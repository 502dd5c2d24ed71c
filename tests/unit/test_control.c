/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The controller against a server that the test plays, also with answers that no server should give, and a
 * daemon that the test plays too. Recorded answers: test_control_replay.c.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "fake_host.h"
#include "fake_operator.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"
#include "pp/control.h"
#include "pp/metrics.h"

static void heartbeat_has_what_both_studios_take(void **state)
{
	_auto_json_ struct json_object *json = NULL;
	struct json_object *value;
	struct net_call *call;
	const char *text;

	control__start(host.control);
	command(ID(01), "start", ADHOC);
	call = beat();
	assert_string_equal(call->url, "http://studio.example:8080" BEAT);
	assert_non_null(strstr(call->headers, "Authorization: Bearer s3cret\n"));
	assert_null(strstr(call->body, "s3cret"));
	assert_int_equal(json__parse(call->body, call->body_len, &json), 0);
	assert_int_equal(json__get_str(json, "hostname", &text), 0);
	assert_string_equal(text, "node-7");
	assert_int_equal(json__get_str(json, "status", &text), 0);
	assert_string_equal(text, "active");
	assert_int_equal(json__get_str(json, "timestamp", &text), 0);
	assert_string_equal(text + strlen(text) - 6, "+00:00");
	assert_int_equal(json__get_str(json, "last_command_id", &text), 0);
	assert_string_equal(text, ID(01));
	assert_int_equal(json__get_array(json, "received_command_ids", &value), 0);
	assert_int_equal(json__len(value), 1);
	assert_int_equal(json__get_array(json, "executed_command_ids", &value), 0);
	assert_int_equal(json__len(value), 0); /* not sampling yet */
	assert_int_equal(json__get_array(json, "containers", &value), 0);
	/* Null would be refused by a strict server. */
	assert_int_equal(json__get_any(json, "pod_name", &value), -ENOENT);
}

static void start_is_completed_when_it_samples_and_only_once(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	assert_non_null(host_run(ID(01)));
	assert_int_equal(host_run(ID(01))->spec.rate_hz, 99);
	assert_int_equal(host_run(ID(01))->spec.duration_s, 10);
	nothing_reported();
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	control__run_sampling(host.control, ID(01));
	command(ID(01), "start", ADHOC); /* the server repeats it for ever */
	host_ends(ID(01), NULL);
	command(ID(01), "start", ADHOC);
	command(ID(01), "start", ADHOC);
	nothing_reported();
	assert_int_equal(host.starts, 1);
}

static void start_that_cannot_be_is_failed_with_the_reason(void **state)
{
	control__start(host.control);
	host.refuse = -EOPNOTSUPP;
	command(ID(01), "start", ADHOC);
	reported(ID(01), "no BTF");
	host.refuse = 0;
	command(ID(02), "start", "{\"profiling_mode\":\"allocation\"}");
	reported(ID(02), "allocation");
	command(ID(03), "start", "{\"target_hostnames\":[\"other\",5,null]}");
	reported(ID(03), "target_hostnames");
	command(ID(04), "restart", "{}");
	reported(ID(04), "Unknown command type 'restart'");
	command(ID(05), "start", "{\"frequency\":1000000}");
	reported(ID(05), "");
	command(ID(06), "stop", "{\"stop_level\":\"process\",\"pids\":\"1\"}");
	reported(ID(06), "pids");
	assert_int_equal(host.starts, 0);
	command(ID(07), "start", "{\"target_hostnames\":[\"other\",\"node-7\"],\"duration\":null}");
	assert_non_null(host_run(ID(07)));
}

static void run_that_fails_before_its_first_sample_is_failed(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	host_ends(ID(01), "perf_event_open: -EACCES");
	reported(ID(01), "-EACCES");
	command(ID(02), "start", ADHOC);
	control__run_sampling(host.control, ID(02));
	host_ends(ID(02), "disk full");
	reported(ID(02), NULL); /* the one report is spent; the log has the rest */
	nothing_reported();
}

static void adhoc_waits_for_adhoc_up_to_a_bound(void **state)
{
	char id[64];
	int i;

	control__start(host.control);
	command(ID(01), "start", ADHOC);
	for (i = 10; i < 21; i++) {
		snprintf(id, sizeof(id), "00000000-0000-4000-8000-0000000000%d", i);
		command(id, "start", ADHOC);
	}
	reported(ID(20), "too many");
	host_ends(ID(01), NULL);
	reported(ID(01), NULL);
	assert_non_null(host_run(ID(10)));
}

static void adhoc_runs_beside_continuous_and_disturbs_nothing(void **state)
{
	control__start(host.control);
	command(ID(01), "start", CONTINUOUS);
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	command(ID(02), "start", ADHOC);
	assert_non_null(host_run(ID(01)));
	assert_non_null(host_run(ID(02)));
	control__run_sampling(host.control, ID(02));
	reported(ID(02), NULL);
	host_ends(ID(02), NULL);
	assert_non_null(host_run(ID(01)));
	assert_int_equal(host.starts, 2);
	assert_int_equal(host.stops + host.changes, 0);
	nothing_reported();
}

static void sampler_without_room_is_asked_again(void **state)
{
	control__start(host.control);
	host.refuse = -EBUSY;
	command(ID(01), "start", ADHOC);
	command(ID(02), "start", CONTINUOUS);
	nothing_reported();
	host.refuse = 0;
	assert_int_equal(host.starts, 0);
	wire_answer(beat(), 200, NO_COMMAND);
	assert_non_null(host_run(ID(01)));
	assert_non_null(host_run(ID(02)));
	nothing_reported();
}

static void newer_continuous_replaces_older(void **state)
{
	control__start(host.control);
	command(ID(01), "start", CONTINUOUS);
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	command(ID(02), "start", CONTINUOUS);
	command(ID(03), "start", CONTINUOUS);
	reported(ID(02), "superseded");
	assert_int_equal(host.stops, 1);
	host_ends(ID(01), NULL);
	assert_non_null(host_run(ID(03)));
	control__run_sampling(host.control, ID(03));
	reported(ID(03), NULL);
	host_ends(ID(03), NULL);
	assert_null(host_run(ID(03)));
	nothing_reported();
}

static void continuous_begins_beside_adhoc(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	command(ID(02), "start", CONTINUOUS);
	assert_non_null(host_run(ID(01)));
	assert_non_null(host_run(ID(02)));
	assert_int_equal(host.stops, 0);
}

static void stop_ends_the_runs_and_all_that_waits(void **state)
{
	control__start(host.control);
	command(ID(01), "start", CONTINUOUS);
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	command(ID(02), "start", ADHOC);
	command(ID(03), "start", ADHOC);
	command(ID(04), "stop", "{\"stop_level\":\"host\"}");
	assert_int_equal(host.stops, 2);
	reported(ID(03), "stopped before it started");
	reported(ID(04), NULL);
	command(ID(05), "stop", "{\"stop_level\":\"host\"}"); /* both end already */
	reported(ID(05), NULL);
	host_ends(ID(02), NULL);
	reported(ID(02), "stopped before the first sample");
	host_ends(ID(01), NULL);
	command(ID(06), "stop", "{\"stop_level\":\"host\"}"); /* nothing runs: done all the same */
	reported(ID(06), NULL);
	nothing_reported();
	assert_int_equal(host.starts, 2);
}

static void stop_of_processes_leaves_the_others(void **state)
{
	control__start(host.control);
	command(ID(01), "start", "{\"continuous\":true,\"pids\":[300,100,200]}");
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	command(ID(02), "stop", "{\"stop_level\":\"process\",\"pids\":[200,999]}");
	reported(ID(02), NULL);
	assert_int_equal(host.stops, 0);
	assert_int_equal(host.changes, 1);
	assert_int_equal(host_run(ID(01))->spec.pid_cnt, 2);
	assert_int_equal(host_run(ID(01))->spec.pids[0], 100);
	assert_int_equal(host_run(ID(01))->spec.pids[1], 300);
	command(ID(03), "stop", "{\"stop_level\":\"process\",\"pids\":[999]}");
	reported(ID(03), NULL);
	assert_int_equal(host.changes, 1); /* nothing of it runs: the run is left alone */
	command(ID(04), "stop", "{\"stop_level\":\"process\",\"pids\":[100,300]}");
	reported(ID(04), NULL);
	assert_true(host_run(ID(01))->stop_asked);
	host_ends(ID(01), NULL);
	assert_int_equal(host.starts, 1);
}

static void stop_of_processes_reaches_both_runs_and_what_waits(void **state)
{
	control__start(host.control);
	command(ID(01), "start", "{\"continuous\":true,\"pids\":[1,2]}");
	command(ID(02), "start", "{\"pids\":[2,3]}");
	command(ID(03), "start", "{\"pids\":[2]}");
	command(ID(04), "start", "{\"pids\":[2,4]}");
	command(ID(05), "stop", "{\"stop_level\":\"process\",\"pids\":[2]}");
	reported(ID(03), "stopped before it started");
	reported(ID(05), NULL);
	assert_int_equal(host_run(ID(01))->spec.pids[0], 1);
	assert_int_equal(host_run(ID(02))->spec.pids[0], 3);
	host_ends(ID(02), NULL);
	reported(ID(02), NULL);
	assert_int_equal(host_run(ID(04))->spec.pid_cnt, 1);
	assert_int_equal(host_run(ID(04))->spec.pids[0], 4);
}

static void a_run_of_containers_is_stopped_by_their_names(void **state)
{
	control__start(host.control);
	command(ID(01), "start",
		"{\"continuous\":true,\"pids\":[1,2],\"groups\":[\"pod:a/x\",\"pod:a/y\"]}");
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	assert_int_equal(host_run(ID(01))->spec.pid_cnt, 0);
	assert_int_equal(host_run(ID(01))->spec.group_cnt, 2);
	command(ID(02), "stop", "{\"stop_level\":\"process\",\"pids\":[2]}");
	reported(ID(02), "a run of containers is stopped by their names only");
	assert_int_equal(host.changes, 0);
	command(ID(03), "stop",
		"{\"stop_level\":\"process\",\"pids\":[2],\"groups\":[\"pod:a/y\",\"pod:a/z\"]}");
	reported(ID(03), NULL);
	assert_int_equal(host.changes, 1);
	assert_int_equal(host_run(ID(01))->spec.group_cnt, 1);
	assert_string_equal(host_run(ID(01))->spec.groups[0], "pod:a/x");
	command(ID(04), "stop", "{\"stop_level\":\"process\",\"pids\":[1],\"groups\":[\"pod:a\"]}");
	reported(ID(04), NULL);
	assert_int_equal(host.changes, 1); /* another pod */
	command(ID(05), "stop",
		"{\"stop_level\":\"process\",\"pids\":[1],\"groups\":[\"pod:a/x\"]}");
	reported(ID(05), NULL);
	assert_true(host_run(ID(01))->stop_asked);
	host_ends(ID(01), NULL);
	command(ID(06), "stop", "{\"pids\":[1],\"groups\":[\"x\"]}");
	reported(ID(06),
		 "containers are named as container:[[NAMESPACE/]POD/]NAME, pod:[NAMESPACE/]NAME,"
		 " workload:[NAMESPACE/]NAME or namespace:NAME");
}

static void run_whose_rest_cannot_go_on_ends(void **state)
{
	control__start(host.control);
	command(ID(01), "start", "{\"duration\":100,\"pids\":[1,2]}");
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	host.refuse_change = -ESRCH;
	command(ID(02), "stop", "{\"pids\":[2]}");
	reported(ID(02), NULL);
	assert_true(host_run(ID(01))->stop_asked);
}

/* The Studio answers a process stop with a new start for the rest. */
static void rest_of_a_run_is_the_same_run(void **state)
{
	control__start(host.control);
	command(ID(01), "start", "{\"continuous\":true,\"duration\":60,\"pids\":[1,2,3]}");
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	command(ID(02), "start",
		"{\"continuous\":true,\"duration\":60,\"pids\":[1,3],\"stop_level\":\"process\"}");
	reported(ID(02), NULL);
	assert_int_equal(host_run(ID(01))->spec.pid_cnt, 2);
	assert_int_equal(host.changes, 1);
	assert_int_equal(host.starts, 1);
	/* Other processes, or another rate: a run of its own. */
	command(ID(03), "start",
		"{\"continuous\":true,\"duration\":60,\"pids\":[1,4],\"stop_level\":\"process\"}");
	assert_true(host_run(ID(01))->stop_asked);
	host_ends(ID(01), NULL);
	assert_non_null(host_run(ID(03)));
}

static void stop_of_a_process_ends_a_run_over_the_whole_host(void **state)
{
	struct net_call *call;

	control__start(host.control);
	command(ID(01), "start", CONTINUOUS);
	control__run_sampling(host.control, ID(01));
	reported(ID(01), NULL);
	command(ID(02), "stop", "{\"stop_level\":\"process\",\"pids\":[7]}");
	assert_true(host_run(ID(01))->stop_asked);
	host_ends(ID(01), NULL);
	call = beat();
	assert_non_null(strstr(call->body, "profiles the whole host")); /* the reason is told */
}

static void bad_answers_never_stop_the_beat(void **state)
{
	static const char *const bodies[] = {
		"",
		"<html>",
		"\"Internal server error while processing heartbeat\"",
		"[]",
		"null",
		"7",
		"{\"success\":\"yes\"}",
		"{\"success\":false,\"message\":\"no\"}",
		"{\"message\":{}}",
		"{\"profiling_command\":\"start\",\"command_id\":\"" ID(01) "\"}",
		"{\"profiling_command\":{},\"command_id\":\"" ID(01) "\"}",
		"{\"profiling_command\":{\"command_type\":5},\"command_id\":\"" ID(01) "\"}",
		"{\"profiling_command\":{\"command_type\":\"start\"},\"command_id\":\"cmd-1\"}",
		"{\"profiling_command\":{\"command_type\":\"start\"},\"command_id\":null}",
		"{\"profiling_command\":{\"command_type\":\"start\"},\"command_id\":17}",
		"{\"profiling_command\":{\"command_type\":\"start\",\"combined_config\":[]},"
		"\"command_id\":\"" ID(01) "\"}",
		"{\"profiling_command\":{\"command_type\":\"start\"},\"command_id\":\"" ID(
			01) "0\"}",
	};
	uint64_t failed = metric__get(METRIC_HEARTBEATS_FAILED);
	static const int statuses[] = { 201, 308, 401, 404, 422, 500, 503 };
	static const int errs[] = { -ETIMEDOUT, -ECONNREFUSED, -E2BIG, -EPROTO };
	size_t i;

	control__start(host.control);
	for (i = 0; i < ARRAY_SIZE(bodies); i++)
		wire_answer(beat(), 200, bodies[i]);
	for (i = 0; i < ARRAY_SIZE(statuses); i++)
		wire_answer(beat(), statuses[i], "\"x\"");
	for (i = 0; i < ARRAY_SIZE(errs); i++)
		wire_break(beat(), errs[i]);
	wire_answer(beat(), 500, NO_COMMAND);
	assert_int_equal(metric__get(METRIC_HEARTBEATS_FAILED) - failed,
			 ARRAY_SIZE(bodies) + ARRAY_SIZE(statuses) + ARRAY_SIZE(errs) + 1);
	assert_int_equal(host.starts, 0);
	command(ID(01), "start", "null");
	assert_non_null(host_run(ID(01)));
}

static void beat_that_cannot_be_sent_is_tried_again(void **state)
{
	wire_send_err = -ENOMEM;
	control__start(host.control);
	wire_expire();
	wire_send_err = 0;
	wire_answer(beat(), 200, NO_COMMAND);
	assert_in_range(wire_timer->after_ms, 27000, 33000);
}

static void pauses_grow_with_failures_and_return_to_normal(void **state)
{
	uint64_t last = 0;
	int i;

	control__start(host.control);
	wire_answer(beat(), 200, NO_COMMAND);
	assert_in_range(wire_timer->after_ms, 27000, 33000);
	for (i = 0; i < 12; i++) {
		wire_break(beat(), -ECONNREFUSED);
		assert_true(wire_timer->after_ms <= 360000);
		if (i == 2)
			assert_true(wire_timer->after_ms >= 90000);
		last = wire_timer->after_ms;
	}
	assert_true(last >= 240000);
	wire_answer(beat(), 200, NO_COMMAND);
	assert_in_range(wire_timer->after_ms, 27000, 33000);
}

static void end_of_a_run_brings_one_beat_at_once(void **state)
{
	control__start(host.control);
	command(ID(01), "start", ADHOC);
	assert_in_range(wire_timer->after_ms, 27000, 33000);
	wire_now_ns += 10000000000;
	host_ends(ID(01), NULL);
	assert_int_equal(wire_timer->after_ms, 0);
	reported(ID(01), NULL);
	wire_answer(beat(), 200, NO_COMMAND);
	assert_in_range(wire_timer->after_ms, 27000, 33000);
}

static void report_is_repeated_until_the_server_speaks(void **state)
{
	uint64_t lost = metric__get(METRIC_COMPLETIONS_LOST);

	control__start(host.control);
	command(ID(01), "stop", "{}");
	wire_break(wire_open(DONE), -ECONNREFUSED);
	nothing_reported();
	assert_in_range(wire_timer->after_ms, 4000, 6000);
	wire_expire();
	wire_answer(wire_open(DONE), 500, "\"boom\"");
	wire_expire();
	wire_answer(wire_open(DONE), 401, "");
	assert_in_range(wire_timer->after_ms, 240000, 360000);
	wire_expire();
	wire_answer(wire_open(DONE), 200,
		    "{\"success\":false,\"message\":\"Command x not found for host y\"}");
	nothing_reported();
	assert_int_equal(metric__get(METRIC_COMPLETIONS_LOST), lost);
}

static void report_is_given_up_after_an_hour_and_counted(void **state)
{
	uint64_t lost = metric__get(METRIC_COMPLETIONS_LOST);
	int i;

	control__start(host.control);
	command(ID(01), "stop", "{}");
	for (i = 0; i < 40 && wire_open(DONE); i++) {
		wire_answer(wire_open(DONE), 308, "");
		if (metric__get(METRIC_COMPLETIONS_LOST) == lost)
			wire_expire();
	}
	assert_in_range(i, 11, 16);
	assert_int_equal(metric__get(METRIC_COMPLETIONS_LOST), lost + 1);
}

static void ids_are_kept_to_the_newest(void **state)
{
	_auto_json_ struct json_object *json = NULL;
	struct json_object *list;
	struct net_call *call;
	char id[64];
	int i;

	control__start(host.control);
	for (i = 0; i < 230; i++) {
		snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012d", i);
		command(id, "stop", "{}");
		reported(id, NULL);
	}
	call = beat();
	assert_int_equal(json__parse(call->body, call->body_len, &json), 0);
	assert_int_equal(json__get_array(json, "received_command_ids", &list), 0);
	assert_int_equal(json__len(list), 200);
	assert_string_equal(json__str(json__at(list, 199)), id);
	assert_string_equal(json__str(json__at(list, 0)), "00000000-0000-4000-8000-000000000030");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(heartbeat_has_what_both_studios_take),
		TEST(start_is_completed_when_it_samples_and_only_once),
		TEST(start_that_cannot_be_is_failed_with_the_reason),
		TEST(run_that_fails_before_its_first_sample_is_failed),
		TEST(adhoc_waits_for_adhoc_up_to_a_bound),
		TEST(adhoc_runs_beside_continuous_and_disturbs_nothing),
		TEST(sampler_without_room_is_asked_again),
		TEST(newer_continuous_replaces_older),
		TEST(continuous_begins_beside_adhoc),
		TEST(stop_ends_the_runs_and_all_that_waits),
		TEST(stop_of_processes_leaves_the_others),
		TEST(stop_of_processes_reaches_both_runs_and_what_waits),
		TEST(a_run_of_containers_is_stopped_by_their_names),
		TEST(run_whose_rest_cannot_go_on_ends),
		TEST(rest_of_a_run_is_the_same_run),
		TEST(stop_of_a_process_ends_a_run_over_the_whole_host),
		TEST(bad_answers_never_stop_the_beat),
		TEST(beat_that_cannot_be_sent_is_tried_again),
		TEST(pauses_grow_with_failures_and_return_to_normal),
		TEST(end_of_a_run_brings_one_beat_at_once),
		TEST(report_is_repeated_until_the_server_speaks),
		TEST(report_is_given_up_after_an_hour_and_counted),
		TEST(ids_are_kept_to_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
