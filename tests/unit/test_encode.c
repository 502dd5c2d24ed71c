/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Profile to bytes: totals are kept, names become harmless, the same profile gives the same bytes. Golden
 * files stand in tests/golden/encode (`make golden` records them). The Studio's rules have a test of their
 * own; how a browser sees the page is tested end to end.
 */
#include "pp/encode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "made_profile.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/file.h"
#include "pp/base/json.h"

#define OUT_BYTES_MAX (64u << 20)

static void expect_safe(const char *text, const char *wanted)
{
	_auto_buf_ struct buf out, again;

	buf__init(&out, 1024);
	buf__init(&again, 1024);
	assert_int_equal(encode__safe_text(text, strlen(text), &out), 0);
	assert_string_equal(out.data, wanted);
	assert_int_equal(encode__safe_text(out.data, out.len, &again), 0);
	assert_string_equal(again.data, wanted);
}

static void hostile_text_becomes_one_harmless_field(void **state)
{
	expect_safe("plain_name", "plain_name");
	expect_safe("a;b\nc\r\td", "a|b?c??d");
	expect_safe("", "-");
	expect_safe("   ", "-");
	expect_safe("  two words \xc2\xa0", "two words");
	expect_safe("#!/bin/sh", "_#!/bin/sh");
	expect_safe("  # x", "_# x");
	expect_safe("x\xe2\x80\xa8y\xe2\x80\xaez", "x\xef\xbf\xbdy\xef\xbf\xbdz");
	expect_safe("\xff\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	expect_safe("cut\xe2\x82", "cut\xef\xbf\xbd\xef\xbf\xbd");
	expect_safe("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	expect_safe("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	expect_safe("\xc3\xbc\xe6\xbc\xa2\xf0\x9f\x94\xa5", "\xc3\xbc\xe6\xbc\xa2\xf0\x9f\x94\xa5");
	expect_safe("esc\x1b[31m\x7f", "esc?[31m?");
}

static void text_past_the_buffer_is_an_error(void **state)
{
	struct buf out;

	buf__init(&out, 16);
	assert_int_equal(encode__safe_text("0123456789abcdefghij", 20, &out), -E2BIG);
	buf__clear(&out);
}

/* Compares with tests/golden/encode/NAME, or writes it when the goldens are recorded. */
static void expect_golden(const char *name, const struct buf *out)
{
	_auto_close_ int dir = open("tests/golden/encode", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_auto_buf_ struct buf wanted;

	assert_true(dir >= 0);
	if (getenv("PULSEPROF_GOLDEN"))
		assert_int_equal(file__write_atomic(dir, name, out->data, out->len, 0644), 0);
	buf__init(&wanted, OUT_BYTES_MAX);
	assert_int_equal(file__read_at(dir, name, &wanted), 0);
	assert_string_equal(out->data, wanted.data);
}

static void collapsed_lines_are_as_recorded(void **state)
{
	struct profile *profile = made_small();
	_auto_buf_ struct buf out;

	buf__init(&out, OUT_BYTES_MAX);
	assert_int_equal(encode__collapsed(profile, &out), 0);
	expect_golden("small.col", &out);
	profile__free(profile);
}

static uint64_t sum_of_counts(const char *text)
{
	uint64_t sum = 0;

	while (text) {
		const char *end = strchrnul(text, '\n');
		const char *blank = memrchr(text, ' ', (size_t)(end - text));

		assert_non_null(blank);
		sum += strtoull(blank + 1, NULL, 10);
		text = *end ? end + 1 : NULL;
	}
	return sum;
}

static void counts_add_up_to_the_accepted_samples(void **state)
{
	struct profile *profile = made_small();
	_auto_buf_ struct buf out;

	buf__init(&out, OUT_BYTES_MAX);
	assert_int_equal(encode__collapsed(profile, &out), 0);
	assert_int_equal(sum_of_counts(out.data), profile->account.accepted);
	profile__free(profile);
}

static void a_count_beyond_32_bits_is_split(void **state)
{
	struct profile *profile = NULL;
	_auto_buf_ struct buf out;

	buf__init(&out, OUT_BYTES_MAX);
	assert_int_equal(profile__new(&profile), 0);
	made_frame(profile, FRAME_NATIVE, NULL, 1, "f");
	made_sample(profile, 1, "a", (uint32_t[]){ 0 }, 1, 0, STACK_END_COMPLETE, 9000000000ull);
	made_sample(profile, 1, "b", (uint32_t[]){ 0 }, 1, 0, STACK_END_COMPLETE, 4294967295ull);
	assert_int_equal(encode__collapsed(profile, &out), 0);
	assert_string_equal(out.data, "0;;a;f 410065410\n0;;a;f 4294967295\n0;;a;f 4294967295\n"
				      "0;;b;f 4294967295");
	profile__free(profile);
}

static void lines_are_sorted_by_bytes_also_with_blanks(void **state)
{
	static const char *const names[] = { "f", "f 1", "f 10", "f!", "f;x", "e", "f 1 2" };
	struct profile *profile = NULL;
	_auto_buf_ struct buf out;
	char *last, *line, *save = NULL;

	buf__init(&out, OUT_BYTES_MAX);
	assert_int_equal(profile__new(&profile), 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint32_t frame = made_frame(profile, FRAME_NATIVE, NULL, i, names[i]);

		made_sample(profile, 1, "c", &frame, 1, 0, STACK_END_COMPLETE, 10 - i);
	}
	assert_int_equal(encode__collapsed(profile, &out), 0);
	last = strtok_r(out.data, "\n", &save);
	while ((line = strtok_r(NULL, "\n", &save))) {
		assert_true(strcmp(last, line) < 0);
		last = line;
	}
	profile__free(profile);
}

static void no_samples_give_no_line(void **state)
{
	struct profile *profile = NULL;
	_auto_buf_ struct buf out;

	buf__init(&out, OUT_BYTES_MAX);
	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(encode__collapsed(profile, &out), 0);
	assert_int_equal(out.len, 0);
	profile__free(profile);
}

static void the_summary_has_every_published_field(void **state)
{
	struct profile *profile = made_small();
	_auto_json_ struct json_object *json = NULL;
	_auto_buf_ struct buf out;

	buf__init(&out, OUT_BYTES_MAX);
	assert_int_equal(encode__summary(profile, &json), 0);
	assert_int_equal(json__print(json, true, &out), 0);
	buf__putc(&out, '\n');
	expect_golden("summary.json", &out);
	profile__free(profile);
}

static void what_was_not_measured_is_null_not_zero(void **state)
{
	struct profile *profile = NULL;
	_auto_json_ struct json_object *json = NULL;
	double number;

	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(encode__summary(profile, &json), 0);
	assert_int_equal(json__get_double(json, "user_stacks_complete_pct", &number), -ENOENT);
	assert_int_equal(json__get_double(json, "kernel_ns_per_sample", &number), -ENOENT);
	assert_int_equal(json__get_double(json, "user_cpu_ms", &number), 0);
	profile__free(profile);
}

/* The data element of a page; out keeps the page. */
static char *page_data(const struct profile *profile, struct buf *out)
{
	static const char open[] = "<script type=\"application/json\" id=\"profile\">";
	char *data, *end;

	assert_int_equal(encode__html(profile, out), 0);
	data = strstr(out->data, open);
	assert_non_null(data);
	data += strlen(open);
	end = strstr(data, "</script>");
	assert_non_null(end);
	*end = '\0';
	return data;
}

static void the_data_of_the_page_is_as_recorded(void **state)
{
	struct profile *profile = made_small();
	_auto_json_ struct json_object *json = NULL;
	_auto_buf_ struct buf page, out;
	char *data;

	buf__init(&page, OUT_BYTES_MAX);
	buf__init(&out, OUT_BYTES_MAX);
	data = page_data(profile, &page);
	assert_int_equal(json__parse(data, strlen(data), &json), 0);
	assert_int_equal(json__print(json, true, &out), 0);
	buf__putc(&out, '\n');
	expect_golden("page_data.json", &out);
	profile__free(profile);
}

static void no_byte_of_a_name_is_markup_in_the_page(void **state)
{
	struct profile *profile = made_small();
	_auto_buf_ struct buf page;
	char *data;

	buf__init(&page, OUT_BYTES_MAX);
	data = page_data(profile, &page);
	assert_null(strpbrk(data, "<>&\n"));
	assert_null(strstr(data, "\xe2\x80\xa8"));
	assert_non_null(strstr(data, "\\u003c/script\\u003e;#\\\\x0a\\\\xff"));
	profile__free(profile);
}

static void the_page_has_all_its_parts_and_asks_for_nothing(void **state)
{
	struct profile *profile = made_small();
	_auto_buf_ struct buf page;

	buf__init(&page, OUT_BYTES_MAX);
	assert_int_equal(encode__html(profile, &page), 0);
	assert_non_null(strstr(page.data, "default-src 'none'"));
	assert_null(strstr(page.data, "@STYLE@"));
	assert_null(strstr(page.data, "@LIBRARY@"));
	assert_null(strstr(page.data, "@SCRIPT@"));
	assert_null(strstr(page.data, "src="));
	assert_null(strstr(page.data, "href="));
	assert_null(strstr(page.data, "url("));
	assert_null(strstr(page.data, "@import"));
	profile__free(profile);
}

static int append(void *arg, const void *data, size_t len)
{
	return buf__append(arg, data, len);
}

static int encode_to(const struct encode_format *format, const struct profile *profile,
		     struct buf *out)
{
	const struct encode_sink sink = { append, out };

	return format->encode(profile, &sink);
}

static void same_profile_same_bytes_in_every_format(void **state)
{
	for (uint32_t i = 0; encode_format__at(i); i++) {
		const struct encode_format *format = encode_format__at(i);
		struct profile *one = made_small(), *two = made_small();
		_auto_buf_ struct buf a, b;

		buf__init(&a, OUT_BYTES_MAX);
		buf__init(&b, OUT_BYTES_MAX);
		assert_ptr_equal(encode_format__find(format->name), format);
		assert_int_equal(encode_to(format, one, &a), 0);
		assert_int_equal(encode_to(format, two, &b), 0);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.data, b.data, a.len);
		profile__free(one);
		profile__free(two);
	}
	assert_null(encode_format__find("svg"));
}

static void too_small_a_buffer_is_an_error_in_every_format(void **state)
{
	for (uint32_t i = 0; encode_format__at(i); i++) {
		struct profile *profile = made_small();
		struct buf out;

		buf__init(&out, 100);
		assert_int_equal(encode_to(encode_format__at(i), profile, &out), -E2BIG);
		buf__clear(&out);
		profile__free(profile);
	}
}

/* Beyond 200,000 boxes the lightest are left out, and the page knows how many. */
static void a_huge_tree_is_cut_at_its_lightest_frames(void **state)
{
	struct profile *profile = NULL;
	_auto_json_ struct json_object *json = NULL;
	struct json_object *hidden, *nodes;
	_auto_buf_ struct buf page;
	int64_t cut, below;
	char *data;

	buf__init(&page, OUT_BYTES_MAX);
	assert_int_equal(profile__new(&profile), 0);
	for (uint32_t i = 0; i < 250000; i += 10) {
		uint32_t frames[10];

		for (uint32_t j = 0; j < 10; j++) {
			char name[16];

			snprintf(name, sizeof(name), "f%u", i + j);
			frames[j] = made_frame(profile, FRAME_NATIVE, NULL, i + j, name);
		}
		made_sample(profile, 1, "c", frames, 10, 0, STACK_END_COMPLETE, 1 + (i < 100000));
	}
	data = page_data(profile, &page);
	assert_int_equal(json__parse(data, strlen(data), &json), 0);
	assert_int_equal(json__get_object(json, "hidden", &hidden), 0);
	assert_int_equal(json__get_int(hidden, "nodes", 0, INT32_MAX, &cut), 0);
	assert_int_equal(json__get_int(hidden, "below", 0, INT32_MAX, &below), 0);
	assert_int_equal(cut, 150000);
	assert_int_equal(below, 2);
	assert_int_equal(json__get_array(json, "nodes", &nodes), 0);
	assert_int_equal(json__len(nodes), 3 * (100000 + 2));
	assert_int_equal(json__int(json__at(nodes, 2)), profile->account.accepted);
	profile__free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_text_becomes_one_harmless_field),
		cmocka_unit_test(text_past_the_buffer_is_an_error),
		cmocka_unit_test(collapsed_lines_are_as_recorded),
		cmocka_unit_test(counts_add_up_to_the_accepted_samples),
		cmocka_unit_test(a_count_beyond_32_bits_is_split),
		cmocka_unit_test(lines_are_sorted_by_bytes_also_with_blanks),
		cmocka_unit_test(no_samples_give_no_line),
		cmocka_unit_test(the_summary_has_every_published_field),
		cmocka_unit_test(what_was_not_measured_is_null_not_zero),
		cmocka_unit_test(the_data_of_the_page_is_as_recorded),
		cmocka_unit_test(no_byte_of_a_name_is_markup_in_the_page),
		cmocka_unit_test(the_page_has_all_its_parts_and_asks_for_nothing),
		cmocka_unit_test(same_profile_same_bytes_in_every_format),
		cmocka_unit_test(too_small_a_buffer_is_an_error_in_every_format),
		cmocka_unit_test(a_huge_tree_is_cut_at_its_lightest_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
