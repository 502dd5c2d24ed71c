/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * user/control/PROTOCOL.md against the code: each JSON example is read out of it, in order, and either given to the
 * controller as an answer or found again in what the controller sends.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=net__send,--wrap=net_call__cancel,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free,--wrap=work__submit,--wrap=clock_mono_ns */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fake_host.h"
#include "fake_operator.h"
#include "pp/base/file.h"

#define EXAMPLES_MAX 40

struct example {
	char *kind, *text; /* kind: as in the comment before the block; "" if there is none */
};

static struct example examples[EXAMPLES_MAX];
static size_t examples_cnt;

static char *cut(const char *from, const char *to)
{
	char *text = strndup(from, (size_t)(to - from));

	assert_non_null(text);
	return text;
}

static int read_examples(void **state)
{
	__cleanup(cleanup_close) int fd = open("user/control", O_RDONLY | O_DIRECTORY);
	const char *at, *end, *comment, *comment_end;
	_auto_buf_ struct buf text;

	buf__init(&text, 1 << 20);
	if (file__read_at(fd, "PROTOCOL.md", &text))
		return -1;
	for (at = text.data; (at = strstr(at, "\n```json\n")); at = end) {
		struct example *example = &examples[examples_cnt++];

		assert_true(examples_cnt <= EXAMPLES_MAX);
		comment_end = at - strlen(" -->");
		for (comment = comment_end; comment > text.data && comment[-1] != '\n';)
			comment--;
		assert_memory_equal(comment_end, " -->", 4);
		comment += strlen("<!-- replay: ");
		example->kind = cut(comment, comment_end);
		at += strlen("\n```json\n");
		end = strstr(at, "\n```\n");
		assert_non_null(end);
		example->text = cut(at, end);
	}
	return 0;
}

static int free_examples(void **state)
{
	while (examples_cnt--) {
		free(examples[examples_cnt].kind);
		free(examples[examples_cnt].text);
	}
	return 0;
}

static struct json_object *parse(const char *text, size_t len)
{
	struct json_object *json;

	assert_int_equal(json__parse(text, len, &json), 0);
	return json;
}

static int has_member(void *arg, const char *name, struct json_object *value)
{
	struct json_object *other;
	int err = json__get_any(arg, name, &other);

	if (err == -ENOENT && json__is_null(value))
		return 0;
	if (err || json__is_str(value) != json__is_str(other) ||
	    json__is_array(value) != json__is_array(other) ||
	    json__is_int(value) != json__is_int(other))
		print_error("not as documented: %s\n", name);
	return err || json__is_str(value) != json__is_str(other) ||
	       json__is_array(value) != json__is_array(other) ||
	       json__is_int(value) != json__is_int(other);
}

/* The same members, of the same types, in both directions. */
static void same_members(struct json_object *documented, struct json_object *sent)
{
	assert_int_equal(json__each(documented, has_member, sent), 0);
	assert_int_equal(json__each(sent, has_member, documented), 0);
}

static void answers_lead_to_what_is_said(void **state)
{
	uint32_t i, starts = 0, answers = 0;

	host.wait_s = 0;
	control__start(host.control);
	for (i = 0; i < examples_cnt; i++) {
		const char *kind = examples[i].kind;

		if (strncmp(kind, "answer, ", strlen("answer, ")))
			continue;
		answers++;
		wire_answer(beat(), 200, examples[i].text);
		if (!strcmp(kind, "answer, starts")) {
			assert_int_equal(host.starts, ++starts);
			nothing_reported();
			continue;
		}
		assert_int_equal(host.starts, starts);
		if (!strcmp(kind, "answer, nothing")) {
			nothing_reported();
			continue;
		}
		assert_non_null(wire_open(DONE));
		assert_non_null(strstr(wire_open(DONE)->body, !strcmp(kind, "answer, fails") ?
								      "\"failed\"" :
								      "\"completed\""));
		wire_answer(wire_open(DONE), 200, "{\"success\":true}");
	}
	assert_int_equal(starts, 2);
	assert_int_equal(answers, 6);
	assert_int_equal(host.stops, 2);
}

static struct json_object *example_with(const char *kind, const char *text)
{
	size_t i;

	for (i = 0; i < examples_cnt; i++)
		if (!strcmp(examples[i].kind, kind) && strstr(examples[i].text, text))
			return parse(examples[i].text, strlen(examples[i].text));
	fail_msg("no example '%s' with '%s'", kind, text);
	return NULL;
}

static struct json_object *run_told(const struct net_call *call, size_t i)
{
	struct json_object *json = parse(call->body, call->body_len), *runs, *run;

	assert_int_equal(json__get_array(json, "pulseprof_runs", &runs), 0);
	run = json__get(json__at(runs, i));
	json__put(json);
	return run;
}

static void what_is_sent_is_as_documented(void **state)
{
	_auto_json_ struct json_object *beat_json = NULL, *done = NULL, *failed = NULL;
	_auto_json_ struct json_object *completed = example_with("completion", "completed");
	_auto_json_ struct json_object *refused = example_with("completion", "failed");
	_auto_json_ struct json_object *heartbeat = example_with("heartbeat", "");
	_auto_json_ struct json_object *run_done = example_with("run", "done");
	_auto_json_ struct json_object *run_failed = example_with("run", "failed");
	_auto_json_ struct json_object *told_done = NULL, *told_failed = NULL;

	control__start(host.control);
	command(ID(01), "start", ADHOC);
	beat_json = parse(beat()->body, beat()->body_len);
	same_members(heartbeat, beat_json);
	control__run_sampling(host.control, ID(01));
	done = parse(wire_open(DONE)->body, wire_open(DONE)->body_len);
	same_members(completed, done);
	reported(ID(01), NULL);
	host_ends(ID(01), NULL);
	command(ID(02), "start", "{\"target_hostnames\":[\"node-8\"]}");
	failed = parse(wire_open(DONE)->body, wire_open(DONE)->body_len);
	same_members(refused, failed);
	reported(ID(02), "this host is not in target_hostnames");
	told_done = run_told(beat(), 0);
	told_failed = run_told(beat(), 1);
	same_members(run_done, told_done);
	same_members(run_failed, told_failed);
	wire_answer(beat(), 200, NO_COMMAND);
	assert_null(strstr(beat()->body, "pulseprof_runs")); /* told once */
}

static int set_up_waiting(void **state)
{
	memset(&host, 0, sizeof(host));
	host.wait_s = 25;
	return host_begin();
}

static void each_example_is_replayed(void **state)
{
	static const char *const kinds[] = { "answer, starts",
					     "answer, stops",
					     "answer, fails",
					     "answer, nothing",
					     "heartbeat",
					     "completion",
					     "run" };
	size_t i, k;

	assert_true(examples_cnt >= 11);
	for (i = 0; i < examples_cnt; i++) {
		json__put(parse(examples[i].text, strlen(examples[i].text)));
		for (k = 0; k < ARRAY_SIZE(kinds) && strcmp(kinds[k], examples[i].kind);)
			k++;
		assert_true(k < ARRAY_SIZE(kinds));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_example_is_replayed),
		cmocka_unit_test_setup_teardown(answers_lead_to_what_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_sent_is_as_documented, set_up_waiting,
						tear_down),
	};

	return cmocka_run_group_tests(tests, read_examples, free_examples);
}
