/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Log lines on their way to a log service that the test plays: batches as the service was recorded to take
 * them, what is lost is counted, no secret leaves, a service that refuses is not asked again in a hurry.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=clock_real_ns */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "fake_loop.h"
#include "fake_net.h"
#include "pp/base/buf.h"
#include "pp/base/compress.h"
#include "pp/base/json.h"
#include "pp/base/log.h"
#include "pp/metrics.h"
#include "pp/ship_logs.h"

#define LOGS "/api/v1/logs"

static struct ship_logs *logs;
static int saved_stderr;

uint64_t __wrap_clock_real_ns(void);
uint64_t __wrap_clock_real_ns(void)
{
	return 1795341600123456789ull; /* 2026-11-22T10:00:00 */
}

static int set_up(void **state)
{
	static const char *const headers[] = { "X-Team: a", NULL };
	const struct ship_logs_options options = { .api_server = "https://studio.example/base",
						   .service_name = "svc",
						   .hostname = "node-7",
						   .agent_version = "2.0.0",
						   .token = "s3cret",
						   .headers = headers };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	saved_stderr = dup(STDERR_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
	return ship_logs__new(NULL, NULL, &options, &logs);
}

static int tear_down(void **state)
{
	ship_logs__free(logs);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	wire_reset();
	return 0;
}

static void pass(uint64_t seconds)
{
	for (uint64_t i = 0; i < seconds; i += 10) {
		wire_now_ns += 10000000000ull;
		wire_timer->fn(wire_timer->arg);
	}
}

/* The batch under way; given. */
static struct json_object *batch(void)
{
	struct net_call *call = wire_open(LOGS);
	struct json_object *json = NULL;
	_auto_buf_ struct buf text;

	assert_non_null(call);
	buf__init(&text, 4 << 20);
	assert_int_equal(gzip__unpack(call->body, call->body_len, &text), 0);
	assert_null(strstr(text.data, "s3cret"));
	assert_int_equal(json__parse(text.data, text.len, &json), 0);
	return json;
}

static size_t lines_in(const struct json_object *json, int64_t *ret_lost)
{
	struct json_object *lines;

	assert_int_equal(json__get_array(json, "logs", &lines), 0);
	assert_int_equal(json__get_int(json, "lost_logs_count", 0, INT64_MAX, ret_lost), 0);
	return json__len(lines);
}

static const char *message_at(const struct json_object *json, size_t i)
{
	struct json_object *lines, *text;
	const char *message;

	assert_int_equal(json__get_array(json, "logs", &lines), 0);
	assert_int_equal(json__get_object(json__at(lines, i), "text", &text), 0);
	assert_int_equal(json__get_str(text, "message", &message), 0);
	return message;
}

static void batch_is_as_the_service_takes_it(void **state)
{
	_auto_json_ struct json_object *json = NULL;
	struct json_object *metadata, *lines, *line, *text;
	const char *word;
	int64_t number;

	log_error("ship: it went wrong '%s' \xff\xc3\xa4", "x");
	log_warn("no room");
	log_debug("not asked for");
	pass(30);
	json = batch();
	assert_string_equal(wire_open(LOGS)->url, "https://studio.example/base" LOGS);
	assert_string_equal(wire_open(LOGS)->headers,
			    "X-Token: s3cret\nX-Application-Name: gprofiler\n"
			    "Content-Encoding: gzip\nContent-Type: application/json\nX-Team: a\n");
	assert_int_equal(json__get_str(json, "batch_id", &word), 0);
	assert_int_equal(strspn(word, "0123456789abcdef"), 32);
	assert_int_equal(strlen(word), 32);
	assert_int_equal(json__get_object(json, "metadata", &metadata), 0);
	assert_int_equal(json__get_str(metadata, "run_id", &word), 0);
	assert_int_equal(strlen(word), 36);
	assert_int_equal(json__get_str(metadata, "gprofiler_version", &word), 0);
	assert_string_equal(word, "2.0.0");
	assert_int_equal(json__get_str(metadata, "service_name", &word), 0);
	assert_string_equal(word, "svc");
	assert_int_equal(json__get_str(metadata, "hostname", &word), 0);
	assert_string_equal(word, "node-7");
	assert_int_equal(json__get_array(json, "logs", &lines), 0);
	assert_int_equal(json__len(lines), 2);
	line = json__at(lines, 0);
	assert_int_equal(json__get_int(line, "severity", 5, 5, &number), 0);
	assert_int_equal(json__get_int(line, "timestamp", 1795341600123, 1795341600123, &number),
			 0);
	assert_int_equal(json__get_object(line, "text", &text), 0);
	assert_int_equal(json__get_str(text, "logger_name", &word), 0);
	assert_string_equal(word, "pulseprof.ship");
	assert_string_equal(message_at(json, 0), "ship: it went wrong 'x' ???");
	assert_int_equal(json__get_str(text, "timestamp", &word), 0);
	assert_string_equal(word, "2026-11-22T10:00:00");
	assert_int_equal(json__get_int(json__at(lines, 1), "severity", 4, 4, &number), 0);
	wire_answer(wire_open(LOGS), 201, "{\"status\":\"ok\"}");
	pass(100);
	assert_null(wire_open(LOGS)); /* nothing new: nothing is sent */
}

static void token_in_a_line_is_masked(void **state)
{
	_auto_json_ struct json_object *json = NULL;

	log_info("a: s3crets3cret s3cre");
	pass(30);
	json = batch();
	assert_string_equal(message_at(json, 0), "a: ************ s3cre");
}

static void failed_batch_is_sent_again_as_it_was(void **state)
{
	_auto_json_ struct json_object *first = NULL, *again = NULL, *next = NULL;
	const char *id, *id_again;
	int64_t lost;

	log_info("a: 1");
	pass(30);
	first = batch();
	wire_answer(wire_open(LOGS), 503, "");
	log_info("a: 2");
	pass(20);
	assert_null(wire_open(LOGS));
	pass(20);
	again = batch();
	assert_int_equal(json__get_str(first, "batch_id", &id), 0);
	assert_int_equal(json__get_str(again, "batch_id", &id_again), 0);
	assert_string_equal(id, id_again);
	wire_answer(wire_open(LOGS), 201, "{}");
	pass(40);
	next = batch();
	/* What the failure itself was worth to say is between them. */
	assert_int_equal(lines_in(next, &lost), 2);
	assert_string_equal(message_at(next, 1), "a: 2");
	assert_int_equal(lost, 0);
}

static void full_buffer_drops_the_oldest_and_says_so(void **state)
{
	uint64_t dropped = metric__get(METRIC_LOGS_DROPPED);
	_auto_json_ struct json_object *json = NULL;
	int64_t lost;
	size_t cnt;

	for (int i = 0; i < 2100; i++)
		log_info("a: %d", i);
	pass(10); /* it is crowded: no need to wait for its time */
	json = batch();
	cnt = lines_in(json, &lost);
	assert_int_equal(cnt + (size_t)lost, 2100);
	assert_int_equal(lost, 512);
	assert_string_equal(message_at(json, cnt - 1), "a: 2099");
	assert_int_equal(metric__get(METRIC_LOGS_DROPPED) - dropped, 512);
}

static void long_lines_fill_it_too(void **state)
{
	_auto_json_ struct json_object *json = NULL;
	int64_t lost;

	for (int i = 0; i < 400; i++)
		log_info("a: %01000d", i);
	pass(10);
	json = batch();
	assert_int_equal(lines_in(json, &lost) + (size_t)lost, 400);
	assert_true(lost > 0);
}

static void service_that_will_not_have_them_is_left_alone(void **state)
{
	static const int statuses[] = { 401, 404, 413, 422 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		log_info("a: b");
		pass(40);
		wire_answer(wire_open(LOGS), statuses[i], "\"no\"");
		for (int j = 0; j < 2000; j++)
			log_info("a: %d", j);
		pass(250);
		assert_null(wire_open(LOGS));
		pass(90);
		assert_non_null(wire_open(LOGS));
		wire_answer(wire_open(LOGS), 201, "{}");
		pass(40);
		if (wire_open(LOGS))
			wire_answer(wire_open(LOGS), 201, "{}");
	}
}

static void *log_much(void *arg)
{
	for (int i = 0; i < 300; i++)
		log_info("thread: %d", i);
	return NULL;
}

static void lines_come_from_any_thread(void **state)
{
	pthread_t threads[3];
	size_t cnt = 0;
	int64_t lost;

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_much, NULL), 0);
	for (int i = 0; i < 40; i++) {
		pass(10);
		if (i == 35)
			for (int j = 0; j < 3; j++)
				pthread_join(threads[j], NULL);
		if (wire_open(LOGS)) {
			_auto_json_ struct json_object *json = batch();

			cnt += lines_in(json, &lost);
			wire_answer(wire_open(LOGS), 201, "{}");
		}
	}
	assert_int_equal(cnt, 900);
}

static void it_may_go_while_a_batch_is_under_way(void **state)
{
	log_info("a: b");
	pass(30);
	assert_non_null(wire_open(LOGS));
	ship_logs__free(logs);
	logs = NULL;
	log_info("a: nobody else hears this");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(batch_is_as_the_service_takes_it),
		TEST(token_in_a_line_is_masked),
		TEST(failed_batch_is_sent_again_as_it_was),
		TEST(full_buffer_drops_the_oldest_and_says_so),
		TEST(long_lines_fill_it_too),
		TEST(service_that_will_not_have_them_is_left_alone),
		TEST(lines_come_from_any_thread),
		TEST(it_may_go_while_a_batch_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
