/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spec: the same wish from words, JSON and a Studio's command is the same struct and prints back to
 * itself; what cannot be done is refused with a sentence.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"
#include "pp/spec.h"

static struct json_object *parsed(const char *text)
{
	struct json_object *json = NULL;

	assert_int_equal(json__parse(text, strlen(text), &json), 0);
	return json;
}

/* The spec of a command with this combined_config; defaults are 77 Hz and no duration. */
static int from_config(const char *text, struct session_spec *ret_spec, const char **ret_why)
{
	_auto_json_ struct json_object *json = parsed(text);
	struct session_spec defaults;

	session_spec__init(&defaults);
	assert_int_equal(session_spec__set_rate(&defaults, "77", NULL), 0);
	return session_spec__from_config(json, &defaults, ret_spec, ret_why);
}

static void defaults_are_99_hz_of_everything(void **state)
{
	struct session_spec spec;

	session_spec__init(&spec);
	assert_int_equal(spec.rate_hz, 99);
	assert_int_equal(spec.duration_s, 0);
	assert_int_equal(spec.pid_cnt + spec.comm_cnt, 0);
	assert_false(spec.continuous || spec.idle || spec.children);
}

static void rates_are_1_to_10000(void **state)
{
	static const char *const bad[] = { "0",	  "10001", "",
					   "-1",  "9.5",   "99x",
					   " 99", "0x10",  "99999999999999999999" };
	struct session_spec spec;
	const char *why = NULL;

	session_spec__init(&spec);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		assert_int_equal(session_spec__set_rate(&spec, bad[i], &why), -EINVAL);
		assert_string_equal(why, "the rate must be a whole number of Hz from 1 to 10000");
		assert_int_equal(spec.rate_hz, 99);
	}
	assert_int_equal(session_spec__set_rate(&spec, "1", NULL), 0);
	assert_int_equal(session_spec__set_rate(&spec, "10000", NULL), 0);
	assert_int_equal(spec.rate_hz, 10000);
	assert_int_equal(session_spec__set_rate(&spec, "x", NULL), -EINVAL);
}

static void durations_take_a_unit_and_end_after_a_day(void **state)
{
	static const struct {
		const char *text;
		uint32_t duration_s;
	} good[] = { { "1", 1 },       { "10s", 10 },	   { "2m", 120 },
		     { "24h", 86400 }, { "86400", 86400 }, { "0010", 10 } };
	static const char *const bad[] = {
		"",	"0",  "s",    "0s", "86401", "25h",	     "1441m",
		"1.5h", "1d", "10 s", "-1", "1hs",   "999999999999h"
	};
	struct session_spec spec;
	const char *why;

	session_spec__init(&spec);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(session_spec__set_duration(&spec, good[i].text, &why), 0);
		assert_int_equal(spec.duration_s, good[i].duration_s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		if (session_spec__set_duration(&spec, bad[i], &why) != -EINVAL)
			fail_msg("'%s' was not refused", bad[i]);
		assert_non_null(why);
	}
	assert_int_equal(spec.duration_s, 10);
}

static void pids_and_names_are_sorted_and_distinct(void **state)
{
	struct session_spec a, b;
	const char *why;

	session_spec__init(&a);
	session_spec__init(&b);
	assert_int_equal(session_spec__add_pid(&a, "30", &why), 0);
	assert_int_equal(session_spec__add_pid(&a, "7", &why), 0);
	assert_int_equal(session_spec__add_pid(&a, "4194304", &why), 0);
	assert_int_equal(session_spec__add_pid(&a, "30", &why), 0);
	assert_int_equal(a.pid_cnt, 3);
	assert_int_equal(a.pids[0], 7);
	assert_int_equal(a.pids[2], 4194304);
	assert_int_equal(session_spec__add_comm(&a, "worker", &why), 0);
	assert_int_equal(session_spec__add_comm(&a, "a;b c", &why), 0);

	assert_int_equal(session_spec__add_comm(&b, "a;b c", &why), 0);
	assert_int_equal(session_spec__add_pid_num(&b, 4194304, &why), 0);
	assert_int_equal(session_spec__add_comm(&b, "worker", &why), 0);
	assert_int_equal(session_spec__add_pid_num(&b, 7, &why), 0);
	assert_false(session_spec__equal(&a, &b));
	assert_int_equal(session_spec__add_pid_num(&b, 30, &why), 0);
	assert_true(session_spec__equal(&a, &b));
	assert_memory_equal(&a, &b, sizeof(a));
}

static void a_long_name_is_cut_as_the_kernel_cuts_it(void **state)
{
	struct session_spec spec;
	const char *why;

	session_spec__init(&spec);
	assert_int_equal(session_spec__add_comm(&spec, "0123456789abcdefgh", &why), 0);
	assert_string_equal(spec.comms[0], "0123456789abcde");
	assert_int_equal(session_spec__add_comm(&spec, "0123456789abcdeXXX", &why), 0);
	assert_int_equal(spec.comm_cnt, 1);
	assert_int_equal(session_spec__add_comm(&spec, "", &why), -EINVAL);
}

static void a_cgroup_is_a_path_written_as_the_kernel_writes_it(void **state)
{
	static const char *const bad[] = { "",	     "a/b",   "/..", "/a/../b", "/a/.",
					   "/a/./b", "/a\nb", "./a", "../a" };
	struct session_spec spec;
	char longest[SPEC_CGROUP_BYTES + 1];
	const char *why = NULL;

	session_spec__init(&spec);
	assert_int_equal(session_spec__add_cgroup(&spec, "//system.slice///a..b.service/", &why),
			 0);
	assert_string_equal(spec.cgroups[0], "/system.slice/a..b.service");
	assert_int_equal(session_spec__add_cgroup(&spec, "/", &why), 0);
	assert_int_equal(session_spec__add_cgroup(&spec, "//", &why), 0);
	assert_string_equal(spec.cgroups[0], "/");
	assert_int_equal(spec.cgroup_cnt, 2);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(session_spec__add_cgroup(&spec, bad[i], &why), -EINVAL);
	assert_string_equal(
		why, "a cgroup is a path from / on, of at most 511 bytes and without .. in it");
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[SPEC_CGROUP_BYTES] = '\0';
	assert_int_equal(session_spec__add_cgroup(&spec, longest, &why), -EINVAL);
	longest[SPEC_CGROUP_BYTES - 1] = '\0';
	assert_int_equal(session_spec__add_cgroup(&spec, longest, &why), 0);
	assert_int_equal(spec.cgroup_cnt, 3);
}

static void groups_are_names_of_a_kind(void **state)
{
	static const char *const bad[] = {
		"",	    "a",
		":a",	    "host:a",
		"pod:",	    "pod:/a",
		"pods:a",   "pod:a/",
		"pod:a//b", "pod:a/b/c",
		"pod:a:b",  "namespace:a/b",
		"pod:a\nb", "container:a/b/c/d",
	};
	struct session_spec spec;
	const char *why;

	session_spec__init(&spec);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (session_spec__add_group(&spec, bad[i], &why) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(session_spec__add_group(&spec, "pod:shop/cart", &why), 0);
	assert_int_equal(session_spec__add_group(&spec, "container:a/b/c", &why), 0);
	assert_int_equal(session_spec__add_group(&spec, "pod:shop/cart", &why), 0);
	assert_int_equal(spec.group_cnt, 2);
	assert_string_equal(spec.groups[0], "container:a/b/c");
	assert_string_equal(spec.groups[1], "pod:shop/cart");
}

static void a_command_by_groups_leaves_its_pids_to_others(void **state)
{
	struct session_spec spec;
	const char *why;

	assert_int_equal(
		from_config("{\"pids\":[1,2],\"groups\":[\"namespace:shop\"]}", &spec, &why), 0);
	assert_int_equal(spec.pid_cnt, 0);
	assert_int_equal(spec.group_cnt, 1);
	assert_int_equal(from_config("{\"pids\":[1,2],\"groups\":[]}", &spec, &why), 0);
	assert_int_equal(spec.pid_cnt, 2);
	assert_int_equal(from_config("{\"groups\":[\"shop\"]}", &spec, &why), -EINVAL);
}

static void lists_have_a_maximum(void **state)
{
	struct session_spec spec;
	const char *why = NULL;
	char text[16];

	session_spec__init(&spec);
	for (int pid = SPEC_PIDS_MAX; pid >= 1; pid--)
		assert_int_equal(session_spec__add_pid_num(&spec, pid, &why), 0);
	assert_int_equal(session_spec__add_pid_num(&spec, 5000, &why), -E2BIG);
	assert_string_equal(why, "at most 1024 pids can be named");
	assert_int_equal(session_spec__add_pid_num(&spec, 1, &why), 0);
	for (int i = 0; i < SPEC_COMMS_MAX; i++) {
		snprintf(text, sizeof(text), "t%d", i);
		assert_int_equal(session_spec__add_comm(&spec, text, &why), 0);
	}
	assert_int_equal(session_spec__add_comm(&spec, "one more", &why), -E2BIG);
	for (int i = 0; i < SPEC_CGROUPS_MAX; i++) {
		snprintf(text, sizeof(text), "/%d", i);
		assert_int_equal(session_spec__add_cgroup(&spec, text, &why), 0);
	}
	assert_int_equal(session_spec__add_cgroup(&spec, "/one/more", &why), -E2BIG);
	assert_int_equal(session_spec__add_pid(&spec, "0", &why), -EINVAL);
	assert_int_equal(session_spec__add_pid(&spec, "4194305", &why), -EINVAL);
	assert_int_equal(session_spec__add_pid(&spec, "self", &why), -EINVAL);
}

static void words_say_all_of_it(void **state)
{
	_auto_buf_ struct buf words = { .max_bytes = 1000 };
	struct session_spec spec;

	session_spec__init(&spec);
	assert_int_equal(session_spec__print_words(&spec, &words), 0);
	assert_string_equal(words.data, "--rate 99");
	spec.idle = spec.children = spec.continuous = spec.inlined = true;
	session_spec__set_duration(&spec, "1m", NULL);
	session_spec__add_pid(&spec, "12", NULL);
	session_spec__add_pid(&spec, "3", NULL);
	session_spec__add_comm(&spec, "kworker/0:1", NULL);
	session_spec__add_comm(&spec, "it's a\n\xff", NULL);
	session_spec__add_comm(&spec, "-x", NULL);
	session_spec__add_cgroup(&spec, "/a/b-\\x2d", NULL);
	session_spec__set_event(&spec, "cpu/event=1,umask=2/", NULL);
	session_spec__add_group(&spec, "namespace:shop", NULL);
	session_spec__add_group(&spec, "container:-x", NULL);
	buf__reset(&words);
	assert_int_equal(session_spec__print_words(&spec, &words), 0);
	assert_string_equal(
		words.data,
		"--rate 99 --duration 60 --continuous --idle --children --inline --event cpu/event=1,umask=2/ --pid 3 --pid 12 "
		"--comm=$'-x' --comm $'it\\'s a\\x0a\\xff' --comm kworker/0:1 --cgroup $'/a/b-\\\\x2d' --container=$'-x' "
		"--namespace shop");
}

static void json_prints_back_to_itself(void **state)
{
	_auto_json_ struct json_object *json = NULL, *again = NULL;
	_auto_buf_ struct buf text = { .max_bytes = 1000 };
	struct session_spec spec, back;
	const char *why;

	session_spec__init(&spec);
	session_spec__add_pid(&spec, "12", NULL);
	session_spec__add_pid(&spec, "3", NULL);
	session_spec__add_comm(&spec, "a\"b", NULL);
	session_spec__add_cgroup(&spec, "/b", NULL);
	session_spec__add_cgroup(&spec, "/a", NULL);
	session_spec__add_group(&spec, "pod:x/y", NULL);
	spec.children = true;
	spec.inlined = true;
	assert_int_equal(session_spec__set_event(&spec, "a b", &why), -EINVAL);
	assert_int_equal(session_spec__set_event(&spec, "", &why), -EINVAL);
	assert_int_equal(session_spec__set_event(&spec, "page-faults", &why), 0);
	assert_int_equal(session_spec__to_json(&spec, &json), 0);
	assert_int_equal(json__print(json, false, &text), 0);
	assert_string_equal(
		text.data,
		"{\"rate_hz\":99,\"duration_s\":0,\"continuous\":false,\"idle\":false,"
		"\"children\":true,\"inline\":true,\"event\":\"page-faults\",\"pids\":[3,12],\"comms\":[\"a\\\"b\"],"
		"\"cgroups\":[\"/a\",\"/b\"],\"groups\":[\"pod:x/y\"]}");
	again = parsed(text.data);
	assert_int_equal(session_spec__from_json(again, &back, &why), 0);
	assert_true(session_spec__equal(&spec, &back));
}

static void wrong_json_is_refused_with_a_sentence(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{\"rate_hz\":0}",
		"{\"rate_hz\":\"fast\"}",
		"{\"duration_s\":-1}",
		"{\"duration_s\":86401}",
		"{\"idle\":1}",
		"{\"children\":\"no\"}",
		"{\"inline\":1}",
		"{\"pids\":7}",
		"{\"pids\":[0]}",
		"{\"pids\":[null]}",
		"{\"pids\":[1.5]}",
		"{\"comms\":\"x\"}",
		"{\"comms\":[7]}",
		"{\"comms\":[\"\"]}",
		"{\"cgroups\":\"/\"}",
		"{\"cgroups\":[\"a\"]}",
		"{\"cgroups\":[null]}",
	};
	struct session_spec spec;

	memset(&spec, 0x55, sizeof(spec));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_auto_json_ struct json_object *json = parsed(bad[i]);
		const char *why = NULL;

		if (session_spec__from_json(json, &spec, &why) != -EINVAL || !why)
			fail_msg("'%s' was not refused", bad[i]);
	}
	assert_int_equal(spec.rate_hz, 0x55555555);
}

static void a_command_gives_the_same_wish_as_words(void **state)
{
	struct session_spec spec, words;
	const char *why;

	session_spec__init(&words);
	session_spec__set_rate(&words, "11", NULL);
	session_spec__set_duration(&words, "60", NULL);
	session_spec__add_pid(&words, "2", NULL);
	session_spec__add_pid(&words, "1", NULL);
	assert_int_equal(
		from_config("{\"command_type\":\"start\",\"continuous\":false,\"duration\":60,"
			    "\"frequency\":11,\"profiling_mode\":\"cpu\",\"pids\":[1,2],"
			    "\"max_processes\":10,\"enable_perfspect\":false}",
			    &spec, &why),
		0);
	assert_true(session_spec__equal(&spec, &words));
	assert_int_equal(
		from_config("{\"duration\":\"60\",\"frequency\":\"11\",\"pids\":[\"2\",1,1]}",
			    &spec, &why),
		0);
	assert_true(session_spec__equal(&spec, &words));
}

static void what_a_command_leaves_out_or_null_is_the_default(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"duration\":null,\"frequency\":null,\"profiling_mode\":null,\"pids\":null,"
		"\"continuous\":null,\"profiler_configs\":null}",
		"{\"pids\":[],\"profiler_configs\":{}}",
	};
	struct session_spec spec;
	const char *why;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(from_config(texts[i], &spec, &why), 0);
		assert_int_equal(spec.rate_hz, 77);
		assert_int_equal(spec.duration_s, 60);
		assert_int_equal(spec.pid_cnt, 0);
		assert_false(spec.continuous);
	}
	assert_int_equal(from_config("{\"continuous\":true}", &spec, &why), 0);
	assert_true(spec.continuous);
	assert_int_equal(spec.duration_s, 60);
}

static void a_command_that_cannot_be_done_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *why;
	} cases[] = {
		{ "[]", -EINVAL, "'combined_config' is not an object" },
		{ "{\"frequency\":10001}", -EINVAL,
		  "the rate must be a whole number of Hz from 1 to 10000" },
		{ "{\"frequency\":0}", -EINVAL,
		  "the rate must be a whole number of Hz from 1 to 10000" },
		{ "{\"frequency\":{}}", -EINVAL,
		  "the rate must be a whole number of Hz from 1 to 10000" },
		{ "{\"frequency\":18446744073709551615}", -EINVAL,
		  "the rate must be a whole number of Hz from 1 to 10000" },
		{ "{\"duration\":86401}", -EINVAL, "the duration must be from 1 to 86400 seconds" },
		{ "{\"duration\":-5}", -EINVAL, "the duration must be from 1 to 86400 seconds" },
		{ "{\"continuous\":\"yes\"}", -EINVAL, "'continuous' is neither true nor false" },
		{ "{\"pids\":\"1,2\"}", -EINVAL, "'pids' is not a list" },
		{ "{\"pids\":[-1]}", -EINVAL, "a pid is a whole number from 1 to 4194304" },
		{ "{\"profiling_mode\":\"allocation\",\"frequency\":99999}", -EOPNOTSUPP,
		  "profiling_mode 'allocation' is not supported, only 'cpu'" },
		{ "{\"profiling_mode\":\"none\"}", -EOPNOTSUPP,
		  "profiling_mode 'none' leaves nothing to profile" },
		{ "{\"profiling_mode\":7}", -EOPNOTSUPP,
		  "unknown profiling_mode, only 'cpu' is supported" },
		{ "{\"profiler_configs\":[]}", -EINVAL, "'profiler_configs' is not an object" },
		{ "{\"profiler_configs\":{\"perf\":\"disabled\"}}", -EOPNOTSUPP,
		  "perf is disabled and no other profiler can run" },
		{ "{\"profiler_configs\":{\"perf\":{\"mode\":\"disabled\"}}}", -EOPNOTSUPP,
		  "perf is disabled and no other profiler can run" },
		{ "{\"profiler_configs\":{\"perf\":{\"enabled\":false}}}", -EOPNOTSUPP,
		  "perf is disabled and no other profiler can run" },
		{ "{\"profiler_configs\":{\"perf\":{\"events\":[\"cycles\",\"cache-misses\"]}}}",
		  -EOPNOTSUPP, "perf.events: CPU time, or one other event at a time" },
		{ "{\"profiler_configs\":{\"perf\":{\"events\":[\"page-faults\",\"cache-misses\"]}}}",
		  -EOPNOTSUPP, "perf.events: CPU time, or one other event at a time" },
		{ "{\"profiler_configs\":{\"perf\":{\"events\":[7]}}}", -EINVAL,
		  "perf.events: names of events" },
		{ "{\"profiler_configs\":{\"perf\":{\"events\":\"a b\"}}}", -EINVAL,
		  "an event is a word of at most 63 printable characters" },
		{ "{\"enable_perfspect\":3}", -EINVAL,
		  "'enable_perfspect' is neither true nor false" },
	};
	struct session_spec spec;

	memset(&spec, 0x55, sizeof(spec));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *why = "no reason";

		assert_int_equal(from_config(cases[i].text, &spec, &why), cases[i].err);
		assert_string_equal(why, cases[i].why);
	}
	assert_int_equal(spec.rate_hz, 0x55555555);
}

static void profiler_configs_of_both_consoles_are_accepted(void **state)
{
	static const char *const texts[] = {
		"{\"profiler_configs\":{\"perf\":\"enabled_restricted\",\"async_profiler\":\"enabled\","
		"\"pyperf\":\"enabled\",\"pyspy\":\"enabled_fallback\",\"rbspy\":\"enabled\"}}",
		"{\"profiler_configs\":{\"perf\":{\"mode\":\"enabled_restricted\",\"events\":[\"cpu-cycles\"]},"
		"\"async_profiler\":{\"enabled\":true,\"time\":\"cpu\",\"alloc_interval\":\"2MB\"}}}",
		"{\"profiler_configs\":{\"async_profiler\":\"disabled\"}}",
		"{\"profiler_configs\":{\"perf\":{\"enabled\":true,\"events\":\"cycles\"}}}",
		"{\"profiler_configs\":{\"perf\":{\"events\":[]}}}",
	};
	struct session_spec spec;
	const char *why = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (from_config(texts[i], &spec, &why))
			fail_msg("'%s' was refused: %s", texts[i], why);
	}
}

static void a_command_names_another_event(void **state)
{
	struct session_spec spec;
	const char *why = NULL;

	assert_int_equal(
		from_config("{\"profiler_configs\":{\"perf\":{\"events\":[\"cache-misses\"]}},"
			    "\"enable_perfspect\":true}",
			    &spec, &why),
		0);
	assert_string_equal(spec.event, "cache-misses");
	assert_true(spec.counters);
	assert_int_equal(
		from_config("{\"profiler_configs\":{\"perf\":{\"events\":\"page-faults\"}}}", &spec,
			    &why),
		0);
	assert_string_equal(spec.event, "page-faults");
	assert_false(spec.counters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_99_hz_of_everything),
		cmocka_unit_test(rates_are_1_to_10000),
		cmocka_unit_test(durations_take_a_unit_and_end_after_a_day),
		cmocka_unit_test(pids_and_names_are_sorted_and_distinct),
		cmocka_unit_test(a_long_name_is_cut_as_the_kernel_cuts_it),
		cmocka_unit_test(a_cgroup_is_a_path_written_as_the_kernel_writes_it),
		cmocka_unit_test(groups_are_names_of_a_kind),
		cmocka_unit_test(a_command_by_groups_leaves_its_pids_to_others),
		cmocka_unit_test(lists_have_a_maximum),
		cmocka_unit_test(words_say_all_of_it),
		cmocka_unit_test(json_prints_back_to_itself),
		cmocka_unit_test(wrong_json_is_refused_with_a_sentence),
		cmocka_unit_test(a_command_gives_the_same_wish_as_words),
		cmocka_unit_test(a_command_names_another_event),
		cmocka_unit_test(what_a_command_leaves_out_or_null_is_the_default),
		cmocka_unit_test(a_command_that_cannot_be_done_is_refused_with_the_reason),
		cmocka_unit_test(profiler_configs_of_both_consoles_are_accepted),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
