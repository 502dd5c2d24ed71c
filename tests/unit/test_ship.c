/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sender against a server that the test plays: what goes when, what is kept, what becomes of what the
 * server will not take.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=file__write_atomic */
#include "ship_parcels.h"

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
	put(1);
	assert_int_equal(files(".parcel.gz", is_private), 1);
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

static void gpid_of_the_last_answer_goes_into_the_next_body_as_it_came(void **state)
{
	char long_gpid[600];
	int i;

	snprintf(long_gpid, sizeof(long_gpid), "{\"gpid\":\"%0500d\"}", 1);
	assert_int_equal(ship_open(0), 0);
	for (i = 0; i < 5; i++)
		put(i);
	uploads_as(0, "");
	wire_answer(upload(), 200, "{\"message\":\"ok\",\"gpid\":\"17\"}");
	uploads_as(1, "17");
	wire_answer(upload(), 200, "{\"gpid\":18}");
	uploads_as(2, "18");
	wire_answer(upload(), 200, "{\"gpid\":\"\\\"},ev\\u00efl\\n\"}");
	uploads_as(3, "\"},ev\xc3\xafl\n");
	wire_answer(upload(), 200, long_gpid); /* more than we keep: the old one stays */
	uploads_as(4, "\"},ev\xc3\xafl\n");
}

static void gpid_that_the_server_forgot_is_registered_anew_once(void **state)
{
	assert_int_equal(ship_open(0), 0);
	put(1);
	wire_answer(upload(), 200, "{\"message\":\"ok\",\"gpid\":5}");
	put(2);
	uploads_as(2, "5");
	wire_answer(upload(), 400, "{\"message\":\"Failed to parse v2 metadata\"}");
	uploads_as(2, "");
	wire_answer(upload(), 400, "{\"message\":\"Failed to parse v2 metadata\"}");
	assert_int_equal(files(".refused", NULL), 1);
	assert_null(upload());
}

static void oldest_goes_first_and_one_at_a_time(void **state)
{
	assert_int_equal(ship_open(0), 0);
	put(1);
	put(2);
	put(3);
	uploads(1);
	assert_int_equal(wire_cnt, 1);
	wire_answer(upload(), 200, "{}");
	uploads(2);
	wire_answer(upload(), 204, "");
	uploads(3);
}

static void trouble_that_passes_is_waited_out(void **state)
{
	static const int statuses[] = { 500, 502, 503, 429, 408 };
	uint64_t retried = metric__get(METRIC_UPLOADS_RETRIED);
	size_t i;

	assert_int_equal(ship_open(0), 0);
	put(1);
	wire_break(upload(), -ECONNREFUSED);
	assert_in_range(wire_timer->after_ms, 4000, 6000);
	put(2); /* does not cut the pause short */
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
	put(1);
	put(2);
	for (i = 0; i < 9; i++) { /* nobody there: that is not its fault */
		uploads(1);
		wire_break(upload(), -ECONNREFUSED);
		wire_expire();
	}
	for (i = 0; i < 4; i++) {
		uploads(1);
		wire_answer(upload(), 500, "{\"message\":\"Failed to store profile data\"}");
		wire_expire();
	}
	uploads(2);
	wire_answer(upload(), 200, "{}");
	uploads(1);
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
	put(1);
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
	put(1);
	put(2);
	put(3);
	wire_answer(upload(), 400, "{\"message\":\"Failed to parse v2 metadata\"}");
	uploads(2);
	wire_answer(upload(), 422,
		    "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}");
	uploads(3);
	assert_int_equal(metric__get(METRIC_UPLOADS_REFUSED) - refused, 2);
	assert_int_equal(files(".refused", NULL), 2);
	assert_int_equal(ship__waiting(ship), 1);
}

static const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = { "accepted", "again", "later", "smaller", "refused" };

	return names[verdict];
}

/* Each answer that the real web app was recorded to give to an upload. */
static void recorded_answers_mean_what_they_say(void **state)
{
	_auto_close_ int dir = open("tests/data/exchanges", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_auto_json_ struct json_object *json = NULL;
	uint32_t cnts[VERDICT_REFUSED + 1] = { 0 };
	struct json_object *exchanges;
	_auto_buf_ struct buf text;

	buf__init(&text, 1 << 20);
	assert_int_equal(file__read_at(dir, "intel_21_profile_upload.json", &text), 0);
	assert_int_equal(json__parse(text.data, text.len, &json), 0);
	assert_int_equal(json__get_array(json, "exchanges", &exchanges), 0);
	for (size_t i = 0; i < json__len(exchanges); i++) {
		struct json_object *response, *body;
		_auto_buf_ struct buf words;
		struct http_reply reply = { 0 };
		const char *expected;
		enum verdict verdict;
		char why[200];
		int64_t status;

		if (json__get_object(json__at(exchanges, i), "response", &response))
			continue; /* a row of the database */
		assert_int_equal(json__get_int(response, "status", 100, 599, &status), 0);
		assert_int_equal(json__get_any(response, "body", &body), 0);
		buf__init(&words, 1 << 20);
		assert_int_equal(json__print(body, false, &words), 0);
		reply.status = (int)status;
		reply.body = words.data;
		reply.body_len = words.len;
		http_reply__words(&reply, why, sizeof(why));
		verdict = ship_verdict(&reply, why);
		cnts[verdict]++;
		expected = status == 200			? "accepted" :
			   status == 411 || status == 413	? "smaller" :
			   status == 404			? "later" :
			   strstr(words.data, "SERVICE-NAME h") ? "later" :
								  "refused";
		if (strcmp(verdict_name(verdict), expected))
			fail_msg("%s: %s", words.data, verdict_name(verdict));
	}
	assert_true(cnts[VERDICT_ACCEPTED] >= 10 && cnts[VERDICT_REFUSED] >= 8);
	assert_int_equal(cnts[VERDICT_SMALLER], 2);
	assert_int_equal(cnts[VERDICT_LATER], 2);
}

static void headers_of_the_operator_go_with_each_request(void **state)
{
	static const char *const headers[] = { "Authorization: Basic eDp5", "X-Team: a", NULL };
	struct ship_options options = rig_options();

	options.headers = headers;
	assert_int_equal(ship__new(NULL, NULL, &options, &ship), 0);
	put(1);
	assert_non_null(strstr(upload()->headers, "\nAuthorization: Basic eDp5\nX-Team: a\n"));
}

/* ---- held ---- */

static void held_profile_waits_for_its_release(void **state)
{
	assert_int_equal(ship_open(0), 0);
	assert_false(ship__has(ship, "c1"));
	assert_int_equal(put_of(1, "c1", true), 0);
	assert_int_equal(put_of(2, "c2", true), 0);
	assert_true(ship__has(ship, "c1"));
	assert_false(ship__has(ship, "c"));
	assert_null(upload());
	assert_int_equal(ship__waiting(ship), 2);
	ship__release(ship, "c2");
	uploads(2);
	wire_answer(upload(), 200, "{}");
	assert_false(ship__has(ship, "c2"));
	assert_null(upload());
	ship__release(ship, "c1");
	uploads(1);
}

/* The other worker may be needed for a run that goes on. */
static void puts_come_one_after_the_other_and_before_uploads(void **state)
{
	struct ship_item item = { 0 };
	int results[3] = { NOT_YET, NOT_YET, NOT_YET };
	int i;

	assert_int_equal(ship_open(0), 0);
	for (i = 0; i < 3; i++) {
		item.parcel = &(struct buf){ 0 };
		make_parcel(i, item.parcel);
		assert_int_equal(ship__put(ship, &item, told, &results[i]), 0);
	}
	assert_int_equal(ship__waiting(ship), 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(wire_works_cnt, 1);
		assert_int_equal(results[i], NOT_YET);
		assert_true(wire_work_off()); /* packed */
		assert_true(wire_work_off()); /* written */
		assert_int_equal(results[i], 0);
	}
	assert_null(wire_open(UPLOAD));
	uploads(0);
}

static void release_may_come_before_the_file_is_written(void **state)
{
	const struct ship_item item = { .command_id = "c1",
					.is_held = true,
					.parcel = &(struct buf){ 0 } };
	int result = NOT_YET;

	assert_int_equal(ship_open(0), 0);
	make_parcel(1, item.parcel);
	assert_int_equal(ship__put(ship, &item, told, &result), 0);
	assert_null(item.parcel->data); /* taken */
	assert_false(ship__has(ship, "c1"));
	assert_int_equal(ship__waiting(ship), 1);
	ship__release(ship, "c1");
	uploads(1);
	assert_int_equal(result, 0);
}

static void what_belongs_to_a_command_is_held_after_a_restart(void **state)
{
	static const char *const odd = "a/../b;\xff \n.x8.3-%";
	char long_id[400], other_long[400];

	memset(long_id, 'x', sizeof(long_id));
	memset(other_long, 'x', sizeof(other_long));
	long_id[399] = other_long[399] = '\0';
	other_long[398] = 'y';
	assert_int_equal(ship_open(0), 0);
	assert_int_equal(put_of(1, "11111111-2222-4333-8444-555555555555", true), 0);
	assert_int_equal(put_of(2, odd, true), 0);
	assert_int_equal(put_of(3, long_id, true), 0);
	assert_int_equal(put_of(4, NULL, false), 0);
	wire_break(upload(), -ECONNREFUSED);
	restart();
	assert_true(ship__has(ship, "11111111-2222-4333-8444-555555555555"));
	assert_true(ship__has(ship, odd));
	assert_true(ship__has(ship, long_id));
	assert_false(ship__has(ship, other_long));
	uploads(4);
	wire_answer(upload(), 200, "{}");
	assert_null(upload());
	ship__release(ship, odd);
	uploads(2);
	ship__release(ship, NULL);
	wire_answer(upload(), 200, "{}");
	uploads(1);
	wire_answer(upload(), 200, "{}");
	uploads(3);
}

static void profile_of_several_shares_is_there_with_its_last(void **state)
{
	struct ship_item item = { .command_id = "c", .is_held = true, .share.cnt = 3 };
	int result;

	assert_int_equal(ship_open(0), 0);
	for (; item.share.index < 3; item.share.index++) {
		assert_false(ship__has(ship, "c"));
		result = NOT_YET;
		item.parcel = &(struct buf){ 0 };
		make_parcel((int)item.share.index, item.parcel);
		assert_int_equal(ship__put(ship, &item, told, &result), 0);
		while (result == NOT_YET)
			assert_true(wire_work_off());
	}
	assert_true(ship__has(ship, "c"));
	restart();
	assert_true(ship__has(ship, "c"));
	ship__release(ship, "c");
	uploads(0);
	wire_answer(upload(), 200, "{}");
	uploads(1);
	wire_answer(upload(), 200, "{}");
	assert_int_equal(files("-p3.3-c.parcel.gz", NULL), 1);
	uploads(2);
}

static void refused_profile_still_counts_as_made(void **state)
{
	assert_int_equal(ship_open(0), 0);
	assert_int_equal(put_of(1, "c1", false), 0);
	wire_answer(upload(), 422, "{\"detail\":\"no\"}");
	assert_true(ship__has(ship, "c1"));
	restart();
	assert_true(ship__has(ship, "c1"));
	ship__release(ship, NULL);
	assert_null(upload());
}

static void parcel_that_is_none_is_not_taken(void **state)
{
	struct buf parcel;

	assert_int_equal(ship_open(0), 0);
	buf__init(&parcel, 10);
	assert_int_equal(put_parcel(&parcel, NULL, false), -EINVAL);
	buf__puts(&parcel, "more than ten bytes");
	assert_int_equal(put_parcel(&parcel, NULL, false), -EINVAL);
	assert_int_equal(put_of(1, NULL, true), -EINVAL); /* nobody could release it */
}

static void sender_may_go_while_work_and_request_are_under_way(void **state)
{
	struct ship_item item = { .parcel = &(struct buf){ 0 } };
	int result[2] = { NOT_YET, NOT_YET };

	assert_int_equal(ship_open(0), 0);
	put(1);
	make_parcel(2, item.parcel);
	assert_int_equal(ship__put(ship, &item, told, &result[0]), 0);
	make_parcel(3, item.parcel);
	assert_int_equal(ship__put(ship, &item, told, &result[1]), 0);
	ship__free(ship); /* a worker still prepares, another compresses, one waits for its turn */
	ship = NULL;
	assert_int_equal(result[0], -ECANCELED);
	assert_int_equal(result[1], -ECANCELED);
	while (wire_work_off())
		;
	assert_int_equal(ship_open(0), 0);
	make_parcel(4, item.parcel);
	result[0] = NOT_YET;
	assert_int_equal(ship__put(ship, &item, told, &result[0]), 0);
	assert_true(wire_work_off()); /* the upload of 1 is prepared */
	assert_true(wire_work_off()); /* 4 is compressed */
	ship__free(ship); /* a worker still writes */
	ship = NULL;
	assert_int_equal(result[0], -ECANCELED);
	while (wire_work_off())
		;
	assert_int_equal(files(".parcel.gz", NULL), 2);
}

static void server_host_must_be_an_address(void **state)
{
	struct ship_options options = {
		.state_dir = state_dir, .server_host = "ftp://x", .service_name = "", .token = ""
	};

	assert_int_equal(ship__new(NULL, NULL, &options, &ship), -EINVAL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(profile_is_on_disk_before_it_is_sent),
		TEST(gpid_of_the_last_answer_goes_into_the_next_body_as_it_came),
		TEST(gpid_that_the_server_forgot_is_registered_anew_once),
		TEST(oldest_goes_first_and_one_at_a_time),
		TEST(trouble_that_passes_is_waited_out),
		TEST(one_that_the_server_chokes_on_lets_the_others_pass),
		TEST(what_the_operator_must_mend_is_kept_and_tried_seldom),
		TEST(what_is_refused_for_good_is_set_aside_and_the_next_goes),
		TEST(recorded_answers_mean_what_they_say),
		TEST(headers_of_the_operator_go_with_each_request),
		TEST(held_profile_waits_for_its_release),
		TEST(puts_come_one_after_the_other_and_before_uploads),
		TEST(release_may_come_before_the_file_is_written),
		TEST(what_belongs_to_a_command_is_held_after_a_restart),
		TEST(profile_of_several_shares_is_there_with_its_last),
		TEST(refused_profile_still_counts_as_made),
		TEST(parcel_that_is_none_is_not_taken),
		TEST(sender_may_go_while_work_and_request_are_under_way),
		TEST(server_host_must_be_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
