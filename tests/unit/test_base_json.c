/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * base: JSON. What is refused, what the getters tell apart, and that what we print is always JSON.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"

static struct json_object *parsed(const char *text)
{
	struct json_object *json = NULL;

	assert_int_equal(json__parse(text, strlen(text), &json), 0);
	return json;
}

static void what_is_not_one_json_value_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{}x",
		"{} {}",
		"[1,]",
		"{\"a\":}",
		"{a:1}",
		"'a'",
		"nul",
		"True",
		"NaN",
		"-Infinity",
		"[Infinity]",
		"[1e999]",
		"[1.]",
		"-.5",
		"1.e5",
		"[01]",
		"[+1]",
		"// a\n1",
		"/* a */1",
		"\"\xff\"",
		"\"\xed\xa0\x80\"",
		"\"a",
		"[1 2]",
		"-",
		"[\"\\x\"]",
		"\xef\xbb\xbf{}",
	};
	struct json_object *json = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (json__parse(bad[i], strlen(bad[i]), &json) != -EBADMSG)
			fail_msg("'%s' was not refused", bad[i]);
	}
	assert_int_equal(json__parse("{}\0", 3, &json), -EBADMSG);
	assert_int_equal(json__parse("[1\0]", 4, &json), -EBADMSG);
	assert_null(json);
}

static void any_value_may_stand_at_the_top(void **state)
{
	_auto_json_ struct json_object *number = parsed("12");
	_auto_json_ struct json_object *text = parsed(" \"Not Found\"\r\n");
	_auto_json_ struct json_object *nothing = parsed("null");

	assert_int_equal(json__int(number), 12);
	assert_string_equal(json__str(text), "Not Found");
	assert_true(json__is_null(nothing));
}

/* Puts depth arrays into each other. */
static int parse_nested(int depth)
{
	_auto_json_ struct json_object *json = NULL;
	_auto_buf_ struct buf text = { .max_bytes = 1 << 20 };

	for (int i = 0; i < depth; i++)
		buf__putc(&text, '[');
	for (int i = 0; i < depth; i++)
		buf__putc(&text, ']');
	return json__parse(text.data, text.len, &json);
}

static void depth_is_bounded(void **state)
{
	assert_int_equal(parse_nested(31), 0);
	assert_int_equal(parse_nested(33), -EBADMSG);
	assert_int_equal(parse_nested(100000), -EBADMSG);
}

static void absent_differs_from_wrong(void **state)
{
	_auto_json_ struct json_object *json =
		parsed("{\"s\":\"x\",\"n\":null,\"i\":7,\"d\":1.5,\"b\":true,\"o\":{},\"a\":[1]}");
	const char *str = "kept";
	struct json_object *any = NULL;
	int64_t number = 99;
	bool flag = false;
	double real = 0;

	assert_int_equal(json__get_str(json, "absent", &str), -ENOENT);
	assert_int_equal(json__get_str(json, "n", &str), -ENOENT);
	assert_int_equal(json__get_str(json, "i", &str), -EBADMSG);
	assert_string_equal(str, "kept");
	assert_int_equal(json__get_int(json, "s", 0, 9, &number), -EBADMSG);
	assert_int_equal(json__get_int(json, "d", 0, 9, &number), -EBADMSG);
	assert_int_equal(json__get_int(json, "i", 8, 9, &number), -EBADMSG);
	assert_int_equal(json__get_int(json, "i", 0, 6, &number), -EBADMSG);
	assert_int_equal(number, 99);
	assert_int_equal(json__get_int(json, "i", 7, 7, &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(json__get_bool(json, "i", &flag), -EBADMSG);
	assert_int_equal(json__get_bool(json, "b", &flag), 0);
	assert_true(flag);
	assert_int_equal(json__get_double(json, "d", &real), 0);
	assert_true(real == 1.5);
	assert_int_equal(json__get_double(json, "i", &real), 0);
	assert_true(real == 7);
	assert_int_equal(json__get_double(json, "s", &real), -EBADMSG);
	assert_int_equal(json__get_object(json, "a", &any), -EBADMSG);
	assert_int_equal(json__get_array(json, "o", &any), -EBADMSG);
	assert_int_equal(json__get_any(json, "n", &any), -ENOENT);
	assert_null(any);
	assert_int_equal(json__get_array(json, "a", &any), 0);
	assert_int_equal(json__get_str(any, "s", &str), -EBADMSG);
	assert_int_equal(json__get_str(NULL, "s", &str), -ENOENT);
}

static void numbers_beyond_64_bits_are_out_of_range(void **state)
{
	_auto_json_ struct json_object *json =
		parsed("{\"u\":18446744073709551615,\"m\":9223372036854775807,"
		       "\"x\":99999999999999999999999}");
	int64_t number;

	assert_int_equal(json__get_int(json, "m", 0, INT64_MAX, &number), 0);
	assert_true(number == INT64_MAX);
	assert_int_equal(json__get_int(json, "u", 0, INT64_MAX, &number), -EBADMSG);
	assert_int_equal(json__get_int(json, "x", 0, INT64_MAX, &number), -EBADMSG);
}

static void a_string_with_nul_is_wrong(void **state)
{
	_auto_json_ struct json_object *json = parsed("{\"s\":\"a\\u0000b\",\"e\":\"\"}");
	struct json_object *any;
	const char *str;

	assert_int_equal(json__get_str(json, "s", &str), -EBADMSG);
	assert_int_equal(json__get_any(json, "s", &any), 0);
	assert_string_equal(json__str(any), "");
	assert_int_equal(json__get_str(json, "e", &str), 0);
	assert_string_equal(str, "");
}

static void the_last_of_two_equal_names_wins(void **state)
{
	_auto_json_ struct json_object *json = parsed("{\"a\":1,\"a\":2}");
	int64_t number;

	assert_int_equal(json__len(json), 1);
	assert_int_equal(json__get_int(json, "a", 0, 9, &number), 0);
	assert_int_equal(number, 2);
}

static void arrays_are_read_within_their_bounds(void **state)
{
	_auto_json_ struct json_object *json = parsed("[1,null,\"x\",2.9]");

	assert_int_equal(json__len(json), 4);
	assert_int_equal(json__int(json__at(json, 0)), 1);
	assert_null(json__at(json, 1));
	assert_string_equal(json__str(json__at(json, 2)), "x");
	assert_string_equal(json__str(json__at(json, 0)), "");
	assert_int_equal(json__int(json__at(json, 2)), 0);
	assert_int_equal(json__int(json__at(json, 3)), 2);
	assert_null(json__at(json, 4));
	assert_null(json__at(NULL, 0));
	assert_int_equal(json__len(NULL), 0);
}

static int join(void *arg, const char *name, struct json_object *value)
{
	buf__printf(arg, "%s=%d ", name, (int)json__int(value));
	return json__int(value) == 3 ? -EDOM : 0;
}

static void members_come_in_order_until_told_to_stop(void **state)
{
	_auto_json_ struct json_object *json = parsed("{\"z\":1,\"a\":2,\"m\":3,\"b\":4}");
	_auto_buf_ struct buf text = { .max_bytes = 100 };

	assert_int_equal(json__each(json, join, &text), -EDOM);
	assert_string_equal(text.data, "z=1 a=2 m=3 ");
	assert_int_equal(json__each(NULL, join, &text), 0);
}

static void print_is_compact_or_pretty_and_leaves_slashes(void **state)
{
	_auto_json_ struct json_object *json = json__new_object();
	struct json_object *list = json__new_array();
	_auto_buf_ struct buf text = { .max_bytes = 1000 };

	assert_int_equal(json__add_str(json, "path", "/bin/\"a\"\n"), 0);
	assert_int_equal(json__add_int(list, NULL, INT64_MIN), 0);
	assert_int_equal(json__add_u64(list, NULL, UINT64_MAX), 0);
	assert_int_equal(json__add_bool(list, NULL, false), 0);
	assert_int_equal(json__add_null(list, NULL), 0);
	assert_int_equal(json__add(json, "list", list), 0);
	assert_int_equal(json__print(json, false, &text), 0);
	assert_string_equal(text.data, "{\"path\":\"/bin/\\\"a\\\"\\n\",\"list\":"
				       "[-9223372036854775808,18446744073709551615,false,null]}");
	buf__reset(&text);
	assert_int_equal(json__print(json, true, &text), 0);
	assert_non_null(strstr(text.data, "{\n  \"path\": \"/bin"));
	text.max_bytes = text.len + 3;
	assert_int_equal(json__print(json, false, &text), -E2BIG);
}

static void doubles_are_short_and_always_json(void **state)
{
	_auto_json_ struct json_object *json = json__new_array();
	_auto_json_ struct json_object *back = NULL;
	_auto_buf_ struct buf text = { .max_bytes = 1000 };

	json__add_double(json, NULL, 1.0 / 3);
	json__add_double(json, NULL, 100);
	json__add_double(json, NULL, 1e300);
	json__add_double(json, NULL, -0.5);
	json__add_double(json, NULL, NAN);
	json__add_double(json, NULL, INFINITY);
	assert_int_equal(json__print(json, false, &text), 0);
	assert_string_equal(text.data, "[0.333333,100,1e+300,-0.5,null,null]");
	assert_int_equal(json__parse(text.data, text.len, &back), 0);
}

static void whatever_bytes_go_in_utf8_comes_out(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "a\xff"
		  "b",
		  "a\xef\xbf\xbd"
		  "b" },
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf0\x9f\x94\xa5", "\xf0\x9f\x94\xa5" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_auto_json_ struct json_object *json = json__new_object();
		_auto_json_ struct json_object *back = NULL;
		_auto_buf_ struct buf text = { .max_bytes = 1000 };
		const char *str;

		assert_int_equal(json__add_str(json, "comm", cases[i].in), 0);
		assert_int_equal(json__print(json, false, &text), 0);
		assert_int_equal(json__parse(text.data, text.len, &back), 0);
		assert_int_equal(json__get_str(back, "comm", &str), 0);
		assert_string_equal(str, cases[i].out);
	}
}

static void building_without_memory_fails_and_frees(void **state)
{
	_auto_json_ struct json_object *number = parsed("1");

	assert_int_equal(json__add_int(NULL, "a", 1), -ENOMEM);
	assert_int_equal(json__add(NULL, "a", json__new_array()), -ENOMEM);
	assert_int_equal(json__add(number, "a", json__new_array()), -ENOMEM);
	assert_int_equal(json__add(NULL, "a", NULL), -ENOMEM);
	json__put(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_one_json_value_is_refused),
		cmocka_unit_test(any_value_may_stand_at_the_top),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(absent_differs_from_wrong),
		cmocka_unit_test(numbers_beyond_64_bits_are_out_of_range),
		cmocka_unit_test(a_string_with_nul_is_wrong),
		cmocka_unit_test(the_last_of_two_equal_names_wins),
		cmocka_unit_test(arrays_are_read_within_their_bounds),
		cmocka_unit_test(members_come_in_order_until_told_to_stop),
		cmocka_unit_test(print_is_compact_or_pretty_and_leaves_slashes),
		cmocka_unit_test(doubles_are_short_and_always_json),
		cmocka_unit_test(whatever_bytes_go_in_utf8_comes_out),
		cmocka_unit_test(building_without_memory_fails_and_frees),
	};

	return cmocka_run_group_tests_name("base_json", tests, NULL, NULL);
}
