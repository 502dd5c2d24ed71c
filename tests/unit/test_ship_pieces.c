/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Profiles that are too large for one body, by what we know or by what the server says: they go in pieces
 * that add up, none is sent twice, and trying ends.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=file__write_atomic */
#include "ship_parcels.h"

#define LIMIT 65536

static void open_limited(void)
{
	struct ship_options options = rig_options();

	options.body_max_bytes = LIMIT;
	assert_int_equal(ship__new(NULL, NULL, &options, &ship), 0);
}

/* Stacks that gzip makes about three times smaller, one sample each; a page of so many bytes. */
static void make_large(size_t bytes, size_t page_bytes, struct buf *out)
{
	uint64_t x = bytes;
	uint32_t i = 0;
	size_t page_end;

	buf__init(out, 64 << 20);
	buf__puts(out, "{\"body\":{\"n\":7},\"header\":{}}\n");
	page_end = out->len + page_bytes;
	buf__puts(out, page_bytes ? "\"<p>" : "null");
	while (out->len < page_end) {
		x = x * 6364136223846793005 + 1442695040888963407;
		buf__printf(out, "%016llx", (unsigned long long)x);
	}
	buf__puts(out, page_bytes ? "\"" : "");
	for (; out->len < page_end + bytes; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		buf__printf(out, "\n0;;comm_%u;frame_%016llx 1", i / 100, (unsigned long long)x);
	}
	assert_int_equal(out->err, 0);
}

/* Not by strstr, which sanitizers make look at the whole text each time. */
static uint64_t count_lines(const char *text, size_t len)
{
	uint64_t lines = 0;

	for (size_t i = 0; i + 2 < len; i++)
		lines += text[i] == '\n' && text[i + 1] == '0' && text[i + 2] == ';';
	return lines;
}

static uint64_t lines_in(const struct buf *parcel)
{
	return count_lines(parcel->data, parcel->len);
}

static void put_large(struct buf *parcel)
{
	assert_int_equal(put_parcel(parcel, "c", false), 0);
}

/* The samples in the upload under way; *ret_page: has it the page? */
static uint64_t samples_sent(bool *ret_page)
{
	_auto_json_ struct json_object *json = sent_body();
	_auto_json_ struct json_object *header = NULL;
	struct json_object *own;
	const char *file, *lines;
	uint64_t found;
	int64_t samples;

	assert_int_equal(json__get_str(json, "profile", &file), 0);
	lines = strchr(file, '\n');
	assert_int_equal(json__parse(file + 2, (size_t)(lines - file - 2), &header), 0);
	assert_int_equal(json__get_object(header, "pulseprof", &own), 0);
	assert_int_equal(json__get_int(own, "samples", 0, INT64_MAX, &samples), 0);
	found = count_lines(lines, strlen(lines));
	assert_int_equal(found, samples);
	*ret_page = !json__get_str(header, "flamegraph_html", &file);
	return found;
}

/* Takes all that comes; how many bodies, and the samples in them. */
static uint32_t take_all(uint64_t *samples, uint32_t *pages)
{
	struct net_call *call;
	uint32_t bodies = 0;
	bool has_page;

	*samples = *pages = 0;
	for (; (call = upload()); bodies++) {
		assert_in_range(call->body_len, 1, LIMIT);
		*samples += samples_sent(&has_page);
		*pages += has_page;
		wire_answer(call, 200, "{}");
	}
	return bodies;
}

static void large_profile_goes_in_pieces_that_add_up(void **state)
{
	uint64_t cut = metric__get(METRIC_UPLOADS_CUT), sent = metric__get(METRIC_UPLOADS_SENT);
	struct buf parcel;
	uint64_t all, samples;
	uint32_t pages;

	open_limited();
	make_large(600000, 40000, &parcel);
	all = lines_in(&parcel);
	put_large(&parcel);
	assert_in_range(take_all(&samples, &pages), 4, 8);
	assert_int_equal(samples, all);
	assert_int_equal(pages, 1);
	assert_int_equal(files("", NULL), 0);
	assert_int_equal(metric__get(METRIC_UPLOADS_CUT) - cut, 1);
	assert_int_equal(metric__get(METRIC_UPLOADS_SENT) - sent, 1);
}

static void pieces_already_sent_are_not_sent_after_a_restart(void **state)
{
	struct buf parcel;
	uint64_t all, first, second, rest;
	uint32_t pages;
	bool has_page;

	open_limited();
	make_large(600000, 0, &parcel);
	all = lines_in(&parcel);
	put_large(&parcel);
	first = samples_sent(&has_page);
	wire_answer(upload(), 200, "{}");
	second = samples_sent(&has_page);
	wire_answer(upload(), 200, "{}");
	assert_int_equal(files("-x4.2-c.parcel.gz", NULL), 1);
	wire_break(upload(), -ECONNRESET); /* the third is not there */
	ship__free(ship);
	while (wire_work_off())
		;
	open_limited();
	ship__release(ship, NULL);
	(void)take_all(&rest, &pages);
	assert_int_equal(first + second + rest, all);
}

static void server_that_takes_less_gets_smaller_pieces(void **state)
{
	struct buf parcel;
	uint64_t all, samples;
	struct net_call *call;
	uint32_t pages, bodies = 0, refused = 0;
	bool has_page;

	open_limited();
	make_large(300000, 0, &parcel);
	all = lines_in(&parcel);
	put_large(&parcel);
	for (samples = 0; (call = upload()); bodies++) {
		if (call->body_len > 30000) {
			wire_answer(call, bodies % 2 ? 411 : 413, "\"Request Entity Too Large\"");
			refused++;
			continue;
		}
		samples += samples_sent(&has_page);
		wire_answer(call, 200, "{}");
	}
	assert_int_equal(samples, all);
	assert_in_range(refused, 1, 2);
	/* It is remembered for the next one, for an hour. */
	make_large(300000, 0, &parcel);
	put_large(&parcel);
	assert_true(upload()->body_len <= 30000);
	(void)take_all(&samples, &pages);
	wire_now_ns += 3700ull * 1000000000;
	make_large(300000, 0, &parcel);
	put_large(&parcel);
	assert_true(upload()->body_len > 30000);
}

static void finer_cuts_send_nothing_twice(void **state)
{
	struct buf parcel;
	uint64_t all, samples, rest;
	uint32_t pages;
	bool has_page;

	open_limited();
	make_large(300000, 0, &parcel);
	all = lines_in(&parcel);
	put_large(&parcel);
	samples = samples_sent(&has_page);
	wire_answer(upload(), 200, "{}");
	wire_answer(upload(), 413, ""); /* another server behind the same address */
	(void)take_all(&rest, &pages);
	assert_int_equal(samples + rest, all);
}

static void server_that_takes_nothing_is_not_asked_for_long(void **state)
{
	uint32_t tries = 0;
	struct buf parcel;

	open_limited();
	make_large(600000, 0, &parcel);
	put_large(&parcel);
	for (; upload(); tries++)
		wire_answer(upload(), 413, "");
	assert_in_range(tries, 2, 6);
	assert_int_equal(files(".refused", NULL), 1);
	make_large(100000, 0, &parcel);
	put_large(&parcel); /* and the size was not it */
	assert_true(upload()->body_len > 20000);
	wire_answer(upload(), 200, "{}");
	assert_int_equal(files("", NULL), 1);
}

static void page_that_is_too_large_alone_is_left_out(void **state)
{
	uint64_t dropped = metric__get(METRIC_UPLOAD_PAGES_DROPPED);
	struct buf parcel;
	uint64_t all, samples;
	uint32_t pages;

	open_limited();
	make_large(300000, 300000, &parcel);
	all = lines_in(&parcel);
	put_large(&parcel);
	wire_answer(upload(), 503, "");
	wire_expire();
	(void)take_all(&samples, &pages);
	assert_int_equal(samples, all);
	assert_int_equal(pages, 0);
	assert_int_equal(metric__get(METRIC_UPLOAD_PAGES_DROPPED) - dropped, 1);
}

static void one_stack_that_fits_into_no_body_is_set_aside(void **state)
{
	struct buf parcel;

	open_limited();
	make_large(100, 0, &parcel);
	buf__puts(&parcel, "\n0;;comm_x");
	for (uint64_t i = 1; i < 20000; i++)
		buf__printf(&parcel, ";%016llx", (unsigned long long)(i * 0x9e3779b97f4a7c15));
	buf__puts(&parcel, " 1");
	put_large(&parcel);
	(void)upload();
	while (upload())
		wire_answer(upload(), 200, "{}");
	assert_int_equal(files(".refused", NULL), 1);
	assert_int_equal(ship__waiting(ship), 0);
}

/* Three stacks that fit only alone: two of four places where it could be cut are one. */
static void piece_without_stacks_is_not_sent(void **state)
{
	uint64_t x = 1, samples;
	struct buf parcel;
	uint32_t pages;

	open_limited();
	make_large(1, 0, &parcel);
	for (int i = 0; i < 3; i++) {
		buf__printf(&parcel, "\n0;;large_%d", i);
		for (size_t end = parcel.len + (i == 1 ? 100000 : 40000); parcel.len < end;) {
			x = x * 6364136223846793005 + 1442695040888963407;
			buf__printf(&parcel, ";%016llx", (unsigned long long)(x ^ x >> 29));
		}
		buf__puts(&parcel, " 1");
	}
	put_large(&parcel);
	assert_in_range(take_all(&samples, &pages), 2, 4);
	assert_int_equal(samples, 3);
	assert_int_equal(files("", NULL), 0);
}

/* The indexer reads no line or file of more than 25 MiB, however small it was on the wire. */
static void file_that_the_indexer_would_not_read_is_cut(void **state)
{
	uint64_t samples = 0;
	struct buf parcel;
	uint32_t bodies = 0;
	bool has_page;

	assert_int_equal(ship_open(0), 0);
	make_large(100, 0, &parcel);
	while (parcel.len < 30 << 20)
		buf__puts(&parcel,
			  "\n0;;comm;main;run;work;work;work;work;work;work;work;work;work;"
			  "work;work;work;work;work;work;work;work;work;work;work 1");
	put_large(&parcel);
	for (; upload(); bodies++) {
		samples += samples_sent(&has_page);
		wire_answer(upload(), 200, "{}");
	}
	assert_int_equal(bodies, 2);
	assert_true(samples > 200000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(large_profile_goes_in_pieces_that_add_up),
		TEST(pieces_already_sent_are_not_sent_after_a_restart),
		TEST(server_that_takes_less_gets_smaller_pieces),
		TEST(finer_cuts_send_nothing_twice),
		TEST(server_that_takes_nothing_is_not_asked_for_long),
		TEST(page_that_is_too_large_alone_is_left_out),
		TEST(one_stack_that_fits_into_no_body_is_set_aside),
		TEST(piece_without_stacks_is_not_sent),
		TEST(file_that_the_indexer_would_not_read_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
