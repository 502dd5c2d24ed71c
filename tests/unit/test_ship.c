/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The spool in a real directory below TMPDIR and the sender against a server that the test plays: what is
 * kept, in which order it goes, what happens to what the server will not take, and to files that someone
 * or something damaged.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=file__write_atomic */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../../user/ship/internal.h"
#include "fake_loop.h"
#include "fake_net.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/compress.h"
#include "pp/base/file.h"
#include "pp/metrics.h"
#include "pp/ship.h"

#define UPLOAD	 "/api/v2/profiles"
#define OLD_NAME "00000000000000000001-000000.json.gz"

static char state_dir[64], spool_dir[80];
static struct ship *ship;
static int write_err;

int __real_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode);
int __wrap_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode);

int __wrap_file__write_atomic(int dir_fd, const char *name, const void *data, size_t len,
			      mode_t mode)
{
	return write_err ? write_err : __real_file__write_atomic(dir_fd, name, data, len, mode);
}

static int ship_open(uint64_t max_bytes)
{
	struct ship_options options = { .state_dir = state_dir,
					.server_host = "https://studio.example/base",
					.service_name = "svc",
					.token = "s3cret",
					.spool_max_bytes = max_bytes };

	return ship__new(NULL, NULL, &options, &ship);
}

/* Calls fn, if any, for each file with this end of its name; how many there are. */
static int files(const char *end, void (*fn)(const char *path))
{
	struct dirent *entry;
	DIR *dir = opendir(spool_dir);
	char path[512];
	int cnt = 0;

	while (dir && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || len < strlen(end) ||
		    strcmp(entry->d_name + len - strlen(end), end))
			continue;
		cnt++;
		snprintf(path, sizeof(path), "%s/%s", spool_dir, entry->d_name);
		if (fn)
			fn(path);
	}
	if (dir)
		closedir(dir);
	return cnt;
}

static void remove_file(const char *path)
{
	(void)(unlink(path) && rmdir(path));
}

static void write_file(const char *name, const void *data, size_t len)
{
	char path[512];
	int fd;

	mkdir(spool_dir, 0700);
	snprintf(path, sizeof(path), "%s/%s", spool_dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static int set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");

	ship = NULL;
	write_err = 0;
	snprintf(state_dir, sizeof(state_dir), "%s/test_ship.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(state_dir))
		return -1;
	snprintf(spool_dir, sizeof(spool_dir), "%s/spool", state_dir);
	return 0;
}

static int tear_down(void **state)
{
	ship__free(ship);
	while (wire_work_off())
		;
	wire_reset();
	files("", remove_file);
	rmdir(spool_dir);
	return rmdir(state_dir);
}

static struct net_call *upload(void)
{
	(void)wire_work_off();
	return wire_open(UPLOAD);
}

static void put(const char *body)
{
	assert_int_equal(ship__put(ship, body, strlen(body)), 0);
}

/* What the server would read from the request under way. */
static void uploads(const char *expected)
{
	struct net_call *call = upload();
	_auto_buf_ struct buf plain;

	assert_non_null(call);
	buf__init(&plain, 1 << 20);
	assert_int_equal(gzip__unpack(call->body, call->body_len, &plain), 0);
	assert_string_equal(plain.data, expected);
}

static void is_private(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void profile_is_on_disk_before_it_is_sent(void **state)
{
	struct net_call *call;

	assert_int_equal(ship_open(0), 0);
	put("{\"gpid\":\"\",\"n\":1}");
	assert_int_equal(files(".json.gz", is_private), 1);
	assert_int_equal(ship__waiting(ship), 1);
	call = upload();
	assert_non_null(call);
	assert_string_equal(call->url, "https://studio.example/base" UPLOAD);
	assert_string_equal(call->headers,
			    "GPROFILER-API-KEY: s3cret\nGPROFILER-SERVICE-NAME: svc\n"
			    "Content-Encoding: gzip\nContent-Type: application/json\n");
	wire_answer(call, 200, "{\"message\":\"ok\",\"gpid\":\"17\"}");
	assert_int_equal(files("", NULL), 0);
	assert_int_equal(ship__waiting(ship), 0);
	assert_null(wire_timer && wire_timer->active ? wire_timer : NULL); /* idle: no timer */
}

static void gpid_of_the_last_answer_goes_into_the_next_body(void **state)
{
	assert_int_equal(ship_open(0), 0);
	put("{\"profile\":\"\\\"gpid\\\":\\\"\\\"\",\"gpid\":\"\"}");
	put("{\"profile\":\"\\\"gpid\\\":\\\"\\\"\",\"gpid\":\"\"}");
	put("{\"gpid\":\"\"}");
	uploads("{\"profile\":\"\\\"gpid\\\":\\\"\\\"\",\"gpid\":\"\"}");
	wire_answer(upload(), 200, "{\"message\":\"ok\",\"gpid\":\"17\"}");
	uploads("{\"profile\":\"\\\"gpid\\\":\\\"\\\"\",\"gpid\":\"17\"}");
	wire_answer(upload(), 200, "{\"message\":\"ok\",\"gpid\":\"\\\"},evil\"}"); /* not a word */
	uploads("{\"gpid\":\"17\"}");
}

static void gpid_that_the_server_forgot_is_registered_anew_once(void **state)
{
	assert_int_equal(ship_open(0), 0);
	put("{\"gpid\":\"\",\"n\":1}");
	wire_answer(upload(), 200, "{\"message\":\"ok\",\"gpid\":5}");
	put("{\"gpid\":\"\",\"n\":2}");
	uploads("{\"gpid\":\"5\",\"n\":2}");
	wire_answer(upload(), 400, "{\"message\":\"Failed to parse v2 metadata\"}");
	uploads("{\"gpid\":\"\",\"n\":2}");
	wire_answer(upload(), 400, "{\"message\":\"Failed to parse v2 metadata\"}");
	assert_int_equal(files(".refused", NULL), 1);
	assert_null(upload());
}

static void oldest_goes_first_and_one_at_a_time(void **state)
{
	assert_int_equal(ship_open(0), 0);
	put("{\"n\":1}");
	put("{\"n\":2}");
	put("{\"n\":3}");
	uploads("{\"n\":1}");
	assert_int_equal(wire_cnt, 1);
	wire_answer(upload(), 200, "{}");
	uploads("{\"n\":2}");
	wire_answer(upload(), 204, "");
	uploads("{\"n\":3}");
}

static void trouble_that_passes_is_waited_out(void **state)
{
	static const int statuses[] = { 500, 502, 503, 429, 408 };
	uint64_t retried = metric__get(METRIC_UPLOADS_RETRIED);
	size_t i;

	assert_int_equal(ship_open(0), 0);
	put("{\"n\":1}");
	wire_break(upload(), -ECONNREFUSED);
	assert_in_range(wire_timer->after_ms, 4000, 6000);
	put("{\"n\":2}"); /* does not cut the pause short */
	assert_null(upload());
	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		wire_expire();
		wire_answer(upload(), statuses[i], "\"Internal Server Error\"");
		assert_in_range(wire_timer->after_ms, 8000, 360000);
	}
	wire_expire();
	assert_int_equal(metric__get(METRIC_UPLOADS_RETRIED) - retried, 6);
	wire_answer(upload(), 200, "{}");
	wire_answer(upload(), 200, "{}");
	assert_int_equal(files("", NULL), 0);
}

static void one_that_the_server_chokes_on_lets_the_others_pass(void **state)
{
	int i;

	assert_int_equal(ship_open(0), 0);
	put("{\"n\":1}");
	put("{\"n\":2}");
	for (i = 0; i < 4; i++) {
		uploads("{\"n\":1}");
		wire_answer(upload(), 500, "{\"message\":\"Failed to store profile data\"}");
		wire_expire();
	}
	uploads("{\"n\":2}");
	wire_answer(upload(), 200, "{}");
	uploads("{\"n\":1}");
}

static void what_the_operator_must_mend_is_kept_and_tried_seldom(void **state)
{
	static const struct {
		int status;
		const char *body;
	} answers[] = {
		{ 401, "" },
		{ 403, "<html>" },
		{ 404, "\"Not Found\"" },
		{ 308, "" },
		{ 400, "{\"message\":\"Invalid GPROFILER-SERVICE-NAME header\"}" },
		{ 200, "<html>please log in</html>" },
	};
	size_t i;

	assert_int_equal(ship_open(0), 0);
	put("{\"n\":1}");
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		wire_answer(upload(), answers[i].status, answers[i].body);
		assert_in_range(wire_timer->after_ms, 240000, 360000);
		wire_expire();
	}
	wire_answer(upload(), 200, "{}");
	assert_int_equal(files("", NULL), 0);
}

static void what_is_refused_for_good_is_set_aside_and_the_next_goes(void **state)
{
	uint64_t refused = metric__get(METRIC_UPLOADS_REFUSED);

	assert_int_equal(ship_open(0), 0);
	put("{\"n\":1}");
	put("{\"n\":2}");
	put("{\"n\":3}");
	wire_answer(upload(), 413, "\"Request Entity Too Large\"");
	uploads("{\"n\":2}");
	wire_answer(upload(), 422,
		    "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}");
	uploads("{\"n\":3}");
	assert_int_equal(metric__get(METRIC_UPLOADS_REFUSED) - refused, 2);
	assert_int_equal(files(".refused", NULL), 2);
	assert_int_equal(ship__waiting(ship), 1);
}

static void spool_keeps_its_bound_and_counts_what_went(void **state)
{
	uint64_t evicted = metric__get(METRIC_UPLOADS_EVICTED);
	_auto_buf_ struct buf one;

	buf__init(&one, 4096);
	assert_int_equal(gzip__pack("{\"n\":1}", 7, 6, &one), 0);
	assert_int_equal(ship_open(one.len * 3), 0);
	put("{\"n\":1}");
	put("{\"n\":2}");
	put("{\"n\":3}");
	wire_answer(upload(), 413, "\"too large\""); /* 1 is set aside */
	put("{\"n\":4}"); /* 1 goes */
	assert_int_equal(files(".refused", NULL), 0);
	uploads("{\"n\":2}");
	put("{\"n\":5}"); /* 3 goes, since 2 is on its way */
	assert_int_equal(metric__get(METRIC_UPLOADS_EVICTED) - evicted, 2);
	assert_int_equal(files("", NULL), 3);
	wire_answer(upload(), 200, "{}");
	uploads("{\"n\":4}");
	wire_answer(upload(), 200, "{}");
	uploads("{\"n\":5}");
}

static void profile_that_the_disk_will_not_take_is_sent_from_memory(void **state)
{
	uint64_t evicted = metric__get(METRIC_UPLOADS_EVICTED);

	assert_int_equal(ship_open(0), 0);
	write_err = -ENOSPC;
	put("{\"n\":1}");
	put("{\"n\":2}");
	assert_int_equal(files("", NULL), 0);
	uploads("{\"n\":1}");
	wire_answer(upload(), 503, "");
	wire_expire();
	uploads("{\"n\":1}");
	wire_answer(upload(), 200, "{}");
	uploads("{\"n\":2}");
	ship__free(ship);
	ship = NULL;
	assert_int_equal(metric__get(METRIC_UPLOADS_EVICTED) - evicted, 1);
}

/* A JSON object that gzip cannot make smaller; free(). */
static char *noise(size_t len)
{
	char *body = malloc(len);
	uint32_t x = 1;
	size_t i;

	assert_non_null(body);
	for (i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		body[i] = (char)(x >> 24);
	}
	body[0] = '{';
	body[len - 1] = '}';
	return body;
}

static void body_over_the_limit_is_not_taken(void **state)
{
	size_t len = 6 << 20;
	_auto_free_ char *body = noise(len);

	assert_int_equal(ship_open(0), 0);
	assert_int_equal(ship__put(ship, body, len), -E2BIG);
	assert_int_equal(ship__put(ship, "x", 1), -EINVAL);
	assert_int_equal(ship__put(ship, "[]", 2), -EINVAL);
	assert_int_equal(files("", NULL), 0);
}

static void memory_for_a_full_disk_is_bounded_and_the_error_told(void **state)
{
	size_t len = 3 << 20;
	_auto_free_ char *body = noise(len);

	assert_int_equal(ship_open(0), 0);
	write_err = -ENOSPC;
	assert_int_equal(ship__put(ship, body, len), 0);
	assert_int_equal(ship__put(ship, body, len), -ENOSPC);
	assert_int_equal(ship__waiting(ship), 1);
	assert_int_equal(files("", NULL), 0);
	wire_answer(upload(), 200, "{}");
	assert_int_equal(ship__put(ship, body, len), 0);
}

static void what_was_left_from_before_is_sent_first(void **state)
{
	_auto_buf_ struct buf packed;

	buf__init(&packed, 4096);
	assert_int_equal(gzip__pack("{\"old\":1}", 9, 6, &packed), 0);
	write_file(OLD_NAME, packed.data, packed.len);
	write_file(OLD_NAME ".refused", packed.data, packed.len);
	write_file("00000000000000000002-000000.json.gz.tmp-1234", "half", 4);
	write_file("README", "not ours", 8);
	chmod(spool_dir, 0700);
	assert_int_equal(ship_open(0), 0);
	assert_int_equal(ship__waiting(ship), 1);
	put("{\"new\":1}");
	uploads("{\"old\":1}");
	wire_answer(upload(), 200, "{}");
	uploads("{\"new\":1}");
	assert_int_equal(files(".tmp-1234", NULL), 0);
	assert_int_equal(files("README", NULL), 1);
	assert_int_equal(files(".refused", NULL), 1);
}

static void damaged_files_are_counted_set_aside_and_passed_over(void **state)
{
	uint64_t damaged = metric__get(METRIC_SPOOL_DAMAGED);
	_auto_buf_ struct buf packed, text;
	char name[256];

	buf__init(&packed, 4096);
	buf__init(&text, 4096);
	assert_int_equal(gzip__pack("{\"n\":1}", 7, 6, &packed), 0);
	assert_int_equal(gzip__pack("no JSON", 7, 6, &text), 0);
	write_file("00000000000000000001-000000.json.gz", "", 0);
	write_file("00000000000000000002-000000.json.gz", "garbage", 7);
	write_file("00000000000000000003-000000.json.gz", packed.data, packed.len - 3);
	write_file("00000000000000000004-000000.json.gz", text.data, text.len);
	snprintf(name, sizeof(name), "%s/%s", spool_dir, "00000000000000000005-000000.json.gz");
	assert_int_equal(symlink("/dev/zero", name), 0);
	write_file("00000000000000000006-000000.json.gz", packed.data, packed.len);
	assert_int_equal(ship_open(0), 0);
	while (wire_work_off())
		;
	uploads("{\"n\":1}");
	assert_int_equal(files(".damaged", NULL), 4);
	assert_int_equal(metric__get(METRIC_SPOOL_DAMAGED) - damaged, 5);
}

static void file_taken_away_while_it_waits_is_forgotten(void **state)
{
	assert_int_equal(ship_open(0), 0);
	put("{\"n\":1}");
	put("{\"n\":2}");
	(void)upload();
	files("", remove_file);
	wire_answer(upload(), 200, "{}");
	assert_null(upload());
	assert_int_equal(ship__waiting(ship), 0);
}

static void sender_may_go_while_work_and_request_are_under_way(void **state)
{
	assert_int_equal(ship_open(0), 0);
	put("{\"n\":1}");
	ship__free(ship); /* a worker still prepares */
	ship = NULL;
	assert_true(wire_work_off());
	assert_int_equal(ship_open(0), 0);
	assert_non_null(upload());
	ship__free(ship);
	ship = NULL;
	assert_int_equal(files(".json.gz", NULL), 1);
}

static void server_host_must_be_an_address(void **state)
{
	struct ship_options options = {
		.state_dir = state_dir, .server_host = "ftp://x", .service_name = "", .token = ""
	};

	assert_int_equal(ship__new(NULL, NULL, &options, &ship), -EINVAL);
}

static void names_of_others_are_left_alone(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"00000000000000000001-000000.json",
		"0000000000000000000x-000000.json.gz",
		"00000000000000000001_000000.json.gz",
		"00000000000000000001-00000x.json.gz",
		"00000000000000000001-000000.json.gz.old",
		"00000000000000000001-000000.json.gzz",
	};
	enum spool_state kind;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(spool_name__parse(bad[i], &kind));
	assert_true(spool_name__parse(OLD_NAME, &kind));
	assert_int_equal(kind, SPOOL_WAITING);
	assert_true(spool_name__parse(OLD_NAME ".damaged", &kind));
	assert_int_equal(kind, SPOOL_DAMAGED);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(profile_is_on_disk_before_it_is_sent),
		TEST(gpid_of_the_last_answer_goes_into_the_next_body),
		TEST(gpid_that_the_server_forgot_is_registered_anew_once),
		TEST(oldest_goes_first_and_one_at_a_time),
		TEST(trouble_that_passes_is_waited_out),
		TEST(one_that_the_server_chokes_on_lets_the_others_pass),
		TEST(what_the_operator_must_mend_is_kept_and_tried_seldom),
		TEST(what_is_refused_for_good_is_set_aside_and_the_next_goes),
		TEST(spool_keeps_its_bound_and_counts_what_went),
		TEST(body_over_the_limit_is_not_taken),
		TEST(profile_that_the_disk_will_not_take_is_sent_from_memory),
		TEST(memory_for_a_full_disk_is_bounded_and_the_error_told),
		TEST(what_was_left_from_before_is_sent_first),
		TEST(damaged_files_are_counted_set_aside_and_passed_over),
		TEST(file_taken_away_while_it_waits_is_forgotten),
		TEST(sender_may_go_while_work_and_request_are_under_way),
		TEST(server_host_must_be_an_address),
		TEST(names_of_others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
